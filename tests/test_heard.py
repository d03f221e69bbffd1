"""What `verify` heard is kept beside the items, and is that of the files it was heard in."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import DRY

from mondegreen.errors import StorageError
from mondegreen.results.heard import Claim, Hearings, Listening, keep_hearings, read_hearings
from mondegreen.results.record import Record

GREEDY = Listening("moonshine-tiny", 1, "float32", None)


def a_claim(item: Path | str, transcript: str | None = "open the door", **changes: Any) -> Claim:
    known: dict[str, Any] = {"file": "abc", "id": "a clip", "target": "open", "claimed": True}
    return Claim(str(item), **{**known, "transcript": transcript, "verified": True, **changes})


@pytest.fixture
def item(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "items" / "key"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def run(item: Path) -> Path:
    return item.parents[1]


def record(**files: str) -> Record:
    """A record of which only the files matter."""
    return replace(DRY, files={f"{name}.wav": file for name, file in files.items()})


# ---- what is kept is read


def test_what_was_heard_comes_back_item_by_item(run: Path, item: Path) -> None:
    damaged = a_claim(run / "items" / "other", None, file="def", verified=False, problem="changed")
    path = keep_hearings(run, GREEDY, [a_claim(item), damaged], 2)
    assert path.parent == run / "heard"
    (found,) = read_hearings(run)
    first, second = a_claim("key"), replace(damaged, item="other")
    assert found == Hearings(GREEDY, True, 2, (first, second))
    assert found.of("key", record(adversarial="abc")) == first
    assert found.of("other", record(adversarial="def")) == second


def test_the_file_has_the_claims_and_how_they_were_heard(run: Path, item: Path) -> None:
    how = Listening("another", 5, "float64", 8)
    kept = json.loads(keep_hearings(run, how, [a_claim(item)], 3).read_text())
    assert kept == {
        "how": {"listener": "another", "beams": 5, "dtype": "float64", "batch": 8},
        **{"whole": False, "items": 3, "claims": [asdict(a_claim("key"))]},
    }


def test_the_same_listening_again_replaces_what_it_left(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item, "first")], 1)
    keep_hearings(run, Listening("other", 1, "float32", None), [a_claim(item, "other")], 1)
    keep_hearings(run, GREEDY, [a_claim(item, "second")], 1)
    heard = {found.how.listener: found.claims[0].transcript for found in read_hearings(run)}
    assert heard == {"moonshine-tiny": "second", "other": "other"}


def test_an_interrupted_listening_leaves_what_was_heard_before_in_the_others(run: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim("a", "first"), a_claim("b", "first")], 2)
    keep_hearings(run, GREEDY, [a_claim("a", "second")], 2)
    (found,) = read_hearings(run)
    assert (found.whole, found.items) == (False, 2)
    assert {claim.item: claim.transcript for claim in found.claims} == {"a": "second", "b": "first"}
    keep_hearings(run, GREEDY, [a_claim("b", "third")], 1)  # all that there is now
    (found,) = read_hearings(run)
    assert [claim.item for claim in found.claims] == ["b"]


def test_an_item_alone_keeps_what_was_heard_in_it(item: Path, monkeypatch) -> None:
    monkeypatch.chdir(item)
    keep_hearings(Path(), GREEDY, [a_claim(Path())], 1)
    (found,) = read_hearings(item)
    assert found.of("key", record(adversarial="abc")) == a_claim("key")


def test_what_was_heard_in_an_earlier_file_is_not_of_this_one(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item)], 1)
    (found,) = read_hearings(run)
    assert found.of("key", record(adversarial="changed since")) is None
    assert found.of("unheard", record(adversarial="abc")) is None
    assert found.of("key", record()) is None


def test_what_was_heard_in_no_file_that_is_known_is_of_none(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item, file=None)], 1)
    (found,) = read_hearings(run)
    assert found.of("key", record(adversarial="abc")) is None
    assert found.of("key", record()) is None


# ---- names


@pytest.mark.parametrize(
    "listener",
    [
        *("openai/whisper-tiny.en", "../../etc/passwd", "..", ".", "", "a" * 10_000, "\x00\n"),
        *("https://host/v1#model", "con", "日本語", "-x", "a b", "module:function"),
    ],
    ids=lambda name: repr(name)[:12],
)
def test_any_listener_has_a_file_in_the_folder(run: Path, item: Path, listener: str) -> None:
    how = Listening(listener, 1, "float32", None)
    path = keep_hearings(run, how, [a_claim(item)], 1)
    assert path.parent == run / "heard"
    assert set(path.parent.iterdir()) == {path}
    assert len(path.name) < 100
    assert path.name.isascii()
    assert [found.how for found in read_hearings(run)] == [how]


ways = st.builds(
    Listening,
    st.text(max_size=70),
    st.integers(1, 5),
    st.sampled_from(["float32", "float64"]),
    st.none() | st.integers(1, 5),
)


@settings(deadline=None)
@given(one=ways, other=ways)
def test_no_two_ways_of_listening_share_a_file(one: Listening, other: Listening) -> None:
    assert (one.file.lower() == other.file.lower()) == (one == other)


def test_a_label_tells_what_is_not_as_usual() -> None:
    assert GREEDY.label == "moonshine-tiny"
    assert Listening("x", 5, "float64", None).label == "x, 5 beams, float64"
    assert Listening("x", 1, "float32", 8).label == "x, batches of 8"


# ---- what is damaged is passed over


def test_a_folder_that_nobody_listened_to_has_no_hearings(run: Path) -> None:
    assert list(read_hearings(run)) == []
    assert list(read_hearings(run / "none")) == []


CLAIM = {
    **{"item": "key", "file": "abc", "id": "a clip", "target": "open", "claimed": True},
    **{"transcript": "", "verified": True, "problem": None, "over_db": None},
}
HOW = {"listener": "x", "beams": 1, "dtype": "float32", "batch": None}
GOOD = {"how": HOW, "whole": True, "items": 1, "claims": [CLAIM]}


@pytest.mark.parametrize(
    "changes",
    [
        *({"how": HOW | wrong} for wrong in ({"listener": None}, {"beams": True}, {"beams": "5"})),
        *({"how": HOW | {"dtype": 32}}, {"how": HOW | {"batch": "8"}}, {"how": {}}, {"how": "x"}),
        *({"whole": 1}, {"items": None}, {"items": math.nan}, {"claims": None}, {"claims": 3}),
        *({"claims": ["x"]}, {"claims": [{}]}, {"claims": [CLAIM | {"item": 3}]}),
        *({"claims": [CLAIM | {"transcript": ["x"]}]}, {"claims": [CLAIM | {"verified": "yes"}]}),
    ],
    ids=repr,
)
def test_a_damaged_file_keeps_nobody_from_the_others(run: Path, changes: dict[str, Any]) -> None:
    (run / "heard").mkdir()
    (run / "heard" / "a.json").write_text(json.dumps(GOOD | changes))
    (run / "heard" / "b.json").write_text("{")
    (run / "heard" / "c.json").mkdir()
    (run / "heard" / "d.json").write_bytes(b"\xff\xfe")
    (run / "heard" / ".e.json.part").write_text("{")
    (run / "heard" / "z.json").write_text(json.dumps(GOOD))
    (found,) = read_hearings(run)
    assert found.claims == (Claim(**CLAIM),)


def test_half_of_a_surrogate_pair_can_be_written_on_a_page(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item, "a\ud800b")], 1)
    (found,) = read_hearings(run)
    assert found.claims[0].transcript == "a?b"


def test_a_folder_that_takes_nothing_says_so(run: Path, item: Path) -> None:
    (run / "heard").write_text("a file")
    with pytest.raises(StorageError, match="heard could not be made"):
        keep_hearings(run, GREEDY, [a_claim(item)], 1)
    assert list(read_hearings(run)) == []
    shutil.rmtree(run)
    with pytest.raises(StorageError):
        keep_hearings(run, GREEDY, [a_claim(item)], 1)
