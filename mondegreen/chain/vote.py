"""What several transcripts of one sound agree on, word by word.

After ROVER (Fiscus, *A Post-Processing System to Yield Reduced Word Error Rates*, ASRU 1997): the
transcripts are aligned to one of them, and at every place most votes decide, a missing word being a
vote as well. The one that they are aligned to is the one that has the fewest word errors to all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import jiwer


def vote(texts: Sequence[str]) -> str:
    """The words that most transcripts have, in their order; the first of them wins a draw.

    >>> vote(["open the door", "open a door", "oh open the door"])
    'open the door'
    """
    skeleton = min(texts, key=lambda one: sum(_errors(one, other) for other in texts)).split()
    if not skeleton:
        return ""
    votes = [_aligned(skeleton, text.split()) for text in texts]
    said = (_most(place) for place in zip(*votes, strict=True))
    return " ".join(word for word in said if word)


def _most(place: Sequence[str]) -> str:
    """What is said most often; of equals, the first."""
    return Counter(place).most_common(1)[0][0]


def _errors(one: str, other: str) -> int:
    """The word errors between two transcripts."""
    first, second = one.split(), other.split()
    if not first or not second:
        return max(len(first), len(second))
    counts = jiwer.process_words(" ".join(first), " ".join(second))
    return counts.substitutions + counts.insertions + counts.deletions


def _aligned(skeleton: list[str], words: list[str]) -> list[str]:
    """What is said before, at and after each word of the skeleton: 2 N + 1 places, "" for none."""
    places = [""] * (2 * len(skeleton) + 1)
    if not words:
        return places
    for chunk in jiwer.process_words(" ".join(skeleton), " ".join(words)).alignments[0]:
        said = words[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "insert":
            places[2 * chunk.ref_start_idx] = " ".join(said)
        for step, word in enumerate(said if chunk.type != "insert" else ()):
            places[2 * (chunk.ref_start_idx + step) + 1] = word
    return places
