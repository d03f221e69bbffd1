"""The only optimisation loop: stages over a padded batch in which every clip is alone.

One gradient pass does all the work of an iteration of Algorithm 1. The forward pass at δ_i tells
whether update i - 1 succeeded, so ε and α adapt on it before the masking penalty's gradient at δ_i
is taken; no pass is spent on looking. The victim hears x + δ rounded to 16 bits, as it will be
saved (the gradient goes straight through the rounding), so what matches here is what the file
holds. Where a stage's loss is a mean over random transformations, a step takes a gradient pass for
each draw, and what matched is counted in the same draws, which are fresh.

Clips share a batch and nothing else: ε, α, counters and the best so far are per clip, every sum
runs over a clip's own samples, the draws of a step do not depend on who else is there, and a clip
that has finished leaves the batch.

The device computes and the host decides: what a step found is copied to main memory at once, a few
numbers a clip, and nothing else waits for the device.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mondegreen.attacks.ceiling import contained, fullness, lowered, shaped
from mondegreen.attacks.result import CANDIDATES, GIVEN, Candidate, Point, Trajectory
from mondegreen.attacks.snapshot import Snapshot
from mondegreen.attacks.stage import Expectation, Stage
from mondegreen.attacks.state import Batch, Place
from mondegreen.audio import pad, quantise
from mondegreen.psychoacoustics import (
    MaskingThreshold,
    guarded,
    masking_loss,
    worst_excess_db,
)
from mondegreen.transformations import Draws, apply
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.remembered import Remembered

APART = 10  # steps: of the successes within them one is kept, for neighbours are much alike
TRACE_EVERY = 10  # steps between two points of a trajectory's curve
TURNS = 4  # a step, of `contained`: δ has moved little since the last
BEYOND = 1e15  # what a dB over a stage's bound counts for: more than any masking loss
AT_ONCE = 1_000_000  # samples of draws in one pass of the victim, to bound its memory


@dataclass(frozen=True)
class Progress:
    """What one step saw, a row for each clip still in the stage; tensors are in main memory.

    Attributes:
        stage: its name.
        step: the step within the stage, from 0.
        passes: gradient passes that the step took for each clip.
        index: [A] which clips these are.
        loss: [A] nats, the mean of the draws.
        hits: [A] draws heard as the target, of `judged`.
        judged: how many draws were listened to.
        matched: [A] bool: a success, by the stage's quorum.
        eps: [A] full scale, or None without a bound.
        alpha: [A], or None without a masking penalty.
        masking_loss: [A], or None without a masking penalty.
    """

    stage: str
    step: int
    passes: int
    index: Tensor
    loss: Tensor
    hits: Tensor
    judged: int
    matched: Tensor
    eps: Tensor | None
    alpha: Tensor | None
    masking_loss: Tensor | None


@dataclass(frozen=True)
class _Heard:
    """What the victim made of a step's draws, a row a clip."""

    gradient: Tensor  # [A, T] of the mean loss
    loss: Tensor  # [A] its mean
    hits: Tensor  # [A]


@dataclass(frozen=True)
class _Told:
    """What the host learns of a step, in main memory, a row a clip."""

    loss: Tensor  # [A] nats
    hits: Tensor  # [A] draws heard as the target, of `judged`
    peak: Tensor  # [A] ‖δ‖∞
    audible: Tensor | None  # [A] masking loss, or None without a masking penalty
    over: Tensor | None  # [A] dB beyond the stage's bound, or None without one
    judged: int

    @classmethod
    def of(
        cls, heard: _Heard, delta: Tensor, audible: Tensor | None, over: Tensor | None, judged: int
    ) -> _Told:
        """Copy it: the only time in a step that the host waits for the device."""
        columns = [heard.loss, heard.hits.to(heard.loss), delta.abs().amax(1)]
        more = [column for column in (audible, over) if column is not None]
        loss, hits, peak, *rest = torch.stack(columns + more).cpu()
        audible, over = (None if column is None else rest.pop(0) for column in (audible, over))
        return cls(loss, hits.long(), peak, audible, over, judged)

    @property
    def cost(self) -> Tensor | None:
        """[A] what the quietest has least of: dB beyond the bound, and then masking loss."""
        if self.audible is None or self.over is None:
            return self.audible
        return self.audible + BEYOND * self.over

    def success(self, over: Expectation) -> Tensor:
        """[A] bool: enough draws were listened to, and the target heard in a quorum of them."""
        return (self.hits >= over.quorum) & (self.judged >= over.looks)


@dataclass(frozen=True)
class _Limits:
    """The thresholds of a stage's clips."""

    theta: MaskingThreshold  # θ, that the ceiling is above
    loud: MaskingThreshold  # what the penalty is measured against: θ, or less with a guard

    def select(self, index: Tensor) -> _Limits:
        return _Limits(self.theta.select(index), self.loud.select(index))


