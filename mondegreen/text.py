"""What counts as the same words: named normalisers, word errors, and usable targets.

The rule by which a transcript counts as the target has a name. `default` compares words: case,
spacing, apostrophes ("isn't" is "isnt") and punctuation do not matter, but symbols that are read
aloud do ("50%" is "50 %", and is not "50"). `exact` compares what the model printed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import jiwer

from mondegreen.errors import OptionError, TargetError
from mondegreen.wording import number_of

Normaliser = Callable[[str], str]

# typewriter, curly, modifier letter, backtick
APOSTROPHES: Final = frozenset("'\u2018\u2019\u02bc`")
SPOKEN: Final = frozenset("#%&*@\u00a7\u2030\u2031\u066a")  # last four: § ‰ ‱, Arabic percent
FRACTION_SLASH: Final = "\u2044"  # a symbol to Unicode, but "½" is to be "1/2"

# Scripts without spaces between words, by how the names of their characters begin in Unicode. A
# character is about a syllable in the first ones, and about a letter in the others.
SYLLABLES: Final = (
    *("CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "KATAKANA ", "KATAKANA-HIRAGANA ", "BOPOMOFO ", "YI "),
)
LETTERS: Final = (
    *("THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ", "TAI ", "NEW TAI LUE "),
    *("BALINESE ", "JAVANESE "),
)

Kind = Literal["word", "syllable", "letter"]

COMMAS: Final = ",;: \uff0c\uff1b\uff1a\u3001\u060c"  # full width, ideographic, Arabic
STOPS: Final[Mapping[Kind, str]] = {"word": ".", "syllable": "\u3002", "letter": ""}
# Latin, full width and half width; Arabic and Urdu; Hindi and its neighbours; Burmese, Khmer,
# Tibetan, Armenian and Ethiopic
ENDS: Final = (
    *(".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f", "\uff0e", "\uff61"),
    *("\u061f", "\u06d4", "\u0964", "\u0965", "\u104a", "\u104b", "\u17d4", "\u17d5"),
    *("\u0f0d", "\u0f0e", "\u0589", "\u1362"),
)


def units(text: str) -> list[str]:
    """The words of a text; in scripts without spaces between words, the characters.

    A character has its marks with it. Joined, the units are the text without its spaces.

    >>> units("open the door")
    ['open', 'the', 'door']
    >>> units("\u6211\u7528iPhone \u6253")
    ['\u6211', '\u7528', 'iPhone', '\u6253']
    """
    apart, alone = [], False
    for character in text:
        if not (alone and _stays(character)):
            before, alone = alone, kind(character) != "word"
            apart.append(" " if before or alone else "")
        apart.append(character)
    return "".join(apart).split()


def places(text: str) -> list[tuple[int, int]]:
    """Where each of the `units` of a text begins in it, and the place after its end.

    >>> places("open  the door")
    [(0, 4), (6, 9), (10, 14)]
    """
    found, end = [], 0
    for unit in units(text):
        begin = text.index(unit, end)
        end = begin + len(unit)
        found.append((begin, end))
    return found


def kind(unit: str) -> Kind:
    """What a unit is: a word, or a character that stands for a syllable or for a letter."""
    return _kind(unit[:1])


@lru_cache(maxsize=10_000)
def _kind(character: str) -> Kind:
    name = unicodedata.name(unicodedata.normalize("NFKC", character)[:1] or " ", "")
    if name.startswith(SYLLABLES):
        return "syllable"
    return "letter" if name.startswith(LETTERS) else "word"


def _stays(character: str) -> bool:
    """Whether a character belongs to the one before: marks, also as parts, and invisible ones."""
    first = unicodedata.category(unicodedata.normalize("NFKC", character)[0])
    return first.startswith("M") or first == "Cf"


def how_many(of: Iterable[str]) -> str:
    """How many words and characters these units are, such as "1 word" or "9 characters"."""
    kinds = [kind(unit) == "word" for unit in of]
    return counted(sum(kinds), len(kinds) - sum(kinds))


def counted(words: int, characters: int) -> str:
    """So many words and characters; of nothing, 0 words."""
    counts = {"word": words, "character": characters}
    shown = {name: count for name, count in counts.items() if count} or {"word": 0}
    return " and ".join(number_of(n, name) for name, n in shown.items())


def words_only(text: str) -> str:
    """Normaliser `default`: words without case (`folded`), single spaces between; see `units`.

    Unicode NFKC. Apostrophes and invisible format characters are dropped; other punctuation
    (`is_punctuation`) becomes a space. Every symbol that is read aloud becomes a word of its own:
    `SPOKEN`, and Unicode category S, such as "$", "+" and "°". So "AT&T" is "at & t".
    """
    text = folded(text)
    kept = (c for c in text if c not in APOSTROPHES and unicodedata.category(c) != "Cf")
    words = map(_apart, folded("".join(kept)))
    return " ".join(units("".join(words)))


def folded(text: str) -> str:
    """Text without differences of case: Unicode NFKC and case folding, and one i.

    "ß" is "ss", and "ς" is "σ". "I" is the capital of "i", in Turkish that of "ı", whose "i" has
    the capital "İ"; a text does not tell its language, so all four are "i".

    >>> folded("STRASSE"), folded("straße"), folded("IŞIK"), folded("ışık")
    ('strasse', 'strasse', 'işik', 'işik')
    """
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text)).casefold()
    one_i = re.sub("i\u0307+", "i", plain.replace("ı", "i"))
    return unicodedata.normalize("NFKC", one_i)


def lower_case(text: str) -> str:
    """`str.lower`, but "İ" becomes "i": Python's "i" and a dot above are no letter of Turkish."""
    return text.replace("İ", "i").lower()


