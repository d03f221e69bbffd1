"""Differences between what was asked for and what is heard, by hand and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen import MondegreenError
from mondegreen.report.page.transcripts import MOST_WORDS, Piece, differences, share_found
from mondegreen.text import NORMALISERS, matches, normalise, units

WORDS = st.lists(
    st.sampled_from(
        [
            "open",
            "The",
            "door,",
            "isn't",
            "supper-room",
            "—",
            "a",
            "打开门",
            "我用iPhone",
            "ที่ทำ",
            "。",
        ]
    )
)
TEXT = WORDS.map(" ".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("phrase", "transcript", "expected"),
    [
        ("open the door", "Open the door.", [("same", "Open the door.")]),
        (
            "open the door",
            "open a door",
            [("same", "open"), ("missing", "the"), ("extra", "a"), ("same", "door")],
        ),
        (
            "open the door now",
            "open the",
            [("same", "open the"), ("missing", "door now")],
        ),
        ("the door", "oh the door", [("extra", "oh"), ("same", "the door")]),
        ("open the door", "", [("missing", "open the door")]),
        ("", "open the door", [("extra", "open the door")]),
        ("", "", []),
        (
            "the supper-room",
            "the supper",
            [("same", "the supper"), ("missing", "supper-room")],
        ),
        ("it isn’t", "It ISNT - !", [("same", "It ISNT - !")]),
        (
            "定居粉岭围。",
            "定居分岭围",
            [("same", "定居"), ("missing", "粉", ""), ("extra", "分", ""), ("same", "岭围", "")],
        ),
        (
            "我用 iPhone 打",
            "我用iPhone",
            [("same", "我用iPhone"), ("missing", "打")],
        ),
        ("ไปที่", "ไปที", [("same", "ไป"), ("missing", "ที่", ""), ("extra", "ที", "")]),
    ],
)
def test_by_hand(phrase: str, transcript: str, expected: list[tuple[str, str]]) -> None:
    first, *others = differences(phrase, transcript) or [None]
    found = [first._replace(before=" "), *others] if first else []  # nothing is before the first
    assert found == [Piece(*piece) for piece in expected]


def test_the_normaliser_decides() -> None:
    assert [piece.kind for piece in differences("Open it", "open it", "exact")] == [
        *("missing", "extra", "same"),
    ]
    with pytest.raises(MondegreenError, match="nonsense"):
        differences("a", "b", "nonsense")


@given(TEXT, TEXT, st.sampled_from(sorted(NORMALISERS)))
def test_what_is_not_missing_is_the_transcript(
    phrase: str, transcript: str, normaliser: str
) -> None:
    pieces = differences(phrase, transcript, normaliser)
    kept = "".join(piece.before + piece.text for piece in pieces if piece.kind != "missing")
    assert kept.strip() == " ".join(transcript.split())


@given(TEXT, TEXT)
def test_nothing_is_marked_where_the_words_are_the_same(phrase: str, transcript: str) -> None:
    marked = [piece for piece in differences(phrase, transcript) if piece.kind != "same"]
    assert (marked == []) == matches(transcript, phrase)


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_with_what_is_missing_in_place_of_what_is_extra_it_is_the_phrase(
    phrase: list[str], transcript: list[str]
) -> None:
    pieces = differences(" ".join(phrase), " ".join(transcript))
    assert " ".join(p.text for p in pieces if p.kind != "extra") == " ".join(phrase)


@given(st.text() | TEXT)
def test_words_can_be_normalised_one_by_one(text: str) -> None:
    alone = [part for word in units(text) for part in normalise(word).split()]
    assert alone == normalise(text).split()


def test_share_of_the_phrase_that_is_heard() -> None:
    assert share_found(differences("a b c d", "a x c d e")) == 0.75
    assert share_found(differences("a b", "c")) == 0.0
    assert share_found([]) == 1.0


def test_beyond_a_limit_nothing_is_compared() -> None:
    long = " ".join(["word"] * (MOST_WORDS + 1))
    assert differences("word", long) == [Piece("extra", long)]
