"""Sounds at another rate for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mondegreen.audio.pcm import Samples, resample

AROUND: Final = 2048  # samples of silence around a sound, so that it is cut nowhere


def as_it_is(sound: Samples) -> Samples:
    """A sound [T], unchanged."""
    return sound


def at_rate(
    sound: Tensor, sample_rate: int, other: int, change: Callable[[Samples], Samples] = as_it_is
) -> Tensor:
    """A sound that is changed at another rate, by soxr; at its own again, and of its own length.

    There is silence before and after it.

    Args:
        sound: [T] float32.
        sample_rate: its own, in Hz.
        other: the rate between.
        change: of samples [T'] at that rate, to as many.

    >>> at_rate(torch.zeros(5), 16_000, 8000).shape
    torch.Size([5])
    """
    if other == sample_rate:
        return torch.from_numpy(change(sound.numpy()))
    there = change(resample(np.pad(sound.numpy(), AROUND), sample_rate, other))
    back = resample(there, other, sample_rate)[AROUND : AROUND + len(sound)]
    return torch.from_numpy(back.copy())
