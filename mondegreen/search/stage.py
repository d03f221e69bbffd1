"""A stage of an attack: plain data, and small rules.

An attack is a sequence of stages; the paper's attacks differ only in their stages' numbers. `loop`
runs them; `presets` has the numbers. Amplitudes are relative to full scale (1.0), so the
supplement's 16-bit numbers are divided by 32768.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import torch
from torch import Tensor

from mondegreen.air.transformations import Transformation
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import OptionError

_TINY: Final = 1e-9  # of a masking loss, far below what any file can hold
_SLACK: Final = 1e-4  # of a ball's radius: 0.001 dB
_FITTED: Final = 4  # times that δ is scaled into a ball: rounding changes a little each time
GENTLEST: Final = 4 / FULL_SCALE  # a rate; much smaller steps vanish in rounding to 16 bits


class Schedule(Protocol):
    """A number over the steps of a stage: a learning rate, or a share."""

    def at(self, step: int, steps: int) -> float:
        """The number at step `step` of `steps`."""


@dataclass(frozen=True)
class Steps:
    """A rate that jumps: `Steps(((0, a), (3000, b)))` is a, and b from step 3000 on."""

    points: tuple[tuple[int, float], ...]

    def at(self, step: int, steps: int) -> float:
        """The rate of the last point that `step` has reached."""
        del steps
        return [rate for start, rate in self.points if start <= step][-1]


@dataclass(frozen=True)
class Decay:
    """A rate that falls geometrically from `start` to `end` over the stage."""

    start: float
    end: float

    def at(self, step: int, steps: int) -> float:
        """Interpolate: start · (end / start) ^ (step / steps)."""
        return self.start * math.pow(self.end / self.start, step / steps)


@dataclass(frozen=True)
class Altogether:
    """A share that falls geometrically to a quarter, and adds up to `total` over the stage.

    So a stage of few steps comes as far as one of many, up to `most` in a step.
    """

    total: float
    most: float

    def at(self, step: int, steps: int) -> float:
        """Fall as 4 ^ -(step / steps), whose mean is (3/4) / log 4."""
        first = self.total / steps * math.log(4) / 0.75
        return min(self.most, first * math.pow(4, -step / steps))


class Bound(Protocol):
    """A max-norm ball ‖δ‖∞ ≤ ε, and how ε moves; everything in full scale, [B]: one ε a clip."""

    @property
    def every(self) -> int:
        """Steps from one check for success to the next."""

    def begins(self, before: Tensor) -> Tensor:
        """The ε at the start of a stage, after successes under the bounds `before`."""

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """The next ε, given the perturbations' peaks and which matched."""


@dataclass(frozen=True)
class MaxNorm:
    """A ball that shrinks (Algorithm 1, stage 1)."""

    eps: float  # where ε starts
    shrink: float = 0.8  # at a success, ε ← shrink · min(ε, ‖δ‖∞)
    every: int = 10  # see `Bound`

    def begins(self, before: Tensor) -> Tensor:
        """Every clip starts at `eps`."""
        return torch.full_like(before, self.eps)

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Shrink the ball of those that matched."""
        return torch.where(matched, self.shrink * torch.minimum(eps, peak), eps)


@dataclass(frozen=True)
class Elastic:
    """A ball that shrinks at a success and grows at a failure.

    It settles where a share log(grow) / log(grow / shrink) of the checks are successes: the
    smallest ball in which δ matches that often.
    """

    eps: float  # where ε starts, and the most it grows back to
    shrink: float  # at a success, ε ← shrink · ε
    grow: float  # at a failure, ε ← grow · ε
    every: int = 1  # see `Bound`

    def begins(self, before: Tensor) -> Tensor:
        """Every clip starts at `eps`."""
        return torch.full_like(before, self.eps)

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Shrink the ball of those that matched, widen that of the others."""
        del peak
        return (eps * torch.where(matched, self.shrink, self.grow)).clamp(max=self.eps)


