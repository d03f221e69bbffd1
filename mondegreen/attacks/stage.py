"""What a stage of an attack is: plain data, and the small rules it is made of.

An attack is a sequence of stages; the paper's attacks differ only in their stages' numbers. The one
loop that runs them is in `loop`; the numbers are in `presets`. Amplitudes are in full scale (1.0),
so the supplement's 16-bit numbers appear divided by 32768.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor


class Schedule(Protocol):
    """A learning rate over the passes of a stage."""

    def at(self, step: int, passes: int) -> float:
        """The rate at pass `step` of `passes`, in full scale."""


@dataclass(frozen=True)
class Steps:
    """A rate that jumps: `Steps(((0, a), (3000, b)))` is a, and b from pass 3000 on."""

    points: tuple[tuple[int, float], ...]

    def at(self, step: int, passes: int) -> float:
        """The rate of the last point that `step` has reached."""
        del passes
        return [rate for start, rate in self.points if start <= step][-1]


@dataclass(frozen=True)
class Decay:
    """A rate that falls geometrically from `start` to `end` over the stage."""

    start: float
    end: float

    def at(self, step: int, passes: int) -> float:
        """Interpolate: start · (end / start) ^ (step / passes)."""
        return self.start * math.pow(self.end / self.start, step / passes)


@dataclass(frozen=True)
class MaxNorm:
    """The bound ‖δ‖∞ ≤ ε, and how ε shrinks (Algorithm 1, stage 1).

    Attributes:
        eps: where ε starts; full scale.
        shrink: at a success, ε ← shrink · min(ε, ‖δ‖∞).
        every: how often success is looked for, in passes.
    """

    eps: float
    shrink: float = 0.8
    every: int = 10

    def shrunk(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """The next ε [B] of clips with the bound `eps` [B] and the perturbation's `peak` [B]."""
        return torch.where(matched, self.shrink * torch.minimum(eps, peak), eps)


@dataclass(frozen=True)
class Masking:
    """The penalty α · ℓθ, and how α adapts (Algorithm 1, stage 2).

    Attributes:
        alpha: where α starts.
        up: a success multiplies α by this, looked for every `up_every` passes.
        down: a miss multiplies α by this, looked for every `down_every` passes.
    """

    alpha: float
    up: float
    up_every: int
    down: float
    down_every: int

    def adapted(self, alpha: Tensor, matched: Tensor, step: int) -> Tensor:
        """The next α [B], given who matched after update `step`."""
        up = self.up if step % self.up_every == 0 else 1.0
        down = self.down if step % self.down_every == 0 else 1.0
        return torch.where(matched, up * alpha, down * alpha)


@dataclass(frozen=True)
class Stage:
    """One stage of an attack.

    Attributes:
        name: for records and progress.
        passes: gradient passes at most, for each clip.
        rate: Adam's learning rate over them.
        sign: feed Adam the gradient's sign instead of the gradient.
        betas: Adam's decay rates.
        bound: the max-norm ball that δ stays in, if any; x + δ always stays in the 16-bit range.
        masking: the masking penalty, if any.
        keep: which success is kept: the latest (its bound is the tightest), or the quietest (its
            masking loss is the lowest).
        enough: a clip leaves the stage with a success of a masking loss this low; below it, energy
            only spreads out under the threshold. None: never early.
    """

    name: str
    passes: int
    rate: Schedule
    sign: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    bound: MaxNorm | None = None
    masking: Masking | None = None
    keep: Literal["latest", "quietest"] = "latest"
    enough: float | None = None
