"""The rules that stages are made of, against the numbers of the supplement's Algorithm 1."""

import dataclasses
import math

import pytest
import torch
from stages import preset

from mondegreen.audio.batch import quantise
from mondegreen.errors import OptionError
from mondegreen.options import IN_ROOMS
from mondegreen.search.presets import PRESETS, within
from mondegreen.search.stage import (
    Altogether,
    Ball,
    Decay,
    Elastic,
    Expectation,
    Masking,
    MaxNorm,
    Stage,
    Steps,
    Widened,
)

LSB = 1 / 32768


def test_eps_shrinks_by_a_fifth_at_every_success() -> None:
    bound, eps, seen = MaxNorm(eps=2000.0), torch.tensor([2000.0]), []
    for _ in range(5):
        eps = bound.moved(eps, peak=eps, matched=torch.tensor([True]))
        seen.append(float(eps))
    assert seen == pytest.approx([1600, 1280, 1024, 819.2, 655.36])


def test_eps_shrinks_from_the_peak_where_that_is_smaller() -> None:
    eps = MaxNorm(eps=2000.0).moved(
        torch.tensor([2000.0, 2000.0]), torch.tensor([500.0, 500.0]), torch.tensor([True, False])
    )
    assert eps.tolist() == [400, 2000]


def test_alpha_rises_at_20_with_a_hit_and_falls_at_50_with_a_miss() -> None:
    rule = Masking(alpha=0.05, up=1.2, up_every=20, down=0.8, down_every=50)
    alpha, both = torch.tensor([0.05, 0.05]), torch.tensor([True, False])
    assert rule.adapted(alpha, both, 20).tolist() == pytest.approx([0.06, 0.05])
    assert rule.adapted(alpha, both, 50).tolist() == pytest.approx([0.05, 0.04])
    assert rule.adapted(alpha, both, 100).tolist() == pytest.approx([0.06, 0.04])
    assert rule.adapted(alpha, both, 7).tolist() == pytest.approx([0.05, 0.05])


def test_a_penalty_on_the_logarithm_weighs_by_what_is_left() -> None:
    rule = Masking(alpha=3, up=1, up_every=1, down=1, down_every=1)
    alpha, loss = torch.tensor([3.0, 3.0, 3.0]), torch.tensor([100.0, 0.5, 0.0])
    assert rule.weight(alpha, loss).tolist() == [3, 3, 3]
    weight = dataclasses.replace(rule, log=True).weight(alpha, loss)
    assert weight[:2].tolist() == pytest.approx([0.03, 6])
    assert float(weight[2] * 0) == 0  # what has no masking loss has no gradient either


def test_steps_jump_at_their_points() -> None:
    rate = Steps(((0, 1.0), (3000, 0.1)))
    assert [rate.at(i, 4000) for i in (0, 2999, 3000, 3999)] == [1.0, 1.0, 0.1, 0.1]


def test_decay_goes_from_start_to_end() -> None:
    rate = Decay(10.0, 1.0)
    assert rate.at(0, 100) == 10
    assert rate.at(50, 100) == pytest.approx(10**0.5)
    assert rate.at(100, 100) == pytest.approx(1)


def test_a_gentle_stage_moves_no_faster_than_a_share_of_what_is_there() -> None:
    stage = Stage("s", steps=10, rate=Decay(8.0, 1.0), gentle=0.25)
    assert stage.fastest(torch.tensor([0.0, 4.0])).tolist() == [4 / 32768, 1]
    brisk = dataclasses.replace(stage, gentle=None)
    assert brisk.fastest(torch.tensor([0.0, 4.0])).tolist() == [math.inf, math.inf]


def test_paper_preset_has_the_numbers_of_section_4_1() -> None:
    first, second = PRESETS["imperceptible"]["paper"]
    assert (first.steps, second.steps) == (1000, 4000)
    assert first.rate.at(0, 1000) * 32768 == 100
    assert [second.rate.at(i, 4000) * 32768 for i in (0, 3000)] == pytest.approx([1, 0.1])
    assert first.bound is not None
    assert (first.bound.eps * 32768, first.bound.shrink, first.bound.every) == (2000, 0.8, 10)
    assert second.masking == Masking(0.05, up=1.2, up_every=20, down=0.8, down_every=50)
    assert PRESETS["carlini-wagner"]["paper"] == (first,)


