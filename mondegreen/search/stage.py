"""What a stage of an attack is: plain data, and the small rules it is made of.

An attack is a sequence of stages; the paper's attacks differ only in their stages' numbers. The one
loop that runs them is in `loop`; the numbers are in `presets`. Amplitudes are in full scale (1.0),
so the supplement's 16-bit numbers appear divided by 32768.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import torch
from torch import Tensor

from mondegreen.air.transformations import Transformation
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import OptionError

_TINY: Final = 1e-9  # of a masking loss, far below what any file can hold
GENTLEST: Final = 4 / FULL_SCALE  # a rate: much less is lost in rounding to 16 bits


class Schedule(Protocol):
    """A number over the steps of a stage: a learning rate in full scale, a ceiling in dB."""

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
    """A rate that falls geometrically from `start` to `end` over the stage.

    It never falls faster than it would over `slowest` steps: a short stage is left on its way.
    """

    start: float
    end: float
    slowest: int = 0

    def at(self, step: int, steps: int) -> float:
        """Interpolate: start · (end / start) ^ (step / max(steps, slowest))."""
        return self.start * math.pow(self.end / self.start, step / max(steps, self.slowest))


@dataclass(frozen=True)
class Sinking:
    """A number that falls by one every `every` steps, down to `least`, however long the stage."""

    start: float
    every: float
    least: float

    def at(self, step: int, steps: int) -> float:
        """Fall: max(start - step / every, least)."""
        del steps
        return max(self.start - step / self.every, self.least)


class Bound(Protocol):
    """A max-norm ball ‖δ‖∞ ≤ ε, and how ε moves; everything in full scale, [B]: one ε a clip."""

    @property
    def every(self) -> int:
        """How often success is looked for, in steps."""

    def begins(self, before: Tensor) -> Tensor:
        """The ε a stage begins with, after successes found under the bounds `before`."""

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """The next ε, given the perturbations' peaks and who matched."""


@dataclass(frozen=True)
class MaxNorm:
    """A ball that shrinks (Algorithm 1, stage 1)."""

    eps: float  # where ε starts
    shrink: float = 0.8  # at a success, ε ← shrink · min(ε, ‖δ‖∞)
    every: int = 10  # see `Bound`

    def begins(self, before: Tensor) -> Tensor:
        """Every clip's own ε is `eps`, whatever came before."""
        return torch.full_like(before, self.eps)

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Shrink the ball of those that matched."""
        return torch.where(matched, self.shrink * torch.minimum(eps, peak), eps)


@dataclass(frozen=True)
class Elastic:
    """A ball that shrinks at a success and gives way at a failure.

    It comes to rest where a share log(grow) / log(grow / shrink) of the looks are successes: the
    smallest ball in which δ is heard that often.
    """

    eps: float  # where ε starts, and the most it grows back to
    shrink: float  # at a success, ε ← shrink · ε
    grow: float  # at a failure, ε ← grow · ε
    every: int = 1  # see `Bound`

    def begins(self, before: Tensor) -> Tensor:
        """Every clip's own ε is `eps`, whatever came before."""
        return torch.full_like(before, self.eps)

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Shrink the ball of those that matched, widen that of the others."""
        del peak
        return (eps * torch.where(matched, self.shrink, self.grow)).clamp(max=self.eps)


@dataclass(frozen=True)
class Widened:
    """A ball that is `by` larger than the last success's, and stays (4.2: ε**r = ε*r + Δ)."""

    by: float
    every: int = 10

    def begins(self, before: Tensor) -> Tensor:
        """Widen the bounds that the successes were found under."""
        return before + self.by

    def moved(self, eps: Tensor, peak: Tensor, matched: Tensor) -> Tensor:
        """Leave ε where it is."""
        del peak, matched
        return eps


@dataclass(frozen=True)
class Masking:
    """The penalty α · ℓθ, or α · log ℓθ, and how α adapts (Algorithm 1, stage 2)."""

    alpha: float  # where α starts
    up: float  # a success multiplies α by this, looked for every `up_every` steps
    up_every: int
    down: float  # a miss multiplies α by this, looked for every `down_every` steps
    down_every: int
    # penalise log ℓθ. α then says how many nats of the recogniser's loss the e-th part of the
    # masking loss is worth, whatever is left of it, and need not grow as it falls.
    log: bool = False
    # bins count as loud beyond this share of the clip's own power nearby, even below θ (see
    # `psychoacoustics.guarded`); None: beyond θ alone
    guard: float | None = None

    def weight(self, alpha: Tensor, loss: Tensor) -> Tensor:
        """The factor [A] of ∇ℓθ in the gradient of the penalty; loss: ℓθ, [A]."""
        return alpha / loss.clamp(min=_TINY) if self.log else alpha

    def adapted(self, alpha: Tensor, matched: Tensor, step: int) -> Tensor:
        """The next α [B], given who matched after update `step`."""
        up = self.up if step % self.up_every == 0 else 1.0
        down = self.down if step % self.down_every == 0 else 1.0
        return torch.where(matched, up * alpha, down * alpha)


