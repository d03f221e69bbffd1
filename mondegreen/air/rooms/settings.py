"""Rooms to simulate: ranges, materials and presets, and the drawing of a room.

There are two kinds: bare boxes like the paper's, all of whose walls are alike, and furnished rooms
(preset `real`), whose surfaces are of materials drawn one by one.

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
class Shoebox:
    """Ranges that rooms of either kind are drawn from uniformly.

    Raises:
        RoomError: a value is out of range, or the smallest room has no place for both.
    """

    # least and greatest, in m, like `length` and `height`; drawn uniformly
    width: tuple[float, float] = (3.0, 5.0)  # m
    length: tuple[float, float] = (4.0, 6.0)  # m
    height: tuple[float, float] = (2.0, 4.0)  # m
    max_order: int = 100  # most reflections on the way of an image source
    sample_rate: int = 16_000  # in Hz
    margin: float = 0.1  # least distance of source and microphone from every wall, in m

    def __post_init__(self) -> None:
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


@dataclass(frozen=True)
class RoomSettings(Shoebox):
    """Bare rooms, whose six walls are alike.

    Raises:
        RoomError: as `Shoebox`, or the absorption is no share.
    """

    # share of the energy that a wall takes, in (0, 1]; the same for all six
    absorption: float = 0.36

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.absorption <= 1:
            raise RoomError(
                f"The absorption is {self.absorption}, expected a share of energy in (0, 1]."
            )


# Materials of pyroomacoustics' list, which has them from Vorländer, *Auralization*, 2008: what
# floors, ceilings and walls of flats and offices are of. Each surface draws its own.
FLOORS: Final = (
    *("linoleum_on_concrete", "wood_1.6cm", "audience_floor", "carpet_thin", "felt_5mm"),
    *("carpet_rubber_5mm", "carpet_soft_10mm", "carpet_hairy", "carpet_6mm_closed_cell_foam"),
)
CEILINGS: Final = (
    *("ceiling_plasterboard", "ceiling_fissured_tile", "ceiling_perforated_gypsum_board"),
    *("ceiling_metal_panel", "acoustical_plaster_25mm"),
)
WALLS: Final = (
    *("plasterboard", "brick_wall_rough", "smooth_brickwork_10mm_pointing", "hard_surface"),
    *("wooden_lining", "plywood_thin", "glass_window", "curtains_cotton_0.33", "curtains_velvet"),
    *("curtains_cotton_0.5", "blinds_open", "facing_brick"),
)


@dataclass(frozen=True)
class FurnishedRooms(Shoebox):
    """Rooms as people live and work in; see `mondegreen.air.rooms.furnished`.

    Raises:
        RoomError: as `Shoebox`, or a range is not one.
    """

    width: tuple[float, float] = (3.0, 8.0)  # m
    length: tuple[float, float] = (4.0, 10.0)  # m
    height: tuple[float, float] = (2.4, 4.0)  # m
    max_order: int = 10
    margin: float = 0.3  # m: loudspeakers and microphones have a size
    distance: tuple[float, float] = (0.5, 5.0)  # of source and microphone, in m
    rt60: tuple[float, float] = (0.3, 0.8)  # s, as measured in the response
    scattering: float = 0.2  # share of a reflection that goes off in all directions, in [0, 1)
    rays: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("distance", "rt60"):
            least, greatest = getattr(self, name)
            if not 0 < least < greatest < math.inf:
                raise RoomError(
                    f"{name} ranges from {least} to {greatest}, expected 0 < least < greatest."
                )
        if not 0 <= self.scattering < 1 or self.rays < 1:
            raise RoomError(
                f"Got a scattering of {self.scattering} and {self.rays} rays, expected a share in"
                " [0, 1) and at least one."
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
PRESETS: Final[Mapping[str, Shoebox]] = MappingProxyType(
    {
        "paper": RoomSettings(),
        "fast": replace(RoomSettings(), max_order=25),
        "real": FurnishedRooms(),
    }
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


def draw_room(settings: Shoebox, seed: int, number: int) -> Geometry:
    """Room `number` of a seed, independent of all other draws.

    Raises:
        RoomError: the seed is not within 32 bits.
    """
    # numpy reads seeds in words of 32 bits: a longer one would equal another seed and number
    if seed >= 2**32:
        raise RoomError(f"The seed is {seed}, expected less than 2**32.")
    return draw_geometry(settings, generator(seed, number))


def draw_geometry(
    settings: Shoebox, rng: np.random.Generator, apart: tuple[float, float] = (GAP, math.inf)
) -> Geometry:
    """A room, its source and its microphone, which are so many metres apart."""
    least, greatest = np.transpose([settings.width, settings.length, settings.height])
    size = rng.uniform(least, greatest)
    while True:
        source, microphone = rng.uniform(settings.margin, size - settings.margin, size=(2, 3))
        if apart[0] <= np.linalg.norm(source - microphone) <= apart[1]:
            return Geometry(_point(size), _point(source), _point(microphone))


def generator(*seeds: int) -> np.random.Generator:
    """Random numbers that depend only on the seeds; raises `RoomError` for a negative one."""
    if min(seeds) < 0:
        raise RoomError(f"The seed is {min(seeds)}, expected a whole number of 0 or more.")
    return np.random.default_rng(seeds)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = values.tolist()
    return x, y, z
