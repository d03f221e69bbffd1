"""Time the masking threshold and its loss against the literal twin and against a bare STFT.

Prints one JSON object. The two sides of a ratio are timed in turn and the median of their ratios is
taken, so that a busy machine slows both. Run from the checkout:
`python bench/threshold.py --threads 1`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mondegreen.psychoacoustics import masking_loss, masking_threshold

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import literal_threshold as literal

RATE, WINDOW, HOP = 16_000, 2048, 512


def speech_like(seconds: float) -> Tensor:
    """Harmonics of a wandering voice and some breath, four syllables a second. `[1, T]`."""
    t = torch.arange(int(seconds * RATE), dtype=torch.float64) / RATE
    phase = 2 * math.pi * (120 * t + 3 * torch.sin(2 * math.pi * 0.7 * t))
    voice = sum((torch.sin(n * phase) / n for n in range(1, 30)), torch.zeros_like(t))
    breath = torch.randn(t.shape, generator=torch.Generator().manual_seed(0), dtype=t.dtype)
    syllables = torch.sin(2 * math.pi * 2 * t).square()
    return (0.1 * syllables * (voice + 0.05 * breath) + 1e-4 * breath)[None]


def compare(work: Callable[[], object], other: Callable[[], object], runs: int) -> dict[str, float]:
    """Median seconds of both, and the median of their ratios, work over other."""
    other()  # the first call of either library is not like the rest
    pairs = [(_seconds(work), _seconds(other)) for _ in range(runs)]
    ratios = [first / second for first, second in pairs]
    return {
        "seconds": statistics.median(first for first, _ in pairs),
        "other_seconds": statistics.median(second for _, second in pairs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_stft(audio: Tensor) -> Tensor:
    hann = torch.hann_window(WINDOW, dtype=audio.dtype)
    return torch.stft(audio, WINDOW, HOP, window=hann, center=False, return_complex=True)


def stft_pass(audio: Tensor) -> None:
    """One bare STFT, forward and backward."""
    spectrum = bare_stft(audio.clone().requires_grad_())
    spectrum.backward(spectrum.detach())  # type: ignore[no-untyped-call]


def measure(seconds: float, runs: int, twin_runs: int) -> dict[str, dict[str, float]]:
    """Float32, as the attacks use it, unless the name says otherwise; the twin is float64."""
    clip = speech_like(seconds)
    audio = clip.float()
    threshold = masking_threshold(audio, None, RATE)

    def paper() -> None:
        masking_threshold(audio, None, RATE)

    def paper_float64() -> None:
        masking_threshold(clip, None, RATE)

    def authors() -> None:
        masking_threshold(audio, None, RATE, "authors")

    def loss_pass() -> None:
        masking_loss(audio.clone().requires_grad_(), threshold).sum().backward()  # type: ignore[no-untyped-call]

    def twin() -> None:
        literal.clip_threshold(clip[0].numpy(), RATE, WINDOW, HOP)

    return {
        "literal_twin_over_paper": compare(twin, paper, twin_runs),
        "literal_twin_over_paper_float64": compare(twin, paper_float64, twin_runs),
        "authors_over_paper": compare(authors, paper, runs),
        "paper_over_bare_stft": compare(paper, lambda: bare_stft(audio), runs),
        "loss_pass_over_stft_pass": compare(loss_pass, lambda: stft_pass(audio), runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--twin-runs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    took = measure(options.seconds, options.runs, options.twin_runs)
    print(json.dumps({"options": vars(options), "measured": took}, indent=2))


if __name__ == "__main__":
    main()
