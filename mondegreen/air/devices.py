"""Loudspeakers and microphones: what small devices do to a sound.

See `mondegreen.air.transformations` for the conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from mondegreen.air.rooms.reverb import overlap_add
from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import unpadded

DB_PER_ORDER: Final = 6.0206  # per octave, of one order of a filter
LOWEST_KNOT: Final = 62.5  # Hz; ripple is drawn at it and at every half octave above
SECONDS: Final = 1 / 8  # of a response, at least
BLOCKS: Final = 4  # a transform's size over that of a response


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
        filtered: Tensor = _Filtered.apply(unpadded(audio, lengths), kernels)  # type: ignore[no-untyped-call]
        return unpadded(filtered, lengths)

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
        knots = draws.uniform(-1.0, 1.0, int(octaves[-1]) + 2) * most[..., None]
        before = octaves.long()
        along = octaves - before
        ripple: Tensor = knots[..., before] * (1 - along) + knots[..., before + 1] * along
        return ripple


class _Filtered(torch.autograd.Function):
    """Sounds [A, K, T] filtered by kernels [A, M, N + 1], symmetric about their middle: [A, M, T].

    Such a filter is its own adjoint, so the gradient is filtered by it once more. (The generic
    gradient of a real transform is one of complex numbers, of twice the work.)
    """

    @staticmethod
    def forward(ctx: Any, audio: Tensor, kernels: Tensor) -> Tensor:
        response = torch.fft.rfft(kernels, BLOCKS * (kernels.shape[-1] - 1))[:, :, None]
        ctx.save_for_backward(response)
        ctx.shared = audio.shape[1] == 1
        return _filtered(audio, response)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (response,) = ctx.saved_tensors
        return _filtered(gradient, response, add_draws=ctx.shared), None


def _filtered(sound: Tensor, response: Tensor, add_draws: bool = False) -> Tensor:
    """Sounds [A, K, T] filtered in blocks, by overlap-add, with no delay: [A, M, T], or their sum.

    A block of 3 N samples and the N + 1 of a symmetric kernel fill a transform of 4 N: small
    ones stay in the processor's cache. Responses are of shape [A, M, 1, bins].
    """
    samples, size = sound.shape[-1], 2 * (response.shape[-1] - 1)
    late, step = size // BLOCKS // 2, size - size // BLOCKS
    count = -(-samples // step)
    blocks = pad(sound, (0, count * step - samples)).reshape(*sound.shape[:-1], count, step)
    spectra = torch.fft.rfft(blocks, size) * response
    if add_draws:
        spectra = spectra.sum(1, keepdim=True)
    return overlap_add(torch.fft.irfft(spectra, size), step)[..., late : late + samples]


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
        own = unpadded(audio, lengths)
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
        late = late.clamp(max=audio.shape[-1])
        own = unpadded(audio, lengths).expand(-1, draws.count, -1)
        moved = [
            torch.stack([pad(sound, (by, -by)) for sound, by in zip(sounds, row, strict=True)])
            for sounds, row in zip(own, late.tolist(), strict=True)
        ]
        return unpadded(torch.stack(moved), lengths)
