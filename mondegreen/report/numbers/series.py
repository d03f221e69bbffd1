"""What charts are drawn from: clips that belong together, and their numbers over passes and rooms.

Of a record's curve and its rooms the tables have no cells, so nobody has looked at them before:
what in them is not what mondegreen writes is left out.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.report.numbers.statistics import Share, share
from mondegreen.report.numbers.summary_text import one_line

Floats = NDArray[np.float64]
Names = tuple[str, ...]
Of = Literal["saved", "clean"]

GROUP: Final = ("victim", "method", "preset")
GRID: Final = 400  # points of a line over passes, at most
FIFTHS: Final = 5  # groups of rooms that a line goes over, of three rooms each at least


@dataclass(frozen=True)
class Series:
    """One run, or what one recogniser, method and preset came to in it.

    Attributes:
        label: what it is called in legends.
        entries: its clips, whatever became of them.
    """

    label: str
    entries: Sequence[Entry]

    @property
    def finished(self) -> list[Entry]:
        """The clips that have a record."""
        return [entry for entry in self.entries if entry.status == "done"]

    @property
    def verified(self) -> Share:
        """Of the finished clips."""
        return share(sum(e.cells["verified"] for e in self.finished), len(self.finished))

    def values(self, column: str, *, verified: bool = True) -> Floats:
        """[N] what is known in a column of the tables, of the verified clips or of the failures."""
        cells = [e.cells for e in self.finished if e.cells["verified"] is verified]
        return np.array([c[column] for c in cells if column in c], float)

    def measured(self, column: str) -> bool:
        """Whether any finished clip has a value in a column."""
        return any(column in entry.cells for entry in self.finished)


def read_series(paths: Sequence[Path]) -> list[Series]:
    """The clips of runs, or of any folders of items, by folder, recogniser, method and preset.

    Clips without a record stand with the first group of their folder. A series is called by what
    tells it from the others, or by its folder.

    Raises:
        MondegreenError: as `mondegreen.report.numbers.entries.entries`.
    """
    found: list[tuple[Names, list[Entry]]] = []
    for path in {path.resolve(): path for path in paths}:
        found += [((*names, path.name), clips) for names, clips in _grouped(path).items()]
    labels = _labels([names for names, _ in found])
    return [Series(label, clips) for label, (_, clips) in zip(labels, found, strict=True)]


def _grouped(path: Path) -> dict[Names, list[Entry]]:
    groups: defaultdict[Names, list[Entry]] = defaultdict(list)
    others = []
    for entry in entries(path):
        if entry.status == "done":
            groups[tuple(entry.cells[name] for name in GROUP)].append(entry)
        else:
            others.append(entry)
    if others:
        groups[next(iter(groups), ("",) * len(GROUP))] += others
    return groups


def _labels(names: Sequence[Names]) -> list[str]:
    differ = [len(set(column)) > 1 for column in zip(*names, strict=True)]
    chosen = (", ".join(n for n, d in zip(own, differ, strict=True) if d and n) for own in names)
    return [one_line(label or own[-1]) for label, own in zip(chosen, names, strict=True)]


# ---- over passes


class Line(NamedTuple):
    """Values over gradient passes, rising; each [P]."""

    passes: Floats
    values: Floats


class Band(NamedTuple):
    """Quartiles over clips, over gradient passes, rising; each [P]."""

    passes: Floats
    low: Floats
    median: Floats
    high: Floats


def matched_by(clips: Sequence[Entry]) -> Line:
    """The share of finished clips whose search had matched by then, with a step at each of them.

    Begins at pass 1 and ends with the longest search; of no clips, empty.
    """
    first = sorted(clip.cells["first_match"] for clip in clips if "first_match" in clip.cells)
    if not clips:
        return Line(np.empty(0), np.empty(0))
    end = max([1, *first, *(clip.cells.get("passes", 1) for clip in clips)])
    steps = np.array([0, *range(1, len(first) + 1), len(first)])
    return Line(np.array([1, *first, end], float), steps / len(clips))


def curve(record: Mapping[str, Any], field: str) -> Line:
    """A field of a record's curve, where it has a value; see `mondegreen.results.record.Point`."""
    known = {}
    for point in points(record):
        value = number(point.get(field))
        if value is not None:
            known[point["passes"]] = value
    passes = sorted(known)
    return Line(np.array(passes, float), np.array([known[at] for at in passes], float))


def points(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The points of a record's curve that say at which pass of which stage they are."""
    for point in _objects(record.get("curve")):
        if number(point.get("passes")) is not None and isinstance(point.get("stage"), str):
            yield point


def over_passes(clips: Sequence[Entry], field: str) -> Band | None:
    """Quartiles of a field of the curves, from where half of those that ever have it have it.

    Between two points of a curve the earlier holds, and after its last, that: a clip whose search
    has ended stays where it is. None: no curve has the field.
    """
    lines = [line for clip in clips if len((line := curve(clip.record, field)).passes)]
    if not lines:
        return None
    grid = np.unique(np.concatenate([line.passes for line in lines]))
    grid = grid[np.unique(np.linspace(0, len(grid) - 1, GRID).round().astype(int))]
    held = np.array([_held(line, grid) for line in lines])
    enough = np.isfinite(held).sum(0) * 2 >= len(held)
    return Band(grid[enough], *np.nanquantile(held[:, enough], [0.25, 0.5, 0.75], axis=0))


def _held(line: Line, grid: Floats) -> Floats:
    """[G] the value at or before each pass; NaN before the first."""
    before = np.searchsorted(line.passes, grid, side="right") - 1
    return np.where(before < 0, np.nan, line.values[before])


# ---- over rooms


class RoomShare(NamedTuple):
    """In how many of some clips the target was heard in a room of that RT60, in s."""

    rt60: float
    heard: int
    clips: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.heard / self.clips


def room_shares(clips: Sequence[Entry], of: Of) -> list[RoomShare]:
    """The rooms in which the saved files, or the clean clips, were listened to; rising RT60.

    Those whose RT60 the records do not tell are left out.
    """
    heard: Counter[tuple[float, str, str]] = Counter()
    listened: Counter[tuple[float, str, str]] = Counter()
    for clip in clips:
        for room in _rooms(clip.record, of):
            if (rt60 := number(room.get("rt60"))) is not None:
                where = (rt60, str(room.get("room")), str(clip.record.get("bank")))
                listened[where] += 1
                heard[where] += room.get("matched") is True
    return [RoomShare(where[0], heard[where], listened[where]) for where in sorted(listened)]


def fifths(rooms: Sequence[RoomShare]) -> list[tuple[float, float]]:
    """Mean RT60 and share of each fifth of the rooms, by RT60; none of fewer than 15 rooms."""
    if len(rooms) < 3 * FIFTHS:
        return []
    ends = [len(rooms) * fifth // FIFTHS for fifth in range(FIFTHS + 1)]
    groups = [rooms[first:end] for first, end in pairwise(ends)]
    return [
        (
            sum(room.rt60 for room in group) / len(group),
            sum(room.heard for room in group) / sum(room.clips for room in group),
        )
        for group in groups
    ]


def _rooms(record: Mapping[str, Any], of: Of) -> Iterator[Mapping[str, Any]]:
    survival = record if of == "saved" else record.get("clean")
    rooms = survival.get("rooms") if isinstance(survival, Mapping) else None
    yield from _objects(rooms.get("each") if isinstance(rooms, Mapping) else None)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (found for found in value if isinstance(found, Mapping))


def number(value: object) -> float | None:
    """A finite number out of a record; None: it is none."""
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        return None  # a NaN fails the comparison
    return float(value)  # type: ignore[arg-type]
