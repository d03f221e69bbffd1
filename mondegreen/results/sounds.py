"""The sounds of an item: the recording, the adversarial file, and the perturbation alone.

Of a file of which a passage was attacked, these are of the passage.

The recording is the saved file minus its perturbation, so the original file is not needed. All
three are 16-bit; the first two are exact to the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.pcm import FULL_SCALE, Pcm
from mondegreen.errors import MondegreenError, reason
from mondegreen.results.item import check_files, read_delta, saved_pcm
from mondegreen.results.record import Record

PEAK: Final = FULL_SCALE // 2  # to which the perturbation is amplified


@dataclass(frozen=True)
class Sounds:
    """The sounds of an item."""

    rate: int  # Hz
    original: Pcm  # [T] int16, the recording
    adversarial: Pcm  # [T] int16, as saved
    perturbation: Pcm | None  # [T] int16, amplified by `gain_db`; None if nothing was changed
    gain_db: float

    @property
    def seconds(self) -> float:
        """Their duration."""
        return len(self.adversarial) / self.rate


def read_sounds(folder: Path, record: Record) -> Sounds:
    """Read the sounds of an item.

    Raises:
        MondegreenError: a file is missing, is not the one that was saved, or cannot be read.
    """
    check_files(folder, record)
    try:
        adversarial = saved_pcm(folder, record)
        delta = _steps(read_delta(folder))
        if adversarial.shape != delta.shape:
            raise ValueError("the file and its perturbation differ in length")
        original = (adversarial - delta).astype(np.int16)
        if not np.array_equal(original + delta, adversarial):
            raise ValueError("the recording would exceed 16 bits")
    except (OSError, KeyError, ValueError) as error:
        raise MondegreenError(
            f"the sounds in {folder} cannot be read ({reason(error)}). Expected what an attack"
            " wrote; if they are damaged, delete the folder and run the same command again."
        ) from error
    return Sounds(record.sample_rate, original, adversarial, *_amplified(delta))


def _steps(delta: NDArray[np.floating]) -> NDArray[np.int64]:
    """A perturbation [T] of full scale 1 in 16-bit steps; anything else is damage."""
    scaled = delta.astype(np.float64) * FULL_SCALE
    if not np.array_equal(np.rint(scaled), scaled) or not np.isfinite(scaled).all():
        raise ValueError("the perturbation is not a whole number of 16-bit steps")
    return scaled.astype(np.int64)


def _amplified(delta: NDArray[np.int64]) -> tuple[Pcm | None, float]:
    peak = int(np.abs(delta).max())
    if peak == 0:
        return None, 0.0
    loud = np.rint(delta * (PEAK / peak)).astype(np.int16)
    return loud, 20 * log10(PEAK / peak)
