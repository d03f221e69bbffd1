"""What an item sounds like: the recording, the adversarial file, and the perturbation alone.

The recording is the saved file without its perturbation, both out of the item; where it came from
is not asked. All three are 16-bit, and the first two are the saved samples to the bit.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mondegreen.errors import MondegreenError, reason
from mondegreen.results.folder import DELTA, WAV
from mondegreen.results.item import check_files
from mondegreen.results.record import Record

Pcm = NDArray[np.int16]

FULL_SCALE: Final = 32_768
PEAK: Final = FULL_SCALE // 2  # which the perturbation is amplified to
PEAK_DB: Final = 20 * log10(PEAK / FULL_SCALE)  # the same, in dB of full scale


@dataclass(frozen=True)
class Sounds:
    """The sounds of an item.

    Attributes:
        rate: Hz.
        original: [T] int16, the recording.
        adversarial: [T] int16, as saved.
        perturbation: [T] int16, amplified; None: there is none, nothing was changed.
        gain_db: by how much.
    """

    rate: int
    original: Pcm
    adversarial: Pcm
    perturbation: Pcm | None
    gain_db: float

    @property
    def seconds(self) -> float:
        """How long they are."""
        return len(self.adversarial) / self.rate


def read_sounds(folder: Path, record: Record) -> Sounds:
    """Read the sounds of an item.

    Raises:
        MondegreenError: a file is missing, is not the one that was saved, or cannot be read.
    """
    check_files(folder, record)
    try:
        adversarial, rate = soundfile.read(folder / WAV, dtype="int16")
        delta = _steps(load_file(folder / DELTA)["delta"])
        if adversarial.ndim != 1 or adversarial.shape != delta.shape or not len(delta):
            raise ValueError("they are not of one length")
        original = (adversarial - delta).astype(np.int16)
        if not np.array_equal(original + delta, adversarial):
            raise ValueError("the recording would not be 16-bit")
    except (OSError, soundfile.SoundFileError, SafetensorError, KeyError, ValueError) as error:
        raise MondegreenError(
            f"the sounds in {folder} cannot be read ({reason(error)}). Expected what an attack"
            " wrote; if they are damaged, delete the folder and run the same command again."
        ) from error
    return Sounds(rate, original, adversarial, *_amplified(delta))


def _steps(delta: NDArray[np.floating]) -> NDArray[np.int64]:
    """A perturbation [T] of full scale 1 in 16-bit steps, which are all that it can consist of."""
    scaled = delta.astype(np.float64) * FULL_SCALE
    if not np.array_equal(np.rint(scaled), scaled) or not np.isfinite(scaled).all():
        raise ValueError("the perturbation has samples that are no 16-bit steps")
    return scaled.astype(np.int64)


def _amplified(delta: NDArray[np.int64]) -> tuple[Pcm | None, float]:
    peak = int(np.abs(delta).max())
    if peak == 0:
        return None, 0.0
    loud = np.rint(delta * (PEAK / peak)).astype(np.int16)
    return loud, 20 * log10(PEAK / peak)


def flac(pcm: Pcm, rate: int) -> bytes:
    """Samples [T] as a FLAC file, which gives them back to the bit."""
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
