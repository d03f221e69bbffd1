"""What became of a clip, in a word or two, and the filters of a page that find it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from mondegreen.report.numbers.entries import Entry
from mondegreen.results.record import Record

Tone = Literal["good", "bad", "doubt", "faint"]

FILTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "verified": "Verified",
        "failed": "Not verified",
        "error": "Errors",
        "pending": "Pending",
        "damaged": "Damaged",
        "misunderstood": "Not understood",
        "interrupted": "Interrupted",
    }
)


class Outcome(NamedTuple):
    """What became of a clip.

    Attributes:
        word: in a word or two.
        tone: how good that is.
        kinds: the names of the `FILTERS` that find it.
    """

    word: str
    tone: Tone
    kinds: tuple[str, ...]


def outcome(entry: Entry, *, files_whole: bool = True) -> Outcome:
    """What became of a clip.

    Args:
        entry: its row.
        files_whole: its sounds are those that its record was written with. If not, it counts by its
            record's claim as everywhere, and is found among the damaged ones as well.
    """
    record = entry.record
    if record is None:
        return Outcome(
            entry.status, "faint" if entry.status == "pending" else "bad", (entry.status,)
        )
    kinds = [
        "verified" if record.verified else "failed",
        *(["misunderstood"] if record.understood is False else []),
        *(["interrupted"] if record.interrupted else []),
    ]
    if not files_whole:
        return Outcome("files damaged", "bad", (*kinds, "damaged"))
    if record.verified:
        return Outcome("verified", "good", tuple(kinds))
    if never_transcribed(record):
        return Outcome("not transcribed", "doubt", tuple(kinds))
    return Outcome("not verified", "bad", tuple(kinds))


def never_transcribed(record: Record) -> bool:
    """Whether the proof was interrupted before the file was transcribed."""
    return record.interrupted and not record.transcript
