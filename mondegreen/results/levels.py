"""What pictures of an item show: levels over time and frequency, small enough to keep beside it.

Computed once, when the item is made, by `mondegreen.measures.spectra`; reading them needs no torch.
The level of a band is that of its loudest bin, so that nothing is hidden.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as safetensors_bytes

from mondegreen.errors import MondegreenError, reason
from mondegreen.reading import parse_json, read_tensors
from mondegreen.results.folder import LEVELS, hash_of
from mondegreen.results.record import Record

STEPS_PER_DB: Final = 2  # levels are whole numbers of half decibels, 0 to 127.5 dB
LARGEST: Final = 2**28  # bytes of the file
BINS_PER_BAND: Final = 4  # 31 Hz at 16 kHz


@dataclass(frozen=True)
class Levels:
    """Levels in decibels on the scale of eq. (13), where the clip's loudest bin has 96 dB."""

    frame_seconds: float  # from one frame to the next
    band_hertz: float  # width of a band; the first begins at 0 Hz
    # [F, K] uint8, half decibels, of the clean clip; 0 where it is below 0 dB
    clip: NDArray[np.uint8]
    theta: NDArray[np.uint8]  # [F, K] of its masking threshold
    delta: NDArray[np.uint8]  # [F, K] of the perturbation
    # [F, K] how far the perturbation exceeds the threshold in the band's worst bin
    excess: NDArray[np.uint8]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """[F] the middle of each frame, from the start of the clip."""
        window = BINS_PER_BAND / self.band_hertz
        return window / 2 + self.frame_seconds * np.arange(len(self.clip), dtype=np.float64)

    @property
    def hertz(self) -> NDArray[np.float64]:
        """[K] the middle of each band."""
        return self.band_hertz * (np.arange(self.clip.shape[1], dtype=np.float64) + 0.5)

    def decibels(self, of: str) -> NDArray[np.float32]:
        """[F, K] one of the four."""
        steps: NDArray[np.uint8] = getattr(self, of)
        return steps.astype(np.float32) / np.float32(STEPS_PER_DB)

    def to_bytes(self) -> bytes:
        """As a safetensors file, the same bytes every time."""
        axes = {"frame_seconds": self.frame_seconds, "band_hertz": self.band_hertz}
        arrays = {name: getattr(self, name) for name in ARRAYS}
        # one entry: safetensors writes several in any order, and the file's hash is in the record
        return safetensors_bytes(arrays, metadata={AXES: json.dumps(axes)})


ARRAYS: Final = ("clip", "theta", "delta", "excess")
AXES: Final = "axes"


def levels_of(folder: Path, record: Record) -> Levels:
    """The levels beside a record.

    Raises:
        MondegreenError: they cannot be read, or are not those that were saved with it.
    """
    path = folder / LEVELS
    levels = read_levels(path)
    if record.files.get(LEVELS) != hash_of(path):
        raise MondegreenError(
            f"{path} is not the file that was saved with the record, and is not drawn. Attack the"
            " clip again."
        )
    return levels


def read_levels(path: Path) -> Levels:
    """Read what `Levels.to_bytes` wrote.

    Raises:
        MondegreenError: it is not there, or is something else.
    """
    try:
        texts, tensors = read_tensors(path, LARGEST)
        axes, arrays = parse_json(texts[AXES]), {name: tensors[name] for name in ARRAYS}
        return _checked(float(axes["frame_seconds"]), float(axes["band_hertz"]), arrays)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MondegreenError(
            f"{path} holds no levels to draw ({reason(error)}). Expected what an attack writes"
            " beside its result. Attack the clip again: in a run, delete the item's folder and run"
            " the same command."
        ) from error


def _checked(frame_seconds: float, band_hertz: float, arrays: dict[str, NDArray[Any]]) -> Levels:
    shapes = {(array.dtype, array.shape) for array in arrays.values()}
    clip = arrays["clip"]
    if len(shapes) != 1 or clip.dtype != np.uint8 or clip.ndim != 2 or not clip.size:
        raise ValueError("its arrays are not of one shape")
    if not (0 <= frame_seconds < np.inf and 0 < band_hertz < np.inf):
        raise ValueError("its axes are not in seconds and hertz")
    return Levels(frame_seconds, band_hertz, **arrays)
