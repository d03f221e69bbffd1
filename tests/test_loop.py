"""The loop: against closed forms, against its slow twin, and clip by clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import literal_attack
import pytest
import torch
from stages import preset
from torch import Tensor
from torch.nn.functional import pad as around
from toy import TARGET, LinearVictim, linear_victim, speech, toy_rooms

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import pad, quantise
from mondegreen.options import Options
from mondegreen.psychoacoustics.excess import guarded, masking_loss, normalised_power
from mondegreen.psychoacoustics.spectrum import LOUDEST
from mondegreen.psychoacoustics.surroundings import Surroundings, thresholds_around
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.presets import PRESETS, stages_for, within
from mondegreen.search.progress import Progress, StepOutcome
from mondegreen.search.stage import Decay, Expectation, Masking, MaxNorm, Stage, Steps, Widened
from mondegreen.search.step import Limits
from mondegreen.victims.base import Score, Victim

PAPER_1, PAPER_2 = PRESETS["imperceptible"]["paper"]
STEPS = 60  # of each stage, enough for a success in every one
ROOMS = toy_rooms()
ATTACKS = [
    pytest.param(
        tuple(dataclasses.replace(s, steps=STEPS) for s in preset(method, name, (ROOMS,))),
        id=f"{method}-{name}",
    )
    for method, presets in PRESETS.items()
    for name in presets
    if method != "untargeted"  # whose stages are those of imperceptible, or these
]
IN_A_BALL = stages_for(Options(method="untargeted", snr=2.0))
ATTACKS.append(
    pytest.param(tuple(dataclasses.replace(s, steps=STEPS) for s in IN_A_BALL), id="in-a-ball")
)


def search(victim: Victim, clips: Sequence[Tensor]) -> Search:
    audio, lengths = pad(clips)
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    return Search(victim, clips, [victim.encode(TARGET, len(c)) for c in clips], threshold)


def run(
    victim: LinearVictim,
    clips: Sequence[Tensor],
    stages: Sequence[Stage],
    n: int | None = None,
) -> Search:
    found = search(victim, clips)
    list(found.run(within(tuple(stages), n)))
    return found


def shortened(stage: Stage, steps: int) -> Stage:
    return dataclasses.replace(stage, steps=steps)


def as_heard(sound: Tensor, stages: Sequence[Stage]) -> list[Tensor]:
    """The sound as it is, or in every toy room, as the last stage has it."""
    if not stages[-1].over.of:
        return [sound]
    rooms = torch.arange(len(ROOMS.reverb))[None]
    return list(ROOMS.reverb(sound[None, None], torch.tensor([len(sound)]), rooms)[0])


# ---- closed forms and the slow twin


@pytest.mark.parametrize("seed", range(3))
def test_stage_1_comes_within_a_shrink_of_the_smallest_norm(seed: int) -> None:
    victim, clean = linear_victim(seed), speech(seed)
    (found,) = run(victim, [clean], [PAPER_1], 400).trajectories
    smallest = victim.smallest_norm(clean)
    peak = float(found.candidates[-1].delta.abs().max())
    # half a 16-bit step of slack: what the victim hears is rounded
    assert smallest - 0.5 / 32768 <= peak <= (smallest + 0.5 / 32768) / 0.8


def test_stage_1_is_algorithm_1() -> None:
    victim, clean = linear_victim(), speech()
    target = victim.encode(TARGET, len(clean))
    delta, eps, successes = literal_attack.stage_1(victim, clean, target, 60)
    found = search(victim, [clean])
    passes = list(found.run([shortened(PAPER_1, 61)]))
    assert len(successes) >= 2
    assert float(passes[-1].eps[0]) == pytest.approx(eps, rel=1e-12)
    (only,) = run(victim, [clean], [PAPER_1], 60).trajectories
    torch.testing.assert_close(only.delta, delta, rtol=0, atol=1e-12)


def test_stage_2_is_algorithm_1() -> None:
    victim, clean = linear_victim(), speech()
    target = victim.encode(TARGET, len(clean))
    threshold = masking_threshold(clean[None], None, victim.sample_rate)
    found = search(victim, [clean])
    list(found.run([shortened(PAPER_1, 300)]))
    start = found.trajectories[0].candidates[-1].delta
    delta, alpha = literal_attack.stage_2(
        victim, clean, start, target, 120, lambda d: masking_loss(d[None], threshold)[0]
    )
    passes = list(found.run([shortened(PAPER_2, 120)]))
    torch.testing.assert_close(found.trajectories[0].delta, delta, rtol=0, atol=1e-9)
    assert float(passes[-1].alpha[0]) == pytest.approx(alpha, rel=1e-9)
    assert alpha != 0.05  # it did adapt


def test_a_penalty_on_the_logarithm_pulls_by_alpha_over_the_masking_loss() -> None:
    victim, clean = linear_victim(), speech()
    rule = Masking(alpha=7.0, up=1, up_every=1, down=1, down_every=1, log=True)
    assert PAPER_2.masking is not None
    before = run(victim, [clean], [PAPER_1], 300)
    (heard,) = before.run([dataclasses.replace(PAPER_2, steps=1)])
    assert heard.masking_loss is not None
    loss = float(heard.masking_loss[0])
    deltas = []
    for masking in (rule, dataclasses.replace(rule, alpha=7.0 / loss, log=False)):
        found = run(victim, [clean], [PAPER_1], 300)
        list(found.run([dataclasses.replace(PAPER_2, steps=1, masking=masking)]))
        deltas.append(found.trajectories[0].delta)
    assert loss > 1
    torch.testing.assert_close(*deltas, rtol=0, atol=1e-12)


def test_a_gentle_step_is_no_larger_than_a_share_of_each_clips_own_peak() -> None:
    """Adam's first step is its rate, in the direction of the sign, on every sample."""
    victim, clips = linear_victim(), [speech(0), speech(1) / 4]
    found = run(victim, clips, [PAPER_1], 300)
    before = [t.candidates[-1].delta for t in found.trajectories]
    peaks = sorted(float(delta.abs().max()) for delta in before)
    assert peaks[0] < 0.9 * peaks[1]
    rate = 0.01 * sum(peaks) / 2  # too fast for the smaller one
    gentle = Stage("gentle", 1, Steps(((0, rate),)), sign=True, gentle=0.01)
    list(found.run([gentle]))
    for trajectory, delta in zip(found.trajectories, before, strict=True):
        moved = float((trajectory.delta - delta).abs().max())
        allowed = min(rate, 0.01 * float(delta.abs().max()))
        assert moved == pytest.approx(allowed, rel=1e-3)


