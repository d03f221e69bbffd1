"""The card of a clip: its outcome, texts, sounds, pictures, numbers, and records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mondegreen.airs import air_name
from mondegreen.report.numbers.entries import Entry
from mondegreen.report.numbers.measures import MEASURES
from mondegreen.report.numbers.sources import Gathered, TargetedClip
from mondegreen.report.numbers.summary_text import UNKNOWN, one_line
from mondegreen.report.page.exhibits import Exhibit, Spectrogram, Track, spectrograms, tracks
from mondegreen.report.page.gauges import Gauge, gauges
from mondegreen.report.page.media import Shelf
from mondegreen.report.page.transcripts import Tone, Transcript, never_transcribed, transcripts
from mondegreen.results.record import InRooms, Record
from mondegreen.results.verdict import verdict_sentences

OnCard = Callable[[int, int], object]  # cards made, and how many there will be

MISSING: Final[Mapping[str, str]] = {"zimtohrli": "Zimtohrli"} | {
    name: MEASURES[name].label for name in ("pesq_c2", "pesq", "stoi")
}
FILTERS: Final[Mapping[str, str]] = {
    "verified": "Verified",
    "failed": "Not verified",
    "error": "Errors",
    "pending": "Pending",
    "damaged": "Damaged",
    "misunderstood": "Not understood",
    "interrupted": "Interrupted",
}


class Outcome(NamedTuple):
    """What became of a clip."""

    word: str  # in a word or two
    tone: Tone
    kinds: tuple[str, ...]  # the names of the `FILTERS` that find it


def outcome(entry: Entry, *, files_whole: bool = True) -> Outcome:
    """What became of a clip.

    If its sounds are not those of its record (`files_whole`), it still counts by what the record
    claims, and is found among the damaged ones as well.
    """
    record = entry.record
    if record is None:
        tone: Tone = "faint" if entry.status == "pending" else "bad"
        return Outcome(entry.status, tone, (entry.status,))
    kinds = ["verified" if record.verified else "failed"]
    kinds += ["misunderstood"] if record.understood is False else []
    kinds += ["interrupted"] if record.interrupted else []
    if not files_whole:
        return Outcome("files damaged", "bad", (*kinds, "damaged"))
    if record.verified:
        return Outcome("verified", "good", tuple(kinds))
    if never_transcribed(record):
        return Outcome("not transcribed", "doubt", tuple(kinds))
    return Outcome("not verified", "bad", tuple(kinds))


class Shown(NamedTuple):
    """One attempt on a card."""

    part: int  # the index of its part in `Gathered.parts`
    label: str  # of that; empty where there is only one
    entry: Entry
    outcome: Outcome
    cells: Mapping[str, Any]  # what is shown of its row
    pictured: bool  # there are levels to draw
    verdict: str  # how audible it is, in a sentence; empty: not known
    gauges: list[tuple[str, list[Gauge]]]  # why, by where it is heard
    unmeasured: str  # what was not measured, and why; empty: all was
    problem: str  # why something cannot be played or drawn; may be empty
    passage: str  # which one was attacked, in a sentence; empty: all was
    rooms: str  # in how many the target is heard, in a sentence; empty: a method without rooms
    json: str  # the whole record; empty: it has none


class Card(NamedTuple):
    """All that is shown of a clip."""

    number: int  # from 1
    name: str
    target: str | None
    attempts: list[Shown]
    texts: list[Transcript]
    numbers: list[tuple[str, list[str]]]  # names, and a value for each attempt
    seconds: float  # how long its sounds are
    tracks: list[Track]
    spectrograms: list[Spectrogram]

    @property
    def begun(self) -> bool:
        """Whether there is more to show than that it is still to be attacked."""
        return any(one.outcome.word != "pending" for one in self.attempts)


def make_cards(gathered: Gathered, shelf: Shelf, on_card: OnCard | None = None) -> Iterator[Card]:
    """The cards of a page, with their media on a shelf.

    Raises:
        StorageError: the media beside the page cannot be written.
    """
    labels = [part.label if len(gathered.parts) > 1 else "" for part in gathered.parts]
    for number, clip in enumerate(gathered.clips, 1):
        yield _card(number, clip, labels, shelf)
        if on_card is not None:
            on_card(number, len(gathered.clips))


def _card(number: int, clip: TargetedClip, labels: Sequence[str], shelf: Shelf) -> Card:
    exhibits = [Exhibit.of(labels[one.part], one.entry) for one in clip.attempts]
    shown = [_shown(a.part, one) for a, one in zip(clip.attempts, exhibits, strict=True)]
    return Card(
        number,
        clip.id,
        clip.target,
        shown,
        transcripts([(labels[one.part], one) for one in clip.attempts]),
        _numbers([one.cells for one in shown]),
        max((one.sounds.seconds for one in exhibits if one.sounds), default=0.0),
        tracks(exhibits, shelf),
        spectrograms(exhibits, shelf),
    )


def _shown(part: int, found: Exhibit) -> Shown:
    cells, record = found.entry.cells, found.entry.record
    if record and never_transcribed(record):
        cells = {n: v for n, v in cells.items() if n not in ("wer_target", "wer_original")}
    return Shown(
        part,
        found.label,
        found.entry,
        outcome(found.entry, files_whole=record is None or found.sounds is not None),
        cells,
        found.levels is not None,
        verdict_sentences(record) if record else "",
        gauges(record) if record else [],
        _unmeasured(record),
        found.problem,
        _passage(record),
        _rooms(record),
        readable(record.to_json()) if record else "",
    )


def _numbers(attempts: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The numbers that are known of any attempt; of rooms, there is a sentence instead."""
    written = {
        name: (one.label, [_written(name, cells) for cells in attempts])
        for name, one in MEASURES.items()
        if name != "rooms_heard"
    }
    return [line for line in written.values() if set(line[1]) != {UNKNOWN}]


