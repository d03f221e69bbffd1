"""The only optimisation loop: stages over a padded batch in which every clip is alone.

One gradient pass does all the work of an iteration of Algorithm 1. The forward pass at δ_i tells
whether update i - 1 succeeded, so ε and α adapt on it before the backward pass at δ_i is taken; no
pass is spent on looking. The victim hears x + δ rounded to 16 bits, as it will be saved (the
gradient goes straight through the rounding), so what matches here is what the file holds.

Clips share a batch and nothing else: ε, α, counters and the best so far are per clip, every sum
runs over a clip's own samples, and a clip that has finished leaves the batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mondegreen.attacks.result import Candidate, Point, Trajectory
from mondegreen.attacks.stage import Stage
from mondegreen.audio import FULL_SCALE, pad, quantise
from mondegreen.psychoacoustics import MaskingThreshold, masking_loss
from mondegreen.victims.base import Victim

CANDIDATES = 4  # kept for each clip, in case the full decode rejects the best
APART = 10  # passes: of the successes within them one is kept, for neighbours are much alike
TRACE_EVERY = 10  # passes between two points of a trajectory's curve


@dataclass
class _Batch:
    """The clips still in a stage; every tensor has one row a clip."""

    index: Tensor  # [A] which clip of the search this is
    audio: Tensor  # [A, T]
    lengths: Tensor  # [A]
    low: Tensor  # [A, T] the smallest δ that keeps x + δ in range; zero in padding
    high: Tensor  # [A, T]
    delta: Tensor  # [A, T]
    mean: Tensor  # [A, T] Adam's first moment
    square: Tensor  # [A, T] Adam's second moment
    eps: Tensor  # [A]
    alpha: Tensor  # [A]
    quietest: Tensor  # [A] lowest masking loss of a success in this stage
    left: Tensor  # [A] passes until the clip leaves

    def select(self, rows: Tensor) -> _Batch:
        """The clips of `rows`, without the padding that the others needed."""
        kept = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        longest = int(kept["lengths"].max()) if len(kept["lengths"]) else 0
        return _Batch(**{k: v[:, :longest] if v.ndim == 2 else v for k, v in kept.items()})


@dataclass(frozen=True)
class Progress:
    """What one gradient pass saw, a row for each clip still in the stage.

    Attributes:
        stage: its name.
        step: the pass within the stage, from 0.
        index: [A] which clips these are.
        loss: [A] nats.
        matched: [A] bool.
        eps: [A] full scale, or None without a bound.
        alpha: [A], or None without a masking penalty.
        masking_loss: [A], or None without a masking penalty.
    """

    stage: str
    step: int
    index: Tensor
    loss: Tensor
    matched: Tensor
    eps: Tensor | None
    alpha: Tensor | None
    masking_loss: Tensor | None


class Search:
    """A search for adversarial perturbations of a batch of clips.

    Iterate over `run` to drive it; stop at any pass, by leaving the iteration or by an exception,
    and `trajectories` holds what was found so far.

    Args:
        victim: the recogniser.
        clips: B tensors [T_b] in [-1, 1] on the 16-bit grid, on the victim's device.
        targets: B results of `victim.encode`.
        threshold: the clips' masking threshold, needed by stages with a masking penalty.
    """

    def __init__(
        self,
        victim: Victim,
        clips: Sequence[Tensor],
        targets: Sequence[Tensor],
        threshold: MaskingThreshold,
    ) -> None:
        self.victim, self.targets, self.threshold = victim, list(targets), threshold
        self.audio, self.lengths = pad(clips)
        self.trajectories = [
            Trajectory(torch.zeros_like(clip), deque(maxlen=CANDIDATES)) for clip in clips
        ]

    def run(self, stages: Sequence[Stage], max_passes: int | None = None) -> Iterator[Progress]:
        """Run the stages in turn; a clip goes on to the next one only with a success.

        Args:
            stages: what to do.
            max_passes: gradient passes at most for each clip, over all stages; None: no limit.
        """
        for number, stage in enumerate(stages):
            yield from self._run_stage(stage, self._enter(stage, number, max_passes))

    def _enter(self, stage: Stage, number: int, max_passes: int | None) -> _Batch:
        """The batch that begins a stage: δ is zero at first, then each clip's last success."""
        allowed = [
            stage.passes if max_passes is None else min(stage.passes, max_passes - t.passes)
            for t in self.trajectories
        ]
        start = torch.zeros_like(self.audio)
        for b, trajectory in enumerate(self.trajectories):
            if trajectory.candidates:
                if number > 0:
                    trajectory.milestones.append(trajectory.candidates[-1])
                start[b, : len(trajectory.delta)] = trajectory.candidates[-1].delta
            elif number > 0:
                allowed[b] = 0
        real = torch.arange(self.audio.shape[1], device=self.audio.device) < self.lengths[:, None]
        row = self.audio.new_ones(len(self.audio))
        left = torch.tensor(allowed, device=self.audio.device)
        return _Batch(
            index=torch.arange(len(row), device=self.audio.device),
            audio=self.audio,
            lengths=self.lengths,
            low=(-1 - self.audio) * real,
            high=(1 - 1 / FULL_SCALE - self.audio) * real,
            delta=start,
            mean=torch.zeros_like(start),
            square=torch.zeros_like(start),
            eps=row * (stage.bound.eps if stage.bound else torch.inf),
            alpha=row * (stage.masking.alpha if stage.masking else 0.0),
            quietest=row * torch.inf,
            left=left,
        ).select(left > 0)

    def _run_stage(self, stage: Stage, batch: _Batch) -> Iterator[Progress]:
        clips = batch.index
        try:
            for step in range(stage.passes):
                if len(batch.index) == 0:
                    return
                if step == 0 or len(clips) > len(batch.index):
                    clips, threshold = batch.index, self.threshold.select(batch.index)
                    targets = [self.targets[b] for b in clips.tolist()]
                yield self._pass(stage, step, batch, targets, threshold)
                staying = batch.left > 0
                if not staying.all():
                    self._leave(batch.select(~staying))
                    batch = batch.select(staying)
        finally:  # also when the caller stops early
            self._leave(batch)

    def _pass(
        self,
        stage: Stage,
        step: int,
        batch: _Batch,
        targets: Sequence[Tensor],
        threshold: MaskingThreshold,
    ) -> Progress:
        """One gradient pass: look, keep, adapt, and take the step."""
        delta = batch.delta.requires_grad_()
        score = self.victim.score(_heard(batch.audio, delta), batch.lengths, targets)
        loss, audible = score.loss, None
        if stage.masking:
            audible = masking_loss(delta, threshold)
        self._keep(stage, batch, score.matched, None if audible is None else audible.detach())
        _adapt(stage, step, batch, score.matched)
        if audible is not None:
            loss = loss + batch.alpha * audible
        (gradient,) = torch.autograd.grad(loss.sum(), delta)
        progress = _progress(stage, step, batch, score.loss.detach(), score.matched, audible)
        self._count(progress)
        batch.delta = delta.detach()
        _step(stage, step, batch, gradient)
        batch.left -= 1
        if stage.enough is not None:
            batch.left = torch.where(batch.quietest <= stage.enough, 0, batch.left)
        return progress

    def _keep(self, stage: Stage, batch: _Batch, matched: Tensor, audible: Tensor | None) -> None:
        """Copy the perturbations that matched and, where the stage asks for it, are quieter."""
        better = matched
        if stage.keep == "quietest" and audible is not None:
            better = matched & (audible < batch.quietest)
            batch.quietest = torch.where(better, audible, batch.quietest)
        for row in better.nonzero().flatten().tolist():
            trajectory = self.trajectories[int(batch.index[row])]
            delta = batch.delta[row, : int(batch.lengths[row])].detach().clone()
            trajectory.add(Candidate(delta, trajectory.passes + 1, stage.name), APART)

    def _count(self, progress: Progress) -> None:
        for row, b in enumerate(progress.index.tolist()):
            trajectory = self.trajectories[b]
            trajectory.passes += 1
            if trajectory.first_match is None and progress.matched[row]:
                trajectory.first_match = trajectory.passes
            if progress.step % TRACE_EVERY == 0:
                trajectory.curve.append(_point(progress, row, trajectory.passes))

    def _leave(self, batch: _Batch) -> None:
        """Note where clips ended, for those that never succeeded."""
        for row, b in enumerate(batch.index.tolist()):
            delta = batch.delta[row, : int(batch.lengths[row])]
            self.trajectories[b].delta = delta.detach().clone()