@dataclass(frozen=True)
class Widened:
    """A fixed ball, `by` larger than the last success's (4.2: ε**r = ε*r + Δ)."""

    by: float
    every: int = 10

    def begins(self, before: Tensor) -> Tensor:
        """Widen the bounds of the successes."""
        return before + self.by

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Keep ε."""
        del peak, matched
        return eps


@dataclass(frozen=True)
class Masking:
    """The penalty α · ℓθ, or α · log ℓθ, and how α adapts (Algorithm 1, stage 2)."""

    alpha: float  # where α starts
    up: float  # factor of α at a success, checked every `up_every` steps
    up_every: int
    down: float  # factor of α at a miss, checked every `down_every` steps
    down_every: int
    # penalise log ℓθ: α is then the weight, in nats of the recogniser's loss, of reducing ℓθ by a
    # factor of e, however small ℓθ is, and need not grow as it falls
    log: bool = False
    # bins also count as loud above this share of the clip's own power nearby, even below θ (see
    # `psychoacoustics.excess.guarded`); None: only above θ
    guard: float | None = None

    def weight(self, alpha: Tensor, loss: Tensor) -> Tensor:
        """The factor [A] of ∇ℓθ in the gradient of the penalty; loss: ℓθ, [A]."""
        return alpha / loss.clamp(min=_TINY) if self.log else alpha

    def adapted(self, alpha: Tensor, matched: Tensor, step: int) -> Tensor:
        """The next α [B], given which clips matched after update `step`."""
        up = self.up if step % self.up_every == 0 else 1.0
        down = self.down if step % self.down_every == 0 else 1.0
        return torch.where(matched, up * alpha, down * alpha)


@dataclass(frozen=True)
class Ball:
    """A bound on δ's energy: the signal-to-noise ratio is `snr` dB or more.

    That is the ball ‖δ‖ ≤ ‖x‖ · 10^(-snr / 20), which projected gradient descent (Madry et al.
    2018) goes along the surface of.
    """

    snr: float

    def radius(self, audio: Tensor) -> Tensor:
        """Its radius [A] around clips [A, T]; a hair less, which float32 may add again."""
        size: Tensor = audio.norm(dim=1)
        return size * (1 - _SLACK) * math.pow(10, -self.snr / 20)

    @staticmethod
    def inside(delta: Tensor, radius: Tensor) -> Tensor:
        """The nearest δ [A, T] in the ball, whose samples as a 16-bit file has them are in it too.

        Rounding adds energy, so δ is scaled to leave room for that; where even that is not enough,
        as where the ball holds only a few 16-bit steps, each sample is rounded towards zero.
        """
        for _ in range(_FITTED):
            size = torch.maximum(delta.norm(dim=1), quantise(delta).norm(dim=1))
            share = (1 - _SLACK) * radius / size.clamp(min=_TINY)
            delta = delta * torch.where(size > radius, share, 1)[:, None]
        over = quantise(delta).norm(dim=1) > radius
        return torch.where(over[:, None], (delta * FULL_SCALE).trunc() / FULL_SCALE, delta)


@dataclass(frozen=True)
class Weighting:
    """What the smallest δ is small in, and how it gets there: see `mondegreen.search.norm`."""

    exponent: float  # c: power counts by the clip's own power nearby, to minus this
    masking: float  # a: weight of log (ℓθ + f) against log ‖δ‖²
    floor: float  # f: a masking loss that is low enough
    # δ shrinks by this share where the target is heard in every draw
    shrink: Schedule
    # and grows by so many times that share where it is heard in none. Between, it does both in
    # proportion: its size settles where grow / (1 + grow) of the draws hear the target
    grow: float = 1.0

    def change(self, share: float, heard: Tensor) -> Tensor:
        """The factor [A] of δ's size, from the shares [A] of the draws that heard the target."""
        return 1 + share * (self.grow * (1 - heard) - heard)


