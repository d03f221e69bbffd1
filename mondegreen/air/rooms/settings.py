"""Rooms to simulate: ranges, materials and presets, and the drawing of a room.

The paper simulates random rooms (section 5) without giving their parameters. The ranges are those
of the authors' released `room_simulator.py`: 3-5 x 4-6 x 2-4 m. It passes an absorption of 0.2 to a
library that takes it for a loss of *amplitude*; as a share of energy that is 1 - (1 - 0.2)² = 0.36.

Two things differ from that script. It draws whole metres, only 27 shapes in all; here sizes are
continuous over the same ranges, so a held-out room is a new one. It draws positions from a grid of
0.1 m that includes the walls, where a source may even coincide with the microphone; here positions
are continuous, at least `margin` from every wall and `GAP` apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mondegreen.errors import RoomError

Point: TypeAlias = tuple[float, float, float]

GAP: Final = 0.1  # m, the least distance of source and microphone: 1/d diverges at 0


@dataclass(frozen=True)
class Geometry:
    """A shoebox room with source and microphone; metres, one corner at the origin."""

    size: Point
    source: Point
    microphone: Point


@dataclass(frozen=True)
class RoomSettings:
    """Ranges that rooms are drawn from uniformly, and how they are simulated.

    Raises:
        RoomError: a value is out of range, or the smallest room has no place for both.
    """

    # least and greatest, in m, like `length` and `height`; drawn uniformly
    width: tuple[float, float] = (3.0, 5.0)  # m
    length: tuple[float, float] = (4.0, 6.0)  # m
    height: tuple[float, float] = (2.0, 4.0)  # m
    # share of the energy that a wall takes, in (0, 1]; the same for all six
    absorption: float = 0.36
    max_order: int = 100  # most reflections on the way of an image source
    sample_rate: int = 16_000  # in Hz
    margin: float = 0.1  # least distance of source and microphone from every wall, in m

    def __post_init__(self) -> None:
        if not 0 < self.absorption <= 1:
            raise RoomError(
                f"The absorption is {self.absorption}, expected a share of energy in (0, 1]."
            )
        if self.max_order < 0:
            raise RoomError(f"The order is {self.max_order}, expected 0 reflections or more.")
        if self.sample_rate < 1:
            raise RoomError(f"The sample rate is {self.sample_rate} Hz, expected a positive one.")
        if not 0 < self.margin < math.inf:
            raise RoomError(
                f"The margin is {self.margin} m, expected a positive distance: on a wall, a source"
                " and its image are one."
            )
        for side in ("width", "length", "height"):
            self._check_range(side, *getattr(self, side))

    def _check_range(self, side: str, least: float, greatest: float) -> None:
        if not 0 < least <= greatest < math.inf:
            raise RoomError(
                f"The {side} ranges from {least} to {greatest} m, expected 0 < least <= greatest."
            )
        # Then at least a cube of GAP is free in every room: two places in it are far enough apart
        # in one draw of eleven, so drawing until they are terminates.
        if round(least - 2 * self.margin, 9) < GAP:
            raise RoomError(
                f"A {side} of {least} m has no room for a source and a microphone {GAP} m apart"
                f" and {self.margin} m from the walls; choose at least"
                f" {2 * self.margin + GAP:g} m, or a smaller margin."
            )


# `fast` omits images of more than 25 reflections. Energy missing from the response of order 100,
# relative to its energy, in 24 rooms of seed 0; and time on one core:
#
#     order         10      15      20      25      30      40     100
#     worst, dB  -17.3   -26.7   -36.2   -45.9   -55.5   -74.8
#     median, dB -18.8   -28.4   -38.0   -47.8   -57.4   -76.8
#     ms           2.6     3.2     5.3     8.7    13.5    27.6     560
#
# 25 is the least multiple of 5 that stays below -40 dB in every room.
PRESETS: Final[Mapping[str, RoomSettings]] = MappingProxyType(
    {"paper": RoomSettings(), "fast": replace(RoomSettings(), max_order=25)}
)


MOST_RESPONSES: Final = 100_000  # of a bank, which is held in memory as a whole


@dataclass(frozen=True)
class SplitSizes:
    """Impulse responses in each split; 0 leaves the split out.

    Raises:
        RoomError: a count is negative, all are 0, or they are more than `MOST_RESPONSES`.
    """

    attack: int = 1000
    validate: int = 100
    test: int = 100

    def __post_init__(self) -> None:
        if min(astuple(self)) < 0 or not self.total:
            raise RoomError(
                f"Got the counts {astuple(self)} for attack, validate and test; expected 0 or more,"
                " and at least one response in all."
            )
        if self.total > MOST_RESPONSES:
            raise RoomError(
                f"Got the counts {astuple(self)}, {self.total:,} responses in all; expected at most"
                f" {MOST_RESPONSES:,}, which are some gigabytes."
            )

    @property
    def total(self) -> int:
        """Responses in all splits together."""
        return sum(astuple(self))

    def items(self) -> list[tuple[str, int]]:
        """Names and counts of the splits that are not empty, in their order."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, count) for name, count in pairs if count]


# The number of each split's first room. If splits were consecutive, other sizes would move their
# borders, and one bank would attack in rooms that another of the same seed tests in.
FIRST: Final[Mapping[str, int]] = MappingProxyType({"attack": 0, "validate": 2**40, "test": 2**41})


def draw_room(settings: RoomSettings, seed: int, number: int) -> Geometry:
    """Room `number` of a seed, independent of all other draws.

    Raises:
        RoomError: the seed is not within 32 bits.
    """
    # numpy reads seeds in words of 32 bits: a longer one would equal another seed and number
    if seed >= 2**32:
        raise RoomError(f"The seed is {seed}, expected less than 2**32.")
    rng = generator(seed, number)
    least, greatest = np.transpose([settings.width, settings.length, settings.height])
    size = rng.uniform(least, greatest)
    while True:
        source, microphone = rng.uniform(settings.margin, size - settings.margin, size=(2, 3))
        if np.linalg.norm(source - microphone) >= GAP:
            return Geometry(_point(size), _point(source), _point(microphone))


def generator(*seeds: int) -> np.random.Generator:
    """Random numbers that depend only on the seeds; raises `RoomError` for a negative one."""
    if min(seeds) < 0:
        raise RoomError(f"The seed is {min(seeds)}, expected a whole number of 0 or more.")
    return np.random.default_rng(seeds)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = values.tolist()
    return x, y, z