def test_paper_preset_has_the_numbers_of_section_4_2() -> None:
    first, second = PRESETS["robust"]["paper"]
    assert (first.steps, second.steps) == (2000, 4000)
    assert [s.rate.at(0, s.steps) * 32768 for s in (first, second)] == pytest.approx([50, 5])
    assert first.bound == MaxNorm(eps=2000 * LSB, shrink=0.8, every=10)
    assert second.bound == Widened(by=300 * LSB)
    assert first.over == Expectation(draws=1, quorum=10, looks=10)
    assert second.over == Expectation(draws=10, quorum=1, looks=10)
    assert (first.keep, second.keep) == ("latest", "most heard")
    assert (first.sign, second.sign) == (True, False)
    assert first.betas == second.betas == (0.9, 0.999)
    assert first.passes + second.passes == 2_000 + 40_000


def test_paper_preset_has_the_numbers_of_section_4_3() -> None:
    *before, first, second = PRESETS["combined"]["paper"]
    assert tuple(before) == PRESETS["robust"]["paper"]
    assert (first.steps, second.steps) == (4000, 6000)
    assert [s.rate.at(0, s.steps) * 32768 for s in (first, second)] == pytest.approx([1, 1.5])
    assert first.masking == Masking(alpha=0.01, up=2, up_every=20, down=0.5, down_every=50)
    assert second.masking == Masking(alpha=5e-5, up=1.2, up_every=20, down=1, down_every=50)
    assert (first.keep, second.keep) == ("quietest", "quietest")
    assert (first.bound, second.bound) == (None, None)
    assert first.over == Expectation(draws=10, quorum=4, looks=10)
    assert second.over == Expectation(draws=10, quorum=8, looks=10)
    assert first.passes + second.passes == 100_000


def test_the_widened_bound_is_beyond_the_last_success_and_stays() -> None:
    bound = Widened(by=300.0)
    eps = bound.begins(torch.tensor([100.0, 500.0]))
    assert eps.tolist() == [400, 800]
    assert bound.moved(eps, eps, torch.tensor([True, False])).tolist() == [400, 800]


def test_the_elastic_bound_gives_way_up_to_where_it_began() -> None:
    bound = Elastic(eps=2000.0, shrink=0.9, grow=1.5)
    eps = bound.begins(torch.zeros(2))
    assert eps.tolist() == [2000, 2000]
    eps = bound.moved(eps, eps, torch.tensor([True, False]))
    assert eps.tolist() == pytest.approx([1800, 2000])
    eps = bound.moved(eps, eps, torch.tensor([False, True]))
    assert eps.tolist() == pytest.approx([2000, 1800])


def test_the_elastic_bound_rests_at_its_share_of_successes() -> None:
    bound, eps = Elastic(eps=1e9, shrink=0.99, grow=1.041), torch.tensor([1000.0])
    for matched in [True] * 4 + [False]:  # four looks in five
        eps = bound.moved(eps, eps, torch.tensor([matched]))
    assert float(eps[0]) == pytest.approx(1000, rel=1e-3)


def test_fast_presets_without_rooms_fit_in_500_passes() -> None:
    for method in PRESETS.keys() - IN_ROOMS:
        assert sum(stage.passes for stage in PRESETS[method]["fast"]) <= 500


def test_a_budget_cuts_the_stage_that_it_ends_in() -> None:
    robust = PRESETS["robust"]["paper"]
    assert within(robust, None) == robust
    assert [stage.steps for stage in within(robust, 2055)] == [2000, 5]
    assert [stage.steps for stage in within(robust, 2009)] == [2000]
    assert [stage.steps for stage in within(robust, 7)] == [7]


@pytest.mark.parametrize(
    ("passes", "steps"), [(50, [50]), (130, [100, 30]), (500, [100, 400]), (1000, [100, 400])]
)
def test_what_the_first_stage_leaves_is_the_planned_one_s(passes: int, steps: list[int]) -> None:
    first = Stage("first", steps=100, rate=Steps(((0, 1.0),)))
    planned = Stage("planned", steps=400, rate=Decay(2.0, 1.0), enough=0.1, planned=True)
    assert [stage.steps for stage in within((first, planned), passes)] == steps


def test_planned_stages_share_a_budget_in_proportion() -> None:
    first, second = within(PRESETS["combined"]["fast"], 1000)
    assert (first.passes, second.passes) == (400, 600)


