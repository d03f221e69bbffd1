"""One response, and what is known of its room: simulated or measured, on any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mondegreen.air.rooms.acoustics import direct_to_reverberant, reverberation_time
from mondegreen.air.rooms.furnished import furnished_room
from mondegreen.air.rooms.measured import Recording, read_response
from mondegreen.air.rooms.settings import (
    FIRST,
    FurnishedRooms,
    Point,
    RoomSettings,
    Shoebox,
    draw_room,
)
from mondegreen.air.rooms.simulate import impulse_response


@dataclass(frozen=True)
class Room:
    """What is known of the room of one response."""

    # split and number, as in `attack-000017`; or the id of a measured room, which may repeat
    id: str
    rt60: float | None  # reverberation time in s; None: undefined
    drr: float | None  # direct-to-reverberant ratio in dB; None: nothing follows the direct sound
    size: Point | None = None  # of a simulated room, in m
    source: Point | None = None  # in m
    microphone: Point | None = None  # in m
    path: str | None = None  # of a measured response, relative to its collection


class Response(NamedTuple):
    """A room and its impulse response, float32 `[L]`."""

    room: Room
    rir: NDArray[np.float32]


def simulated(settings: Shoebox, seed: int, job: tuple[str, int]) -> Response:
    """The response of a room: its split, and its number there.

    Raises:
        RoomError: pyroomacoustics is not installed; the seed is negative.
    """
    split, number = job
    if isinstance(settings, FurnishedRooms):
        geometry, rir = furnished_room(settings, seed, FIRST[split] + number)
    else:
        assert isinstance(settings, RoomSettings)
        geometry = draw_room(settings, seed, FIRST[split] + number)
        rir = impulse_response(geometry, settings)
    return _response(f"{split}-{number:06}", rir, settings.sample_rate, **vars(geometry))


def measured(sample_rate: int, recording: Recording) -> Response:
    """A measured response at a rate; raises `RoomError` if it is not usable."""
    rir = read_response(recording.path, sample_rate)
    return _response(recording.room, rir, sample_rate, path=recording.name)


def _response(room: str, rir: NDArray[np.float32], rate: int, **known: Any) -> Response:
    rt60, drr = reverberation_time(rir, rate), direct_to_reverberant(rir, rate)
    return Response(Room(room, rt60, drr, **known), rir)