@dataclass(frozen=True)
class Expectation:
    """The mean loss over random transformations t(x + δ), and when they count as beaten (4.2).

    The draws of a step are fresh: δ has not seen them yet, so that being heard in them is worth
    something, and costs no pass of its own.
    """

    # the transformations, in the order a sound meets them; none: the sound as it is
    of: tuple[Transformation, ...] = ()
    draws: int = 1  # how many are drawn for a step (M). Each costs a gradient pass.
    quorum: int = 1  # a success is heard as the target in at least this many of `looks`
    # how many success is judged in. Those beyond `draws` are drawn only at the steps that the
    # stage's bound looks at, and cost a forward pass each.
    looks: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.quorum <= self.looks or self.draws < 1:
            raise OptionError(
                f"Got {self.draws} draws and a quorum of {self.quorum} in {self.looks} looks;"
                " expected one draw or more, and a quorum that the looks can reach."
            )


@dataclass(frozen=True)
class Stage:
    """One stage of an attack."""

    name: str  # for records and progress
    steps: int  # updates of δ at most, for each clip; one costs `over.draws` gradient passes
    rate: Schedule  # Adam's learning rate over them
    # no rate is larger than this share of the ‖δ‖∞ that a clip begins the stage with, for a
    # larger one would drown it, but for `GENTLEST`; None: it may be
    gentle: float | None = None
    sign: bool = False  # feed Adam the gradient's sign instead of the gradient
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's decay rates
    # the max-norm ball that δ stays in, if any; x + δ always stays in the 16-bit range
    bound: Bound | None = None
    masking: Masking | None = None  # the masking penalty, if any
    # penalty and ceiling look over the clip's edges as well, where its own frames are thin or,
    # for less than a hop at the end, missing
    edges: bool = False
    # dB above θ beyond which bins of δ are cut off, if any (see `ceiling.lowered`)
    ceiling: Schedule | None = None
    # dB above θ that no bin of the rounded δ may exceed, if any: δ is kept near that by
    # `ceiling.contained`. Of those that are heard the one that comes nearest to it is kept, and
    # of several that keep to it the quietest.
    under: float | None = None
    # what the loss is the mean of; by default the sound as it is
    over: Expectation = field(default_factory=Expectation)
    # which success is kept: the latest, the quietest (its masking loss is the lowest), or the
    # latest of those heard in the most draws
    keep: Literal["latest", "quietest", "most heard"] = "latest"
    # of the successes, the mean of δ up to there is kept in place of δ, in which each step counts
    # so much of the next; 0: δ itself. Where each step meets another room, it has less of the
    # last few rooms in it.
    average: float = 0.0
    # a clip leaves the stage with a success of a masking loss this low; below it, energy only
    # spreads out under the threshold. None: never early.
    enough: float | None = None
    # its steps are for a budget of passes to say: planned stages share what the others leave, in
    # proportion to their own `steps`; one with `enough` is never stretched beyond
    planned: bool = False

    def __post_init__(self) -> None:
        if self.bound is None and self.over.looks > self.over.draws:
            raise OptionError(
                f"The stage “{self.name}” judges in {self.over.looks} looks but draws"
                f" {self.over.draws}, and has no bound whose looks could make up for it."
            )
        if self.edges and self.under is not None:
            raise OptionError(
                f"The stage “{self.name}” keeps a bound, which is of the frames within a clip; it"
                " cannot look over the edges."
            )

    @property
    def passes(self) -> int:
        """Gradient passes at most, for each clip."""
        return self.steps * self.over.draws

    def fastest(self, peak: Tensor) -> Tensor:
        """The largest rate [B] for clips that begin it with ‖δ‖∞ = `peak`, [B]."""
        if self.gentle is None:
            return torch.full_like(peak, math.inf)
        return (peak * self.gentle).clamp(min=GENTLEST)
