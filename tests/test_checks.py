"""The judgements, each against a table of numbers; the measurements, each against what is known."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen.aim import Aim
from mondegreen.air.rooms import Room, RoomBank, Split
from mondegreen.audio.batch import quantise
from mondegreen.errors import RoomError
from mondegreen.judging import checks, controls
from mondegreen.judging.checks import (
    CHECKS,
    Check,
    Count,
    Damage,
    Hunt,
    Leak,
    NotMeasured,
    Repetition,
    Rivalry,
    Sweep,
)
from mondegreen.judging.controls import Case, leak
from mondegreen.judging.sweeps import (
    EPS_PASSES,
    UNBOUNDED_PASSES,
    in_ball,
    passes_to_success,
    unbounded,
)
from mondegreen.options import Options
from mondegreen.psychoacoustics.spectrum import power_spectrum
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.victims.base import Score

DOCS = Path(__file__).parents[1] / "docs" / "checks.md"
EVIDENCE = {check.id: check for check in CHECKS}
LSB = 1 / 32768

# ---- the registry


def test_ids_are_in_kebab_case_and_each_is_there_once() -> None:
    assert len(EVIDENCE) == len(CHECKS) == 14
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.id) for check in CHECKS)


def test_every_check_has_its_paragraph_and_every_paragraph_its_check() -> None:
    page = DOCS.read_text(encoding="utf-8")
    told = dict(re.findall(r"^### `([a-z0-9-]+)`\n\n(.*?)(?=^##|\Z)", page, re.M | re.S))
    assert set(told) == set(EVIDENCE)
    for name, paragraph in told.items():
        assert paragraph.startswith(f"*{EVIDENCE[name].severity.capitalize()}.*"), name
        assert "**Raised if**" in paragraph, name
        assert "**Cost:**" in paragraph, name


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_what_is_not_measured_is_skipped_and_says_why(check: Check[Any]) -> None:
    finding = check.find(NotMeasured("there was nothing"))
    assert (finding.id, finding.severity) == (check.id, check.severity)
    assert (finding.state, finding.detail) == ("skipped", "there was nothing")


# ---- judging


def same(words: str = "a", loss: float = 50.0) -> Repetition:
    return Repetition((words, words), (loss, loss))


def grown(*hits: int) -> Sweep:
    return Sweep("passes", (1, 50, 200), hits, 3)


def rival(theirs: int, own: int, of: int = 4) -> Rivalry:
    return Rivalry("another", Count(theirs, of), Count(own, of))


def found(norm: float | None, minimises: bool = True) -> Hunt:
    return Hunt("stage", minimises, norm, least=100.0)


@pytest.mark.parametrize(
    ("check", "evidence", "state", "told"),
    [
        (checks.GRADIENT_ZERO, [0.1, 2.0], "ok", "0 of 2 clips"),
        (checks.GRADIENT_ZERO, [0.1, 0.0], "fires", "1 of 2 clips"),
        (checks.GRADIENT_ZERO, [math.nan, math.inf], "ok", "0 of 2 clips"),
        (checks.GRADIENT_NOT_FINITE, [0.0, 1e30], "ok", "0 of 2 clips"),
        (checks.GRADIENT_NOT_FINITE, [0.1, math.nan], "fires", "1 of 2 clips"),
        (checks.GRADIENT_NOT_FINITE, [math.inf, math.nan], "fires", "2 of 2 clips"),
        (checks.NOT_DETERMINISTIC, [same(), same("b", 0.0)], "ok", "0 of 2 sounds"),
        (checks.NOT_DETERMINISTIC, [Repetition(("a", "a"), (50.0, 50.01))], "ok", "0 another"),
        (checks.NOT_DETERMINISTIC, [same(loss=math.inf)], "ok", "0 another"),
        (checks.NOT_DETERMINISTIC, [Repetition(("a", "a"), (1e-9, 3e-9))], "ok", "0 another"),
        (checks.NOT_DETERMINISTIC, [Repetition(("a", "a"), (50.0, 50.2))], "fires", "1 another"),
        (checks.NOT_DETERMINISTIC, [same(), Repetition(("a", "A"), (1.0, 1.0))], "fires", "1 of 2"),
        (checks.ITEMS_DAMAGED, Damage(Count(0, 3), ()), "ok", "0 of 3 items"),
        (checks.ITEMS_DAMAGED, Damage(Count(2, 3), ("a", "b")), "fires", "follows: a, b"),
        (checks.ITEMS_DAMAGED, Damage(Count(12, 12), tuple("abcdefghijkl")), "fires", "j, 2 more"),
        (checks.CLEAN_NOT_UNDERSTOOD, Count(5, 5), "ok", "5 of 5 clean clips"),
        (checks.CLEAN_NOT_UNDERSTOOD, Count(4, 5), "fires", "(80%)"),
        (checks.LOST_IN_16_BITS, Count(0, 9), "ok", "0 of 9 clips"),
        (checks.LOST_IN_16_BITS, Count(1, 9), "fires", "1 of 9 clips"),
        (checks.NOISE_SUCCEEDS, Count(0, 15), "ok", "0 of 15 draws"),
        (checks.NOISE_SUCCEEDS, Count(1, 15), "fires", "1 of 15 draws"),
        (checks.SHAPED_NOISE_SUCCEEDS, Count(0, 15), "ok", "0 of 15 draws"),
        (checks.SHAPED_NOISE_SUCCEEDS, Count(15, 15), "fires", "15 of 15 draws"),
        (checks.ROOMS_LEAK, Leak(Count(0, 10), ()), "ok", "0 of 10 test responses"),
        (checks.ROOMS_LEAK, Leak(Count(2, 10), ()), "fires", "2 of 10 test responses"),
        (checks.ROOMS_LEAK, Leak(Count(0, 10), ("hall", "lab")), "fires", "rooms hall, lab"),
        (checks.TRANSFER_WINS, [rival(1, 3), rival(3, 3)], "ok", "1 of 4 succeed"),
        (checks.TRANSFER_WINS, [rival(1, 3), rival(4, 3)], "fires", "the run's own 3 of 4"),
        (checks.PASSES_DO_NOT_HELP, grown(0, 2, 3), "ok", "0, 2 and 3 of 3 clips at 1, 50 and 200"),
        (checks.PASSES_DO_NOT_HELP, grown(0, 0, 1), "ok", "passes"),
        (checks.PASSES_DO_NOT_HELP, grown(3, 3, 3), "fires", "3, 3 and 3"),
        (checks.PASSES_DO_NOT_HELP, grown(0, 0, 0), "fires", "0, 0 and 0"),
        (checks.EPS_DOES_NOT_HELP, grown(1, 0, 2), "ok", "1, 0 and 2"),
        (checks.EPS_DOES_NOT_HELP, grown(2, 3, 1), "fires", "2, 3 and 1"),
        (checks.UNBOUNDED_FAILS, Count(3, 3), "ok", "3 of 3 clips"),
        (checks.UNBOUNDED_FAILS, Count(2, 3), "fires", "2 of 3 clips"),
        (checks.PLANTED_NOT_FOUND, [found(101), found(200)], "ok", "2.00 times the least"),
        (checks.PLANTED_NOT_FOUND, [found(101), found(201)], "fires", "2.01 times the least"),
        (checks.PLANTED_NOT_FOUND, [found(101), found(900, minimises=False)], "ok", "1.01 times"),
        (checks.PLANTED_NOT_FOUND, [found(101), found(None)], "fires", "1 of 2 searches"),
        (checks.PLANTED_NOT_FOUND, [found(101), found(None, minimises=False)], "fires", "1.01"),
    ],
)
def test_judging(check: Check[Any], evidence: Any, state: str, told: str) -> None:
    finding = check.find(evidence)
    assert finding.state == state
    assert told in finding.detail
    assert "target" not in finding.detail  # an untargeted attack has none


# ---- cases


def case(delta: Tensor | None = None, victim: LinearVictim | None = None) -> Case:
    victim, clean = victim or linear_victim(), speech().float()
    if delta is None:  # a successful one
        eps = 1.1 * victim.smallest_norm(clean.double())
        delta = quantise(eps * victim.weight.sign()).float()
    tokens = victim.encode(TARGET, len(clean))
    return Case(clean, delta, Aim("open the door", None), tokens, Options())


def test_success_is_judged_from_what_a_file_holds() -> None:
    class Sharp(LinearVictim):
        def transcribe(self, audio: Tensor) -> str:
            assert audio.dtype == torch.float32
            assert torch.equal(audio, quantise(audio))
            return super().transcribe(audio)

    linear = linear_victim()
    victim, clip = Sharp(linear.weight, linear.bias), case()
    assert clip.succeeds(victim, clip.delta.double() + 0.3 * LSB)
    assert not clip.succeeds(victim, 0 * clip.delta)


def test_success_is_judged_under_the_normaliser() -> None:
    clip = case()
    strict = replace(clip, aim=replace(clip.aim, normaliser="exact"))
    assert clip.succeeds(linear_victim(), clip.delta)
    assert not strict.succeeds(linear_victim(), clip.delta)


# ---- gradient and repetition


class Faulty(LinearVictim):
    """Scores with a fault in it."""

    def __init__(self, fault: Any) -> None:
        linear = linear_victim()
        super().__init__(linear.weight, linear.bias)
        self.fault = fault

    def score(self, audio: Tensor, *given: Any) -> Score:
        score = super().score(audio, *given)
        return Score(self.fault(score.loss, audio), score.matched)


@pytest.mark.parametrize(
    ("fault", "size"),
    [
        (lambda loss, audio: loss, linear_victim().weight.abs().max()),
        (lambda loss, audio: loss.detach(), 0.0),
        (lambda loss, audio: loss.detach() + 0 * audio.sum(1), 0.0),
        (lambda loss, audio: loss.detach() * torch.ones(1, requires_grad=True), 0.0),
        (lambda loss, audio: loss + (0 * audio).sum(1).sqrt(), math.nan),
        (lambda loss, audio: loss + (audio[:, 0] - audio.detach()[:, 0]).sqrt(), math.inf),
    ],
)
def test_the_largest_gradient(fault: Any, size: float) -> None:
    largest = controls.largest_gradient(Faulty(fault), case())
    assert largest == pytest.approx(float(size), nan_ok=True)


def test_a_gradient_leaves_no_trace_on_the_clip() -> None:
    clip, victim = case(), linear_victim()
    victim.weight = victim.weight.float()  # in the clip's own type, where nothing is converted
    assert controls.largest_gradient(victim, clip) > 0
    assert not clip.clean.requires_grad


def test_the_saved_sound_is_heard_and_the_clean_one_scored_twice() -> None:
    again = controls.repetition(linear_victim(), case())
    assert again.heard == (TARGET, TARGET)
    assert again.loss[0] == again.loss[1] > 100  # what the clean clip costs
    losses = iter([1.0, 2.0])
    again = controls.repetition(Faulty(lambda loss, audio: 0 * loss + next(losses)), case())
    assert again.loss == (1.0, 2.0)


# ---- noise


def test_noise_has_exactly_the_energy_of_the_perturbation() -> None:
    clip = case()
    for noise in (controls.white_noise(clip, (0,)), controls.shaped_noise(clip, 16_000, (0,))):
        assert noise.shape == (controls.DRAWS, len(clip.clean))
        energy = noise.double().square().sum(1)
        assert torch.allclose(energy, clip.delta.double().square().sum(), rtol=1e-4)
        assert not torch.equal(noise[0], noise[1])


def test_noise_comes_again_with_its_seed() -> None:
    first, again, other = (controls.white_noise(case(), (0, n)) for n in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("length", [700, 2048, 2500, 20_000])
def test_shaped_noise_follows_the_threshold_frame_by_frame(length: int) -> None:
    clean = speech(length=length).float() * torch.linspace(0.01, 1, length).square()
    threshold = masking_threshold(clean[None], None, 16_000)
    white = torch.randn(64, length, generator=torch.Generator().manual_seed(0))
    theta, heard = threshold.theta[0], threshold.theta[0] > 0  # not below 20 Hz, out of maskers
    levels = [
        power_spectrum(noise, 2048, 512).mean(0)[heard].log10()
        for noise in (controls.shaped(white, threshold), white)
    ]
    shaped, flat = (
        float(torch.corrcoef(torch.stack([level, theta[heard].log10()]))[0, 1]) for level in levels
    )
    assert shaped > 0.8 > 0.5 > flat


def test_random_noise_is_not_heard_where_what_was_searched_for_is() -> None:
    victim, clip = linear_victim(), case()
    assert clip.succeeds(victim, clip.delta)
    assert controls.heard_in(victim, clip, controls.white_noise(clip, (0,))) == Count(0, 5)


def test_noise_that_is_heard_is_counted() -> None:
    victim, clip = linear_victim(), case()
    noise = torch.stack([clip.delta, 0 * clip.delta, clip.delta])
    assert controls.heard_in(victim, clip, noise) == Count(2, 3)


# ---- rooms


def bank(**splits: Split) -> RoomBank:
    whole = toy_bank()
    return RoomBank(16_000, "toy", {}, {**whole.splits, **splits})


def test_rooms_that_were_drawn_apart_leak_nothing() -> None:
    assert leak(toy_bank()) == Leak(Count(0, 10), ())


@pytest.mark.parametrize("searched", ["attack", "validate"])
def test_a_response_of_the_search_among_those_of_the_test(searched: str) -> None:
    (_, stolen), *_ = toy_bank().split(searched).responses()
    longer = torch.nn.functional.pad(torch.from_numpy(stolen), (0, 9)).numpy()
    rooms = [*toy_bank().split("test").responses()]
    rooms[3] = rooms[3]._replace(rir=longer)  # the same, but for zeros at its end
    assert leak(bank(test=Split.of("test", rooms))) == Leak(Count(1, 10), ())


def test_a_room_of_the_search_among_those_of_the_test() -> None:
    rooms = [*toy_bank().split("test").responses()]
    rooms[3] = rooms[3]._replace(room=Room("attack-2", 0.1, 5.0))
    rooms[4] = rooms[4]._replace(room=Room("validate-1", 0.1, 5.0))
    found = leak(bank(test=Split.of("test", rooms)))
    assert found == Leak(Count(0, 10), ("attack-2", "validate-1"))


def test_a_bank_without_a_split_says_so() -> None:
    with pytest.raises(RoomError, match="validate"):
        leak(toy_bank({"attack": 3, "test": 3}))


# ---- searches


def test_the_passes_that_a_success_took() -> None:
    victim, told = linear_victim(), []
    passes = passes_to_success(victim, case(), (in_ball(2000 * LSB),), told.append)
    assert passes == victim.heard
    assert told == list(range(1, passes + 1))


def test_nothing_is_found_where_nothing_is() -> None:
    victim, told = linear_victim(), []
    smallest = victim.smallest_norm(speech())
    for eps, heard in ((1.05 * smallest, True), (0.95 * smallest, False)):
        found = passes_to_success(victim, case(), (in_ball(eps),), told.append)
        assert (found is not None) == heard
    assert told[-1] == EPS_PASSES


def test_a_match_that_is_not_transcribed_is_no_success() -> None:
    class Deaf(LinearVictim):
        def transcribe(self, audio: Tensor) -> str:
            return "Something else."

    linear = linear_victim()
    victim = Deaf(linear.weight, linear.bias)
    assert passes_to_success(victim, case(), (in_ball(2000 * LSB),), lambda _: None) is None
    assert victim.heard == EPS_PASSES


def test_the_ball_stays_though_what_matches_is_not_transcribed_yet() -> None:
    class Sceptic(LinearVictim):
        def transcribe(self, audio: Tensor) -> str:
            return TARGET if self._margin(audio.to(self.weight)) > 30 else "Nothing at all."

    linear = linear_victim()
    victim = Sceptic(linear.weight, linear.bias)
    eps = 1.25 * victim.smallest_norm(speech())  # enough for a margin of 37, and for no more
    assert passes_to_success(victim, case(), (in_ball(eps),), lambda _: None) is not None


def test_without_a_bound_the_whole_range_is_searched() -> None:
    victim = linear_victim(bias=2000.0)  # only with δ of a third of full scale
    assert victim.smallest_norm(speech()) > 0.25
    found = passes_to_success(victim, case(victim=victim), (unbounded(),), lambda _: None)
    assert found is not None
    assert found < UNBOUNDED_PASSES
