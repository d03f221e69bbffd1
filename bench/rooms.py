"""What rooms cost, compared with scipy's convolution and with the recogniser's gradient passes.

Ten seconds of speech in ten rooms of half a second. Our forward pass, and forward and backward
pass, are compared with `scipy.signal.fftconvolve`, room by room and forward only; our forward pass
with the literal convolution; and forward and backward with the recogniser's gradient passes on ten
such clips, which a step of a robust attack needs anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft
import scipy.signal
import torch
from torch import Tensor

from bench.clock import in_turns, ratio
from bench.results import Row
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.audio.pcm import load
from mondegreen.victims import Victim
from mondegreen.victims.embedded import bundled

RATE, ROOMS, ROOM_SECONDS = 16_000, 10, 0.5
TARGET = "Everyone can hear what nobody ever said."
PAIRS = (
    ("forward", "FFT"),
    ("gradient", "FFT"),
    ("forward", "scipy"),
    ("gradient", "scipy"),
    ("gradient", "recogniser"),
)


def exponential_rooms(count: int, seconds: float, rate: int = RATE) -> Tensor:
    """Noise that falls by 60 dB, in place of rooms where only time counts. `[count, L]`."""
    samples = int(seconds * rate)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, samples, generator=generator) * torch.logspace(0, -3, samples)


def speech() -> Tensor:
    """Just under ten seconds. `[T]`."""
    return torch.from_numpy(load(bundled.asset(bundled.RECORDING), RATE))


def measure(victim: Victim, turns: int) -> Iterator[Row]:
    """The ratios of `PAIRS`, and of a convolution sample by sample to our forward pass."""
    kinds = convolutions(Reverb(exponential_rooms(ROOMS, ROOM_SECONDS)), speech())
    twin = {"literal": kinds.pop("literal"), "forward": kinds["forward"]}
    kinds["recogniser"] = recogniser(victim, speech())
    seconds = in_turns(kinds, turns)
    for name, other in PAIRS:
        yield {"kind": f"{name} over {other}", **ratio(seconds, name, other)}
    yield {"kind": "literal over forward", **ratio(in_turns(twin, 3), "literal", "forward")}


def convolutions(reverb: Reverb, clip: Tensor) -> dict[str, Callable[[], object]]:
    """Ten rooms of one clip: ours (forward, gradient), scipy's, sample by sample, and bare FFTs."""
    audio, lengths = clip[None, None], torch.tensor([len(clip)])
    rooms = torch.arange(ROOMS)[None]
    samples, rirs = clip.numpy(), reverb.rirs.numpy()
    size = scipy.fft.next_fast_len(len(clip) + rirs.shape[1] - 1, real=True)

    def forward() -> object:
        return reverb(audio, lengths, rooms)

    def gradient() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(reverb(heard, lengths, rooms).sum(), heard)

    def scipys() -> object:
        return np.stack([scipy.signal.fftconvolve(samples, rir)[: len(samples)] for rir in rirs])

    def literal() -> object:
        return np.stack([np.convolve(samples, rir)[: len(samples)] for rir in rirs])

    def transforms() -> object:
        """The FFTs that any convolution needs: one forward, and one inverse for each room."""
        spectrum = torch.fft.rfft(clip, size)
        return torch.fft.irfft(spectrum.expand(ROOMS, -1), size)

    return {
        "forward": forward,
        "gradient": gradient,
        "scipy": scipys,
        "literal": literal,
        "FFT": transforms,
    }


def recogniser(victim: Victim, clip: Tensor) -> Callable[[], object]:
    """The gradient passes that ten rooms need anyway."""
    audio, lengths = clip.expand(ROOMS, -1), torch.full((ROOMS,), len(clip))
    tokens = [victim.encode(TARGET, len(clip))] * ROOMS

    def passes() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(victim.score(heard, lengths, tokens).loss.sum(), heard)

    return passes