@dataclass(frozen=True)
class Expectation:
    """The mean loss over random transformations t(x + δ), and when it is a success (4.2).

    The draws of a step are fresh: δ has not been optimised on them, so matching in them is a valid
    test, at no extra pass.
    """

    # in the order that a sound meets them; none: the sound as it is
    of: tuple[Transformation, ...] = ()
    draws: int = 1  # drawn per step (M), each a gradient pass
    quorum: int = 1  # a success matches in at least this many of `looks`
    # draws that success is judged in; those beyond `draws` are drawn only at the steps that the
    # stage's bound checks, and cost a forward pass each
    looks: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.quorum <= self.looks or self.draws < 1:
            raise OptionError(
                f"Got {self.draws} draws and a quorum of {self.quorum} in {self.looks} looks;"
                " expected one draw or more, and a quorum from 1 to the number of looks."
            )


@dataclass(frozen=True)
class Stage:
    """One stage of an attack."""

    name: str  # for records and progress
    steps: int  # updates of δ at most, for each clip; one costs `over.draws` gradient passes
    rate: Schedule  # Adam's learning rate; with a weighting, in shares of δ's size
    # limits the rate to this share of the clip's initial ‖δ‖∞, but not below `GENTLEST`: larger
    # steps would drown it; None: unlimited
    gentle: float | None = None
    sign: bool = False  # feed Adam the gradient's sign instead of the gradient
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's decay rates; a weighting has the first alone
    bound: Bound | None = None  # the max-norm ball of δ; x + δ always stays in the 16-bit range
    # the ball of its energy; rates are then in shares of its radius, steps along the gradient
    ball: Ball | None = None
    masking: Masking | None = None  # the masking penalty
    weighting: Weighting | None = None  # steps in a norm of hearing, instead of Adam's
    # masking includes the clip's edges, where its own frames are thin or, for less than a hop at
    # the end, missing
    edges: bool = False
    # dB above θ that no bin of the rounded δ may exceed: `ceiling.contained` keeps δ near that. Of
    # the successes the nearest to it is kept, and of those within it the quietest
    under: float | None = None
    in_band: bool = False  # keep δ within each clip's own band (see `audio.band`)
    over: Expectation = field(default_factory=Expectation)  # by default the sound as it is
    # which success is kept: the latest, the quietest (lowest masking loss or, with a weighting,
    # lowest J), or the latest of those that matched in the most draws, or with most words wrong
    keep: Literal["latest", "quietest", "most heard", "most wrong"] = "latest"
    # keep the mean of δ so far instead of δ, a step counting this share of the next; 0: δ itself.
    # Where each step meets another room, the mean depends less on the last few
    average: float = 0.0
    # a clip leaves the stage at a success this quiet (a masking loss or, with a weighting, a J):
    # below it, energy only spreads out under the threshold; None: never
    enough: float | None = None
    # a budget of passes sets its steps: planned stages share what the others leave, in proportion
    # to their own `steps`; one with `enough` never gets more than those
    planned: bool = False

    def __post_init__(self) -> None:
        if self.bound is None and self.over.looks > self.over.draws:
            raise OptionError(
                f"The stage “{self.name}” judges success in {self.over.looks} looks but draws only"
                f" {self.over.draws}, and has no bound that would draw the rest."
            )
        if self.edges and self.under is not None:
            raise OptionError(
                f"The stage “{self.name}” keeps a bound, which counts only frames within a clip; it"
                " cannot include the edges."
            )

    @property
    def passes(self) -> int:
        """Gradient passes at most, for each clip."""
        return self.steps * self.over.draws

    def fastest(self, peak: Tensor) -> Tensor:
        """The largest rate [B] for clips that start it with ‖δ‖∞ = `peak`, [B]."""
        if self.gentle is None:
            return torch.full_like(peak, math.inf)
        return (peak * self.gentle).clamp(min=GENTLEST)
