"""What counts as the same words: declared normalisers, word errors, and usable targets.

A claim "the model heard the target" is only as good as the rule of comparison, so the rule has a
name. `default` compares words: case, punctuation and spacing do not matter, and neither do
apostrophes ("isn't" is "isnt"). `exact` compares what the model printed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jiwer

from mondegreen.errors import OptionError, TargetError

Normaliser = Callable[[str], str]

APOSTROPHES: Final = frozenset(
    "'\u2018\u2019\u02bc`"
)  # typewriter, curly, modifier letter, backtick


def words_only(text: str) -> str:
    """Normaliser `default`: lower-case words with single spaces between them.

    Unicode NFKC; apostrophes and invisible format characters vanish; every other punctuation mark
    (Unicode category P: dashes, quotes, commas, ...) separates words. Symbols that are spoken,
    such as "$" or "+", are category S and stay.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(_keep(character) for character in text)
    return " ".join(unicodedata.normalize("NFKC", kept).split())


def _keep(character: str) -> str:
    category = unicodedata.category(character)
    if character in APOSTROPHES or category == "Cf":
        return ""
    return " " if category.startswith("P") else character


NORMALISERS: Final[Mapping[str, Normaliser]] = MappingProxyType(
    {"default": words_only, "exact": str.strip}
)


def normalise(text: str, normaliser: str = "default") -> str:
    """Apply a normaliser by its name.

    Raises:
        OptionError: there is no normaliser of that name.
    """
    if normaliser not in NORMALISERS:
        raise OptionError(
            f"Got the normaliser {normaliser!r}, expected one of: {', '.join(NORMALISERS)}."
        )
    return NORMALISERS[normaliser](text)


def matches(heard: str, target: str, normaliser: str = "default") -> bool:
    """Tell whether a transcript is the target phrase, under a declared normaliser.

    Raises:
        OptionError: there is no normaliser of that name.
    """
    return normalise(heard, normaliser) == normalise(target, normaliser)


@dataclass(frozen=True)
class WordErrors:
    """Edit distance in words, as counts, so that rates over many clips can be pooled."""

    errors: int  # substitutions + deletions + insertions
    words: int  # in the reference

    @property
    def rate(self) -> float:
        """Word error rate, errors / words; above 1 when more is inserted than was there.

        An empty reference counts as one word: 0 if nothing was heard, else the words inserted.
        (jiwer's own rate is 1 there, for one word as for ten.)
        """
        return self.errors / max(self.words, 1)


def word_errors(reference: str, hypothesis: str, normaliser: str = "default") -> WordErrors:
    """Count the word errors of `hypothesis` against `reference`, both normalised first.

    Raises:
        OptionError: there is no normaliser of that name.
    """
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
            f"Got the target {text!r}, which has no words left once case, punctuation and "
            "spaces are set aside. Expected a phrase for the model to mishear; give one."
        )


def as_sentence(text: str) -> str:
    """Write a phrase the way most recognisers print one: with a full stop, and in sentence case.

    "OPEN THE DOOR" and "open the door" become "Open the door."; a phrase of mixed case keeps it.
    The words stay the same under the `default` normaliser.
    """
    text = " ".join(text.split()).rstrip(",;: ")
    if text in (text.lower(), text.upper()):
        text = " ".join(_pronoun(word) for word in text.lower().split())
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _pronoun(word: str) -> str:
    return "I" + word[1:] if word.split("'")[0] == "i" else word
