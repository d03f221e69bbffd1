"""What `verify` heard lies beside the items: what is kept is read, and nothing else is believed."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mondegreen.errors import StorageError
from mondegreen.results.heard import Claim, Heard, Hearings, Listening, keep_hearings, read_hearings

GREEDY = Listening("moonshine-tiny", 1, "float32", None)


def an_item(folder: Path, file: str | None = "abc") -> Path:
    folder.mkdir(parents=True)
    files = {} if file is None else {"files": {"adversarial.wav": file}}
    (folder / "record.json").write_text(json.dumps(files))
    return folder


def a_claim(folder: Path, heard: str | None = "open the door", **changes: Any) -> Claim:
    told = {"id": "a clip", "target": "open", "claimed": True, "heard": heard, "verified": True}
    return Claim(str(folder), **told | changes)


@pytest.fixture
def item(tmp_path: Path) -> Path:
    return an_item(tmp_path / "run" / "items" / "key")


@pytest.fixture
def run(item: Path) -> Path:
    return item.parents[1]


def record(file: str) -> dict[str, Any]:
    return {"files": {"adversarial.wav": file}}


# ---- what is kept is read


def test_what_was_heard_comes_back_item_by_item(run: Path, item: Path) -> None:
    other = an_item(run / "items" / "other", file="def")
    claims = [a_claim(item), a_claim(other, None, verified=False, problem="it is another")]
    path = keep_hearings(run, GREEDY, claims, 2)
    assert path.parent == run / "heard"
    (found,) = read_hearings(run)
    first = Heard("key", "abc", True, "open the door", True, None)
    second = Heard("other", "def", True, None, False, "it is another")
    assert found == Hearings(GREEDY, True, 2, (first, second))
    assert found.of("key", record("abc")) == first
    assert found.of("other", record("def")) == second


def test_the_file_has_the_claims_and_how_they_were_heard(run: Path, item: Path) -> None:
    how = Listening("another", 5, "float64", 8)
    kept = json.loads(keep_hearings(run, how, [a_claim(item)], 3).read_text())
    assert kept == {
        **{"listener": "another", "beams": 5, "dtype": "float64", "batch": 8},
        **{"whole": False, "items": 3},
        "claims": [{**a_claim(item).to_json(), "item": "key", "file": "abc"}],
    }


def test_the_same_listening_again_replaces_what_it_left(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item, "first")], 1)
    keep_hearings(run, Listening("other", 1, "float32", None), [a_claim(item, "other")], 1)
    keep_hearings(run, GREEDY, [a_claim(item, "second")], 1)
    heard = {found.how.listener: found.heard[0].heard for found in read_hearings(run)}
    assert heard == {"moonshine-tiny": "second", "other": "other"}


def test_an_item_alone_keeps_what_was_heard_in_it(item: Path, monkeypatch) -> None:
    monkeypatch.chdir(item)
    keep_hearings(Path(), GREEDY, [a_claim(Path())], 1)
    (found,) = read_hearings(item)
    assert found.of("key", record("abc")) is not None


def test_what_was_heard_in_an_earlier_file_is_not_of_this_one(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item)], 1)
    (found,) = read_hearings(run)
    assert found.of("key", record("changed since")) is None
    assert found.of("unheard", record("abc")) is None
    for other in ({}, {"files": None}, {"files": {}}):
        assert found.of("key", other) is None


def test_an_item_whose_record_tells_no_file_is_of_none(run: Path, item: Path) -> None:
    for text in ("{}", "{"):
        (item / "record.json").write_text(text)
        keep_hearings(run, GREEDY, [a_claim(item)], 1)
        (found,) = read_hearings(run)
        assert found.heard[0].file is None
        assert found.of("key", {}) is None


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
    assert read_hearings(run) == []
    assert read_hearings(run / "none") == []


CLAIM = {
    **{"item": "key", "file": "abc", "claimed": True},
    **{"heard": "", "verified": True, "problem": None},
}
GOOD = {
    **{"listener": "x", "beams": 1, "dtype": "float32", "batch": None, "whole": True, "items": 1},
    "claims": [CLAIM],
}


@pytest.mark.parametrize(
    "changes",
    [
        *({"listener": None}, {"beams": True}, {"beams": "5"}, {"dtype": 32}, {"batch": "8"}),
        *({"whole": 1}, {"items": None}, {"items": math.nan}, {"claims": None}, {"claims": 3}),
        *({"claims": ["x"]}, {"claims": [{}]}, {"claims": [CLAIM | {"item": 3}]}),
        *({"claims": [CLAIM | {"heard": ["x"]}]}, {"claims": [CLAIM | {"verified": "yes"}]}),
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
    assert found.heard == (Heard("key", "abc", True, "", True, None),)


def test_half_of_a_surrogate_pair_can_be_written_on_a_page(run: Path, item: Path) -> None:
    keep_hearings(run, GREEDY, [a_claim(item, "a\ud800b")], 1)
    (found,) = read_hearings(run)
    assert found.heard[0].heard == "a?b"


def test_a_folder_that_takes_nothing_says_so(run: Path, item: Path) -> None:
    (run / "heard").write_text("a file")
    with pytest.raises(StorageError, match="heard could not be made"):
        keep_hearings(run, GREEDY, [a_claim(item)], 1)
    assert read_hearings(run) == []
    shutil.rmtree(run)
    with pytest.raises(StorageError):
        keep_hearings(run, GREEDY, [a_claim(item)], 1)
