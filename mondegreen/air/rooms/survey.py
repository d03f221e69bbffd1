"""A summary of a bank, split by split, and the data for a picture of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mondegreen.air.rooms.acoustics import schroeder_decay
from mondegreen.air.rooms.bank import RoomBank, Split
from mondegreen.air.rooms.responses import Room

LOWEST_DB = -90.0


@dataclass(frozen=True)
class Range:
    """Least, median and greatest value."""

    least: float
    median: float
    greatest: float


@dataclass(frozen=True)
class SplitSurvey:
    """Summary of one split."""

    responses: int  # how many impulse responses it has
    rooms: int  # how many rooms these come from
    seconds: float  # the longest response
    rt60: Range | None  # reverberation times in s, None if none is known
    drr: Range | None  # direct-to-reverberant ratios in dB, None if none is known


@dataclass(frozen=True)
class Portrait:
    """Arrays for a picture of a bank: one of its rooms, and all of them."""

    room: Room  # the room shown
    seconds: NDArray[np.float64]  # [L] time
    rir: NDArray[np.float32]  # [L] its impulse response
    decay_db: NDArray[np.float64]  # [L] what energy is still to come, Schroeder's integral
    # split -> (rt60 [n] in s, drr [n] in dB) of the rooms where both are known
    spread: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def survey(bank: RoomBank) -> dict[str, SplitSurvey]:
    """The summary of each split, by name."""
    return {name: _survey(split, bank.sample_rate) for name, split in bank.splits.items()}


def portrait(bank: RoomBank, split: str = "test") -> Portrait:
    """The data for a bank's picture, with the room of median reverberation time of one split.

    Raises:
        RoomError: the bank has no such split.
    """
    chosen = bank.split(split)
    times = [room.rt60 or 0.0 for room in chosen.rooms]
    at = int(np.argsort(times, kind="stable")[len(times) // 2])
    rir = chosen.rirs[at, : int(chosen.lengths[at])].numpy()
    decay = schroeder_decay(np.square(np.trim_zeros(rir, "b"), dtype=np.float64))
    return Portrait(
        room=chosen.rooms[at],
        seconds=np.arange(len(decay)) / bank.sample_rate,
        rir=rir[: len(decay)],
        decay_db=np.maximum(decay, LOWEST_DB),
        spread={name: _known(each) for name, each in bank.splits.items()},
    )


def _survey(split: Split, rate: int) -> SplitSurvey:
    return SplitSurvey(
        responses=len(split.rooms),
        rooms=len({room.id for room in split.rooms}),
        seconds=float(split.lengths.max()) / rate,
        rt60=_spread(room.rt60 for room in split.rooms),
        drr=_spread(room.drr for room in split.rooms),
    )


def _spread(values: Iterable[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Range(min(known), float(np.median(known)), max(known))


def _known(split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = [(r.rt60, r.drr) for r in split.rooms if r.rt60 is not None and r.drr is not None]
    times, ratios = np.array(both, dtype=np.float64).reshape(-1, 2).T
    return times, ratios
