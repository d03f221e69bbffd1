"""Gauges: where a yardstick stands between the verdict's marks; less audible is further right."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import Final, NamedTuple

from mondegreen.report.numbers.measures import MEASURES
from mondegreen.results.record import Record
from mondegreen.results.verdict import MASKING, PESQ, YARDSTICKS, ZIMTOHRLI, Yardstick

ENDS: Final[Mapping[Yardstick, tuple[float, float]]] = {  # of a gauge, from left to right
    ZIMTOHRLI: (1.0, 5.0),
    PESQ: (1.0, 4.64),
    MASKING: (4.0, -2.0),  # powers of ten
}


class Gauge(NamedTuple):
    """One yardstick; places are 0 to 100."""

    label: str
    value: str
    mark: str  # from which value on it takes a change for probably inaudible, in words
    at: float
    plain: float  # left of this, the change is plainly audible
    inaudible: float  # right of this, probably inaudible


def gauges(record: Record) -> list[tuple[str, list[Gauge]]]:
    """The gauges of a result by where it is heard; in rooms, those of the median room first."""
    quality, there = record.quality, record.quality_in_rooms
    dry = {one: one.value(quality) for one in YARDSTICKS}
    if there is None:
        found = {"": dry}
    else:
        seen = {one: getattr(there, one.name) for one in YARDSTICKS}
        medians = {one: over and over.median for one, over in seen.items()}
        found = {"In the median room": medians, "Without a room": dry}
    drawn = {where: [_gauge(*one) for one in of.items()] for where, of in found.items()}
    known = {where: [one for one in some if one is not None] for where, some in drawn.items()}
    return [(where, some) for where, some in known.items() if some]


def _gauge(of: Yardstick, value: float | None) -> Gauge | None:
    if value is None:
        return None
    return Gauge(
        of.label,
        MEASURES[of.name].write(value),
        f"{'from' if of.rising else 'up to'} {of.inaudible:g}",
        _place(of, value),
        0.0 if of.plain is None else _place(of, of.plain),
        _place(of, of.inaudible),
    )


def _place(of: Yardstick, value: float) -> float:
    left, right = ENDS[of]
    if of is MASKING:
        value = log10(max(value, 10**right))
    return round(100 * min(max((value - left) / (right - left), 0.0), 1.0), 2)
