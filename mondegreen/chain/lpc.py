"""A defence that keeps of speech what a source-filter model keeps: its envelope."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.chain.frames import Frames, one_by_one
from mondegreen.chain.link import Computed

WINDOW_SECONDS: Final = 0.032
CORRECTION: Final = 1e-4  # of a frame's power, added as if it were white noise: 40 dB below
SILENT: Final = 1e-10  # added to the autocorrelation at 0, so that silence has a model too


class Lpc(Computed):
    """Linear prediction and resynthesis from noise: speech becomes a whisper.

    Each frame (Hann, 32 ms, a quarter apart) is modelled as noise of gain g through the all-pole
    filter 1 / A(z), A(z) = 1 - Σ aₖ z⁻ᵏ with `order` coefficients by the autocorrelation method:
    R a = r, g² = r₀ - Σ aₖ rₖ. White noise that is always the same is then given the magnitudes
    g / |A| frame by frame, and overlapped and added: neither the sound's phases nor its pitch are
    left.

    The idea is WaveGuard's; frames, gains and excitation are this module's own reading of it. It is
    its own twin: the gradient goes through all of it.
    """

    name: ClassVar[str] = "lpc"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = (
        "Makhoul, Linear Prediction: A Tutorial Review, 1975; as a defence: Hussain et al. 2021"
        " (WaveGuard)"
    )

    order: int = Field(default=20, ge=2, le=64, description="Coefficients of a frame.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        return one_by_one(self._resynthesised, audio, lengths)

    def _resynthesised(self, sounds: Tensor) -> Tensor:
        frames = Frames.of_seconds(WINDOW_SECONDS, self.sample_rate)
        power = frames.spectrum(sounds).abs().square().transpose(1, 2)  # [K, frames, bins]
        envelope = lpc_envelope(torch.fft.irfft(power)[..., : self.order + 1], frames.window)
        source = torch.Generator().manual_seed(0)
        white = torch.randn(1, sounds.shape[-1], generator=source, dtype=torch.float64)
        noise = frames.spectrum(white.to(sounds))
        level = noise.abs().square().mean(1, keepdim=True).sqrt()
        return frames.sound(envelope.transpose(1, 2) * noise / level, sounds.shape[-1])


def lpc(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients a [..., P] and gains g [...] of autocorrelations r₀ to r_P [..., P + 1].

    x[t] is predicted as Σ aₖ x[t - k]; g² = r₀ - Σ aₖ rₖ is the power of what is not.

    >>> a, gain = lpc(torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64))  # x[t] = x[t-1]/2 + e
    >>> a.round(decimals=3).tolist(), round(float(gain**2), 3)
    ([0.5, 0.0], 0.75)
    """
    at_zero = correlation[..., :1] * (1 + CORRECTION) + SILENT
    later = correlation[..., 1:]
    lag = torch.arange(later.shape[-1], device=later.device)
    equations = torch.cat([at_zero, later], -1)[..., (lag[:, None] - lag).abs()]
    a = torch.linalg.solve(equations, later)
    return a, (at_zero[..., 0] - (a * later).sum(-1)).sqrt()


def lpc_envelope(correlation: Tensor, window: int) -> Tensor:
    """Magnitudes g / |A(e^iω)| [..., bins] at the bins of a window, as `lpc`.

    >>> [round(float(one), 2) for one in lpc_envelope(torch.tensor([1.0, 0.5]), 4)]
    [1.73, 0.77, 0.58]
    """
    a, gain = lpc(correlation)
    whitening = torch.fft.rfft(torch.cat([torch.ones_like(a[..., :1]), -a], -1), window)
    magnitude: Tensor = gain[..., None] / whitening.abs()
    return magnitude
