from __future__ import annotations

import unicodedata
from typing import Any

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
        ("宋朝末年。", "宋 朝 末 年"),
        ("你好\uff0c世界", "你 好 世 界"),
        ("我用iPhone 15打", "我 用 iphone 15 打"),
        ("\uff76\uff9e", "ガ"),  # half width, with its mark
        ("İyi günler. IŞIK ışık", "iyi günler işik işik"),  # Turkish
        ("STRASSE, Straße, STRAẞE", "strasse strasse strasse"),
        ("ΟΔΟΣ, οδος, οδοσ", "οδοσ οδοσ οδοσ"),  # final sigma
        ("ﬁne, OﬃCE", "fine office"),
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


CASED = st.text(st.sampled_from("iIİı\u0307ßẞsSςσΣΐŉ'aÅﬁ\u0345\u0301\u0323.\u200b "), max_size=12)


@given(st.text() | CASED)
def test_case_changes_nothing(raw: str) -> None:
    raw = unicodedata.normalize("NFC", raw)  # the case of marks in another order is not defined
    once = text.normalise(raw)
    assert text.normalise(once) == once
    assert text.normalise(raw.upper()) == once
    assert text.normalise(raw.lower()) == once


def test_letters_that_differ_by_more_than_case_stay_different() -> None:
    for one, other in ("aä", "oö", "eé", "sş", "gğ", "dđ", "lł", "oø", "ий"):
        assert not text.matches(one, other)


def test_lower_case_has_no_letter_that_nobody_writes() -> None:
    assert text.lower_case("İYİ GÜNLER") == "iyi günler"


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
        (
            "문을 열어 주세요",
            "문을 닫아 주세요",
            1,
            3,
            1 / 3,
        ),  # Korean has spaces, like the next two
        ("افتح الباب", "افتح النافذة", 1, 2, 1 / 2),
        ("दरवाज़ा खोलो", "दरवाज़ा खोला", 1, 2, 1 / 2),
    ],
)
def test_word_errors(reference: str, hypothesis: str, errors: int, words: int, rate: float) -> None:
    counted = text.word_errors(reference, hypothesis)
    assert counted == text.WordErrors(errors, words)
    assert counted.rate == rate


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "words", "characters"),
    [
        ("宋朝末年间定居粉岭围。", "宋朝末年间定居分岭围", 1, 0, 10),
        ("宋朝末年", "宋 朝\uff0c末 年", 0, 0, 4),
        ("コーヒーを飲む。", "コーヒを飲む", 1, 0, 7),
        ("今日は2024年", "今日は 2024 年", 0, 1, 4),
        ("เปิดประตู", "เปิดประตี", 1, 0, 7),  # a wrong vowel sign is one wrong character
        ("ເປີດປະຕູ", "ເປີດປະຕ", 1, 0, 6),
        ("បើកទ្វារ", "បើកទ្វា", 1, 0, 5),
        ("တံခါး", "တံခာ", 1, 0, 2),
        ("བཀྲ་ཤིས", "བཀྲ་ཤི", 1, 0, 4),
        ("我用 iPhone 打电话", "我用iPhone打电化", 1, 1, 5),
        ("我用 iPhone 打电话", "我用安卓打电话", 2, 1, 5),
    ],
)
def test_without_spaces_characters_are_counted(
    reference: str, hypothesis: str, errors: int, words: int, characters: int
) -> None:
    found = text.word_errors(reference, hypothesis)
    assert found == text.WordErrors(errors, words, characters)
    assert found.rate == errors / (words + characters)


SPACELESS = st.sampled_from("宋朝末年あいアイーกขคທນကဂខគཀཁ")
MIXED = st.lists(
    st.sampled_from(["我", "打", "ー", "ที่", "ทำ", "ຕູ", "iPhone", "дом", "2", "。", " ", "가"])
)


@given(st.lists(SPACELESS, min_size=1, max_size=20), st.data())
def test_a_wrong_character_is_one_error(said: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(said) - 1))
    wrong = [*said[:at], "x", *said[at + 1 :]]
    assert text.word_errors("".join(said), "".join(wrong)).rate == 1 / len(said)


@given(MIXED.map("".join) | st.text())
def test_units_are_the_text_without_its_spaces(written: str) -> None:
    found = text.units(written)
    assert "".join(found) == "".join(written.split())
    assert text.units(" ".join(found)) == found


@given(st.text(st.characters(max_codepoint=0x2AF)))
def test_units_of_writing_with_spaces_are_its_words(written: str) -> None:
    assert text.units(written) == written.split()


@given(MIXED)
def test_spacing_is_no_difference_in_scripts_without_spaces(parts: list[str]) -> None:
    assert text.matches(" ".join(text.units("".join(parts))), "".join(parts))


@pytest.mark.parametrize(
    ("written", "told"),
    [("", "0 words"), ("open", "1 word"), ("打开 it now", "2 words and 2 characters")],
)
def test_how_many(written: str, told: str) -> None:
    assert text.how_many(text.units(written)) == told


def test_word_errors_follow_the_normaliser() -> None:
    assert text.word_errors("the cat", "The cat.", "exact").errors == 2


@given(WORDS, WORDS)
def test_edit_distance_bounds(reference: list[str], hypothesis: list[str]) -> None:
    counted = text.word_errors(" ".join(reference), " ".join(hypothesis))
    assert counted.words == len(reference)
    longer, shorter = max(len(reference), len(hypothesis)), min(len(reference), len(hypothesis))
    assert longer - shorter <= counted.errors <= longer
    assert (counted.errors == 0) == (reference == hypothesis)


@pytest.mark.parametrize("target", ["", "  \n", "...", "'", "\u200b", "\u2014 \u201c\u201d", None])
def test_a_target_without_words(target: Any) -> None:
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
        ("打开门", "打开门。"),
        ("打开门。", "打开门。"),
        ("打开门\uff0c", "打开门。"),
        ("ドアを開けて\uff01", "ドアを開けて\uff01"),
        ("我用 iPhone", "我用 iPhone."),
        ("เปิดประตู", "เปิดประตู"),  # Thai has no full stop
        ("दरवाज़ा खोलो।", "दरवाज़ा खोलो।"),
        ("افتح الباب؟", "افتح الباب؟"),
    ],
)
def test_as_sentence(phrase: str, sentence: str) -> None:
    assert text.as_sentence(phrase) == sentence


@given(st.text(st.characters(max_codepoint=127), min_size=1))
def test_a_sentence_has_the_words_of_its_phrase(phrase: str) -> None:
    assert text.matches(text.as_sentence(phrase), phrase)
