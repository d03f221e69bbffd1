"""What several transcripts of one sound agree on, word by word.

After ROVER (Fiscus, *A Post-Processing System to Yield Reduced Word Error Rates*, ASRU 1997): the
transcripts are aligned to one of them, and at every place most votes decide, a missing word being a
vote as well. The one that they are aligned to is the one that has the fewest word errors to all.

Words are compared under the normaliser `default`, so that "Door." and "door" are votes for the same
word. What wins is spelled as the first transcript that says just this; if none does, each word as
most of them spell it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import jiwer

from mondegreen.text import units, words_only


class Word(NamedTuple):
    """A word of a transcript, or several that stand between two words of another."""

    word: str  # normalised
    spelled: str


NONE = Word("", "")


def vote(texts: Sequence[str]) -> str:
    """The words that most transcripts have, in their order; the first of them wins a draw.

    >>> vote(["Open the door.", "open a door", "Oh, open the door!"])
    'Open the door.'
    """
    said = [_words(text) for text in texts]
    skeleton = min(said, key=lambda one: sum(_errors(one, other) for other in said))
    if not skeleton:
        return ""
    votes = [_aligned(skeleton, words) for words in said]
    won = [one for one in map(_most, zip(*votes, strict=True)) if one.word]
    whole = (text for text, words in zip(texts, said, strict=True) if _same(words, won))
    return " ".join(next(whole, " ".join(one.spelled for one in won)).split())


def _words(text: str) -> list[Word]:
    """The words of a text, as `mondegreen.text.words_only` tells them apart."""
    found: list[Word] = []
    for spelled in units(text):
        words = words_only(spelled).split()  # of "50%" two, of a dash none
        found += [Word(one, spelled if len(words) == 1 else one) for one in words]
    return found


def _same(one: Sequence[Word], other: Sequence[Word]) -> bool:
    return _normalised(one) == _normalised(other)


def _most(place: Sequence[Word]) -> Word:
    """What is said most often, as it is most often spelled; of equals, the first."""
    word = Counter(one.word for one in place).most_common(1)[0][0]
    spelled = Counter(one.spelled for one in place if one.word == word)
    return Word(word, spelled.most_common(1)[0][0])


def _normalised(words: Sequence[Word]) -> str:
    return " ".join(one.word for one in words)


def _errors(one: Sequence[Word], other: Sequence[Word]) -> int:
    """The word errors between two transcripts."""
    if not one or not other:
        return max(len(one), len(other))
    counts = jiwer.process_words(_normalised(one), _normalised(other))
    return counts.substitutions + counts.insertions + counts.deletions


def _aligned(skeleton: Sequence[Word], words: Sequence[Word]) -> list[Word]:
    """What is said before, at and after each word of the skeleton: 2 N + 1 places."""
    places = [NONE] * (2 * len(skeleton) + 1)
    if not words:
        return places
    for chunk in jiwer.process_words(_normalised(skeleton), _normalised(words)).alignments[0]:
        said = words[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "insert":
            spelled = " ".join(one.spelled for one in said)
            places[2 * chunk.ref_start_idx] = Word(_normalised(said), spelled)
        for step, one in enumerate(said if chunk.type != "insert" else ()):
            places[2 * (chunk.ref_start_idx + step) + 1] = one
    return places
