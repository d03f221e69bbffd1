"""What counts as the same words: named normalisers, word errors, and usable targets.

The rule by which a transcript counts as the target has a name. `default` compares words: case,
spacing, apostrophes ("isn't" is "isnt") and punctuation do not matter, but symbols that are read
aloud do ("50%" is "50 %", and is not "50"). `exact` compares what the model printed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import jiwer

from mondegreen.errors import OptionError, TargetError

Normaliser = Callable[[str], str]

# typewriter, curly, modifier letter, backtick
APOSTROPHES: Final = frozenset("'\u2018\u2019\u02bc`")
SPOKEN: Final = frozenset("#%&*@\u00a7\u2030\u2031\u066a")  # last four: § ‰ ‱, Arabic percent
FRACTION_SLASH: Final = "\u2044"  # a symbol to Unicode, but "½" is to be "1/2"


def words_only(text: str) -> str:
    """Normaliser `default`: lower-case words with single spaces between them.

    Unicode NFKC. Apostrophes and invisible format characters are dropped; other punctuation
    (`is_punctuation`) becomes a space. Every symbol that is read aloud becomes a word of its own:
    `SPOKEN`, and Unicode category S, such as "$", "+" and "°". So "AT&T" is "at & t".
    """
    text = unicodedata.normalize("NFKC", text).lower()
    kept = (c for c in text if c not in APOSTROPHES and unicodedata.category(c) != "Cf")
    words = map(_apart, unicodedata.normalize("NFKC", "".join(kept)))
    return " ".join("".join(words).split())


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
    """Edit distance in words, as counts, so that rates over many clips can be pooled."""

    errors: int  # substitutions + deletions + insertions
    words: int  # in the reference

    @property
    def rate(self) -> float:
        """Word error rate, which may exceed 1; an empty reference counts as one word.

        (jiwer returns 1 for an empty reference, however many words are inserted.)
        """
        return self.errors / max(self.words, 1)


def word_errors(reference: str, hypothesis: str, normaliser: str = "default") -> WordErrors:
    """Word errors of a normalised hypothesis; raises OptionError as `normalise` does."""
    reference, hypothesis = normalise(reference, normaliser), normalise(hypothesis, normaliser)
    counts = jiwer.process_words(reference, hypothesis)
    errors = counts.substitutions + counts.deletions + counts.insertions
    return WordErrors(errors=errors, words=len(reference.split()))


def check_target(text: str) -> None:
    """Refuse a target phrase that has no words.

    Raises:
        TargetError: nothing is left of `text` under the `default` normaliser.
    """
    if not words_only(text):
        raise TargetError(
            f"Got the target {text!r}, which has no words left without its punctuation. Expected"
            " the phrase that the model should hear."
        )


def as_sentence(text: str) -> str:
    """Write a phrase the way most recognisers print one: in sentence case, with a full stop.

    "OPEN THE DOOR" and "open the door" become "Open the door."; mixed case is kept. Under the
    `default` normaliser the words stay the same.
    """
    text = " ".join(text.split()).rstrip(",;: ")
    if text in (text.lower(), text.upper()):
        text = re.sub(r"(?<!\S)i(?=['\s]|$)", "I", text.lower())
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
