"""The norm of hearing: closed forms, its slow twin, and the smallest δ of a linear victim."""

from __future__ import annotations

import dataclasses
import math

import literal_norm as literal
import numpy as np
import pytest
import torch
from stages import preset
from torch import Tensor
from torch.nn.functional import pad as around
from toy import TARGET, linear_victim, speech

from mondegreen.audio.batch import pad
from mondegreen.psychoacoustics.excess import masking_loss, normalised_power
from mondegreen.psychoacoustics.spectrum import LOUDEST
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.norm import Norm, _sounds, _spectra
from mondegreen.search.stage import Decay, Stage, Steps, Weighting
from mondegreen.search.step import SLACK, Limits

LENGTH, WINDOW, RATE = 8192, 512, 16_000
STEADY = Decay(0.1, 0.02)
PLAIN = Weighting(exponent=0.0, masking=0.0, floor=1.0, shrink=STEADY)
HEARING = Weighting(exponent=0.5, masking=0.3, floor=1.0, shrink=STEADY)


def norm_of(
    audio: Tensor, weighting: Weighting, lengths: Tensor | None = None, theta: float | None = None
) -> Norm:
    """That of clips with silence around them; with θ of one level, if given."""
    threshold = masking_threshold(audio, lengths, RATE)
    if theta is not None:
        threshold = dataclasses.replace(threshold, theta=torch.full_like(threshold.theta, theta))
    return Norm.of(audio, threshold, weighting)