def test_a_guarded_stage_is_measured_against_the_guarded_threshold() -> None:
    victim, clean = linear_victim(), speech()
    found = run(victim, [clean], [PAPER_1], 300)
    delta = found.trajectories[0].candidates[-1].delta
    assert PAPER_2.masking is not None
    rule = dataclasses.replace(PAPER_2.masking, guard=0.01)
    (heard,) = found.run([dataclasses.replace(PAPER_2, steps=1, masking=rule)])
    own = guarded(found.threshold, clean[None], 0.01)
    assert heard.masking_loss is not None
    expected = float(masking_loss(delta[None], own)[0])
    assert float(heard.masking_loss[0]) == pytest.approx(expected, rel=1e-9)
    assert expected > 1.01 * float(masking_loss(delta[None], found.threshold)[0])


@pytest.mark.parametrize("place", [0, 5, 4000, 8491])
def test_a_stage_with_edges_sees_every_sample_alike(place: int) -> None:
    """A click has a flat spectrum; over all frames, the squared window comes to 3/2 everywhere."""
    clean = speech(0, 8492)  # its own frames end 300 samples earlier
    threshold = masking_threshold(clean[None], None, 16_000)
    stage = dataclasses.replace(PAPER_2, edges=True)
    limits = Limits.of(stage, threshold, clean[None], torch.tensor([8492]))
    click = torch.zeros(8492, dtype=clean.dtype)
    click[place] = 0.1
    power = normalised_power(around(click, limits.silence)[None], limits.theta)
    per_bin = 0.1**2 * 3 / 2 / 2048**2 * LOUDEST / float(limits.theta.psd_max)
    torch.testing.assert_close(power.sum(1), torch.full((1, 1025), per_bin, dtype=clean.dtype))
    loss, slope = limits.penalty(click[None])
    assert loss > 1
    assert slope.abs().argmax() == place


