"""What became of a clip, in a word or two, and under which filters of a page it is found."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from mondegreen.report.numbers.entries import Entry

Tone = Literal["good", "bad", "doubt", "faint"]

FILTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "verified": "Verified",
        "failed": "Not verified",
        "error": "Errors",
        "pending": "Pending",
        "damaged": "Damaged",
        "misunderstood": "Not understood",
        "stopped": "Stopped by hand",
    }
)


class Outcome(NamedTuple):
    """What became of a clip.

    Attributes:
        word: in a word or two.
        tone: how it is to be taken.
        kinds: the names of the `FILTERS` that find it.
    """

    word: str
    tone: Tone
    kinds: tuple[str, ...]


_WITHOUT_RECORD: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "error": Outcome("error", "bad", ("error",)),
        "pending": Outcome("pending", "faint", ("pending",)),
        "damaged": Outcome("damaged", "bad", ("damaged",)),
    }
)


def outcome(entry: Entry, *, files_whole: bool = True) -> Outcome:
    """What became of a clip.

    Args:
        entry: its row.
        files_whole: its sounds are those that its record was written with. If not, the record's
            claim counts as everywhere, and the clip is found among the damaged ones as well.
    """
    if entry.status != "done":
        return _WITHOUT_RECORD[entry.status]
    cells = entry.cells
    kinds = tuple(_kinds(cells))
    if not files_whole:
        return Outcome("files damaged", "bad", (*kinds, "damaged"))
    word, tone = _word(cells)
    return Outcome(word, tone, kinds)


def _kinds(cells: Mapping[str, Any]) -> list[str]:
    kinds = ["verified" if cells["verified"] else "failed"]
    kinds += ["misunderstood"] if cells.get("understood") is False else []
    return kinds + (["stopped"] if cells["interrupted"] else [])


def _word(cells: Mapping[str, Any]) -> tuple[str, Tone]:
    if cells["verified"]:
        return "verified", "good"
    if never_heard(cells):
        return "never heard", "doubt"
    return "not verified", "bad"


def never_heard(cells: Mapping[str, Any]) -> bool:
    """Whether the proof was stopped by hand before anything was heard."""
    return bool(cells["interrupted"] and not cells["transcript"])


def cells_to_show(entry: Entry) -> Mapping[str, Any]:
    """The row of a clip, without the word errors of a file that was never heard."""
    if entry.status == "done" and never_heard(entry.cells):
        return {n: v for n, v in entry.cells.items() if n not in ("wer_target", "wer_original")}
    return entry.cells
