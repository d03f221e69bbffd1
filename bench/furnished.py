"""What the order of images and the number of rays cost furnished rooms in accuracy.

    python -m bench.furnished

Rooms of the preset `real`, each simulated again with fewer or more images and rays: how far its
reverberation time and its ratio of direct to reverberant energy are from those of the dearest
simulation. That simulation with other random numbers shows what chance alone does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from statistics import median
from typing import NamedTuple, TypeAlias

from mondegreen.air.rooms import PRESETS
from mondegreen.air.rooms.acoustics import direct_to_reverberant, reverberation_time
from mondegreen.air.rooms.furnished import Surfaces, draw_surfaces, furnished_response
from mondegreen.air.rooms.settings import (
    FurnishedRooms,
    Geometry,
    draw_geometry,
    generator,
)

Room: TypeAlias = tuple[Geometry, Surfaces]

ROOMS, SEED = 10, 0
KINDS = ((3, 2000), (10, 500), (10, 2000), (10, 20_000), (17, 2000), (25, 20_000))
DEAREST = KINDS[-1]


class Seen(NamedTuple):
    """What a simulation gave, and the seconds that it took."""

    rt60: float
    drr: float
    seconds: float


def main() -> None:
    real = PRESETS["real"]
    assert isinstance(real, FurnishedRooms)
    rooms = list(islice(drawn(real), ROOMS))
    seen = {
        (*kind, run): [simulated(real, room, *kind, run) for room in rooms]
        for kind in KINDS
        for run in (0, 1)
        if run == 0 or kind == DEAREST
    }
    exact = seen[(*DEAREST, 0)]
    print("| order | rays | RT60, %: median (range) | direct to reverberant, dB | s a room |")
    print("|---|---|---|---|---|")
    for (order, rays, run), found in seen.items():
        if found is not exact:
            print(row(f"{order}{' again' * run} | {rays:,}", found, exact))


def drawn(real: FurnishedRooms) -> Iterator[Room]:
    """Rooms as the preset draws them, whose reverberation time is within its range."""
    for number in count():
        rng = generator(SEED, number)
        room = draw_geometry(real, rng, real.distance), draw_surfaces(rng)
        if real.rt60[0] <= simulated(real, room, real.max_order, real.rays, 0).rt60 <= real.rt60[1]:
            yield room


def simulated(real: FurnishedRooms, room: Room, order: int, rays: int, run: int) -> Seen:
    began = time.perf_counter()
    rir = furnished_response(*room, replace(real, max_order=order, rays=rays), seed=run)
    seconds = time.perf_counter() - began
    rt60, drr = reverberation_time(rir, 16_000), direct_to_reverberant(rir, 16_000)
    return Seen(rt60 or math.nan, drr or math.nan, seconds)


def row(name: str, rooms: list[Seen], exact: list[Seen]) -> str:
    pairs = list(zip(rooms, exact, strict=True))
    times = [100 * (room.rt60 / true.rt60 - 1) for room, true in pairs]
    ratios = [room.drr - true.drr for room, true in pairs]
    seconds = median(room.seconds for room in rooms)
    return f"| {name} | {spread(times, 0)} | {spread(ratios, 1)} | {seconds:.2f} |"


def spread(differences: list[float], digits: int) -> str:
    """The median size, and the range with signs."""
    sizes = [abs(one) for one in differences]
    ends = f"{min(differences):+.{digits}f} to {max(differences):+.{digits}f}"
    return f"{median(sizes):.{digits}f} ({ends})"


if __name__ == "__main__":
    main()
