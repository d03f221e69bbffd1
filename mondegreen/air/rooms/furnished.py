"""Rooms as people live and work in: surfaces of different materials, and a diffuse tail.

Images of up to `max_order` reflections give the early part, each displaced by up to 8 cm at random,
since the regular images of a perfect box sound like a sweep (De Sena et al., *On the modeling of
rectangular geometries in room acoustic simulations*, 2015). Rays give the energy of the rest in
octave bands; both are *pyroomacoustics*' (its hybrid simulator), with absorption by frequency, by
the air too.

A room belongs to the bank only if the reverberation time *measured* in its response is within
the range: otherwise all of it is drawn again. All randomness comes from the seed, the room's number
and the attempt, so that a room is the same on any process.
"""

from __future__ import annotations

from itertools import count
from types import ModuleType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mondegreen.air.rooms.acoustics import reverberation_time
from mondegreen.air.rooms.settings import (
    CEILINGS,
    FLOORS,
    WALLS,
    FurnishedRooms,
    Geometry,
    draw_geometry,
    generator,
)
from mondegreen.air.rooms.simulate import SPEED_OF_SOUND, constants, library

Surfaces: TypeAlias = dict[str, str]  # the material of each

DISPLACED: Final = 0.08  # m, the most that an image is displaced by: the library's own default
# Eyring's formula is off by a third at times, so it rules out only what is far from the range.
FAR: Final = 1.6
LONGEST: Final = 1.2  # s of a response, over the greatest reverberation time
SILENT: Final = 1e-6  # of the energy, after which a response ends: 60 dB


def furnished_room(
    settings: FurnishedRooms, seed: int, number: int
) -> tuple[Geometry, NDArray[np.float32]]:
    """Room `number` of a seed, and its response [L], whose direct sound is as `impulse_response`'s.

    Raises:
        RoomError: pyroomacoustics is not installed; the seed is negative.
    """
    pra = library()
    least, greatest = settings.rt60
    for attempt in count():
        rng = generator(seed, number, attempt)
        geometry = draw_geometry(settings, rng, settings.distance)
        surfaces = draw_surfaces(rng)
        if not least / FAR <= expected_rt60(pra, geometry, surfaces) <= greatest * FAR:
            continue
        rir = furnished_response(geometry, surfaces, settings, int(rng.integers(2**63)))
        rt60 = reverberation_time(rir, settings.sample_rate)
        if rt60 is not None and least <= rt60 <= greatest:
            return geometry, rir
    raise AssertionError("`count` never ends")


def draw_surfaces(rng: np.random.Generator) -> Surfaces:
    """A material for each of the six surfaces."""
    of = {"floor": FLOORS, "ceiling": CEILINGS}
    of |= dict.fromkeys(("east", "west", "north", "south"), WALLS)
    return {name: materials[rng.integers(len(materials))] for name, materials in of.items()}


def expected_rt60(pra: ModuleType, geometry: Geometry, surfaces: Surfaces) -> float:
    """Seconds, by Eyring's formula: 24 ln 10 V / (-c S ln(1 - a)), of the mean absorption a.

    The mean is over surfaces and the octaves from 250 Hz to 4 kHz, where speech is.
    """
    x, y, z = geometry.size
    areas = {"floor": x * y, "ceiling": x * y, "north": x * z, "south": x * z}
    areas |= {"east": y * z, "west": y * z}
    taken = sum(
        areas[name] * float(np.mean(pra.Material(material).absorption_coeffs[1:6]))
        for name, material in surfaces.items()
    )
    total = sum(areas.values())
    return float(
        24 * np.log(10) * x * y * z / (-SPEED_OF_SOUND * total * np.log(1 - taken / total))
    )


def furnished_response(
    geometry: Geometry, surfaces: Surfaces, settings: FurnishedRooms, seed: int
) -> NDArray[np.float32]:
    """The response [L] of a room; `seed` is of what moves the images and sends out the rays.

    Raises:
        RoomError: pyroomacoustics is not installed.
    """
    pra = library()
    with constants(pra):
        pra.random.seed(numpy=seed, libroom=seed)
        room = pra.ShoeBox(
            geometry.size,
            fs=settings.sample_rate,
            max_order=settings.max_order,
            materials={
                name: pra.Material(material, settings.scattering)
                for name, material in surfaces.items()
            },
            air_absorption=True,
            ray_tracing=True,
            use_rand_ism=True,
            max_rand_disp=DISPLACED,
        )
        room.set_ray_tracing(n_rays=settings.rays, time_thres=LONGEST * settings.rt60[1])
        room.add_source(geometry.source)
        room.add_microphone(geometry.microphone)
        room.compute_rir()
    whole = np.asarray(room.rir[0][0], dtype=np.float32)
    left = np.cumsum(np.square(whole[::-1], dtype=np.float64))[::-1]
    return whole[: int(np.searchsorted(-left, -SILENT * left[0])) + 1]
