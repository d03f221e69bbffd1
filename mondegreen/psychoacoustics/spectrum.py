"""The normalised power spectrum, eqs. (12)-(14), and the frequency axis, eqs. (3)-(5)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PAPER_RATE = 16_000  # Hz
LOUDEST = 10**9.6  # power of a clip's loudest bin after eq. (13), which is 96 dB

# ---- from audio to a normalised spectrum ----------------------------------------------------


def power_spectrum(audio: Tensor, window: int, hop: int) -> Tensor:
    """Power |s(k)/N|² of every frame, eq. (12), without a window gain.

    Shape: audio ``[B, T]`` -> ``[B, frames, bins]``. Audio shorter than one window is zero-padded
    to it. Differentiable everywhere: the square is taken as re² + im², never through a root.

    >>> power = power_spectrum(torch.ones(1, 8), window=8, hop=4)
    >>> power[0, 0, :3].round(decimals=4).tolist()  # the first: (mean of the Hann window)²
    [0.25, 0.0625, 0.0]
    """
    if audio.shape[-1] < window:
        audio = torch.nn.functional.pad(audio, (0, window - audio.shape[-1]))
    hann = torch.hann_window(window, dtype=audio.dtype, device=audio.device) / window
    return _squared_spectrum(audio.unfold(-1, window, hop) * hann)


class _SquaredSpectrum(torch.autograd.Function):
    """|rfft|² of frames, with a backward pass of one inverse real transform.

    Autograd's own uses a full complex transform and several copies of the spectrum, which made this
    loss, computed at every step of an attack, 1.5 times as expensive as a plain STFT.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(frames)
        ctx.save_for_backward(spectrum)
        ctx.window = frames.shape[-1]
        power: Tensor = spectrum.real.square() + spectrum.imag.square()
        return power

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (spectrum,) = ctx.saved_tensors
        # d|s|² = 2 Re(s* ds); the inverse transform counts all bins twice except 0 Hz and Nyquist.
        weighted = spectrum * grad
        weighted[..., 0] *= 2  # one by one: a list of indices would be copied to the device
        if ctx.window % 2 == 0:
            weighted[..., -1] *= 2
        gradient: Tensor = torch.fft.irfft(weighted, ctx.window, norm="forward")
        return gradient


def _squared_spectrum(frames: Tensor) -> Tensor:
    power: Tensor = _SquaredSpectrum.apply(frames)  # type: ignore[no-untyped-call]
    return power


def normalised(power: Tensor, psd_max: Tensor) -> Tensor:
    """Power relative to a clip's loudest bin, which becomes 96 dB, eq. (13).

    Shape: power ``[B, frames, bins]``, psd_max ``[B]`` -> ``[B, frames, bins]``. A silent clip
    has no loudest bin; full scale (power 1) is used instead.

    >>> normalised(torch.tensor([[[0.5, 1.0]]]), torch.tensor([1.0])).log10()[0, 0, 1]  # 96 dB
    tensor(9.6000)
    """
    return power / reference(psd_max)[:, None, None] * LOUDEST


def reference(psd_max: Tensor) -> Tensor:
    """The power of a clip's loudest bin, or 1 at silence, eq. (13). Shape: ``[B]``.

    >>> reference(torch.tensor([0.25, 0.0])).tolist()
    [0.25, 1.0]
    """
    return torch.where(psd_max > 0, psd_max, torch.ones_like(psd_max))


def from_decibels(level: Tensor) -> Tensor:
    """Power of a level in dB, eq. (14). Shape: any. Minus infinity gives 0.

    >>> from_decibels(torch.tensor([0.0, 10.0, -torch.inf])).round(decimals=4).tolist()
    [1.0, 10.0, 0.0]
    """
    return torch.exp(level * (math.log(10) / 10))


def frames_of(lengths: Tensor, window: int, hop: int) -> Tensor:
    """Frames of clips of ``lengths`` samples. Shape: any.

    >>> frames_of(torch.tensor([100, 2048, 2560]), window=2048, hop=512).tolist()
    [1, 1, 2]
    """
    return 1 + (lengths - window).clamp(min=0) // hop


def frame_size(sample_rate: int) -> tuple[int, int]:
    """Window and hop in samples at a rate in Hz: the paper's at 16 kHz, and as long at any other.

    What an ear hears at once is a stretch of time, not a number of samples: with 2048 samples at
    8 kHz, loud sounds would mask what is 200 ms away. 32 samples for each kHz are 32 ms; multiples
    of 32 have fast Fourier transforms.

    >>> [frame_size(rate) for rate in (8_000, 16_000, 44_100)]
    [(1024, 256), (2048, 512), (5632, 1408)]
    """
    hop = 32 * max(1, round(sample_rate / 1000))
    return 4 * hop, hop


def real_frames(frames: Tensor, n_frames: int) -> Tensor:
    """Bool ``[B, n_frames]``: which frames lie within the clip.

    >>> real_frames(torch.tensor([1, 2]), n_frames=2).tolist()
    [[True, False], [True, True]]
    """
    return torch.arange(n_frames, device=frames.device) < frames[:, None]


# ---- the frequency axis ---------------------------------------------------------------------


def bin_frequencies(sample_rate: int, window: int) -> Tensor:
    """Frequency of each bin in Hz, eq. (4). Shape: ``[bins]``, float64, in main memory.

    Not every device has float64; what follows from these is cast and moved once.

    >>> bin_frequencies(16_000, window=8).tolist()
    [0.0, 2000.0, 4000.0, 6000.0, 8000.0]
    """
    bins = torch.arange(window // 2 + 1, dtype=torch.float64, device="cpu")
    return bins * sample_rate / window


def bark(hz: Tensor) -> Tensor:
    """Bark value of frequencies in Hz, eq. (5), with the square inside the second arctangent.

    >>> round(float(bark(torch.tensor(1000.0))), 4)
    8.5105
    """
    return 13 * torch.atan(0.76e-3 * hz) + 3.5 * torch.atan((hz / 7500).square())


def absolute_threshold_of_hearing(hz: Tensor) -> Tensor:
    """Threshold in quiet in dB of frequencies in Hz, eq. (3).

    The formula alone: it is meant for 20 Hz to 20 kHz, and it is infinite at 0 Hz.

    >>> [round(float(absolute_threshold_of_hearing(torch.tensor(hz))), 2) for hz in (100.0, 1000.0)]
    [22.95, 3.37]
    """
    khz = hz / 1000
    hearing = -6.5 * torch.exp(-0.6 * (khz - 3.3).square())
    return 3.64 * khz.pow(-0.8) + hearing + 1e-3 * khz.pow(4)