def test_fast_leaves_no_click_at_the_edges() -> None:
    clean = speech(0, 8492)
    clean[:700], clean[-700:] = 0, 0  # nothing there hides anything
    stages = within(PRESETS["imperceptible"]["fast"], 200)
    (found,) = run(linear_victim(length=8492, bias=20.0), [clean], stages).trajectories
    delta = found.candidates[-1].delta
    assert torch.cat([delta[:64], delta[-64:]]).abs().max() < delta.abs().max() / 30


def test_a_stage_in_rooms_is_its_slow_twin() -> None:
    victim, clean = linear_victim(), speech()
    over = Expectation((ROOMS,), draws=3, quorum=2, looks=5)
    stage = Stage(
        "rooms", 40, Steps(((0, 1e-3),)), sign=True, bound=MaxNorm(eps=0.05, every=4), over=over
    )
    target = victim.encode(TARGET, len(clean))
    delta, eps, hits = literal_attack.in_rooms(victim, clean, target, ROOMS, stage, seed=7)
    audio, lengths = pad([clean])
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    found = Search(victim, [clean], [target], threshold, seed=7)
    seen = list(found.run([stage]))
    torch.testing.assert_close(found.trajectories[0].delta, delta, rtol=0, atol=1e-12)
    assert [int(step.hits[0]) for step in seen] == hits
    assert float(seen[-1].eps[0]) == pytest.approx(eps, rel=1e-12)
    assert eps < 0.05  # it did adapt


class Scripted:
    """Hears the target in a given number of draws, step by step."""

    name, sample_rate = "scripted", 16_000
    device, dtype = torch.device("cpu"), torch.float64

    def __init__(self, *hits: int) -> None:
        self.hits = iter(hits)

    def encode(self, target: str, length: int) -> Tensor:
        return torch.tensor([1])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        return Score(audio.sum(1), torch.arange(len(audio)) < next(self.hits))

    def transcribe(self, audio: Tensor) -> str:
        return TARGET


def test_the_latest_of_those_heard_in_most_draws_is_kept() -> None:
    over = Expectation((ROOMS,), draws=8, quorum=1, looks=8)
    stage = Stage("rooms", 5, Steps(((0, 1e-5),)), over=over, keep="most heard")
    found = search(Scripted(0, 3, 7, 7, 5), [speech()])
    list(found.run([stage]))
    assert found.trajectories[0].candidates[-1].step == 4
    assert found.trajectories[0].first_match == 16


def test_what_is_kept_can_be_the_mean_of_what_was_heard() -> None:
    def kept(steps: int, average: float) -> Tensor:
        stage = Stage("mean", steps, Steps(((0, 1e-3),)), average=average)
        found = search(Scripted(*[1] * steps), [speech()])
        list(found.run([stage]))
        return found.trajectories[0].candidates[-1].delta

    deltas = torch.stack([kept(steps, 0.0) for steps in range(1, 7)])
    assert deltas.diff(dim=0).abs().amax(1).min() > 5e-4  # they do move
    alike = deltas[:4].mean(0)  # a step counts 3/4 of the next: the first four count alike
    later = 0.75 * alike + 0.25 * deltas[4]
    expected = [alike, later, 0.75 * later + 0.25 * deltas[5]]
    for steps, mean in enumerate(expected, 4):
        torch.testing.assert_close(kept(steps, 0.75), mean)


