"""The only optimisation loop: stages over a padded batch of independent clips.

One gradient pass is one iteration of Algorithm 1. The forward pass at δ_i shows whether update
i - 1 succeeded, so ε and α adapt to it before the masking penalty's gradient at δ_i is taken; no
extra pass is spent on checking. The victim gets x + δ rounded to 16 bits, as it will be saved
(straight-through gradient), so what matches here also matches in the file. Where a stage's loss is
a mean over random transformations, a step takes one gradient pass per draw and counts matches in
the same, fresh draws.

Clips share a batch and nothing else: ε, α, counters and the best so far are per clip, every sum
runs over a clip's own samples, the draws of a step do not depend on the rest of the batch, and a
clip that has finished leaves it.

`scoring` asks the victim, `step` adapts and moves, `progress` is what the host learns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mondegreen.audio.batch import pad
from mondegreen.audio.context import Context
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import fullness
from mondegreen.search.nonfinite import STUCK
from mondegreen.search.progress import Progress, StepOutcome
from mondegreen.search.scoring import Scorer, StepScore
from mondegreen.search.stage import Stage
from mondegreen.search.state import Batch, Position, Snapshot
from mondegreen.search.step import Limits, a_clip, adapt, averaged, beyond, move
from mondegreen.search.trajectory import CANDIDATES, GIVEN, Candidate, Trajectory
from mondegreen.victims.base import Victim

APART = 10  # steps; neighbouring successes are alike, so one is kept of so many
TRACE_EVERY = 10  # steps between two points of a trajectory's curve


class Search:
    """A search for adversarial perturbations of a batch of clips.

    Iterate over `run` to drive it. It may be stopped at any pass, by leaving the iteration or by an
    exception; `trajectories` then holds what was found so far. Another search for the same can
    resume from a `snapshot`, taken between two steps.

    Args:
        victim: the recogniser.
        clips: B tensors [T_b] in [-1, 1] on the 16-bit grid, on the victim's device.
        targets: B results of `victim.encode`.
        threshold: the clips' masking threshold, needed by stages with a masking penalty.
        seed: of the draws of random transformations.
        starts: B perturbations [T_b] to start from, None for clips that start at zero.
        passages: of each clip, the first sample that the victim hears and that may be changed, and
            the one after the last; None: all of all clips.
        whole_every: every how many steps the victim hears the sounds whole, so that a success is
            one; the others are near passes (see `mondegreen.victims.near`).
        contexts: of each clip, what the victim hears around what may be changed; None: nothing.
    """

    def __init__(
        self,
        victim: Victim,
        clips: Sequence[Tensor],
        targets: Sequence[Tensor],
        threshold: MaskingThreshold,
        seed: int = 0,
        starts: Sequence[Tensor | None] | None = None,
        passages: Sequence[tuple[int, int]] | None = None,
        whole_every: int = 1,
        contexts: Sequence[Context] | None = None,
    ) -> None:
        self.scorer = Scorer(victim, list(targets), seed, passages, whole_every, contexts)
        self.threshold = threshold
        self.audio, self.lengths = pad(clips)
        own = passages or [(0, len(clip)) for clip in clips]
        begin, end = torch.tensor(own, device=self.audio.device).T[..., None]
        at = torch.arange(self.audio.shape[1], device=self.audio.device)
        self.free = (begin <= at) & (at < end)
        self.trajectories = [
            _trajectory(clip, start)
            for clip, start in zip(clips, starts or [None] * len(clips), strict=True)
        ]
        self._place: Position | None = None
        self._restored: Position | None = None

    def run(self, stages: Sequence[Stage]) -> Iterator[Progress]:
        """Run the stages in turn, from the start or from where a restored search stood.

        A clip enters the next stage only with a success.
        """
        restored, self._restored = self._restored, None
        for number in range(restored.stage if restored else 0, len(stages)):
            if restored and restored.stage == number:
                self._place = restored
            else:
                self._place = Position(number, 0, self._enter(stages[number], number))
            yield from self._run_stage(stages[number], self._place)

    def snapshot(self) -> Snapshot:
        """All that `run` needs to resume from here, to the bit; take it between steps."""
        assert self._place is not None, "a search that has not begun has no state to keep"
        return Snapshot.of(self._place, self.trajectories)

    def restore(self, snapshot: Snapshot) -> None:
        """Resume from a snapshot of a search for the same, in the same stages.

        Raises:
            ValueError: it is incomplete, or of another number of clips.
        """
        place = snapshot.place(self.audio, self.lengths, self.free)
        trajectories = snapshot.trajectories(self.audio.device)
        if len(trajectories) != len(self.trajectories):
            raise ValueError(f"{len(trajectories)} clips, expected {len(self.trajectories)}")
        self._restored, self.trajectories = place, trajectories

    def _enter(self, stage: Stage, number: int) -> Batch:
        """The batch that starts a stage: δ is zero at first, then each clip's last success."""
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
            self.free,
            index=torch.arange(len(row)),
            delta=start,
            mean=torch.zeros_like(start),
            square=torch.zeros_like(start),
            average=torch.zeros_like(start),
            near=torch.zeros_like(start),
            fastest=stage.fastest(self._size(stage, start).cpu()),
            eps=stage.bound.begins(before) if stage.bound else row * torch.inf,
            alpha=row * (stage.masking.alpha if stage.masking else 0.0),
            quietest=row * torch.inf,
            most=torch.zeros_like(left),
            left=left,
            still=torch.zeros_like(left),
        ).select(left > 0)

    def _size(self, stage: Stage, delta: Tensor) -> Tensor:
        """The size of δ, [B], in the units of the stage's learning rate."""
        if stage.under is None:
            return delta.abs().amax(1)
        return fullness(delta, self.threshold, stage.under)

    def _run_stage(self, stage: Stage, place: Position) -> Iterator[Progress]:
        of_all = Limits.of(stage, self.threshold, self.audio, self.lengths)
        limits = of_all.select(place.batch.index)
        try:
            for step in range(place.step, stage.steps):
                batch = place.batch
                if len(batch.index) == 0:
                    return
                looks = _looks(stage, step)
                score = self.scorer.score(stage.over, (place.stage, step), batch, looks)
                progress = self._take(stage, step, batch, score, looks, limits)
                place.step = step + 1
                staying = batch.left > 0
                if not staying.all():
                    self._leave(batch.select(~staying))
                    place.batch = batch.select(staying)
                    limits = of_all.select(place.batch.index)
                yield progress
        finally:  # also when the caller stops early
            self._leave(place.batch)

    def _take(
        self,
        stage: Stage,
        step: int,
        batch: Batch,
        score: StepScore,
        judged: int,
        limits: Limits,
    ) -> Progress:
        """One step: keep what succeeded, adapt, and move."""
        gradient = score.gradient
        penalty = limits.penalty(batch.delta) if stage.masking else None
        weighed = limits.weigh(batch.delta)
        over = beyond(stage, batch, limits)
        outcome = StepOutcome.of(score, batch.delta, penalty, weighed, over, judged)
        matched = outcome.success(stage.over)
        success = matched if score.whole else torch.zeros_like(matched)
        if step == 0 and outcome.cost is not None and stage.keep != "quietest":
            batch.quietest = outcome.cost
        self._keep(stage, batch, outcome, success, averaged(stage, step, batch))
        adapt(stage, step, batch, outcome.peak, matched, success)
        if stage.masking and penalty is not None and outcome.audible is not None:
            weight = stage.masking.weight(batch.alpha, outcome.audible)
            push = a_clip(weight, gradient) * penalty[1]
            gradient = gradient + torch.where(push.isfinite(), push, 0)
        progress = Progress.of(stage, step, batch, outcome, success)
        batch.still = (batch.still + 1).masked_fill(~outcome.stuck, 0)
        self._count(progress, outcome, batch.still == STUCK, score.looks)
        move(stage, step, batch, gradient, limits, weighed, outcome)
        batch.left = (batch.left - 1).masked_fill(batch.still == STUCK, 0)
        if stage.enough is not None:
            batch.left = batch.left.masked_fill(batch.quietest <= stage.enough, 0)
        return progress

    def _keep(
        self, stage: Stage, batch: Batch, outcome: StepOutcome, matched: Tensor, deltas: Tensor
    ) -> None:
        """Copy those of the `deltas` [A, T] that matched and that the stage prefers."""
        better = matched
        if stage.keep == "quietest" and outcome.cost is not None:
            better = matched & (outcome.cost < batch.quietest)
            batch.quietest = torch.where(better, outcome.cost, batch.quietest)
        elif stage.keep != "latest":
            count = outcome.hits if stage.keep == "most heard" else outcome.lost
            better = matched & (count >= batch.most)
            batch.most = torch.where(better, count, batch.most)
        for row in better.nonzero().flatten().tolist():
            trajectory = self.trajectories[int(batch.index[row])]
            delta = deltas[row, : len(trajectory.delta)].clone()
            eps = float(batch.eps[row] if stage.bound else outcome.peak[row])
            passes = trajectory.passes + stage.over.draws
            trajectory.add(Candidate(delta, eps, passes, trajectory.steps + 1, stage.name), APART)

    def _count(self, progress: Progress, outcome: StepOutcome, stuck: Tensor, looks: int) -> None:
        for row, b in enumerate(progress.index.tolist()):
            trajectory = self.trajectories[b]
            trajectory.steps += 1
            trajectory.passes += progress.passes
            trajectory.looks += progress.judged - progress.passes + looks
            if trajectory.first_match is None and progress.matched[row]:
                trajectory.first_match = trajectory.passes
            trajectory.note(outcome.not_finite(row))
            if stuck[row]:
                trajectory.stuck = trajectory.passes
            if progress.step % TRACE_EVERY == 0 or progress.judged > progress.passes:
                trajectory.curve.append(progress.point(row, trajectory.passes))

    def _leave(self, batch: Batch) -> None:
        """Note where clips ended, for those without a success."""
        for row, b in enumerate(batch.index.tolist()):
            trajectory = self.trajectories[b]
            trajectory.delta = batch.delta[row, : len(trajectory.delta)].detach().clone()


def _trajectory(clip: Tensor, start: Tensor | None) -> Trajectory:
    """A trajectory that starts from zero or from a given perturbation."""
    trajectory = Trajectory(torch.zeros_like(clip), deque(maxlen=CANDIDATES))
    if start is not None:
        trajectory.add(Candidate(start, float(start.abs().max()), 0, 0, GIVEN), APART)
    return trajectory


def _looks(stage: Stage, step: int) -> int:
    """How many draws to score: more than the gradient needs only where the bound checks."""
    looking = stage.bound is not None and (step - 1) % stage.bound.every == 0
    return max(stage.over.looks, stage.over.draws) if looking else stage.over.draws
