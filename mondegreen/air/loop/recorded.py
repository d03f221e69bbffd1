"""Recordings of what a loudspeaker played: read at their own rate, and refused where spoilt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.pcm import FULL_SCALE, opened
from mondegreen.audio.recording import printable
from mondegreen.errors import AudioError

MAX_SECONDS: Final = 300.0
FULL: Final = (FULL_SCALE - 2) / FULL_SCALE  # where a converter is at its end
RUN: Final = 3  # samples there in a row: fewer may be a peak that just fits
MOST_CLIPPED: Final = 1e-4  # share of a recording; more bends what is measured from it


@dataclass(frozen=True)
class Recorded:
    """A recording of something played."""

    name: str
    audio: NDArray[np.float64]  # [T], full scale 1
    sample_rate: int  # Hz
    clipped: int  # samples at full scale, three or more in a row


def read_recorded(path: Path) -> Recorded:
    """Read a recording, of several channels the first: microphones apart have no mean.

    Raises:
        AudioError: it cannot be read, holds NaN or infinity, is longer than `MAX_SECONDS`, silent
            or clipped.
    """
    name = printable(path)
    with opened(path, MAX_SECONDS) as file:
        rate = int(file.samplerate)
        audio = file.read(file.frames, "float64", always_2d=True)[:, 0]
    if not np.isfinite(audio).all():
        raise AudioError(f"{name} holds NaN or infinite samples. Export the recording again.")
    if np.abs(audio).max(initial=0.0) * FULL_SCALE <= 1:
        raise AudioError(
            f"{name} is silent in its first channel. Choose the right microphone and allow the"
            " recorder to use it, then record again."
        )
    clipped = clipped_samples(audio)
    if clipped > MOST_CLIPPED * len(audio):
        raise AudioError(
            f"{name} is clipped: {clipped:,} samples are at full scale. Lower the microphone's gain"
            " or the volume, and record again."
        )
    return Recorded(name, audio, rate, clipped)


def clipped_samples(audio: NDArray[np.floating]) -> int:
    """How many samples of a recording [T] are at full scale, `RUN` or more in a row.

    A converter driven beyond its range stays at its end. One that overloads before it is not seen
    here, but as harmonic distortion.

    >>> clipped_samples(np.array([0.5, 1.0, 1.0, 1.0, 0.2, -1.0, -1.0, 0.0]))
    3
    """
    full = np.concatenate([[0], np.abs(audio) >= FULL, [0]])
    edges = np.flatnonzero(np.diff(full))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= RUN].sum())
