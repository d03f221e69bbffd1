"""Spectra for pictures: a clip, its perturbation and its threshold over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.psychoacoustics.excess import normalised_power
from mondegreen.psychoacoustics.spectrum import bin_frequencies
from mondegreen.psychoacoustics.threshold import maskers, masking_threshold
from mondegreen.results.levels import BINS_PER_BAND, Levels, bands

FLOOR_DB: Final = -20.0  # below this nothing is drawn; the clip's loudest bin is at 96 dB


@dataclass(frozen=True)
class Spectra:
    """Levels in dB on the scale of eq. (13), where the clip's loudest bin has 96 dB."""

    seconds: NDArray[np.float64]  # [F] where each frame begins
    hertz: NDArray[np.float64]  # [K] the bins' frequencies
    heard: NDArray[np.bool_]  # [K] bool: the bins with a threshold in quiet
    clip: NDArray[np.float64]  # [F, K] the clean clip
    theta: NDArray[np.float64]  # [F, K] its masking threshold
    maskers: NDArray[np.bool_]  # [F, K] bool
    delta: NDArray[np.float64] | None = None  # [F, K] the perturbation, if there is one


def spectra(
    clean: NDArray[np.float32],
    sample_rate: int,
    delta: NDArray[np.float32] | None = None,
    profile: str = "paper",
    loudest: float = 0.0,
) -> Spectra:
    """Spectra of a clip [T], and of a perturbation [T] of it.

    Of a passage, in the frames that lie within it; `loudest` is the power of the loudest bin of the
    whole recording, see `mondegreen.psychoacoustics.surroundings`.
    """
    audio = torch.from_numpy(clean).double()[None]
    of_all = torch.tensor([loudest])
    threshold = masking_threshold(audio, None, sample_rate, profile, loudest=of_all)
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


def levels(spectra: Spectra) -> Levels:
    """What is kept of the spectra of a clip and its perturbation."""
    assert spectra.delta is not None
    excess = np.where(spectra.heard, spectra.delta - spectra.theta, 0.0)
    return Levels(
        float(spectra.seconds[1] - spectra.seconds[0]) if len(spectra.seconds) > 1 else 0.0,
        float(spectra.hertz[1] * BINS_PER_BAND),
        *map(bands, (spectra.clip, spectra.theta, spectra.delta, excess)),
    )
