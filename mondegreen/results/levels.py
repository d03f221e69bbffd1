"""What pictures of an item show: levels over time and frequency, small enough to keep beside it.

Computed once, when the item is made, by `mondegreen.measures.spectra`; reading them needs no torch,
and neither do the levels of the adversarial sound, which follow from its file.
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

from mondegreen.audio.pcm import Pcm
from mondegreen.errors import MondegreenError, reason
from mondegreen.reading import parse_json, read_tensors
from mondegreen.results.folder import LEVELS, hash_of
from mondegreen.results.record import Record

STEPS_PER_DB: Final = 2  # levels are whole numbers of half decibels, 0 to 127.5 dB
LARGEST: Final = 2**28  # bytes of the file
BINS_PER_BAND: Final = 4  # 31 Hz at 16 kHz
LONG: Final = 1e6  # seconds; no frame takes as long


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


def bands(decibels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """[F, K] -> [F, ceil(K / BINS_PER_BAND)], the loudest of each band, in steps."""
    steps = np.clip(np.rint(decibels * STEPS_PER_DB), 0, 255).astype(np.uint8)
    missing = -steps.shape[1] % BINS_PER_BAND
    padded = np.pad(steps, ((0, 0), (0, missing)))
    loudest: NDArray[np.uint8] = padded.reshape(len(padded), -1, BINS_PER_BAND).max(2)
    return loudest


def levels_beside(levels: Levels, original: Pcm, sound: Pcm, rate: int) -> NDArray[np.uint8]:
    """[F, K] the levels of a sound [T] on the scale of the original's [T], at a rate in Hz.

    Raises:
        ValueError: the levels are not of that original.
    """
    window = round(BINS_PER_BAND * rate / levels.band_hertz)
    hop = round(levels.frame_seconds * rate) or window  # a lone frame has no next one
    frames = 1 + max(len(original) - window, 0) // max(hop, 1)
    expected = frames, -(-(window // 2 + 1) // BINS_PER_BAND)
    if not 0 < window <= min(rate, 4 * hop) or levels.clip.shape != expected:
        raise ValueError("its levels are not of its sounds")
    # of a passage, 96 dB is the loudest bin of all of the recording, which is not known here; of
    # silence nothing is on the scale but what was changed
    change = sound.astype(np.int32) - original
    known, seen = (original, levels.clip) if levels.clip.any() else (change, levels.delta)
    loudest = _decibels(known, window, hop).max() - float(seen.max()) / STEPS_PER_DB
    return bands(_decibels(sound, window, hop) - loudest)


def _decibels(sound: NDArray[np.integer], window: int, hop: int) -> NDArray[np.float64]:
    """[F, bins] the power of each frame by eq. (12), but for a factor, in dB."""
    padded = np.pad(sound, (0, max(window - len(sound), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window + 1)[:-1])) ** 2
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, np.finfo(float).tiny))
    return levels


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
    if not (0 <= frame_seconds < LONG and 1 / LONG < band_hertz < np.inf):
        raise ValueError("its axes are not in seconds and hertz")
    return Levels(frame_seconds, band_hertz, **arrays)