def is_punctuation(character: str) -> bool:
    """Whether a character is written but not read aloud: category P without `SPOKEN`."""
    in_category = unicodedata.category(character).startswith("P")
    return (in_category and character not in SPOKEN) or character == FRACTION_SLASH


def _apart(character: str) -> str:
    if is_punctuation(character):
        return " "
    spoken = character in SPOKEN or unicodedata.category(character).startswith("S")
    return f" {character} " if spoken else character


NORMALISERS: Final[Mapping[str, Normaliser]] = {"default": words_only, "exact": str.strip}


def normalise(text: str, normaliser: str = "default") -> str:
    """Apply a normaliser by name; raises OptionError if there is none of that name."""
    if normaliser not in NORMALISERS:
        raise OptionError(
            f"Got the normaliser {normaliser!r}, expected one of: {', '.join(NORMALISERS)}."
        )
    return NORMALISERS[normaliser](text)


def matches(heard: str, target: str, normaliser: str = "default") -> bool:
    """Whether a transcript is the target phrase; raises OptionError as `normalise` does."""
    return normalise(heard, normaliser) == normalise(target, normaliser)


@dataclass(frozen=True)
class WordErrors:
    """Edit distance in units, as counts, so that rates over many clips can be pooled."""

    errors: int  # substitutions + deletions + insertions
    words: int  # in the reference
    characters: int = 0  # in the reference, of scripts without spaces between words

    @property
    def rate(self) -> float:
        """Word error rate, which may exceed 1; an empty reference counts as one word.

        (jiwer returns 1 for an empty reference, however many words are inserted.)
        """
        return self.errors / max(self.words + self.characters, 1)

    def __add__(self, other: WordErrors) -> WordErrors:
        """Both together."""
        return WordErrors(
            self.errors + other.errors,
            self.words + other.words,
            self.characters + other.characters,
        )


def word_errors(reference: str, hypothesis: str, normaliser: str = "default") -> WordErrors:
    """Errors of a normalised hypothesis in units; raises OptionError as `normalise` does."""
    asked, found = (units(normalise(text, normaliser)) for text in (reference, hypothesis))
    counts = jiwer.process_words(" ".join(asked), " ".join(found))
    words = sum(kind(unit) == "word" for unit in asked)
    return WordErrors(
        errors=counts.substitutions + counts.deletions + counts.insertions,
        words=words,
        characters=len(asked) - words,
    )


def check_target(text: str) -> None:
    """Refuse a target phrase that has no words.

    Raises:
        TargetError: it is no text, or nothing is left of it under the `default` normaliser.
    """
    if not isinstance(text, str) or not words_only(text):
        raise TargetError(
            f"Got the target {text!r}, which has no words left without its punctuation. Expected"
            " the phrase that the model should hear."
        )


def given_target(target: str | None) -> str:
    """The target of a recording that has none of its own.

    Raises:
        TargetError: none was given; or as `check_target`.
    """
    if target is None:
        raise TargetError(
            "A recording without a record.json beside it has no target. Give one with --target."
        )
    check_target(target)
    return target


def as_sentence(text: str) -> str:
    """Write a phrase the way most recognisers print one: in sentence case, with a full stop.

    "OPEN THE DOOR" and "open the door" become "Open the door."; mixed case is kept. The stop is
    that of the writing; scripts such as Thai have none. Under the `default` normaliser the words
    stay the same.
    """
    text = " ".join(text.split()).rstrip(COMMAS)
    if text in (text.lower(), text.upper()):
        text = re.sub(r"(?<!\S)i(?=['\s]|$)", "I", lower_case(text))
        text = text[:1].upper() + text[1:]
    last = units(text)[-1:]
    return text + STOPS[kind(last[0])] if last and not text.endswith(ENDS) else text
