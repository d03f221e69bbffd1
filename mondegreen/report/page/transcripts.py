"""What is said, asked for and heard in a clip: the texts of a card, with their differences.

Transcripts are compared word by word, under the record's normaliser, and shown as they were
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import jiwer

from mondegreen.report.numbers.outcomes import Tone, never_heard
from mondegreen.report.numbers.sources import Version
from mondegreen.results.heard import Claim
from mondegreen.text import matches, normalise, word_errors

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


Named: TypeAlias = tuple[str, Version]

ENOUGH: Final = (
    1 / 3
)  # of a phrase's words have to be there for its differences to be read with profit


class Transcript(NamedTuple):
    """A text of a card.

    Attributes:
        label: what it is.
        of: of which version; empty where that need not be said.
        pieces: the text, its differences marked; a plain one is a single piece that is the same.
        note: what is to be said of it; may be empty.
        tone: of the note.
    """

    label: str
    of: str
    pieces: list[Piece]
    note: str = ""
    tone: Tone = "faint"


def compared(label: str, of: str, heard: str, target: str, normaliser: str) -> Transcript:
    """What is heard, beside the target: its differences marked, unless it is another phrase."""
    if not heard.strip():
        return Transcript(label, of, [], "nothing is heard", "bad")
    if matches(heard, target, normaliser):
        return Transcript(label, of, _plain(heard), "the target", "good")
    rate = word_errors(target, heard, normaliser).rate
    marked = _marked(heard, target, normaliser)
    return Transcript(label, of, marked, f"not the target, WER {rate:.0%}", "bad")


def _plain(text: str) -> list[Piece]:
    return [Piece("same", text)]


def _marked(heard: str, phrase: str, normaliser: str) -> list[Piece]:
    pieces = differences(phrase, heard, normaliser)
    return pieces if share_heard(pieces) >= ENOUGH else _plain(heard)


def transcripts(named: Sequence[Named]) -> list[Transcript]:
    """The texts of a clip, in the order in which they are read; what is alike in all stands once.

    Args:
        named: its versions, and what each is called.
    """
    done = [(of, version.entry.cells) for of, version in named if version.entry.status == "done"]
    return [
        *_known("Said", "text", named),
        *_once([_before(of, cells) for of, cells in done]),
        *_known("Asked for", "target", named),
        *(_after(of, cells) for of, cells in done),
        *(text for of, version in named for text in _again(of, version)),
    ]


def _known(label: str, column: str, named: Sequence[Named]) -> Iterator[Transcript]:
    """The first that is known."""
    cells = (version.entry.cells for _, version in named)
    known = [told[column] for told in cells if told.get(column)]
    yield from (Transcript(label, "", _plain(text)) for text in known[:1])


def _once(texts: list[Transcript]) -> list[Transcript]:
    """One instead of several that differ in nothing but whose they are."""
    same = len({(tuple(text.pieces), text.note) for text in texts}) == 1
    return [texts[0]._replace(of="")] if same else texts


def _before(of: str, cells: Mapping[str, Any]) -> Transcript:
    label, heard, said = "Heard in the original", cells["transcript_clean"], cells.get("text")
    if not heard.strip():
        return Transcript(label, of, [], "nothing is heard", "doubt")
    pieces = _marked(heard, said, "default") if said else _plain(heard)
    if cells.get("understood") is False:
        return Transcript(label, of, pieces, "the recogniser does not understand it", "doubt")
    return Transcript(label, of, pieces)


def _after(of: str, cells: Mapping[str, Any]) -> Transcript:
    label = "Heard in the adversarial"
    if never_heard(cells):
        return Transcript(label, of, [], "not heard: its proof was stopped by hand", "doubt")
    return compared(label, of, cells["transcript"], cells["target"], normaliser(cells))


def _again(of: str, version: Version) -> Iterator[Transcript]:
    """What was heard later, by whoever listened."""
    for listener, heard in version.heard:
        yield _one_again(f"Heard again by {listener}", of, heard, version.entry.cells)


def _one_again(label: str, of: str, heard: Claim, cells: Mapping[str, Any]) -> Transcript:
    note = "the target" if heard.verified else "not the target"
    tone: Tone = "good" if heard.verified else "bad"
    if heard.problem is not None:
        return Transcript(label, of, [], f"could not be heard: {heard.problem}", "bad")
    if heard.transcript is None:
        return Transcript(label, of, [], f"{note}; its words were not kept", tone)
    text = compared(label, of, heard.transcript, cells["target"], normaliser(cells))
    if "bank" not in cells:
        return text
    return text._replace(note=f"{text.note}; in the test rooms, {note}", tone=tone)
