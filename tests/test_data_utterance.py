from __future__ import annotations

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.data.utterance import Utterance, folder_names, numbered

NAMES = st.lists(st.sampled_from(["a", "b", "a-2", "a-3", "a-2-2", ""]), max_size=30)


def literally_numbered(names: list[str], taken: set[str]) -> list[str]:
    """The slow twin: every spelling is tried from the first."""
    found: list[str] = []
    for name in names:
        spellings = (name if number == 1 else f"{name}-{number}" for number in count(1))
        found.append(next(s for s in spellings if s not in found and s not in taken))
    return found


@pytest.mark.parametrize(
    ("names", "taken", "expected"),
    [
        ([], [], []),
        (["a", "b"], [], ["a", "b"]),
        (["a", "a", "b", "a"], [], ["a", "a-2", "b", "a-3"]),
        (["a-2", "a", "a"], [], ["a-2", "a", "a-3"]),
        (["a", "a", "a-2"], [], ["a", "a-2", "a-2-2"]),
        (["a", "b", "a"], ["a", "a-3"], ["a-2", "b", "a-4"]),
    ],
)
def test_names_are_numbered_where_they_repeat(
    names: list[str], taken: list[str], expected: list[str]
) -> None:
    assert numbered(names, taken) == expected


@given(NAMES, st.sets(st.sampled_from(["a", "a-2", "b-2"])))
def test_numbering_agrees_with_its_slow_twin(names: list[str], taken: set[str]) -> None:
    found = numbered(names, taken)
    assert found == literally_numbered(names, taken)
    assert len({*found, *taken}) == len(names) + len(taken)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["clip", "2-a.b", "déjà vu", "漢字"], ["clip", "2-a.b", "déjà vu", "漢字"]),
        (["..", ".", "", "...", " "], ["clip", "clip-2", "clip-3", "clip-4", "clip-5"]),
        ([".hidden", "..up", "trailing. "], ["hidden", "up", "trailing"]),
        (["../../etc", "a/b", "a\\b", "/a"], ["_.._etc", "a_b", "a_b-2", "_a"]),
        (["a\0b", "a\x1b[2J", "a\u202eb", "caf\udce9"], ["a_b", "a_[2J", "a_b-2", "caf_"]),
        (["Clip", "clip", "CLIP"], ["Clip", "clip-2", "CLIP-3"]),
        (["\u00e9", "e\u0301"], ["\u00e9", "e\u0301-2"]),
        (["x" * 300, "x" * 300], ["x" * 200, "x" * 200 + "-2"]),
        (["é" * 150], ["é" * 100]),
        (["record.json"], ["record.json-2"]),
    ],
)
def test_any_name_becomes_that_of_a_folder_of_its_own(
    names: list[str], expected: list[str]
) -> None:
    assert folder_names(names, ["Record.JSON"]) == expected


@given(st.lists(st.text(st.characters(), max_size=300), max_size=8))
def test_folders_lie_side_by_side_whatever_their_names(names: list[str]) -> None:
    with TemporaryDirectory() as place:
        for name in folder_names(names):
            (Path(place) / name).mkdir()
        made = [path for path in Path(place).iterdir() if not path.name.startswith(".")]
        assert len(made) == len(names) == len({path.name.casefold() for path in made})


def test_ten_thousand_of_one_name() -> None:
    assert numbered(["clip"] * 10_000)[-1] == "clip-10000"


def test_an_utterance_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Utterance("a", "/a.wav").text = "other"  # type: ignore[misc]
