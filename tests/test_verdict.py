"""The verdict on a panel: its words follow from the marks, whatever of it is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import DRY, IN_ROOMS, QUALITY, QUALITY_IN_ROOMS

from mondegreen.results.record import OverRooms, Quality
from mondegreen.results.verdict import (
    WORDS,
    YARDSTICKS,
    verdict,
    verdict_in_rooms,
    verdict_sentences,
)

INAUDIBLE, COMPARED, PLAIN = WORDS


def panel(mos: float | None, pesq: float | None, loss: float | None) -> Quality:
    temporal = None if loss is None else replace(QUALITY.masking, loss=loss)
    return replace(QUALITY, zimtohrli_mos=mos, pesq_c2=pesq, temporal=temporal)


@pytest.mark.parametrize(
    ("mos", "pesq", "loss", "word"),
    [
        (4.7, 4.35, 0.5, INAUDIBLE),
        (4.69, 4.35, 0.5, COMPARED),
        (4.7, 4.34, 0.5, COMPARED),
        (4.7, 4.35, 0.51, COMPARED),
        (4.0, 3.5, 1e6, COMPARED),
        (3.99, 4.6, 0.0, PLAIN),
        (5.0, 3.49, 0.0, PLAIN),
        (None, 4.4, 0.1, INAUDIBLE),
        (4.8, None, None, INAUDIBLE),
        (None, 3.6, 0.1, COMPARED),
        (3.9, None, None, PLAIN),
    ],
)
def test_the_word(mos: float | None, pesq: float | None, loss: float | None, word: str) -> None:
    found = verdict(panel(mos, pesq, loss))
    assert found is not None
    assert found.word == word


@pytest.mark.parametrize("loss", [None, 0.0, 1e6])
def test_without_a_rating_there_is_none(loss: float | None) -> None:
    assert verdict(panel(None, None, loss)) is None


def test_the_sentence_names_those_that_decide_it() -> None:
    sentences = [verdict(panel(*of)) for of in ((4.8, 4.4, 0.1), (4.5, 4.4, 9.0), (3.5, 3.9, 9.0))]
    assert [of.sentence for of in sentences if of] == [
        "Probably inaudible by these yardsticks: Zimtohrli MOS 4.80, PESQ (Cor. 2) 4.40 and"
        " temporal masking loss 0.10.",
        "Audible on direct comparison by these yardsticks: Zimtohrli MOS 4.50 (below 4.7) and"
        " temporal masking loss 9.00 (above 0.5).",
        "Plainly audible by these yardsticks: Zimtohrli MOS 3.50 (below 4).",
    ]


def test_a_listener_in_the_median_room_is_judged_by_the_same_marks() -> None:
    seen = replace(QUALITY_IN_ROOMS, zimtohrli_mos=OverRooms(4.2, 1.5, "test-7", 20))
    found = verdict_in_rooms(seen)
    assert found is not None
    assert found.word == COMPARED
    assert found.sentence == (
        "Audible on direct comparison to a listener in the median room by these yardsticks:"
        " Zimtohrli MOS 4.20 (below 4.7) and PESQ (Cor. 2) 4.10 (below 4.35)."
    )
    assert verdict_in_rooms(replace(seen, zimtohrli_mos=None, pesq_c2=None)) is None
    assert verdict_in_rooms(None) is None


def test_both_verdicts_are_told_and_the_one_in_rooms_first() -> None:
    there, dry = verdict_in_rooms(QUALITY_IN_ROOMS), verdict(QUALITY)
    assert there is not None
    assert dry is not None
    both = verdict_sentences(IN_ROOMS)
    assert both == f"{there.sentence} Without a room: a{dry.sentence[1:]}"
    assert verdict_sentences(DRY) == dry.sentence
    unrated = replace(QUALITY, zimtohrli_mos=None, pesq_c2=None)
    assert verdict_sentences(replace(IN_ROOMS, quality=unrated)) == there.sentence
    assert verdict_sentences(replace(DRY, quality=unrated)) == ""


RATING = st.none() | st.floats(1, 5)


@given(RATING, RATING, st.none() | st.floats(0, 1e6), st.integers(0, 2))
def test_better_numbers_never_sound_worse(
    mos: float | None, pesq: float | None, loss: float | None, which: int
) -> None:
    values = [mos, pesq, loss]
    before = verdict(panel(*values))
    if values[which] is not None and before is not None:
        values[which] = (5.0, 5.0, 0.0)[which]
        after = verdict(panel(*values))
        assert after is not None
        assert WORDS.index(after.word) <= WORDS.index(before.word)


def test_lower_marks_are_lower() -> None:
    for one in YARDSTICKS:
        assert one.plain is None or not one.reaches(one.plain, one.inaudible)
