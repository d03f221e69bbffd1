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

`scoring` asks the victim, `step` adapts and moves, `progress` is what the host learns of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mondegreen.audio.batch import pad
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import fullness
from mondegreen.search.progress import Progress, StepOutcome
from mondegreen.search.scoring import Scorer, StepScore
from mondegreen.search.stage import Stage
from mondegreen.search.state import Batch, Position, Snapshot
from mondegreen.search.step import Limits, a_clip, adapt, averaged, beyond, move
from mondegreen.search.trajectory import CANDIDATES, GIVEN, Candidate, Trajectory
from mondegreen.victims.base import Victim

APART = 10  # steps: of the successes within them one is kept, for neighbours are much alike
TRACE_EVERY = 10  # steps between two points of a trajectory's curve


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
        self.scorer, self.threshold = Scorer(victim, list(targets), seed), threshold
        self.audio, self.lengths = pad(clips)
        self.trajectories = [
            _trajectory(clip, start)
            for clip, start in zip(clips, starts or [None] * len(clips), strict=True)
        ]
        self._place: Position | None = None
        self._restored: Position | None = None

    def run(self, stages: Sequence[Stage]) -> Iterator[Progress]:
        """Run the stages in turn; a clip goes on to the next one only with a success.

        A restored search goes on from where it stood.
        """
        restored, self._restored = self._restored, None
        for number in range(restored.stage if restored else 0, len(stages)):
            if restored and restored.stage == number:
                self._place = restored
            else:
                self._place = Position(number, 0, self._enter(stages[number], number))
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
            average=torch.zeros_like(start),
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

    def _run_stage(self, stage: Stage, place: Position) -> Iterator[Progress]:
        of_all = Limits.of(stage, self.threshold, self.audio, self.lengths)
        limits = of_all.select(place.batch.index)
        try:
            for step in range(place.step, stage.steps):
                batch = place.batch
                if len(batch.index) == 0:
                    return
                looks = _looks(stage, step)
                heard = self.scorer.score(stage.over, (place.stage, step), batch, looks)
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

    def _take(
        self,
        stage: Stage,
        step: int,
        batch: Batch,
        heard: StepScore,
        judged: int,
        limits: Limits,
    ) -> Progress:
        """One step: keep what succeeded, adapt, and move."""
        gradient, audible, slope = heard.gradient, None, None
        if stage.masking:
            audible, slope = limits.penalty(batch.delta)
        told = StepOutcome.of(heard, batch.delta, audible, beyond(stage, batch, limits), judged)
        matched = told.success(stage.over)
        self._keep(stage, batch, told, matched, averaged(stage, step, batch))
        adapt(stage, step, batch, told.peak, matched)
        if stage.masking and slope is not None and told.audible is not None:
            weight = stage.masking.weight(batch.alpha, told.audible)
            gradient = gradient + a_clip(weight, slope) * slope
        progress = Progress.of(stage, step, batch, told, matched)
        self._count(progress)
        move(stage, step, batch, gradient, limits)
        batch.left = batch.left - 1
        if stage.enough is not None:
            batch.left = batch.left.masked_fill(batch.quietest <= stage.enough, 0)
        return progress

    def _keep(
        self, stage: Stage, batch: Batch, told: StepOutcome, matched: Tensor, deltas: Tensor
    ) -> None:
        """Copy those of the `deltas` [A, T] that matched and are what the stage asks for."""
        better = matched
        if stage.keep == "quietest" and told.cost is not None:
            better = matched & (told.cost < batch.quietest)
            batch.quietest = torch.where(better, told.cost, batch.quietest)
        elif stage.keep == "most heard":
            better = matched & (told.hits >= batch.most)
            batch.most = torch.where(better, told.hits, batch.most)
        for row in better.nonzero().flatten().tolist():
            trajectory = self.trajectories[int(batch.index[row])]
            delta = deltas[row, : len(trajectory.delta)].clone()
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
                trajectory.curve.append(progress.point(row, trajectory.passes))

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