def _written(name: str, cells: Mapping[str, Any]) -> str:
    if name in cells:
        return MEASURES[name].write(cells[name])
    never = name == "first_match" and cells["status"] == "done"
    return "never heard" if never else UNKNOWN


def _unmeasured(record: Record | None) -> str:
    why = record.quality.unmeasured if record else {}
    return "; ".join(one_line(f"{MISSING.get(name, name)}: {told}") for name, told in why.items())


def _passage(record: Record | None) -> str:
    if record is None or record.where is None:
        return ""
    begin, end = record.where
    heard = "" if record.replaced is None else ", and heard in its context"
    place = f"from {begin:.2f} s to {end:.2f} s of the recording"
    return f"Only the passage {place} was attacked{heard}."


def _rooms(record: Record | None) -> str:
    if record is None or record.survival is None:
        return ""
    where = one_line(air_name(record.air))
    line = f"In {where}, the target is heard in {_in_rooms(record.survival.rooms)}"
    return f"{line}; in the original, in {_in_rooms(record.clean.rooms)}" if record.clean else line


def _in_rooms(of: InRooms) -> str:
    heard = f"{round(of.heard * of.count):,} of {of.count:,} {of.split} rooms ({of.heard:.0%};"
    return f"{heard} 95 %: {of.heard_low:.0%} to {of.heard_high:.0%})"


def readable(record: Mapping[str, Any]) -> str:
    """A record as JSON: a line for each field, and for each object of a list of them."""
    fields = ",\n".join(f" {_json(name)}: {_value(value)}" for name, value in record.items())
    return f"{{\n{fields}\n}}"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)) and value and all(isinstance(one, dict) for one in value):
        return "[\n" + ",\n".join(f"  {_json(one)}" for one in value) + "\n ]"
    if isinstance(value, dict):
        return _json(value, indent=1).replace("\n", "\n ")
    return _json(value)


def _json(value: object, indent: int | None = None) -> str:
    """JSON in any writing; only what cannot be seen, such as marks of direction, is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
