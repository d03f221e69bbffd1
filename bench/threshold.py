"""The masking threshold and its loss, compared with the literal twin and with a bare STFT."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from bench.clock import in_turns, ratio
from bench.results import Row
from mondegreen.psychoacoustics.excess import masking_loss
from mondegreen.psychoacoustics.threshold import masking_threshold

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import literal_threshold as literal

RATE, WINDOW, HOP = 16_000, 2048, 512
SECONDS = 10.0
PAIRS = (
    ("threshold", "STFT"),
    ("authors' threshold", "threshold"),
    ("masking loss, forward and backward", "STFT, forward and backward"),
)


def measure(turns: int, twin_turns: int) -> Iterator[Row]:
    """Float32, as the attacks use it, unless the name says otherwise; the twin is float64."""
    kinds = works(speech_like(SECONDS))
    seconds = in_turns({name: kinds[name] for pair in PAIRS for name in pair}, turns)
    for name, other in PAIRS:
        yield {"kind": f"{name} over {other}", **ratio(seconds, name, other)}
    twin = ("literal twin", "threshold", "threshold in float64")
    seconds = in_turns({name: kinds[name] for name in twin}, twin_turns)
    for other in twin[1:]:
        yield {"kind": f"literal twin over {other}", **ratio(seconds, "literal twin", other)}


def works(clip: Tensor) -> dict[str, Callable[[], object]]:
    """Everything that is timed, for a clip [1, T] in float64."""
    audio = clip.float()
    threshold = masking_threshold(audio, None, RATE)

    def loss_pass() -> object:
        delta = audio.clone().requires_grad_()
        return torch.autograd.grad(masking_loss(delta, threshold).sum(), delta)

    return {
        "threshold": lambda: masking_threshold(audio, None, RATE),
        "threshold in float64": lambda: masking_threshold(clip, None, RATE),
        "authors' threshold": lambda: masking_threshold(audio, None, RATE, "authors"),
        "masking loss, forward and backward": loss_pass,
        "literal twin": lambda: literal.clip_threshold(clip[0].numpy(), RATE, WINDOW, HOP),
        "STFT": lambda: bare_stft(audio),
        "STFT, forward and backward": lambda: stft_pass(audio),
    }


def speech_like(seconds: float) -> Tensor:
    """Harmonics of a wandering voice and some breath, four syllables per second. `[1, T]`."""
    t = torch.arange(int(seconds * RATE), dtype=torch.float64) / RATE
    phase = 2 * math.pi * (120 * t + 3 * torch.sin(2 * math.pi * 0.7 * t))
    voice = sum((torch.sin(n * phase) / n for n in range(1, 30)), torch.zeros_like(t))
    breath = torch.randn(t.shape, generator=torch.Generator().manual_seed(0), dtype=t.dtype)
    syllables = torch.sin(2 * math.pi * 2 * t).square()
    return (0.1 * syllables * (voice + 0.05 * breath) + 1e-4 * breath)[None]


def bare_stft(audio: Tensor) -> Tensor:
    hann = torch.hann_window(WINDOW, dtype=audio.dtype)
    return torch.stft(audio, WINDOW, HOP, window=hann, center=False, return_complex=True)


def stft_pass(audio: Tensor) -> None:
    """One bare STFT, forward and backward."""
    spectrum = bare_stft(audio.clone().requires_grad_())
    spectrum.backward(spectrum.detach())  # type: ignore[no-untyped-call]
