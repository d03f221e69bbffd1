from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen import text
from mondegreen.errors import OptionError, TargetError

WORDS = st.lists(st.sampled_from(["the", "sea", "was", "calm", "that", "night"]), max_size=8)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Isn't  he\tsplendid?\n", "isnt he splendid"),
        ("Isn\u2019t", "isnt"),
        ("\u201cWell\u201d, \u2018said\u2019 she\u2014at last\u2026", "well said she at last"),
        ("well-known", "well known"),
        ("\uff26\uff35\uff2c\uff2c \ufb01ne", "full fine"),  # full width, ligature
        ("\u2126\u338f", "\u03c9kg"),  # ohm sign, square kg
        ("co\u00adop\u200b", "coop"),  # soft hyphen, zero-width space
        ("$5 + 3", "$ 5 + 3"),
        ("50%, 50 %; 50\uff05 \u066a", "50 % 50 % 50 % \u066a"),  # full width, Arabic
        ("AT&T at\ufe60t R & D", "at & t at & t r & d"),  # small ampersand
        ("me@home.org #1 *", "me @ home org # 1 *"),
        ("\u00a7 3, 20\u00b0C, C++", "\u00a7 3 20 \u00b0 c c + +"),
        ("\u00bd 1/2", "1 2 1 2"),  # one half
        ("(a) [b] {c} d_e f/g \\h \u00abi\u00bb j\u00b7k", "a b c d e f g h i j k"),
        ("ÉTÉ", "été"),
        ("e\u0301te\u0301", "été"),
        ("e\u200b\u0301te\u200b\u0301", "été"),  # what an invisible character kept apart
        ("...", ""),
        ("", ""),
    ],
)
def test_the_default_normaliser(raw: str, expected: str) -> None:
    assert text.normalise(raw) == expected


@given(st.text())
def test_normalising_again_changes_nothing(raw: str) -> None:
    for name in text.NORMALISERS:
        once = text.normalise(raw, name)
        assert text.normalise(once, name) == once


@given(st.text())
def test_default_leaves_neither_capitals_nor_stray_spaces(raw: str) -> None:
    words = text.normalise(raw).split(" ")
    assert words == [""] or all(words)
    assert not any(character in ".,;:!?'\"-" for word in words for character in word)


def test_matching_is_as_strict_as_declared() -> None:
    assert text.matches("Open the door.", "OPEN THE DOOR")
    assert not text.matches("Open the door.", "OPEN THE DOOR", "exact")
    assert text.matches(" Open the door. \n", "Open the door.", "exact")
    assert not text.matches("Open a door.", "open the door")
    assert not text.matches("open the door please", "open the door")


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("pay 50%", "pay 50"),
        ("AT&T", "AT T"),
        ("press #", "press"),
        ("a*b", "a b"),
        ("\u20ac5", "5"),
        ("\u00a74", "4"),
        ("5\u2030", "5%"),
    ],
)
def test_a_symbol_that_is_spoken_counts_wherever_its_spaces_are(said: str, other: str) -> None:
    symbol = next(c for c in said if not (c.isalnum() or c.isspace()))
    assert text.matches(said.replace(symbol, f" {symbol} "), said)
    assert not text.matches(other, said)
    assert text.word_errors(said, other).errors > 0


def test_an_unknown_normaliser() -> None:
    with pytest.raises(OptionError, match=r"'whisper', expected one of: default, exact"):
        text.matches("a", "a", "whisper")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "words", "rate"),
    [
        ("the cat sat", "The cat sat.", 0, 3, 0),
        ("the cat sat", "the bat sat", 1, 3, 1 / 3),
        ("the cat sat", "the sat", 1, 3, 1 / 3),
        ("the cat", "the big cat", 1, 2, 1 / 2),
        ("the cat", "", 2, 2, 1),
        ("cat", "a dog and a cow", 5, 1, 5),
        ("", "", 0, 0, 0),
        ("?!", "...", 0, 0, 0),
        ("", "a dog", 2, 0, 2),
    ],
)
def test_word_errors(reference: str, hypothesis: str, errors: int, words: int, rate: float) -> None:
    counted = text.word_errors(reference, hypothesis)
    assert (counted.errors, counted.words, counted.rate) == (errors, words, rate)


def test_word_errors_follow_the_normaliser() -> None:
    assert text.word_errors("the cat", "The cat.", "exact").errors == 2


@given(WORDS, WORDS)
def test_edit_distance_bounds(reference: list[str], hypothesis: list[str]) -> None:
    counted = text.word_errors(" ".join(reference), " ".join(hypothesis))
    assert counted.words == len(reference)
    longer, shorter = max(len(reference), len(hypothesis)), min(len(reference), len(hypothesis))
    assert longer - shorter <= counted.errors <= longer
    assert (counted.errors == 0) == (reference == hypothesis)


@pytest.mark.parametrize("target", ["", "  \n", "...", "'", "\u200b", "\u2014 \u201c\u201d"])
def test_a_target_without_words(target: str) -> None:
    with pytest.raises(TargetError, match="no words left"):
        text.check_target(target)


@pytest.mark.parametrize("target", ["yes", "$5", "%", "открой дверь", "開け"])
def test_a_target_with_words(target: str) -> None:
    text.check_target(target)


@pytest.mark.parametrize(
    ("phrase", "sentence"),
    [
        ("OPEN THE DOOR", "Open the door."),
        ("open  the door!", "Open the door!"),
        ("i think i'm late", "I think I'm late."),
        ("Call McCoy now", "Call McCoy now."),
        ("open the door,", "Open the door."),
    ],
)
def test_as_sentence(phrase: str, sentence: str) -> None:
    assert text.as_sentence(phrase) == sentence


@given(st.text(st.characters(max_codepoint=127), min_size=1))
def test_a_sentence_has_the_words_of_its_phrase(phrase: str) -> None:
    assert text.matches(text.as_sentence(phrase), phrase)
