from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.data.utterance import Utterance, numbered

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


def test_ten_thousand_of_one_name() -> None:
    assert numbered(["clip"] * 10_000)[-1] == "clip-10000"


def test_an_utterance_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Utterance("a", "/a.wav").text = "other"  # type: ignore[misc]
