"""Samples from memory, checked and converted as recordings are."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from torch import Tensor

from mondegreen.audio.pcm import (
    FULL_SCALE,
    MAX_SECONDS,
    MIN_SECONDS,
    Samples,
    converted,
)
from mondegreen.audio.recording import SAMPLE_RATES
from mondegreen.errors import AudioError


def as_clip(
    samples: object, own_rate: object, sample_rate: int, max_seconds: float = MAX_SECONDS
) -> Samples:
    """Samples as `mondegreen.audio.pcm.load` reads them from a file: `[T]` float32 in [-1, 1].

    Args:
        samples: floats `[T]` in [-1, 1], a numpy array or a tensor.
        own_rate: of the samples, in Hz.
        sample_rate: of the result, in Hz.
        max_seconds: the most accepted, in seconds.

    Raises:
        AudioError: they are something else; or as `load`.
    """
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else samples
    if not isinstance(array, np.ndarray):
        raise AudioError(
            f"Got {type(samples).__name__} for audio, expected the path of a file, or samples in a"
            " numpy array or a tensor."
        )
    if array.dtype.kind != "f":
        hint = f"Divide 16-bit integers by {FULL_SCALE}."
        raise AudioError(f"Got samples of {array.dtype}, expected floats in [-1, 1]. {hint}")
    if array.ndim != 1:
        shape = list(array.shape)
        raise AudioError(f"Got samples of shape {shape}, expected one channel [T]. Mix them first.")
    low, high = SAMPLE_RATES
    if not isinstance(own_rate, Integral) or not low <= int(own_rate) <= high:
        raise AudioError(
            f"Got samples with sample_rate={own_rate!r:.40}, expected the whole number of Hz that"
            f" they were taken at, {low} to {high}. Give sample_rate=16000, say."
        )
    lasts = len(array) / int(own_rate)
    if not MIN_SECONDS <= lasts <= max_seconds:
        raise AudioError(
            f"Got samples that last {lasts:.7g} s, expected {MIN_SECONDS} to {max_seconds:g} s."
        )
    return converted("(samples)", array[:, None].astype(np.float32), int(own_rate), sample_rate)