def _heard(audio: Tensor, delta: Tensor) -> Tensor:
    """Round x + δ to 16 bits, with the gradient of the identity."""
    exact = audio + delta
    return exact + (quantise(exact) - exact).detach()


def _adapt(stage: Stage, step: int, batch: _Batch, matched: Tensor) -> None:
    """Adapt ε and α to how update `step - 1` turned out."""
    update = step - 1
    if update < 0:
        return
    if stage.bound and update % stage.bound.every == 0:
        peak = batch.delta.detach().abs().amax(1)
        batch.eps = stage.bound.shrunk(batch.eps, peak, matched)
    if stage.masking:
        batch.alpha = stage.masking.adapted(batch.alpha, matched, update)


def _step(stage: Stage, step: int, batch: _Batch, gradient: Tensor) -> None:
    """Adam (Kingma & Ba 2014) on the gradient or its sign, then the projection onto the bounds."""
    if stage.sign:
        gradient = gradient.sign()
    first, second = stage.betas
    batch.mean.lerp_(gradient, 1 - first)
    batch.square.lerp_(gradient.square(), 1 - second)
    spread = (batch.square / (1 - second ** (step + 1))).sqrt_().add_(1e-8)
    rate = stage.rate.at(step, stage.passes) / (1 - first ** (step + 1))
    batch.delta.addcdiv_(batch.mean, spread, value=-rate)
    eps = batch.eps[:, None]
    batch.delta.clamp_(torch.maximum(batch.low, -eps), torch.minimum(batch.high, eps))


def _progress(
    stage: Stage, step: int, batch: _Batch, loss: Tensor, matched: Tensor, audible: Tensor | None
) -> Progress:
    return Progress(
        stage=stage.name,
        step=step,
        index=batch.index,
        loss=loss,
        matched=matched,
        eps=batch.eps if stage.bound else None,
        alpha=batch.alpha if stage.masking else None,
        masking_loss=None if audible is None else audible.detach(),
    )


def _point(progress: Progress, row: int, passes: int) -> Point:
    def value(tensor: Tensor | None) -> float | None:
        number = math.nan if tensor is None else float(tensor[row])
        return number if math.isfinite(number) else None

    return Point(
        passes=passes,
        stage=progress.stage,
        loss=value(progress.loss),
        matched=bool(progress.matched[row]),
        eps=value(progress.eps),
        alpha=value(progress.alpha),
        masking_loss=value(progress.masking_loss),
    )
