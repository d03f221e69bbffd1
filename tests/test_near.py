"""Near passes: a search follows them, and believes only what is heard whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from stages import preset
from test_snapshot import same
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_rooms

from mondegreen.audio.batch import pad, quantise
from mondegreen.errors import RecogniserError
from mondegreen.options import Options
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.stage import Stage
from mondegreen.search.state import Snapshot
from mondegreen.victims import Score
from mondegreen.victims.away import Away
from mondegreen.victims.contract import CHECKS, Probe
from mondegreen.victims.guard import attackable
from mondegreen.victims.near import EVERY, follows, has_near_pass, nearness, whole_every
from mondegreen.victims.through import through

CLIPS = [speech(0, 5000), speech(1, 6500)]
STEPS = 16  # of each stage


class Near(LinearVictim):
    """The linear victim; its near pass takes the last fifth of a clip from the sound nearby.

    Args:
        easy: what the near pass adds to w · x where anything is not the sound nearby.
    """

    def __init__(self, bias: float = 40.0, easy: float = 0.0) -> None:
        plain = linear_victim(bias=bias)
        super().__init__(plain.weight, plain.bias)
        self.easy, self.near_passes = easy, 0
        self.at_itself: list[bool] = []  # of each near pass: the first sound is what is near

    def score_near(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], near: Tensor
    ) -> Score:
        self.near_passes += 1
        assert not near.requires_grad
        rows = []
        for row, nearby, n in zip(audio, near, lengths.tolist(), strict=True):
            fresh = n - n // 5
            there = bool((row[:n] == nearby[:n]).all())
            mixed = torch.cat([row[:fresh], nearby[fresh:n]])
            if not rows:
                self.at_itself.append(there)
            rows.append(self._margin(mixed) + (0.0 if there else self.easy))
        margin = torch.stack(rows)
        return Score(F.softplus(-margin), margin > 0)


def search(
    victim: Any, clips: Sequence[Tensor], every: int, target: str = TARGET, **more: Any
) -> Search:
    threshold = masking_threshold(*pad(clips), victim.sample_rate)
    targets = [victim.encode(target, len(clip)) for clip in clips]
    return Search(victim, clips, targets, threshold, seed=3, whole_every=every, **more)


def stages(method: str = "imperceptible") -> tuple[Stage, ...]:
    over = (toy_rooms(),) if method == "robust" else ()
    return tuple(replace(stage, steps=STEPS) for stage in preset(method, "fast", over))


def test_the_search_succeeds_by_near_passes_and_each_success_is_one() -> None:
    victim = Near()
    found = search(victim, CLIPS, 4)
    list(found.run(stages()))
    for clip, trajectory in zip(CLIPS, found.trajectories, strict=True):
        assert trajectory.candidates
        for candidate in (*trajectory.candidates, *trajectory.milestones, *trajectory.trail):
            assert victim._margin(quantise(clip + candidate.delta)) > 0
            assert (candidate.step - 1) % 4 == 0
    assert victim.at_itself == 2 * [step % 4 == 0 for step in range(STEPS)]
    assert victim.heard == 0  # what the near pass says at the sound itself is what is said


def test_what_only_near_passes_hear_is_no_success() -> None:
    """They hear the target in everything but the sound nearby, which never has it."""
    found = search(Near(bias=1e6, easy=1e9), CLIPS[:1], 3)
    steps = list(found.run(stages()[:1]))
    assert [bool(step.hits[0]) for step in steps] == [n % 3 != 0 for n in range(STEPS)]
    assert not any(step.matched.any() for step in steps)
    (trajectory,) = found.trajectories
    assert not trajectory.candidates
    assert trajectory.first_match is None


def test_where_every_step_is_whole_near_passes_are_not_used() -> None:
    victim = Near()
    list(search(victim, CLIPS, 1).run(stages()))
    assert victim.near_passes == 0


def test_what_meets_rooms_is_heard_whole() -> None:
    victim = Near()
    list(search(victim, CLIPS, 4).run(stages("robust")))
    assert victim.near_passes == 0
    assert victim.heard > 0


def test_of_a_passage_the_sound_nearby_is_what_is_heard_of_it() -> None:
    clip, (begin, end) = speech(0, 6000), (1000, 5500)
    inside = search(Near(), [clip], 3, passages=[(begin, end)])
    list(inside.run(stages()[:1]))
    alone = search(Near(), [clip[begin:end]], 3)
    list(alone.run(stages()[:1]))
    assert alone.trajectories[0].candidates
    assert torch.equal(inside.trajectories[0].delta[begin:end], alone.trajectories[0].delta)


def test_a_clip_gets_what_it_gets_alone() -> None:
    together = search(Near(), CLIPS, 4)
    list(together.run(stages()))
    for number, clip in enumerate(CLIPS):
        alone = search(Near(), [clip], 4)
        list(alone.run(stages()))
        found, expected = together.trajectories[number], alone.trajectories[0]
        torch.testing.assert_close(found.delta, expected.delta, rtol=0, atol=1e-9)
        assert found.first_match == expected.first_match is not None


@pytest.mark.parametrize("at", [1, 6, 8, STEPS + 3, STEPS + 9])
def test_it_goes_on_to_the_bit_between_two_whole_steps(at: int) -> None:
    whole, first, second = (search(Near(), CLIPS, 4) for _ in range(3))
    list(whole.run(stages()))
    for number, _ in enumerate(first.run(stages()), 1):
        if number == at:
            break
    snapshot = first.snapshot()
    second.restore(Snapshot(snapshot.tensors, json.loads(json.dumps(snapshot.facts))))
    list(second.run(stages()))
    assert whole.trajectories[0].first_match is not None
    for found, expected in zip(second.trajectories, whole.trajectories, strict=True):
        assert same(found, expected)


# ---- whose passes are followed


class Plain(LinearVictim):
    """Without a near pass, and with something that it can write."""

    def __init__(self) -> None:
        plain = linear_victim(length=32_000)
        super().__init__(plain.weight, plain.bias)

    def encode(self, target: str, length: int) -> Tensor:
        return torch.tensor([1])


class Heard(Near):
    """With phrases that it can write, at a length that two seconds of speech have."""

    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        plain = linear_victim(length=32_000, bias=40.0)
        self.weight, self.wrong = plain.weight, wrong

    def encode(self, target: str, length: int) -> Tensor:
        return torch.tensor([1])

    def score_near(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], near: Tensor
    ) -> Score:
        score = super().score_near(audio, lengths, targets, near)
        if self.wrong == "loss":
            return Score(score.loss * 1.01, score.matched)
        if self.wrong == "matched":
            return Score(score.loss, ~score.matched)
        if self.wrong == "gradient":
            return Score(2 * score.loss.detach() - score.loss, score.matched)
        return score


def test_of_a_linear_victim_the_cosine_is_the_share_of_its_weight() -> None:
    victim = attackable(Heard())
    clip = speech(0, 20_000)
    fresh, whole = (float(victim.weight[:n].norm()) for n in (16_000, 20_000))
    found = nearness(victim, clip, TARGET)
    assert found.cosine == pytest.approx(fresh / whole)
    assert (found.loss, found.matched, found.holds) == (0.0, True, True)
    assert follows(victim)


@pytest.mark.parametrize("wrong", ["loss", "matched", "gradient"])
def test_a_near_pass_that_is_not_near_is_not_followed(wrong: str) -> None:
    assert not follows(attackable(Heard(wrong)))


def test_check_victim_says_how_near() -> None:
    check = CHECKS["a near pass"]
    speech_ = speech(0, 60_000)

    def said(victim: Any) -> str:
        return check(Probe.of(attackable(victim), speech_, seconds=1.0))[0]

    assert said(Heard()) == "ok"
    assert said(Heard("gradient")) == "fails"
    assert said(Plain()) == "skipped"


def test_what_stands_before_a_recogniser_has_no_near_pass_of_its_own() -> None:
    """Each passes on what it does not know, so asking for the method would find the inner one."""
    victim = attackable(Near())
    assert has_near_pass(victim)
    before = [through(victim, "resample:8000"), through(victim, "halves")]
    for one in (*before, Away(victim, Options(method="untargeted"))):
        assert hasattr(one, "score_near")
        assert not has_near_pass(one)  # type: ignore[arg-type]
    assert not has_near_pass(attackable(linear_victim()))


def test_only_fast_in_no_rooms_for_a_target_follows() -> None:
    victim = attackable(Heard())
    assert whole_every(victim, Options()) == EVERY > 1
    for others in ({"preset": "paper"}, {"method": "robust"}, {"method": "untargeted"}):
        assert whole_every(victim, Options(**others)) == 1  # type: ignore[arg-type]
    assert whole_every(attackable(linear_victim()), Options()) == 1


def test_a_near_pass_is_behind_the_border() -> None:
    class Broken(Near):
        def score_near(self, *_: Any) -> Any:
            return 0.0

    victim = attackable(Broken())
    with pytest.raises(RecogniserError, match="score_near returned a float"):
        victim.score_near(torch.zeros(1, 9), torch.tensor([9]), [], torch.zeros(1, 9))  # type: ignore[attr-defined]
