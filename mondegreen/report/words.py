"""Where a transcript differs from a phrase, word by word, under a declared normaliser.

Words are compared as `mondegreen.text` compares them, and shown as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

import jiwer

from mondegreen.text import normalise

Kind = Literal["same", "missing", "extra"]

MOST_WORDS: Final = 2_000  # beyond it nobody reads, and the alignment's square is felt


class Piece(NamedTuple):
    """Some words in a row: of the transcript ("same", "extra"), or of the phrase ("missing")."""

    kind: Kind
    text: str


class _Words(NamedTuple):
    """A text as written, and the words that are compared, each with the place that it is from."""

    written: list[str]
    compared: list[str]
    places: list[int]


def differences(phrase: str, heard: str, normaliser: str = "default") -> list[Piece]:
    """A transcript in pieces, with what it lacks of a phrase where that belongs.

    The pieces that are not missing, joined by spaces, are the transcript with single spaces. A word
    of several parts ("supper-room") is the same if all of its parts are. Of more than `MOST_WORDS`
    words nothing is compared: the transcript is one piece that is "extra".

    Args:
        phrase: what was asked for.
        heard: the transcript.
        normaliser: see `mondegreen.text`.

    Raises:
        OptionError: there is no normaliser of that name.
    """
    asked, told = _words(phrase, normaliser), _words(heard, normaliser)
    if max(len(asked.compared), len(told.compared)) > MOST_WORDS:
        return [Piece("extra", " ".join(told.written))]
    pieces = _pieces(asked, told)
    return [
        Piece(kind, " ".join(piece.text for piece in run))
        for kind, run in groupby(pieces, key=lambda piece: piece.kind)
    ]


def share_heard(pieces: Sequence[Piece]) -> float:
    """How much of the phrase is in the transcript, 0 to 1, by words as written; of no words, 1."""
    same, missing = (
        sum(len(p.text.split()) for p in pieces if p.kind == kind) for kind in ("same", "missing")
    )
    return same / (same + missing) if same + missing else 1.0


def _words(text: str, normaliser: str) -> _Words:
    written = text.split()
    parts = [normalise(word, normaliser).split() for word in written]
    compared = [part for some in parts for part in some]
    places = [place for place, some in enumerate(parts) for _ in some]
    return _Words(written, compared, places)


def _pieces(asked: _Words, told: _Words) -> Iterator[Piece]:
    """One piece for each word, in the order of the transcript."""
    extra: set[int] = set()  # places in what is told
    missing: dict[int, int] = {}  # places in what is asked -> the place before which they belong
    for chunk in _alignment(asked, told):
        if chunk.type == "equal":
            continue
        extra.update(told.places[chunk.hyp_start_idx : chunk.hyp_end_idx])
        ahead = told.places[chunk.hyp_start_idx : chunk.hyp_start_idx + 1] or [len(told.written)]
        for place in asked.places[chunk.ref_start_idx : chunk.ref_end_idx]:
            missing.setdefault(place, ahead[0])
    lacking = sorted(missing, key=lambda place: (missing[place], place))
    for place, word in enumerate([*told.written, ""]):
        while lacking and missing[lacking[0]] <= place:
            yield Piece("missing", asked.written[lacking.pop(0)])
        if place < len(told.written):
            yield Piece("extra" if place in extra else "same", word)


def _alignment(asked: _Words, told: _Words) -> Sequence[jiwer.AlignmentChunk]:
    found = jiwer.process_words(" ".join(asked.compared), " ".join(told.compared))
    return found.alignments[0]
