"""The two markers of a sweep in a recording: where it begins, and how far apart the clocks are."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve

from mondegreen.air.loop.clock import lag, padded
from mondegreen.air.loop.recorded import Recorded
from mondegreen.air.loop.sweep import Sweep
from mondegreen.errors import AudioError

MOST_DRIFT: Final = 1e-3  # between the clocks of a player and a recorder that are not broken
BEFORE, AFTER = 0.02, 0.2  # s around a compressed marker in which the two are compared
ALIKE: Final = 0.5  # correlation of the two, at least
SHARP: Final = 20.0  # peak power of the first over its mean, at least: a tone is alike everywhere


class Clocks(NamedTuple):
    """Sample n of a file is at `offset + n (1 + drift)` in its recording."""

    offset: float  # samples of the recording
    drift: float


def find_markers(recording: Recorded, sweep: Sweep) -> Clocks:
    """Where a sweep's file lies in a recording.

    Correlation with the marker compresses both of its arrivals h * m to c = h * (m ⋆ m), a short
    picture of the room, whatever the room is. Where the weaker of two values of |c| is largest that
    are as far apart as the markers, within `MOST_DRIFT`, there they are. How much later the second
    picture is than the first, to a small part of a sample, is the distance of the markers by the
    recorder's clock; over that by the player's it is 1 + drift. The room cancels, being the same in
    both pictures.

    Raises:
        AudioError: the recording is of another rate, too short, or they are not in it.
    """
    name, rate = recording.name, sweep.sample_rate
    _check(recording, sweep)
    marker = sweep.marker()
    compressed = fftconvolve(recording.audio, marker[::-1], mode="full")[len(marker) - 1 :]
    apart = sweep.last - sweep.first
    slack = int(np.ceil(MOST_DRIFT * apart))
    size = np.abs(compressed)
    second = maximum_filter1d(size, 2 * slack + 1)[apart:]
    first = int(np.argmax(np.minimum(size[: len(second)], second)))
    one, other = (
        padded(compressed, at - round(BEFORE * rate), at + round(AFTER * rate))
        for at in (first, first + apart)
    )
    later = lag(one, other, slack)
    if later.alike < ALIKE or np.square(one).max() < SHARP * np.square(one).mean():
        raise AudioError(
            f"The sweep was not found in {name}. Expected a recording of the whole file, from its"
            " first marker to its second; check which sweep was played, and play it louder."
        )
    drift = later.samples / apart
    return Clocks(first - sweep.first * (1 + drift), drift)


def _check(recording: Recorded, sweep: Sweep) -> None:
    if recording.sample_rate != sweep.sample_rate:
        raise AudioError(
            f"{recording.name} is of {recording.sample_rate:,} Hz, and the sweep of"
            f" {sweep.sample_rate:,} Hz. Record at the sweep's rate, or make a sweep with"
            f" --sample-rate {recording.sample_rate}."
        )
    needed = (sweep.last - sweep.first) / sweep.sample_rate
    if (lasts := len(recording.audio) / recording.sample_rate) < needed:
        raise AudioError(
            f"{recording.name} lasts {lasts:.1f} s, and from marker to marker the sweep takes"
            f" {needed:.1f} s. Record all of it."
        )
