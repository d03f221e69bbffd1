"""Spectra for pictures: a clip, its perturbation and its threshold over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.psychoacoustics import (
    bin_frequencies,
    maskers,
    masking_threshold,
    normalised_power,
)

FLOOR_DB = -20.0  # below this nothing is drawn; the clip's loudest bin is at 96 dB


@dataclass(frozen=True)
class Spectra:
    """Levels in dB on the scale of eq. (13), where the clip's loudest bin has 96 dB.

    Attributes:
        seconds: [F] where each frame begins.
        hertz: [K] the bins' frequencies.
        heard: [K] bool: the bins with a threshold in quiet.
        clip: [F, K] the clean clip.
        theta: [F, K] its masking threshold.
        maskers: [F, K] bool.
        delta: [F, K] the perturbation, if there is one.
    """

    seconds: NDArray[np.float64]
    hertz: NDArray[np.float64]
    heard: NDArray[np.bool_]
    clip: NDArray[np.float64]
    theta: NDArray[np.float64]
    maskers: NDArray[np.bool_]
    delta: NDArray[np.float64] | None = None


def spectra(
    clean: NDArray[np.float32],
    sample_rate: int,
    delta: NDArray[np.float32] | None = None,
    profile: str = "paper",
) -> Spectra:
    """Spectra of a clip [T], and of a perturbation [T] of it."""
    audio = torch.from_numpy(clean).double()[None]
    threshold = masking_threshold(audio, None, sample_rate, profile)
    power = normalised_power(audio, threshold)
    hertz = bin_frequencies(sample_rate, threshold.window)
    change = None
    if delta is not None:
        change = _decibels(normalised_power(torch.from_numpy(delta).double()[None], threshold))
    return Spectra(
        seconds=np.arange(power.shape[1]) * threshold.hop / sample_rate,
        hertz=hertz.numpy(),
        heard=threshold.profile.hears(hertz).numpy(),
        clip=_decibels(power),
        theta=_decibels(threshold.theta),
        maskers=maskers(power, sample_rate, profile)[0].numpy(),
        delta=change,
    )


def _decibels(power: Tensor) -> NDArray[np.float64]:
    levels: NDArray[np.float64] = 10 * torch.log10(power[0]).clamp(min=FLOOR_DB / 10).numpy()
    return levels