def noise(seed: int, length: int = LENGTH, margin: int = 2048) -> Tensor:
    """White noise of deviation 0.01 in the middle of silence."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(1, length - 2 * margin, generator=generator, dtype=torch.float64)
    return around(0.01 * inner, (margin, margin))


def click(length: int = LENGTH) -> Tensor:
    sound = torch.zeros(1, length, dtype=torch.float64)
    sound[0, length // 2] = 0.1
    return sound


# ---- frames


@pytest.mark.parametrize("length", [LENGTH, 5000])
def test_frames_give_back_what_they_were_given(length: int) -> None:
    sound = noise(0, length, 600)
    torch.testing.assert_close(_sounds(_spectra(sound, WINDOW), length), sound)


# ---- closed forms


def test_without_an_exponent_the_norm_is_energy() -> None:
    """By Parseval: 257 of 512 bins, four windows over each sample, whose squares add up to 3/2."""
    norm = norm_of(speech()[None], PLAIN)
    size = float(norm.size(click(), norm.base))
    assert size**2 == pytest.approx(257 * 3 / 2 * 0.1**2)
    tone = 0.1 * torch.cos(torch.arange(LENGTH) * 2 * math.pi / 16)[None].double()
    frames = 1 + (LENGTH - WINDOW) // 128
    # (0.1 N / 4)² in its bin, and a quarter of that in each neighbour
    assert float(norm.size(tone, norm.base)) ** 2 == pytest.approx(frames * 1.5 * 12.8**2)


def test_power_counts_by_the_share_of_what_is_near() -> None:
    """A click over a clip that is a click: one spectrum, flat, in all four frames."""
    clip = click(2048)
    norm = norm_of(clip, HEARING)
    power = _spectra(clip, WINDOW).abs().square()
    seen = power.sum(2) > 0
    floor = 1e-7 * power.max()
    torch.testing.assert_close(norm.base[seen], (power + floor)[seen].pow(-0.5))
    torch.testing.assert_close(norm.base[~seen], torch.full_like(norm.base[~seen], floor**-0.5))


def test_half_the_sound_has_half_the_size_and_a_louder_clip_hides_more() -> None:
    delta = noise(1)
    norm, louder = norm_of(speech()[None], HEARING), norm_of(2 * speech()[None], HEARING)
    size = norm.size(delta, norm.base)
    torch.testing.assert_close(norm.size(delta / 2, norm.base), size / 2)
    torch.testing.assert_close(louder.size(delta, louder.base), size / 4**0.25)


def test_j_is_the_sum_of_two_logarithms() -> None:
    clip, delta = speech()[None], noise(2)
    norm = norm_of(clip, HEARING)
    weighed = norm.weigh(delta)
    loss = masking_loss(delta, norm.threshold)
    torch.testing.assert_close(weighed.masking_loss, loss)
    size = norm.size(delta, norm.base)
    torch.testing.assert_close(weighed.cost, 2 * size.log() + 0.3 * (loss + 1).log())
    assert loss > 1


def test_turning_down_what_weighs_lowers_j() -> None:
    norm, delta = norm_of(speech()[None], HEARING), noise(3)
    costs = [float(norm.weigh(delta * 0.8**n).cost) for n in range(30)]
    assert costs == sorted(costs, reverse=True)


# ---- the slope of the masking loss


def test_the_slope_is_that_of_the_masking_loss() -> None:
    """Far above θ, ℓθ is a mean of powers: its change is 2 Σ slope Re(conj δ̂ dδ̂), of all bins."""
    clip, delta, change = noise(4), noise(5), noise(6) + noise(5) / 2
    norm = norm_of(clip, dataclasses.replace(HEARING, exponent=0.0), theta=1e-9)
    loss = masking_loss(delta, norm.threshold)
    step = 1e-6
    found = (masking_loss(delta + step * change, norm.threshold) - loss) / step
    square = norm.size(delta, norm.base) ** 2
    slope = (norm.weigh(delta).weights - norm.base) * (loss + 1) / (0.3 * square)
    product = (_spectra(delta, WINDOW).conj() * _spectra(change, WINDOW)).real
    assert float(2 * (slope * product).sum()) == pytest.approx(float(found), rel=0.03)


def test_what_is_far_below_the_threshold_has_no_slope() -> None:
    norm = norm_of(speech()[None], HEARING)
    weights = norm.weigh(1e-6 * noise(7)).weights
    torch.testing.assert_close(weights, norm.base, rtol=1e-6, atol=0)


def test_weights_are_their_literal_twin() -> None:
    clip, delta = speech(0, 4096), noise(8, 4096, 600)
    norm = norm_of(clip[None], HEARING)
    threshold = norm.threshold
    base = literal.base(clip.numpy(), WINDOW, RATE, 0.5)
    np.testing.assert_allclose(norm.base[0], base, rtol=1e-9)
    power = normalised_power(delta, threshold)[0].numpy()
    above = 1 / (1 + (threshold.theta[0].numpy() / power) ** 4) * threshold.audible.numpy()
    scale = LOUDEST * threshold.profile.delta_gain / float(threshold.psd_max)
    slope = literal.slope(above, base.shape, WINDOW, scale)
    square = float((literal.short_powers(delta[0].numpy(), WINDOW) * base).sum())
    loss = float(masking_loss(delta, threshold))
    expected = base + 0.3 * square / (loss + 1) * slope
    np.testing.assert_allclose(norm.weigh(delta).weights[0], expected, rtol=1e-6)


# ---- the direction


@pytest.mark.parametrize("seed", range(3))
def test_no_direction_of_its_size_descends_more(seed: int) -> None:
    norm, gradient = norm_of(speech()[None], HEARING), noise(9)
    weights = norm.weigh(noise(10)).weights
    along = norm.along(gradient, weights)
    torch.testing.assert_close(norm.size(along, weights), torch.ones(1, dtype=torch.float64))
    gain = float((gradient * along).sum())
    plain = gradient / norm.size(gradient, weights)
    assert float((gradient * plain).sum()) < gain
    other = along + 0.3 * norm.along(noise(11 + seed), weights)
    assert float((gradient * other).sum()) < gain * float(norm.size(other, weights))


def test_no_gradient_has_no_direction() -> None:
    norm = norm_of(speech()[None], HEARING)
    assert not norm.along(torch.zeros(1, LENGTH, dtype=torch.float64), norm.base).any()


# ---- silence and batches


def test_in_silence_all_is_finite() -> None:
    norm = norm_of(torch.zeros(1, LENGTH, dtype=torch.float64), HEARING)
    for delta in (torch.zeros(1, LENGTH, dtype=torch.float64), noise(12)):
        weighed = norm.weigh(delta)
        for column in (weighed.weights, weighed.size, weighed.masking_loss, weighed.cost):
            assert column.isfinite().all()
        assert norm.along(delta, weighed.weights).isfinite().all()


def test_a_clip_of_a_batch_weighs_what_it_weighs_alone() -> None:
    clips = [speech(1, 6000), speech(2, 9000), speech(3, 7000)]
    deltas = [noise(n, len(clip), 100) for n, clip in enumerate(clips)]
    silence = (1536, 2047)
    audio, lengths = pad([around(clip, silence) for clip in clips])
    together = norm_of(audio, HEARING, lengths)
    rows = torch.tensor([2, 0])
    some = together.select(rows, together.threshold.select(rows))
    for norm, order in ((together, [0, 1, 2]), (some, [2, 0])):
        delta, _ = pad([around(deltas[b][0], silence) for b in order])
        weighed = norm.weigh(delta)
        along = norm.along(delta, weighed.weights)
        for row, b in enumerate(order):
            one = norm_of(around(clips[b], silence)[None], HEARING)
            alone = one.weigh(around(deltas[b], silence))
            length = alone.weights.shape[1]
            torch.testing.assert_close(weighed.size[row], alone.size[0])
            torch.testing.assert_close(weighed.cost[row], alone.cost[0])
            torch.testing.assert_close(weighed.weights[row, :length], alone.weights[0])
            direction = one.along(around(deltas[b], silence), alone.weights)[0]
            torch.testing.assert_close(along[row, : len(direction)], direction)


# ---- the stage


def stage(weighting: Weighting, steps: int = 60) -> Stage:
    return Stage("s", steps, Decay(0.3, 0.06), weighting=weighting, edges=True, keep="quietest")


SIGNS = dataclasses.replace(preset("imperceptible", "fast")[0], steps=30)  # to a first success


def found_by(weighting: Weighting, clean: Tensor) -> Tensor:
    victim = linear_victim()
    threshold = masking_threshold(clean[None], None, RATE)
    search = Search(victim, [clean], [victim.encode(TARGET, len(clean))], threshold)
    list(search.run([SIGNS, stage(weighting)]))
    return search.trajectories[0].candidates[-1].delta


def gap(clean: Tensor) -> float:
    victim = linear_victim()
    return victim.bias - float(victim.weight @ clean)


def test_without_an_exponent_the_smallest_perturbation_is_along_the_gradient() -> None:
    clean = speech()
    smallest = gap(clean) / float(linear_victim().weight.norm())
    assert smallest * 0.999 < float(found_by(PLAIN, clean).norm()) < smallest * 1.03


def test_a_stage_comes_near_the_smallest_perturbation_in_the_norm() -> None:
    """Not to it: ĝ/w, windowed again, is not quite the inverse of the metric."""
    clean, weighting = speech(), dataclasses.replace(PLAIN, exponent=0.5)
    threshold = masking_threshold(clean[None], None, RATE)
    limits = Limits.of(stage(weighting), threshold, clean[None], torch.tensor([LENGTH]))
    assert limits.norm is not None
    gradient = np.pad(linear_victim().weight.numpy(), limits.silence)
    free = slice(limits.silence[0], limits.silence[0] + LENGTH)
    base = limits.norm.base[0].numpy()
    smallest = literal.smallest(base, gradient, gap(clean), WINDOW, free)
    delta = found_by(weighting, clean)
    size = float(limits.norm.size(around(delta[None], limits.silence), limits.norm.base))
    assert smallest * 0.999 < size < smallest * 1.08


def test_a_step_vanishes_where_the_target_is_certain() -> None:
    """Where p(target) is 1 only the size changes, by the stage's share."""
    clean = speech()
    victim = linear_victim(bias=-1e4)
    threshold = masking_threshold(clean[None], None, RATE)
    token = victim.encode(TARGET, LENGTH)
    start = 0.01 * linear_victim(5).weight
    search = Search(victim, [clean], [token], threshold, starts=[start])
    rule = dataclasses.replace(PLAIN, shrink=Steps(((0, 0.1),)))
    list(search.run([stage(rule, steps=2)]))
    first = Search(victim, [clean], [token], threshold, starts=[start])
    list(first.run([stage(rule, steps=1)]))
    before, after = first.trajectories[0].delta, search.trajectories[0].delta
    assert before.any()
    torch.testing.assert_close(after, 0.9 * before, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("heard", "factor"), [(1.0, 0.9), (0.0, 1.4), (0.5, 1.15), (0.8, 1.0)])
def test_the_size_follows_the_share_of_draws_that_hear_the_target(
    heard: float, factor: float
) -> None:
    rule = dataclasses.replace(PLAIN, grow=4.0)  # at rest at 4 / (1 + 4)
    (change,) = rule.change(0.1, torch.tensor([heard], dtype=torch.float64)).tolist()
    assert change == pytest.approx(factor)


def test_what_is_never_heard_does_not_grow_much_beyond_its_start() -> None:
    clean, victim = speech(), linear_victim(bias=1e6)
    threshold = masking_threshold(clean[None], None, RATE)
    start = 1e-4 * linear_victim(5).weight
    search = Search(victim, [clean], [victim.encode(TARGET, LENGTH)], threshold, starts=[start])
    rule = dataclasses.replace(PLAIN, shrink=Steps(((0, 0.1),)))
    list(search.run([dataclasses.replace(stage(rule, steps=60), keep="latest")]))
    grown = float(search.trajectories[0].delta.norm() / start.norm())
    assert grown < np.exp(SLACK / 2) * 1.1 * 1.05  # J is log ‖δ‖²; 60 steps of 1.1 were 304 times
    assert grown > 1.1
