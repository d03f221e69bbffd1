"""Numbers that are not finite in a search: they move nothing, and are counted and told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from stages import preset
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_rooms

from mondegreen.audio.batch import pad
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search import step
from mondegreen.search.loop import Search
from mondegreen.search.nonfinite import (
    GRADIENT,
    LOSS,
    MASKING,
    MASKING_GRADIENT,
    STUCK,
    NonFinite,
    told,
)
from mondegreen.search.stage import Expectation, Stage
from mondegreen.victims.base import Score

FIRST, SECOND = preset("imperceptible", "paper")
SILENT = 2000  # samples of digital silence at the start of a clip
STEPS = 40


Where = Callable[[Tensor], Tensor]  # which rows are odd, by their lengths


def all_rows(lengths: Tensor) -> Tensor:
    return lengths > 0


class Odd(LinearVictim):
    """The linear victim, of which something is not finite."""

    def __init__(
        self, of_silence: float = 0.0, times: float = 1.0, where: Where = all_rows
    ) -> None:
        plain = linear_victim()
        super().__init__(plain.weight, plain.bias)
        self.of_silence, self.times, self.where = of_silence, times, where

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        found = super().score(audio, lengths, targets)
        times = torch.ones_like(found.loss).masked_fill(self.where(lengths), self.times)
        more = self.of_silence * audio.square().sqrt().sum(1)  # at 0 its slope is NaN
        return Score(found.loss * times + (more if self.of_silence else 0), found.matched)


def searched(
    victim: LinearVictim, stage: Stage = FIRST, lengths: Sequence[int] = (8192,)
) -> Search:
    sounds = [speech(seed, length) for seed, length in enumerate(lengths)]
    for sound in sounds:
        sound[:SILENT] = 0
    threshold = masking_threshold(*pad(sounds), victim.sample_rate)
    tokens = [victim.encode(TARGET, len(sound)) for sound in sounds]
    search = Search(victim, sounds, tokens, threshold)
    for _ in search.run([dataclasses.replace(stage, steps=STEPS)]):
        pass
    return search


def test_a_search_of_finite_numbers_has_nothing_to_tell() -> None:
    (found,) = searched(linear_victim()).trajectories
    assert (found.not_finite, found.stuck, found.steps) == ({}, None, STEPS)


def test_samples_whose_gradient_is_nan_are_not_moved_and_the_others_reach_the_target() -> None:
    (found,) = searched(Odd(of_silence=1e-9)).trajectories
    (seen,) = found.not_finite.values()
    assert list(found.not_finite) == [GRADIENT]
    assert (seen.steps, seen.first) == (STEPS, 1)
    assert SILENT <= seen.most < SILENT + 100  # now and then x + δ is rounded to 0 elsewhere
    assert found.first_match is not None
    assert not found.candidates[-1].delta[:SILENT].any()
    assert found.candidates[-1].delta[SILENT:].any()


def test_a_clip_that_nothing_can_move_leaves_and_says_so() -> None:
    (found,) = searched(Odd(times=math.nan)).trajectories
    assert found.not_finite == {
        LOSS: NonFinite(STUCK, first=1, most=1),
        GRADIENT: NonFinite(STUCK, first=1, most=8192),
    }
    assert (found.steps, found.stuck) == (STUCK, STUCK)
    assert not found.delta.any()


def test_a_gradient_of_zero_everywhere_leads_nowhere_either() -> None:
    (found,) = searched(Odd(times=0.0)).trajectories
    assert (found.not_finite, found.steps, found.stuck) == ({}, STUCK, STUCK)


def test_one_clip_of_a_batch_does_not_spoil_the_other() -> None:
    both = 8192, 6000
    plain = searched(linear_victim(), lengths=both).trajectories[1]
    victim = Odd(times=math.nan, where=lambda lengths: lengths == both[0])
    odd, fine = searched(victim, lengths=both).trajectories
    assert odd.stuck == STUCK
    assert fine.not_finite == {}
    torch.testing.assert_close(fine.candidates[-1].delta, plain.candidates[-1].delta)


def test_a_draw_that_is_nan_leaves_the_step_to_the_others() -> None:
    """A room's filter would spread one NaN over the whole clip."""

    def every_other(lengths: Tensor) -> Tensor:
        return torch.arange(len(lengths)) % 2 == 0

    over = Expectation((toy_rooms(),), draws=2, quorum=1, looks=2)
    stage = dataclasses.replace(FIRST, over=over)
    (found,) = searched(Odd(times=math.inf, where=every_other), stage).trajectories
    assert found.not_finite[GRADIENT] == NonFinite(STEPS, first=2, most=8192)
    assert found.first_match is not None


def test_a_masking_loss_that_is_nan_pushes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nan(limits: object, delta: Tensor) -> tuple[Tensor, Tensor]:
        return delta.new_full((len(delta),), math.nan), torch.full_like(delta, math.nan)

    monkeypatch.setattr(step.Limits, "penalty", nan)
    (found,) = searched(linear_victim(), dataclasses.replace(SECOND, rate=FIRST.rate)).trajectories
    assert found.not_finite == {
        MASKING: NonFinite(STEPS, first=1, most=1),
        MASKING_GRADIENT: NonFinite(STEPS, first=1, most=8192),
    }
    assert found.first_match is not None
    assert found.delta.isfinite().all()


def test_a_resumed_search_still_knows() -> None:
    search = searched(Odd(times=math.nan))
    again = Search(
        linear_victim(),
        [speech()],
        [torch.tensor([1])],
        masking_threshold(speech()[None], None, 16_000),
    )
    again.restore(search.snapshot())
    assert again.trajectories[0].not_finite == search.trajectories[0].not_finite
    assert again.trajectories[0].stuck == STUCK


def test_warnings_name_the_source_the_extent_and_the_first_pass() -> None:
    found = {
        GRADIENT: NonFinite(3, first=17, most=8000),
        MASKING: NonFinite(1, first=2, most=1),
    }
    assert list(told(found, 200, None)) == [
        "the gradient of the recogniser's loss was NaN or infinite at up to 8,000 samples, which"
        " were not moved, in 3 of 200 steps, first at pass 17; check it with: mondegreen"
        " check-victim",
        "the masking loss was NaN or infinite in 1 of 200 steps, first at pass 2",
    ]
    (stuck,) = told({}, 30, 30)
    assert stuck.startswith("a stage of the search was ended at pass 30: in 30 steps in a row")
