"""What is said, asked for and heard in a clip: the texts of a card, with their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from mondegreen.report.gathering import Version
from mondegreen.report.outcomes import Tone, never_heard
from mondegreen.report.words import Piece, differences, share_heard
from mondegreen.runs.hearings import Heard
from mondegreen.text import matches, word_errors

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
    label, heard, said = "Heard in the original", cells["heard_clean"], cells.get("text")
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
    return compared(label, of, cells["heard"], cells["target"], cells["normaliser"])


def _again(of: str, version: Version) -> Iterator[Transcript]:
    """What was heard later, by whoever listened."""
    for listener, heard in version.heard:
        yield _one_again(f"Heard again by {listener}", of, heard, version.entry.cells)


def _one_again(label: str, of: str, heard: Heard, cells: Mapping[str, Any]) -> Transcript:
    note = "the target" if heard.verified else "not the target"
    tone: Tone = "good" if heard.verified else "bad"
    if heard.problem is not None:
        return Transcript(label, of, [], f"could not be heard: {heard.problem}", "bad")
    if heard.heard is None:
        return Transcript(label, of, [], f"{note}; its words were not kept", tone)
    text = compared(label, of, heard.heard, cells["target"], cells["normaliser"])
    if "bank" not in cells:
        return text
    return text._replace(note=f"{text.note}; in the test rooms, {note}", tone=tone)
