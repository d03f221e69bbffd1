"""The card of a clip: its texts, its sounds and pictures, its numbers, and its records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mondegreen.report.numbers.outcomes import Outcome, outcome
from mondegreen.report.numbers.sources import Clip, Gathered, Version
from mondegreen.report.numbers.summary_text import SPREADS, UNKNOWN
from mondegreen.report.page.exhibits import Drawing, Exhibit, Track, drawings, exhibit, tracks
from mondegreen.report.page.media import Shelf
from mondegreen.report.page.transcripts import Transcript, transcripts

OnCard = Callable[[int, int], object]  # cards made, and how many there will be
Write = Callable[[float], str]


def _percent(value: float) -> str:
    return f"{value:.1%}"


NUMBERS: Final[Mapping[str, tuple[str, Write]]] = {
    **SPREADS,
    "wer_target": ("WER to the target", _percent),
    "wer_original": ("WER to the original", _percent),
    "wer_clean": ("WER of the clean clip", _percent),
}


@dataclass(frozen=True)
class Rooms:
    """In how many rooms a version is heard as the target, and in which of them.

    Attributes:
        line: the share with its interval, and the clean clip's.
        each: a room, what is heard in it, and whether that is the target.
    """

    line: str
    each: list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Shown:
    """One version on a card.

    Attributes:
        part: the place of its part in `Gathered.parts`.
        label: of that; empty where there is only one.
        outcome: what became of it.
        cells: its row.
        pictured: there are levels to draw of it.
        problems: why something of it cannot be played or drawn.
        warnings: what stands against believing it.
        rooms: None: it is of a method without rooms.
        record: the whole record, as JSON to be read; empty: it has none.
    """

    part: int
    label: str
    outcome: Outcome
    cells: Mapping[str, Any]
    pictured: bool
    problems: list[str]
    warnings: list[str]
    rooms: Rooms | None
    record: str


@dataclass(frozen=True)
class Card:
    """All that is shown of a clip.

    Attributes:
        number: from 1.
        name, target: of the clip.
        versions: what became of it in each part.
        texts: see `mondegreen.report.page.transcripts`.
        numbers: names, and a value for each version.
        seconds: how long its sounds are.
        tracks: its sounds.
        drawings: its pictures.
    """

    number: int
    name: str
    target: str | None
    versions: list[Shown]
    texts: list[Transcript]
    numbers: list[tuple[str, list[str]]]
    seconds: float
    tracks: list[Track]
    drawings: list[Drawing]


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


def _card(number: int, clip: Clip, labels: Sequence[str], shelf: Shelf) -> Card:
    exhibits = [exhibit(labels[version.part], version) for version in clip.versions]
    return Card(
        number,
        clip.id,
        clip.target,
        [_shown(version, found) for version, found in zip(clip.versions, exhibits, strict=True)],
        transcripts([(labels[version.part], version) for version in clip.versions]),
        _numbers([found.cells for found in exhibits]),
        max((found.sounds.seconds for found in exhibits if found.sounds), default=0.0),
        tracks(exhibits, shelf),
        drawings(exhibits, shelf),
    )


def _shown(version: Version, found: Exhibit) -> Shown:
    record = version.entry.record
    whole = found.sounds is not None or version.entry.status != "done"
    return Shown(
        version.part,
        found.label,
        outcome(version.entry, files_whole=whole),
        found.cells,
        found.levels is not None,
        found.problems,
        [warning for warning in _list(record, "warnings") if isinstance(warning, str)],
        _rooms(found.cells, record),
        readable(record) if record else "",
    )


def _numbers(versions: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The numbers that are known of any version."""
    return [
        (label, [write(cells[name]) if name in cells else UNKNOWN for cells in versions])
        for name, (label, write) in NUMBERS.items()
        if any(name in cells for cells in versions)
    ]


def _rooms(cells: Mapping[str, Any], record: Mapping[str, Any]) -> Rooms | None:
    if "rooms_heard" not in cells:
        return None
    line = f"heard as the target in {_in_rooms(cells, 'rooms')}"
    if "clean_rooms_heard" in cells:
        line += f"; the clean clip in {_in_rooms(cells, 'clean_rooms')}"
    rooms = record.get("rooms")
    each = _list(rooms, "each") if isinstance(rooms, Mapping) else []
    return Rooms(line, [_room(room) for room in each if isinstance(room, Mapping)])


def _in_rooms(cells: Mapping[str, Any], of: str) -> str:
    line = f"{cells[f'{of}_heard']:.0%}"
    count, low, high = (cells.get(f"{of}_{name}") for name in ("count", "heard_low", "heard_high"))
    if count is not None:
        line += f" of {count:,} {cells.get(f'{of}_split', '')} rooms".replace("  ", " ")
    if low is not None and high is not None:
        line += f" (95 %: {low:.0%} to {high:.0%})"
    return line


def _room(room: Mapping[str, Any]) -> tuple[str, str, bool]:
    return str(room.get("room", "")), str(room.get("heard", "")), room.get("matched") is True


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    """A list out of a record, which nobody has looked at before; if it is none, an empty one."""
    found = record.get(name)
    return found if isinstance(found, list) else []


def readable(record: Mapping[str, Any]) -> str:
    """A record as JSON: a line for each field, and for each object of a list of them."""
    fields = ",\n".join(f" {json.dumps(name)}: {_value(value)}" for name, value in record.items())
    return f"{{\n{fields}\n}}"


def _value(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return "[\n" + ",\n".join(f"  {json.dumps(one)}" for one in value) + "\n ]"
    if isinstance(value, dict):
        return json.dumps(value, indent=1).replace("\n", "\n ")
    return json.dumps(value)
