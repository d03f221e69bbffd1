"""The active test: what is planted is where it is said to be, and broken attacks miss it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from stages import preset
from torch import Tensor
from toy import speech

from mondegreen.audio.batch import quantise
from mondegreen.judging import planted
from mondegreen.judging.checks import LOOSE, PLANTED_NOT_FOUND
from mondegreen.judging.planted import LEAST, NATS, PHRASE, STEPS, PlantedVictim, hunt
from mondegreen.judging.sweeps import without_rooms
from mondegreen.search import loop
from mondegreen.search.loop import Search
from mondegreen.search.presets import PRESETS, Stages, within
from mondegreen.search.stage import Elastic, MaxNorm
from mondegreen.victims.base import Victim

LSB = 1 / 32768
FIRST_STAGE = preset("carlini-wagner", "fast")


def clip(length: int = 2500, seed: int = 0) -> Tensor:
    return speech(seed, length).float()


def strongest(victim: PlantedVictim, clean: Tensor, eps: float) -> Tensor:
    """The perturbation of ‖δ‖∞ ≤ ε that adds most to the correlation."""
    return (eps * victim.pattern.sign()).clamp(min=-1 - clean, max=1 - LSB - clean)


# ---- the victim


@pytest.mark.parametrize(
    ("length", "rate"), [(2, 8000), (500, 8000), (16_000, 16_000), (30_001, 44_100)]
)
def test_the_least_norm_is_the_least(length: int, rate: int) -> None:
    clean = clip(length)
    victim = PlantedVictim.on(clean, LEAST, rate)
    for eps, heard in ((LEAST - LSB, ""), (LEAST + LSB, PHRASE)):
        assert victim.transcribe(quantise(clean + strongest(victim, clean, eps))) == heard


def test_it_is_the_least_where_the_16_bit_range_ends_too() -> None:
    clean = torch.ones(4000) * (1 - 50 * LSB)  # half of the samples have less than that to go
    victim = PlantedVictim.on(clean, LEAST, 16_000)
    for eps, heard in ((LEAST - LSB, ""), (LEAST + LSB, PHRASE)):
        assert victim.transcribe(quantise(clean + strongest(victim, clean, eps))) == heard


def test_it_is_a_victim_whose_clean_clip_costs_what_a_phrase_costs() -> None:
    clean = clip()
    victim = PlantedVictim.on(clean, LEAST, 16_000)
    score = victim.score(
        clean[None], torch.tensor([len(clean)]), [victim.encode(PHRASE, len(clean))]
    )
    assert isinstance(victim, Victim)
    assert float(score.loss) == pytest.approx(NATS, rel=1e-4)
    assert not score.matched
    assert victim.transcribe(clean) == ""


def test_another_seed_plants_another_pattern() -> None:
    patterns = [PlantedVictim.on(clip(), LEAST, 16_000, seed).pattern for seed in (0, 0, 1)]
    assert torch.equal(patterns[0], patterns[1])
    assert not torch.equal(patterns[0], patterns[2])


# ---- the hunt


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (method, name)
        for method, names in PRESETS.items()
        for name in names
        if method != "untargeted"  # whose stages are those of imperceptible
    ],
)
def test_every_preset_finds_what_is_planted(
    method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted, "STEPS", 300)
    stages = without_rooms(preset(method, name))
    found = hunt(clip(), 16_000, stages)
    assert [hunt.stage for hunt in found] == [stage.name for stage in stages]
    assert [hunt.minimises for hunt in found] == [
        isinstance(stage.bound, MaxNorm | Elastic) for stage in stages
    ]
    assert PLANTED_NOT_FOUND.find(found).state == "ok"
    assert all(hunt.norm is not None and hunt.norm >= LEAST - LSB / 2 for hunt in found)


@pytest.mark.parametrize(("length", "rate"), [(1500, 8000), (9001, 22_050)])
def test_it_works_at_any_length_and_rate(length: int, rate: int) -> None:
    (found,) = hunt(clip(length), rate, FIRST_STAGE)
    assert found.excess <= LOOSE


def test_no_stage_is_searched_longer_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    count = Search._count
    monkeypatch.setattr(Search, "_count", lambda *given: (steps.append(1), count(*given))[1])
    hunt(clip(500), 16_000, preset("carlini-wagner", "paper"))
    assert len(steps) == STEPS


# ---- attacks that are broken


def turned_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Climb the loss instead of descending it."""
    step = loop.move
    monkeypatch.setattr(loop, "move", lambda s, n, batch, g, *rest: step(s, n, batch, -g, *rest))


def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never move."""
    monkeypatch.setattr(loop, "move", lambda *given: None)


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no success."""
    monkeypatch.setattr(Search, "_keep", lambda *given: None)


def content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never shrink the ball."""
    monkeypatch.setattr(loop, "adapt", lambda *given: None)


@pytest.mark.parametrize("broken", [turned_around, stuck, forgetful, content])
def test_a_broken_attack_is_found_out(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PLANTED_NOT_FOUND.find(hunt(clip(), 16_000, FIRST_STAGE)).state == "ok"
    broken(monkeypatch)
    assert PLANTED_NOT_FOUND.find(hunt(clip(), 16_000, FIRST_STAGE)).state == "fires"


def test_a_later_stage_that_keeps_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = preset("imperceptible", "paper")
    keep = Search._keep

    def first_stage_only(search: Search, stage: Any, *given: Any) -> None:
        if stage.name == stages[0].name:
            keep(search, stage, *given)

    monkeypatch.setattr(Search, "_keep", first_stage_only)
    first, second = hunt(clip(), 16_000, stages)
    assert first.norm is not None
    assert second.norm is None
    assert PLANTED_NOT_FOUND.find([first, second]).state == "fires"


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(within(FIRST_STAGE, 2), id="too few passes"),
        pytest.param(
            tuple(dataclasses.replace(stage, bound=MaxNorm(100 * LSB)) for stage in FIRST_STAGE),
            id="too small a ball",
        ),
    ],
)
def test_an_attack_that_may_not_do_enough_is_found_out(stages: Stages) -> None:
    assert PLANTED_NOT_FOUND.find(hunt(clip(), 16_000, stages)).state == "fires"