class Search:
    """A search for adversarial perturbations of a batch of clips.

    Iterate over `run` to drive it; stop at any pass, by leaving the iteration or by an exception,
    and `trajectories` holds what was found so far. `snapshot`, between two steps, is what another
    search for the same goes on from.

    Args:
        victim: the recogniser.
        clips: B tensors [T_b] in [-1, 1] on the 16-bit grid, on the victim's device.
        targets: B results of `victim.encode`.
        threshold: the clips' masking threshold, needed by stages with a masking penalty.
        seed: of the draws of random transformations.
        starts: B perturbations [T_b] to go on from, None for clips that begin at zero.
    """

    def __init__(
        self,
        victim: Victim,
        clips: Sequence[Tensor],
        targets: Sequence[Tensor],
        threshold: MaskingThreshold,
        seed: int = 0,
        starts: Sequence[Tensor | None] | None = None,
    ) -> None:
        self.victim, self.targets, self.threshold = victim, list(targets), threshold
        self.audio, self.lengths = pad(clips)
        self.seed = seed
        self.trajectories = [
            _trajectory(clip, start)
            for clip, start in zip(clips, starts or [None] * len(clips), strict=True)
        ]
        self._asked = Remembered(self._repeated)
        self._place: Place | None = None
        self._restored: Place | None = None

    def run(self, stages: Sequence[Stage]) -> Iterator[Progress]:
        """Run the stages in turn; a clip goes on to the next one only with a success.

        A restored search goes on from where it stood.
        """
        restored, self._restored = self._restored, None
        for number in range(restored.stage if restored else 0, len(stages)):
            if restored and restored.stage == number:
                self._place = restored
            else:
                self._place = Place(number, 0, self._enter(stages[number], number))
            yield from self._run_stage(stages[number], self._place)

    def snapshot(self) -> Snapshot:
        """All that `run` would need to go on from here, to the bit; to be taken between steps."""
        assert self._place is not None, "a search that has not begun has nothing to go on from"
        return Snapshot.of(self._place, self.trajectories)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of a search for the same, in the same stages.

        Raises:
            ValueError: it is of another number of clips, or not whole.
        """
        place = snapshot.place(self.audio, self.lengths)
        trajectories = snapshot.trajectories(self.audio.device)
        if len(trajectories) != len(self.trajectories):
            raise ValueError(f"{len(trajectories)} clips, expected {len(self.trajectories)}")
        self._restored, self.trajectories = place, trajectories

    def _enter(self, stage: Stage, number: int) -> Batch:
        """The batch that begins a stage: δ is zero at first, then each clip's last success."""
        left = torch.full((len(self.audio),), stage.steps)
        start, row = torch.zeros_like(self.audio), torch.ones(len(left), dtype=self.audio.dtype)
        before = row * torch.inf
        for b, trajectory in enumerate(self.trajectories):
            if trajectory.candidates:
                last = trajectory.candidates[-1]
                trajectory.milestones.append(last)
                start[b, : len(last.delta)] = last.delta
                before[b] = last.eps
            elif number > 0:
                left[b] = 0
        return Batch.of(
            self.audio,
            self.lengths,
            index=torch.arange(len(row)),
            delta=start,
            mean=torch.zeros_like(start),
            square=torch.zeros_like(start),
            fastest=stage.fastest(self._size(stage, start).cpu()),
            eps=stage.bound.begins(before) if stage.bound else row * torch.inf,
            alpha=row * (stage.masking.alpha if stage.masking else 0.0),
            quietest=row * torch.inf,
            most=torch.zeros_like(left),
            left=left,
        ).select(left > 0)

    def _size(self, stage: Stage, delta: Tensor) -> Tensor:
        """How large δ is, [B], in what the stage's rates are told in."""
        if stage.under is None:
            return delta.abs().amax(1)
        return fullness(delta, self.threshold, stage.under)

    def _run_stage(self, stage: Stage, place: Place) -> Iterator[Progress]:
        of_all = self._limits(stage)
        limits = of_all.select(place.batch.index)
        try:
            for step in range(place.step, stage.steps):
                batch = place.batch
                if len(batch.index) == 0:
                    return
                looks = _looks(stage, step)
                heard = self._listen(stage.over, (place.stage, step), batch, looks)
                progress = self._take(stage, step, batch, heard, looks, limits)
                place.step = step + 1
                staying = batch.left > 0
                if not staying.all():
                    self._leave(batch.select(~staying))
                    place.batch = batch.select(staying)
                    limits = of_all.select(place.batch.index)
                yield progress
        finally:  # also when the caller stops early
            self._leave(place.batch)

    def _limits(self, stage: Stage) -> _Limits:
        """The thresholds of all clips.

        Of all, whoever has left: a search that goes on from a snapshot must get the same bits.
        """
        if stage.masking is None or stage.masking.guard is None:
            return _Limits(self.threshold, self.threshold)
        loud = guarded(self.threshold, self.audio, stage.masking.guard)
        return _Limits(self.threshold, loud)

    def _listen(self, over: Expectation, when: tuple[int, int], batch: Batch, looks: int) -> _Heard:
        """Hear the step's draws of x + δ, rounded to 16 bits, and differentiate their mean loss."""
        sound = quantise(batch.audio + batch.delta).requires_grad_()
        gradient, loss = torch.zeros_like(sound), sound.new_zeros(len(sound))
        hits = batch.lengths.new_zeros(len(sound))
        for first, count in _chunks(0, over.draws, sound):
            score = self._score(over, when, batch, sound, first, count)
            gradient += torch.autograd.grad(score.loss.sum() / over.draws, sound)[0]
            loss += score.loss.detach().sum(1) / over.draws
            hits += score.matched.sum(1)
        with torch.no_grad():
            for first, count in _chunks(over.draws, looks, sound):
                hits += self._score(over, when, batch, sound, first, count).matched.sum(1)
        return _Heard(gradient, loss, hits)

    def _score(
        self,
        over: Expectation,
        when: tuple[int, int],
        batch: Batch,
        sound: Tensor,
        first: int,
        count: int,
    ) -> Score:
        """The victim's score of `count` draws of every clip, [A, count]."""
        draws = Draws.of((self.seed, *when), len(sound), count, first)
        rows = apply(over.of, sound, batch.lengths, draws).flatten(0, 1)
        score = self.victim.score(rows, *self._asked(batch.index, batch.lengths, count))
        return Score(score.loss.view(-1, count), score.matched.view(-1, count))

    def _repeated(
        self, index: Tensor, lengths: Tensor, count: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Lengths and targets of `count` rows of every clip: the same objects at every step."""
        targets = tuple(self.targets[b] for b in index.tolist() for _ in range(count))
        return lengths.repeat_interleave(count), targets

    def _take(
        self,
        stage: Stage,
        step: int,
        batch: Batch,
        heard: _Heard,
        judged: int,
        limits: _Limits,
    ) -> Progress:
        """One step: keep what succeeded, adapt, and move."""
        gradient, audible, penalty = heard.gradient, None, None
        if stage.masking:
            audible, penalty = _penalty(batch.delta, limits.loud)
        told = _Told.of(heard, batch.delta, audible, _beyond(stage, batch, limits), judged)
        matched = told.success(stage.over)
        self._keep(stage, batch, told, matched)
        _adapt(stage, step, batch, told.peak, matched)
        if stage.masking and penalty is not None and told.audible is not None:
            weight = stage.masking.weight(batch.alpha, told.audible)
            gradient = gradient + _a_clip(weight, penalty) * penalty
        progress = _progress(stage, step, batch, told, matched)
        self._count(progress)
        _step(stage, step, batch, gradient, limits.theta)
        batch.left = batch.left - 1
        if stage.enough is not None:
            batch.left = batch.left.masked_fill(batch.quietest <= stage.enough, 0)
        return progress

    def _keep(self, stage: Stage, batch: Batch, told: _Told, matched: Tensor) -> None:
        """Copy the perturbations that matched and are what the stage asks for."""
        better = matched
        if stage.keep == "quietest" and told.cost is not None:
            better = matched & (told.cost < batch.quietest)
            batch.quietest = torch.where(better, told.cost, batch.quietest)
        elif stage.keep == "most heard":
            better = matched & (told.hits >= batch.most)
            batch.most = torch.where(better, told.hits, batch.most)
        for row in better.nonzero().flatten().tolist():
            trajectory = self.trajectories[int(batch.index[row])]
            delta = batch.delta[row, : len(trajectory.delta)].clone()
            eps = float(batch.eps[row] if stage.bound else told.peak[row])
            passes = trajectory.passes + stage.over.draws
            trajectory.add(Candidate(delta, eps, passes, trajectory.steps + 1, stage.name), APART)

    def _count(self, progress: Progress) -> None:
        for row, b in enumerate(progress.index.tolist()):
            trajectory = self.trajectories[b]
            trajectory.steps += 1
            trajectory.passes += progress.passes
            trajectory.looks += progress.judged - progress.passes
            if trajectory.first_match is None and progress.matched[row]:
                trajectory.first_match = trajectory.passes
            if progress.step % TRACE_EVERY == 0 or progress.judged > progress.passes:
                trajectory.curve.append(_point(progress, row, trajectory.passes))

    def _leave(self, batch: Batch) -> None:
        """Note where clips ended, for those that never succeeded."""
        for row, b in enumerate(batch.index.tolist()):
            trajectory = self.trajectories[b]
            trajectory.delta = batch.delta[row, : len(trajectory.delta)].detach().clone()


def _trajectory(clip: Tensor, start: Tensor | None) -> Trajectory:
    """A trajectory that has not begun, or that goes on from a given perturbation."""
    trajectory = Trajectory(torch.zeros_like(clip), deque(maxlen=CANDIDATES))
    if start is not None:
        trajectory.add(Candidate(start, float(start.abs().max()), 0, 0, GIVEN), APART)
    return trajectory


def _looks(stage: Stage, step: int) -> int:
    """How many draws to listen to: more than the gradient needs only where the bound looks."""
    looking = stage.bound is not None and (step - 1) % stage.bound.every == 0
    return max(stage.over.looks, stage.over.draws) if looking else stage.over.draws


def _chunks(first: int, end: int, sound: Tensor) -> Iterator[tuple[int, int]]:
    """Draws `first` to `end` in (first, count) that keep the memory of a pass bounded."""
    size = max(1, AT_ONCE // sound.numel())
    for start in range(first, end, size):
        yield start, min(size, end - start)


def _penalty(delta: Tensor, threshold: MaskingThreshold) -> tuple[Tensor, Tensor]:
    """The masking loss of each clip, [A], and its gradient, [A, T]."""
    delta = delta.detach().requires_grad_()
    audible = masking_loss(delta, threshold)
    return audible.detach(), torch.autograd.grad(audible.sum(), delta)[0]


def _beyond(stage: Stage, batch: Batch, limits: _Limits) -> Tensor | None:
    """How many dB each clip's δ, as it is saved, exceeds the stage's bound by, [A]."""
    if stage.under is None:
        return None
    saved = quantise(batch.audio + batch.delta) - batch.audio
    return (worst_excess_db(saved, limits.theta) - stage.under).clamp(min=0)


def _a_clip(values: Tensor, like: Tensor) -> Tensor:
    """A number for each clip, [A] in main memory, as a column [A, 1] on the device."""
    return values.to(like.device, non_blocking=True)[:, None]


def _adapt(stage: Stage, step: int, batch: Batch, peak: Tensor, matched: Tensor) -> None:
    """Adapt ε and α to how update `step - 1` turned out."""
    update = step - 1
    if update < 0:
        return
    if stage.bound and update % stage.bound.every == 0:
        batch.eps = stage.bound.moved(batch.eps, peak, matched)
    if stage.masking:
        batch.alpha = stage.masking.adapted(batch.alpha, matched, update)


def _step(stage: Stage, step: int, batch: Batch, gradient: Tensor, theta: MaskingThreshold) -> None:
    """A step along the mean gradient or its mean sign, then the projection onto the bounds.

    Adam says how far each sample goes, or, under a bound on the spectrum, the room in each bin.
    """
    if stage.sign:
        gradient = gradient.sign()
    batch.mean.lerp_(gradient, 1 - stage.betas[0])
    rate = stage.rate.at(step, stage.steps)
    pace = _a_clip((batch.fastest / rate).clamp(max=1), batch.delta)
    if stage.under is None:
        _adam(stage, step, batch, gradient, rate, pace)
    else:
        batch.delta.sub_(shaped(batch.mean, theta, stage.under) * pace, alpha=rate)
        batch.delta = contained(batch.delta, theta, stage.under, TURNS)
    if stage.ceiling:
        batch.delta = lowered(batch.delta, theta, stage.ceiling.at(step, stage.steps))
    eps = _a_clip(batch.eps, batch.delta)
    batch.delta.clamp_(torch.maximum(batch.low, -eps), torch.minimum(batch.high, eps))


def _adam(
    stage: Stage, step: int, batch: Batch, gradient: Tensor, rate: float, pace: Tensor
) -> None:
    """Adam's step (Kingma & Ba 2014) along the mean, at a rate times each clip's pace, [A, 1]."""
    first, second = stage.betas
    batch.square.lerp_(gradient.square(), 1 - second)
    spread = (batch.square / (1 - second ** (step + 1))).sqrt_().add_(1e-8).div_(pace)
    batch.delta.addcdiv_(batch.mean, spread, value=-rate / (1 - first ** (step + 1)))


def _progress(stage: Stage, step: int, batch: Batch, told: _Told, matched: Tensor) -> Progress:
    return Progress(
        stage=stage.name,
        step=step,
        passes=stage.over.draws,
        index=batch.index,
        loss=told.loss,
        hits=told.hits,
        judged=told.judged,
        matched=matched,
        eps=batch.eps if stage.bound else None,
        alpha=batch.alpha if stage.masking else None,
        masking_loss=told.audible,
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
        hits=int(progress.hits[row]),
        judged=progress.judged,
        eps=value(progress.eps),
        alpha=value(progress.alpha),
        masking_loss=value(progress.masking_loss),
    )
