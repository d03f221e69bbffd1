"""Loudspeakers and microphones: what small devices do to a sound.

See `mondegreen.air.transformations` for the conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding

DB_PER_ORDER: Final = 6.0206  # per octave, of one order of a filter
LOWEST_KNOT: Final = 62.5  # Hz; ripple is drawn at it and at every half octave above
SECONDS: Final = 1 / 8  # of a response, at least


@dataclass(frozen=True)
class Response:
    """The band of a device: edges, slopes, and ripple within.

    The power at f is 1 / ((1 + (low / f)^2n) (1 + (f / high)^2m)), Butterworth's of orders n and m,
    which are the slopes over 6.02 dB and need not be whole. Ripple is drawn at every half octave
    within ±1, multiplied by the drawn ripple in dB, and joined by straight lines over log f. The
    phase is zero: no delay. The response is cut to a Hann window of at least `SECONDS`, so that
    each result is an exact, linear convolution with a kernel of its own.

    An edge above half the sample rate only bends what is below.

    >>> tone = torch.sin(torch.arange(16_000) * torch.pi / 160)[None]  # 50 Hz
    >>> limit = Response(16_000, (100.0, 100.0), (12.0412, 12.0412), (7000.0, 7000.0), (12.0, 12.0))
    >>> left = limit(tone[:, None], torch.tensor([16_000]), Draws.of((0,), 1, 1))
    >>> round(float(20 * left[..., 6000:10_000].max().log10()))  # 1 / √(1 + 2⁴)
    -12
    """

    sample_rate: int  # of the audio, in Hz
    low_hz: tuple[float, float]  # range of the lower edge, like all others drawn uniformly
    low_slope: tuple[float, float]  # dB per octave below it
    high_hz: tuple[float, float]  # range of the upper edge
    high_slope: tuple[float, float]  # dB per octave above it
    ripple_db: tuple[float, float] = (0.0, 0.0)  # the most that the response goes up or down

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        kernels = self.kernels(draws).to(audio, non_blocking=True)
        samples, late = audio.shape[-1], kernels.shape[-1] // 2
        size = next_fast_len(samples + kernels.shape[-1] - 1, real=True)
        spectrum = torch.fft.rfft(without_padding(audio, lengths), size)
        filtered = torch.fft.irfft(spectrum * torch.fft.rfft(kernels, size), size)
        return without_padding(filtered[..., late : late + samples], lengths)

    def kernels(self, draws: Draws) -> Tensor:
        """Kernels [A, M, N + 1] float64, symmetric about their middle; uses the draws up."""
        size = 1 << int(self.sample_rate * SECONDS - 1).bit_length()
        edges = draws.uniform(*self.low_hz), draws.uniform(*self.high_hz)
        orders = (
            draws.uniform(*self.low_slope) / DB_PER_ORDER,
            draws.uniform(*self.high_slope) / DB_PER_ORDER,
        )
        f = torch.fft.rfftfreq(size, 1 / self.sample_rate, dtype=torch.float64)
        low, high, n, m = (value[..., None] for value in (*edges, *orders))
        gain = ((1 + (low / f) ** (2 * n)) * (1 + (f / high) ** (2 * m))).rsqrt()
        response = gain * 10 ** (self._ripple(f, draws) / 20)
        kernel = torch.fft.irfft(response, size).roll(size // 2, -1)
        kernel = pad(kernel, (0, 1))  # the sample at minus half the size is that at plus half
        kernel[..., -1] = kernel[..., 0]
        return kernel * torch.hann_window(size + 1, periodic=False, dtype=torch.float64)

    def _ripple(self, f: Tensor, draws: Draws) -> Tensor:
        """Decibels at frequencies [bins], [A, M, bins]."""
        octaves = 2 * torch.log2(f.clamp(min=LOWEST_KNOT) / LOWEST_KNOT)
        most = draws.uniform(*self.ripple_db)
        drawn = [draws.uniform(-1.0, 1.0) for _ in range(int(octaves[-1]) + 2)]
        knots = torch.stack(drawn, -1) * most[..., None]
        before = octaves.long()
        along = octaves - before
        ripple: Tensor = knots[..., before] * (1 - along) + knots[..., before + 1] * along
        return ripple


@dataclass(frozen=True)
class SoftClip:
    """A loudspeaker or its amplifier near its limit: p tanh(d x / p) / d, where p is the peak.

    With d = 1 the third harmonic of a sine at the peak is about 6 %; with small d nothing changes.
    The drive is relative to the sound's own peak, as a listener sets the volume by ear.

    >>> audio, lengths = torch.tensor([[[0.5, -0.25]]]), torch.tensor([2])
    >>> clipped = SoftClip((1.0, 1.0))(audio, lengths, Draws.of((0,), 1, 1))
    >>> [round(sample, 4) for sample in clipped.flatten().tolist()]  # 0.5 tanh(1), -0.5 tanh(0.5)
    [0.3808, -0.2311]
    """

    drive: tuple[float, float]  # d, drawn uniformly

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        own = without_padding(audio, lengths)
        peak = own.abs().amax(-1, keepdim=True)
        peak = torch.where(peak > 0, peak, 1)
        drive = draws.uniform(*self.drive).to(audio, non_blocking=True)[..., None]
        return peak * torch.tanh(drive * own / peak) / drive


@dataclass(frozen=True)
class Offset:
    """A recording that begins before the sound does: it comes later by whole samples.

    What no longer fits into the clip's length is cut off, as by a recogniser's window.

    >>> audio, lengths = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([3])
    >>> Offset(1000, (1.0, 1.0))(audio, lengths, Draws.of((0,), 1, 1)).flatten().tolist()
    [0.0, 1.0, 2.0]
    """

    sample_rate: int  # of the audio, in Hz
    ms: tuple[float, float]  # range in ms, drawn uniformly

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        late = (draws.uniform(*self.ms) * self.sample_rate / 1000).round().long()
        late = late.to(audio.device, non_blocking=True)[..., None]
        source = torch.arange(audio.shape[-1], device=audio.device) - late  # [A, M, T]
        own = without_padding(audio, lengths).expand(-1, source.shape[1], -1)
        moved = own.gather(-1, source.clamp(min=0)) * (source >= 0)
        return without_padding(moved, lengths)