def test_a_share_of_a_stage_adds_up_to_its_total_however_many_steps_it_has() -> None:
    share = Altogether(6.0, most=0.1)
    for steps in (300, 1000, 5000):
        sizes = [share.at(step, steps) for step in range(steps)]
        assert sum(sizes) == pytest.approx(6.0, rel=0.01)
        assert sizes[-1] / sizes[0] == pytest.approx(0.25, rel=0.02)
    assert max(share.at(step, 30) for step in range(30)) == 0.1


@pytest.mark.parametrize("passes", [0, 1, 2, 3, 7, 99, 499, 501, 5000])
def test_planned_stages_take_their_budget_but_for_less_than_a_step(passes: int) -> None:
    for presets in PRESETS.values():
        left = passes - sum(stage.passes for stage in within(presets["fast"], passes))
        assert 0 <= left < presets["fast"][-1].over.draws


def test_a_stage_under_a_bound_is_not_stretched_either() -> None:
    fast = preset("imperceptible", "fast", under=3.0)
    assert [stage.steps for stage in within(fast, 400)] == [100, 200, 100]
    assert [stage.steps for stage in within(fast, 6100)] == [100, 4000, 200]


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 2, 1)])
def test_an_expectation_that_nothing_can_meet_is_refused(numbers: tuple[int, int, int]) -> None:
    draws, quorum, looks = numbers
    with pytest.raises(OptionError, match="quorum"):
        Expectation(draws=draws, quorum=quorum, looks=looks)


def test_looks_beyond_the_draws_need_a_bound_that_looks() -> None:
    over = Expectation(draws=1, quorum=1, looks=2)
    with pytest.raises(OptionError, match="“deaf”"):
        Stage("deaf", 1, Steps(((0, 1.0),)), over=over)


def test_a_started_method_leaves_out_what_it_was_started_with() -> None:
    for name in ("paper", "fast"):
        combined = preset("combined", name, started=True)
        assert combined == PRESETS["combined"][name][len(PRESETS["robust"][name]) :]
        (only,) = preset("imperceptible", name, started=True)
        assert only == PRESETS["imperceptible"][name][-1]


@pytest.mark.parametrize("method", ["robust", "carlini-wagner"])
def test_what_begins_with_silence_takes_no_start(method: str) -> None:
    with pytest.raises(OptionError, match=r"takes no start.*imperceptible, combined"):
        preset(method, "fast", started=True)


@pytest.mark.parametrize(("method", "name"), [("nonsense", "fast"), ("imperceptible", "nonsense")])
def test_unknown_names_are_refused_with_what_there_is(method: str, name: str) -> None:
    with pytest.raises(OptionError, match=r"nonsense.*should be .*(imperceptible|paper)"):
        preset(method, name)


# ---- a ball of energy


@pytest.mark.parametrize("size", [1e-3, 0.3, 1.0, 3.0, 1e4])
@pytest.mark.parametrize("radius", [0.0, 0.2, 1.0, 60.0, 4000.0])  # in 16-bit steps
def test_what_is_in_a_ball_is_in_it_as_a_file_has_it(size: float, radius: float) -> None:
    delta = size * LSB * torch.randn(2, 1000, generator=torch.Generator().manual_seed(0)).double()
    inside = Ball.inside(delta, torch.tensor([radius, 2 * radius]).double() * LSB)
    saved = quantise(inside).norm(dim=1) / LSB
    assert saved[0] <= radius
    assert saved[1] <= 2 * radius
    if quantise(delta).norm() <= radius * LSB and delta.norm() <= radius * LSB:
        assert torch.equal(inside, delta)


def test_a_ball_is_filled_to_its_surface_along_the_same_line() -> None:
    """Where its energy is that of the rounding noise many times over."""
    delta = 100 * LSB * torch.randn(1, 1000, generator=torch.Generator().manual_seed(0)).double()
    inside = Ball.inside(delta, torch.tensor([300 * LSB]).double())
    assert float(quantise(inside).norm()) == pytest.approx(300 * LSB, rel=1e-3)
    torch.testing.assert_close(inside / inside.norm(), delta / delta.norm())


def test_its_radius_follows_from_the_ratio() -> None:
    audio = torch.tensor([[0.3, 0.4], [3.0, 4.0]])
    assert Ball(20.0).radius(audio).tolist() == pytest.approx([0.05, 0.5], rel=2e-4)
    assert (Ball(20.0).radius(audio) < torch.tensor([0.05, 0.5])).all()
