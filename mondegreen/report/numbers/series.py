"""What charts are drawn from: clips that belong together, over passes and rooms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mondegreen.report.numbers.entries import Entry
from mondegreen.report.numbers.statistics import Share
from mondegreen.results.record import Record

Floats = NDArray[np.float64]
CurveField = Literal["loss", "masking_loss", "eps", "alpha"]

GRID: Final = 400  # points of a line over passes, at most
FIFTHS: Final = 5  # groups of rooms that a line goes over, of three rooms each at least


@dataclass(frozen=True)
class Series:
    """The results of one recogniser, method and preset in one run or folder."""

    label: str  # its name in legends
    entries: Sequence[Entry]  # its clips, whatever became of them

    @cached_property
    def records(self) -> list[Record]:
        """Those of the finished clips."""
        return [entry.record for entry in self.entries if entry.record]

    @cached_property
    def verified(self) -> Share:
        """Of the finished clips."""
        return Share.of(sum(record.verified for record in self.records), len(self.records))

    def values(self, column: str, *, verified: bool = True) -> Floats:
        """[N] the known values in a column of the tables, of the verified clips or the others."""
        found = [e.cells for e in self.entries if e.record and e.record.verified is verified]
        return np.array([cells[column] for cells in found if column in cells], float)


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


def matched_by(records: Sequence[Record]) -> Line:
    """The share of clips whose search had matched by then, with a step at each of them.

    Begins at pass 1 and ends with the longest search; of no clips, empty.
    """
    if not records:
        return Line(np.empty(0), np.empty(0))
    first = sorted(r.first_match for r in records if r.first_match is not None)
    end = max([1, *first, *(record.passes for record in records)])
    steps = np.array([0, *range(1, len(first) + 1), len(first)])
    return Line(np.array([1, *first, end], float), steps / len(records))


def curve(record: Record, field: CurveField) -> Line:
    """A field of a record's curve, where it has a value; see `mondegreen.results.record.Point`."""
    points = ((point.passes, getattr(point, field)) for point in record.curve)
    known = sorted({at: value for at, value in points if value is not None}.items())
    return Line(*np.array(known, float).reshape(-1, 2).T)


def over_passes(records: Sequence[Record], field: CurveField) -> Band | None:
    """Quartiles of a field of the curves, from where half of those that ever have it have it.

    A value holds until the next point, and after the last one: a clip whose search has ended stays
    where it is. None: no curve has the field.
    """
    lines = [line for record in records if len((line := curve(record, field)).passes)]
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


def room_shares(records: Iterable[Record], *, clean: bool = False) -> list[RoomShare]:
    """The rooms in which the saved files, or the clean clips, were transcribed; rising RT60.

    Those of unknown RT60 are left out.
    """
    matched: defaultdict[tuple[float, str, str], list[bool]] = defaultdict(list)
    for record in records:
        survival = record.clean if clean else record.survival
        for room in survival.rooms.each if survival else ():
            if room.rt60 is not None:
                matched[room.rt60, room.room, record.bank or ""].append(room.matched)
    return [RoomShare(where[0], sum(some), len(some)) for where, some in sorted(matched.items())]


def fifths(rooms: Sequence[RoomShare]) -> list[tuple[float, float]]:
    """Mean RT60 and share of each fifth of the rooms, by RT60; none of fewer than 15 rooms."""
    if len(rooms) < 3 * FIFTHS:
        return []
    ends = [len(rooms) * fifth // FIFTHS for fifth in range(FIFTHS + 1)]
    groups = (rooms[first:end] for first, end in pairwise(ends))
    return [
        (
            sum(room.rt60 for room in group) / len(group),
            sum(room.heard for room in group) / sum(room.clips for room in group),
        )
        for group in groups
    ]