def test_every_step_of_every_stage_has_fresh_draws() -> None:
    seen: list[float] = []

    def listen(audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        seen.extend(draws.uniform(0, 1).flatten().tolist())
        return audio.expand(-1, draws.count, -1)

    over = Expectation((listen,), draws=2, quorum=1, looks=2)
    stage = Stage("a", 3, Steps(((0, 1e-5),)), over=over)
    found = search(Scripted(*[2] * 6), [speech()])
    list(found.run([stage, dataclasses.replace(stage, name="b")]))
    assert len(seen) == len(set(seen)) == 12


def test_the_curve_shows_the_steps_that_success_is_looked_for_in() -> None:
    over = Expectation((ROOMS,), draws=1, quorum=2, looks=2)
    stage = Stage("rooms", 15, Steps(((0, 1e-5),)), bound=MaxNorm(eps=0.05), over=over)
    found = search(Scripted(*[1] * 40), [speech()])
    list(found.run([stage]))
    curve = found.trajectories[0].curve
    assert [(point.passes, point.judged, point.hits) for point in curve] == [
        *((1, 1, 1), (2, 2, 2), (11, 1, 1), (12, 2, 2)),
    ]
    assert [point.matched for point in curve] == [False, True, False, True]


def test_the_widened_bound_begins_beyond_that_of_the_success() -> None:
    victim, clean = linear_victim(), speech()
    first = shortened(PAPER_1, 60)
    second = Stage("wider", 3, Steps(((0, 1e-6),)), bound=Widened(by=0.01))
    found = search(victim, [clean])
    seen = list(found.run([first, second]))
    success = found.trajectories[0].milestones[0]
    assert float(success.delta.abs().max()) <= success.eps < 2000 / 32768
    assert [float(s.eps[0]) for s in seen if s.stage == "wider"] == pytest.approx(
        [success.eps + 0.01] * 3
    )


# ---- every attack


@pytest.mark.parametrize("stages", ATTACKS)
def test_every_attack_reaches_the_target_and_its_candidates_prove_it(
    stages: tuple[Stage, ...],
) -> None:
    victim, clean = linear_victim(), speech()
    (found,) = run(victim, [clean], stages).trajectories
    assert found.candidates[-1].stage == stages[-1].name
    for candidate in found.candidates:
        saved = quantise(clean + candidate.delta)
        assert saved.abs().max() <= 1
        heard = [victim.transcribe(sound) for sound in as_heard(saved, stages)]
        assert heard.count(TARGET) >= 1


@pytest.mark.parametrize("stages", ATTACKS)
def test_every_attack_treats_a_clip_in_a_batch_as_the_clip_alone(
    stages: tuple[Stage, ...],
) -> None:
    victim = linear_victim()
    clips = [speech(i, n) for i, n in enumerate((8192, 5000, 7001, 6000))]
    together = run(victim, clips, stages).trajectories
    assert all(row.curve[-1].stage == stages[-1].name for row in together)
    for clip, row in zip(clips, together, strict=True):
        (alone,) = run(victim, [clip], stages).trajectories
        assert row.first_match == alone.first_match
        assert row.passes == alone.passes
        torch.testing.assert_close(row.delta, alone.delta, rtol=0, atol=1e-9)
        for mine, its in zip(row.candidates, alone.candidates, strict=True):
            assert mine.passes == its.passes
            torch.testing.assert_close(mine.delta, its.delta, rtol=0, atol=1e-9)


@pytest.mark.parametrize("stages", ATTACKS)
def test_every_attack_stays_in_the_16_bit_range(stages: tuple[Stage, ...]) -> None:
    victim = linear_victim(bias=300.0)
    loud = (speech() * 3.2).clamp(-1, 1 - 1 / 32768)
    (found,) = run(victim, [loud], stages).trajectories
    assert found.curve[-1].stage == stages[-1].name
    assert (loud + found.delta).max() <= 1 - 1 / 32768
    assert (loud + found.delta).min() >= -1


@pytest.mark.parametrize("stages", ATTACKS)
def test_no_attack_spends_more_than_max_passes(stages: tuple[Stage, ...]) -> None:
    victim = linear_victim()
    (found,) = run(victim, [speech()], stages, 18).trajectories
    assert found.passes <= 18
    assert victim.heard == found.passes + found.looks


def test_looking_costs_nothing_where_the_gradient_s_draws_will_do() -> None:
    for method in PRESETS:
        stages = preset(method, "fast", (ROOMS,))
        (found,) = run(linear_victim(), [speech()], stages, 30).trajectories
        assert found.looks == 0, method


def test_of_equally_quiet_successes_the_first_stays() -> None:
    found = search(linear_victim(), [speech(0)])
    batch = found._enter(PAPER_2, 0)
    for loud, cost in ((1.0, 2.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.5)):
        column = torch.tensor([cost])
        outcome = StepOutcome(
            column, column.long(), column, column, column, column, column, column, None, None, 1
        )
        found._keep(
            PAPER_2, batch, outcome, torch.tensor([True]), torch.full_like(batch.delta, loud)
        )
    assert float(found.trajectories[0].candidates[-1].delta[0]) == 2.0


def test_stage_2_lowers_the_masking_loss_and_keeps_the_quietest() -> None:
    victim, clean = linear_victim(), speech()
    silence = (1536, 2047)  # so that frames see every sample alike
    around_clean = around(clean, silence)[None]
    theta = masking_threshold(around_clean, None, victim.sample_rate)
    threshold = guarded(theta, around_clean, 0.5)
    rule = Masking(alpha=20, up=1.05, up_every=1, down=1 / 1.05, down_every=1, log=True, guard=0.5)
    rate = Decay(20 / 32768, 0.7 / 32768)
    stage = dataclasses.replace(PAPER_2, steps=300, rate=rate, masking=rule, edges=True)
    (first,) = PRESETS["carlini-wagner"]["fast"]
    found = search(victim, [clean])
    seen: list[Progress] = list(found.run([shortened(first, 100), stage]))
    heard = [float(p.masking_loss[0]) for p in seen if p.masking_loss is not None and p.matched[0]]
    best = found.trajectories[0].candidates[-1]
    kept = float(masking_loss(around(best.delta, silence)[None], threshold)[0])
    assert kept == pytest.approx(min(heard))
    assert kept < heard[0] * 2 / 3


def test_a_search_goes_on_from_a_given_start() -> None:
    victim, clean = linear_victim(), speech()
    start = 0.02 * victim.weight.sign()
    audio, lengths = pad([clean])
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    tokens = [victim.encode(TARGET, len(clean))]
    found = Search(victim, [clean], tokens, threshold, starts=[start])
    stage = shortened(PAPER_2, 1)
    (step,) = found.run([stage])
    assert step.masking_loss is not None
    assert float(step.masking_loss[0]) == pytest.approx(
        float(masking_loss(start[None], threshold)[0])
    )
    assert found.trajectories[0].milestones[0].stage == "given"


def test_a_start_is_what_is_left_when_nothing_better_is_found() -> None:
    victim, clean = linear_victim(bias=1e6), speech()
    audio, lengths = pad([clean])
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    tokens = [victim.encode(TARGET, len(clean))]
    start = torch.full_like(clean, 0.001)
    found = Search(victim, [clean], tokens, threshold, starts=[start])
    list(found.run([shortened(PAPER_2, 5)]))
    assert torch.equal(found.trajectories[0].candidates[-1].delta, start)


# ---- failures, early ends


def test_a_clip_without_a_success_does_not_enter_stage_2() -> None:
    victim, hopeless = linear_victim(bias=1e6), speech()
    found = search(victim, [hopeless])
    stages = [shortened(PAPER_1, 12), shortened(PAPER_2, 12)]
    names = {progress.stage for progress in found.run(stages)}
    (only,) = found.trajectories
    assert names == {PAPER_1.name}
    assert not only.candidates
    assert only.first_match is None
    assert only.passes == 12
    assert only.delta.abs().max() == pytest.approx(1200 / 32768)  # the last iterate, at 100 a pass


def test_a_finished_clip_leaves_the_batch() -> None:
    victim = linear_victim(bias=1000.0)
    hopeless = speech()
    done = quantise(hopeless + 0.2 * victim.weight.sign())  # the target as it is, so δ = 0 will do
    stage = dataclasses.replace(PAPER_2, steps=30, enough=1.0)
    found = search(victim, [hopeless, done])
    seen = [p.index.tolist() for p in found.run([stage])]
    assert seen == [[0, 1], *([[0]] * 29)]
    assert [t.passes for t in found.trajectories] == [30, 1]
    assert found.trajectories[1].candidates[-1].delta.abs().max() == 0


def test_stopping_early_keeps_what_was_found() -> None:
    victim, clean = linear_victim(), speech()
    found = search(victim, [clean])
    for progress in found.run([PAPER_1]):
        if progress.matched[0]:
            break
    (only,) = found.trajectories
    assert len(only.candidates) == 1
    assert victim.transcribe(quantise(clean + only.candidates[0].delta)) == TARGET


def test_a_candidate_is_a_copy_of_what_the_optimiser_goes_on_to_change() -> None:
    victim, clean = linear_victim(), speech()
    found = search(victim, [clean])
    passes = found.run([PAPER_1])
    while not next(passes).matched[0]:
        pass
    candidate = found.trajectories[0].candidates[0]
    before = candidate.delta.clone()
    for _ in range(5):
        next(passes)
    assert torch.equal(candidate.delta, before)


def test_the_curve_has_a_point_every_ten_passes() -> None:
    (found,) = run(linear_victim(), [speech()], [PAPER_1], 35).trajectories
    assert [point.passes for point in found.curve] == [1, 11, 21, 31]


# ---- passages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "under"), [("carlini-wagner", None), ("imperceptible", None), ("imperceptible", 6.0)]
)
def test_of_a_passage_nothing_else_is_changed_or_heard(method: str, under: float | None) -> None:
    """A whole clip in the same batch is found as alone; a passage as the victim hears it alone."""
    victim = linear_victim(bias=60.0)
    sound, clip = speech(3, 20_000), speech(1)
    begin, end = 6001, 6001 + 8192
    stages = stages_for(Options(method=method, max_passes=120, under_threshold=under))
    seen = [Surroundings(sound, begin, end), Surroundings(clip, 0, len(clip))]
    heard = []

    class Listening(LinearVictim):
        def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
            heard.extend(row[:n].detach() for row, n in zip(audio, lengths, strict=True))
            return super().score(audio, lengths, targets)

    listening = Listening(victim.weight, victim.bias)
    search = Search(
        listening,
        [one.audio for one in seen],
        [listening.encode(TARGET, 8192)] * 2,
        thresholds_around(seen, 16_000, sound),
        passages=[(one.begin, one.end) for one in seen],
    )
    for _ in search.run(stages):
        pass
    passage, whole = search.trajectories
    assert {len(row) for row in heard} == {8192}
    assert torch.equal(heard[0], sound[begin:end])
    assert passage.candidates
    for candidate in (passage.last, *passage.candidates):
        outside = torch.cat([candidate.delta[:begin], candidate.delta[end:]])
        assert not outside.any()
        assert candidate.delta[begin:end].any()
    cut = passage.within(begin, end).candidates[-1].delta
    assert victim.transcribe(quantise(sound[begin:end] + cut)) == TARGET

    alone = Search(
        victim,
        [clip],
        [victim.encode(TARGET, 8192)],
        masking_threshold(clip[None], None, 16_000),
    )
    for _ in alone.run(stages):
        pass
    expected = alone.trajectories[0].candidates[-1].delta
    torch.testing.assert_close(whole.candidates[-1].delta, expected, rtol=0, atol=1e-9)
