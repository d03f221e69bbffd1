"""The band of a clip: how far up its spectrum reaches, and what lies within it of a perturbation.

A recording of a telephone is silent above 4 kHz, whatever its sample rate; what is added to it up
there is not masked, and is lost in the next telephone.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

BEYOND: Final = 1e-6  # share of a clip's energy above its band: -60 dB
WINDOW: Final = 2048  # samples
NARROW: Final = 0.8  # a band that ends below this share of half the sample rate is narrow
ROLL_OFF: Final = 200.0  # Hz below the end of a band in which what is kept fades out
_APART: Final = 4096  # samples at least between a clip's end and its beginning, as the FFT sees it


def band_of(clip: Tensor, sample_rate: int) -> float:
    """The frequency below which a clip [T] has all but a millionth of its energy, in Hz.

    In windows, so that a clip that begins or ends abruptly has no other band.

    >>> t = torch.arange(16_000) / 16_000
    >>> band_of(torch.sin(2 * torch.pi * 3_000 * t), 16_000)
    3015.625
    """
    size = min(WINDOW, len(clip))
    frames = clip.double().unfold(0, size, max(size // 2, 1))
    window = torch.hann_window(size, dtype=frames.dtype, device=frames.device)
    energy = torch.fft.rfft(frames * window).abs().square().sum(0)
    above = energy.flip(0).cumsum(0).flip(0)
    within = int((above > BEYOND * energy.sum()).sum())
    return min(within * sample_rate / size, sample_rate / 2)


def is_narrow(band: float, sample_rate: int) -> bool:
    """Whether a band that ends there, in Hz, leaves out much of what the sample rate can hold."""
    return band < NARROW * sample_rate / 2


def within_band(delta: Tensor, bands: Tensor, sample_rate: int) -> Tensor:
    """What lies within a band of each perturbation: a filter without delay, zero above the band.

    Args:
        delta: [A, T].
        bands: [A], where each one's band ends, in Hz; half the sample rate changes nothing.
        sample_rate: in Hz.

    Returns:
        [A, T]; what rings beyond it is cut off.
    """
    length = delta.shape[1]
    size = (length // _APART + 2) * _APART
    hz = torch.fft.rfftfreq(size, 1 / sample_rate, dtype=delta.dtype, device=delta.device)
    ends = bands.to(hz)[:, None]
    fade = ((ends - hz) / ROLL_OFF).clamp(0, 1)
    gain = torch.where(ends >= sample_rate / 2, 1.0, (fade * torch.pi / 2).sin().square())
    kept: Tensor = torch.fft.irfft(torch.fft.rfft(delta, size) * gain, size)
    return kept[:, :length]
