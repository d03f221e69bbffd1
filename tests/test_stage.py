"""The rules that stages are made of, against the numbers of the supplement's Algorithm 1."""

import dataclasses

import pytest
import torch

from mondegreen.attacks.presets import PRESETS, preset
from mondegreen.attacks.stage import Decay, Masking, MaxNorm, Steps
from mondegreen.errors import OptionError


def test_eps_shrinks_by_a_fifth_at_every_success() -> None:
    bound, eps, seen = MaxNorm(eps=2000.0), torch.tensor([2000.0]), []
    for _ in range(5):
        eps = bound.shrunk(eps, peak=eps, matched=torch.tensor([True]))
        seen.append(float(eps))
    assert seen == pytest.approx([1600, 1280, 1024, 819.2, 655.36])


def test_eps_shrinks_from_the_peak_where_that_is_smaller() -> None:
    eps = MaxNorm(eps=2000.0).shrunk(
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


def test_steps_jump_at_their_points() -> None:
    rate = Steps(((0, 1.0), (3000, 0.1)))
    assert [rate.at(i, 4000) for i in (0, 2999, 3000, 3999)] == [1.0, 1.0, 0.1, 0.1]


def test_decay_goes_from_start_to_end() -> None:
    rate = Decay(10.0, 1.0)
    assert rate.at(0, 100) == 10
    assert rate.at(50, 100) == pytest.approx(10**0.5)
    assert rate.at(100, 100) == pytest.approx(1)


def test_paper_preset_has_the_numbers_of_section_4_1() -> None:
    first, second = PRESETS["imperceptible"]["paper"]
    assert (first.passes, second.passes) == (1000, 4000)
    assert first.rate.at(0, 1000) * 32768 == 100
    assert [second.rate.at(i, 4000) * 32768 for i in (0, 3000)] == pytest.approx([1, 0.1])
    assert first.bound is not None
    assert (first.bound.eps * 32768, first.bound.shrink, first.bound.every) == (2000, 0.8, 10)
    assert dataclasses.astuple(second.masking) == (0.05, 1.2, 20, 0.8, 50)  # type: ignore[arg-type]
    assert PRESETS["carlini-wagner"]["paper"] == (first,)


def test_fast_presets_fit_in_500_passes() -> None:
    for presets in PRESETS.values():
        assert sum(stage.passes for stage in presets["fast"]) <= 500


@pytest.mark.parametrize(("method", "name"), [("nonsense", "fast"), ("imperceptible", "nonsense")])
def test_unknown_names_are_refused_with_what_there_is(method: str, name: str) -> None:
    with pytest.raises(OptionError, match=r"nonsense.*there are: .*(imperceptible|paper)"):
        preset(method, name)
