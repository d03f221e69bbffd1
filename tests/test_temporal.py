"""Temporal masking against closed forms, a literal twin and its invariants."""

from __future__ import annotations

import math
from typing import get_args

import literal_temporal as literal
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toy import speech

from mondegreen.audio.passage import Excerpt
from mondegreen.measures.quality import masking_excess
from mondegreen.options import ThresholdProfile
from mondegreen.psychoacoustics.excess import excess_db
from mondegreen.psychoacoustics.profiles import PROFILES
from mondegreen.psychoacoustics.surroundings import Surroundings
from mondegreen.psychoacoustics.temporal import masked_in_time
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold

RATE, WINDOW, HOP = 16_000, 2048, 512  # 128 ms and 32 ms
KHZ = 128  # the bin at 1 kHz


def law(milliseconds: float) -> float:
    """The share that is left: all of it after 5 ms, nothing after 200."""
    return min(max(math.log(200 / milliseconds) / math.log(40), 0), 1)


def decibels(power: Tensor) -> Tensor:
    return 10 * power.log10()


def power(levels: Tensor) -> Tensor:
    return 10 ** (levels / 10)


def thresholds(audio: Tensor, loudest: float = 0.0) -> tuple[MaskingThreshold, MaskingThreshold]:
    """Without and with temporal masking."""
    of_all = torch.tensor([loudest], dtype=torch.float64)
    paper, temporal = (
        masking_threshold(audio[None], None, RATE, profile, loudest=of_all)
        for profile in ("paper", "temporal")
    )
    return paper, temporal


def quiet() -> Tensor:
    """The threshold in quiet, [bins]."""
    return masking_threshold(torch.zeros(1, WINDOW).double(), None, RATE).theta[0, 0]


def click(at: int, length: int = RATE) -> Tensor:
    sound = torch.zeros(length, dtype=torch.float64)
    sound[at] = 0.5
    return sound


def pip(at: int, length: int = RATE) -> Tensor:
    """A few ms of 1 kHz, whose one masker is 89 dB above quiet: those of a click are rounding."""
    seconds = (torch.arange(length, dtype=torch.float64) - at) / RATE
    return torch.exp(-((1000 * seconds) ** 2) / 2) * torch.cos(2 * torch.pi * 1000 * seconds)


def burst(begin: int, end: int, length: int) -> Tensor:
    at = torch.arange(length, dtype=torch.float64)
    return 0.3 * torch.sin(2 * torch.pi * 1000 * at / RATE) * ((begin <= at) & (at < end))


# ---- closed forms ---------------------------------------------------------------------------


def test_what_a_frame_leaves_falls_along_the_logarithm_of_the_delay_to_quiet() -> None:
    levels = torch.full((1, 10, 1), 7.0, dtype=torch.float64)
    levels[0, 1] += 60
    at_7_db = torch.full((1,), 10**0.7, dtype=torch.float64)
    masked = masked_in_time(power(levels), at_7_db, 0.128, 0.032)
    left = [60 * law(delay) for delay in (64, 96, 128, 160, 192)]
    expected = 7 + torch.tensor([0, 60, *left, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(decibels(masked).flatten(), expected, rtol=0, atol=1e-9)
    assert left == sorted(left, reverse=True)
    assert left[0] == pytest.approx(18.533, abs=1e-3)


def test_short_frames_mask_in_full_for_5_ms_and_backward_for_less() -> None:
    levels = torch.zeros(1, 20, 1, dtype=torch.float64)
    levels[0, 9] = 50
    masked = masked_in_time(power(levels), torch.ones(1).double(), 0.002, 0.001)
    before = [0.0] * 5 + [5.0, 15, 25, 35]  # 4.5, 3.5, 2.5 and 1.5 ms before
    after = [50.0] * 4 + [50 * law(delay) for delay in (5.5, 6.5, 7.5, 8.5, 9.5, 10.5)]
    expected = torch.tensor([*before, 50, *after], dtype=torch.float64)
    torch.testing.assert_close(decibels(masked).flatten(), expected, rtol=0, atol=1e-9)


def test_a_click_masks_what_comes_after_it_for_200_ms_and_nothing_before() -> None:
    paper, temporal = thresholds(click(10 * HOP + WINDOW // 2))
    assert (paper.n_maskers[0] > 0).nonzero().flatten().tolist() == [9, 10, 11]
    assert torch.equal(temporal.theta[0, :12], paper.theta[0, :12])
    above = decibels(paper.theta[0, :, KHZ] / quiet()[KHZ]).tolist()
    expected = [
        max(above[seen] * law((frame - seen) * 32 + 32) for seen in (9, 10, 11))
        for frame in range(12, 17)
    ]
    found = decibels(temporal.theta[0, 12:17, KHZ] / quiet()[KHZ]).tolist()
    assert found == pytest.approx(expected, abs=1e-9)
    assert expected[0] > 15  # dB
    assert torch.equal(temporal.theta[0, 17:], paper.theta[0, 17:])


@settings(max_examples=10, deadline=None)
@given(offset=st.integers(0, HOP - 1))
def test_wherever_a_pip_lies_in_its_frames_it_leaves_hardly_more_than_at_its_true_delay(
    offset: int,
) -> None:
    centred, _ = thresholds(pip(WINDOW // 2, WINDOW))
    best = decibels(centred.theta[0, 0, 3:] / quiet()[3:])
    at = 10 * HOP + WINDOW // 2 + offset
    paper, temporal = (each.theta[0] for each in thresholds(pip(at), float(centred.psd_max[0])))
    for frame in range(len(paper)):
        delay = (frame * HOP + WINDOW // 2 - at) / 16  # ms
        true = best * law(delay) if delay > 0 else torch.zeros_like(best)
        own = decibels(paper[frame, 3:] / quiet()[3:])
        found = decibels(temporal[frame, 3:] / quiet()[3:])
        assert float((found - torch.maximum(own, true)).max()) < 2


def test_a_steady_tone_changes_nothing_while_it_lasts_and_fades_after_its_end() -> None:
    begin, end = 20 * HOP, 50 * HOP
    paper, temporal = thresholds(burst(begin, end, 80 * HOP))
    last = (end - WINDOW) // HOP  # the last frame that is full of it
    assert torch.equal(temporal.theta[0, : last + 1], paper.theta[0, : last + 1])
    silent = end // HOP  # the first frame that has none of it
    levels = decibels(temporal.theta[0, silent - 1 : silent + 6, KHZ])
    assert bool((levels.diff() < 0).all())
    assert float(levels[1]) > float(decibels(quiet()[KHZ])) + 10
    assert torch.equal(temporal.theta[0, silent + 6 :], paper.theta[0, silent + 6 :])


def test_silence_stays_as_it_is() -> None:
    paper, temporal = thresholds(torch.zeros(RATE, dtype=torch.float64))
    assert torch.equal(temporal.theta, paper.theta)


def test_what_is_inaudible_stays_as_it_is() -> None:
    paper, temporal = thresholds(speech(0, RATE))
    assert torch.equal(temporal.theta[..., :3], paper.theta[..., :3])  # below 20 Hz
    assert bool((temporal.theta[..., 3:] > paper.theta[..., 3:]).any())


def test_only_the_threshold_differs_from_the_paper() -> None:
    paper, temporal = thresholds(speech(0, RATE))
    assert torch.equal(temporal.n_maskers, paper.n_maskers)
    assert torch.equal(temporal.psd_max, paper.psd_max)


def test_every_profile_has_a_name_that_can_be_typed() -> None:
    assert get_args(ThresholdProfile) == tuple(PROFILES)


# ---- the literal twin -----------------------------------------------------------------------


@pytest.mark.parametrize(("window", "hop"), [(2048, 512), (256, 64), (64, 16), (512, 480)])
def test_it_agrees_with_the_twin(window: int, hop: int) -> None:
    gaps = torch.arange(40 * hop + window) // (7 * hop) % 2
    audio = (speech(0, len(gaps)) * gaps)[None]
    paper, temporal = (
        masking_threshold(audio, None, RATE, profile, window, hop).theta[0]
        for profile in ("paper", "temporal")
    )
    silence = torch.zeros(1, window, dtype=torch.float64)
    in_quiet = masking_threshold(silence, None, RATE, window=window, hop=hop).theta[0, 0]
    heard = (in_quiet > 0).nonzero().flatten()[::8]  # every eighth: the twin is slow
    expected = literal.masked_levels(
        decibels(paper[:, heard]).numpy(), decibels(in_quiet[heard]).numpy(), window / 16, hop / 16
    )
    found = decibels(temporal[:, heard])
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-9)
    assert bool((found > decibels(paper[:, heard])).any())


# ---- invariants -----------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
frames = st.integers(1, 12)
times = st.sampled_from([(0.128, 0.032), (0.016, 0.004), (0.004, 0.001), (0.032, 0.3)])


def drawn(seed: int, n_frames: int, bins: int = 3) -> tuple[Tensor, Tensor]:
    """Thresholds [2, frames, bins], never below that in quiet [bins], which the first bin lacks."""
    generator = torch.Generator().manual_seed(seed)
    least = power(60 * torch.rand(bins, generator=generator, dtype=torch.float64))
    above = 90 * torch.rand(2, n_frames, bins, generator=generator, dtype=torch.float64)
    above = above * (torch.rand(2, n_frames, bins, generator=generator) < 0.5)
    theta = least * power(above)
    return theta, torch.where(torch.arange(bins) == 0, 0, least)


@settings(max_examples=50, deadline=None)
@given(seeds, frames, times)
def test_it_is_never_below_the_threshold_of_the_frame_itself(
    seed: int, n_frames: int, time: tuple[float, float]
) -> None:
    theta, least = drawn(seed, n_frames)
    masked = masked_in_time(theta, least, *time)
    assert bool((masked >= theta).all())
    assert torch.equal(masked[..., 0], theta[..., 0])


@settings(max_examples=50, deadline=None)
@given(seeds, frames, times)
def test_a_louder_masker_never_masks_less(
    seed: int, n_frames: int, time: tuple[float, float]
) -> None:
    theta, least = drawn(seed, n_frames)
    louder = theta.clone()
    louder[:, seed % n_frames] *= 1 + seed % 7
    assert bool((masked_in_time(louder, least, *time) >= masked_in_time(theta, least, *time)).all())


@settings(max_examples=50, deadline=None)
@given(seeds, frames, times)
def test_a_quiet_frame_before_or_after_moves_it_and_changes_nothing(
    seed: int, n_frames: int, time: tuple[float, float]
) -> None:
    theta, least = drawn(seed, n_frames)
    silent = least.expand(2, 1, -1)
    masked = masked_in_time(theta, least, *time)
    later = masked_in_time(torch.cat([silent, theta], 1), least, *time)
    longer = masked_in_time(torch.cat([theta, silent], 1), least, *time)
    assert torch.equal(later[:, 1:], masked)
    assert torch.equal(longer[:, :-1], masked)


@settings(max_examples=50, deadline=None)
@given(seeds, frames, times, st.integers(-20, 20))
def test_it_does_not_depend_on_the_scale_of_power(
    seed: int, n_frames: int, time: tuple[float, float], exponent: int
) -> None:
    theta, least = drawn(seed, n_frames)
    scaled = masked_in_time(theta * 2.0**exponent, least * 2.0**exponent, *time)
    torch.testing.assert_close(scaled, masked_in_time(theta, least, *time) * 2.0**exponent)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9000), min_size=2, max_size=4))
def test_a_clip_of_a_batch_is_as_alone_and_padding_is_quiet(lengths: list[int]) -> None:
    clips = torch.stack([speech(seed, 9000) for seed in range(len(lengths))])
    batch = masking_threshold(clips, torch.tensor(lengths), RATE, "temporal")
    for row, length in enumerate(lengths):
        alone = masking_threshold(clips[row : row + 1, :length], None, RATE, "temporal")
        own = int(alone.frames)
        torch.testing.assert_close(batch.theta[row, :own], alone.theta[0], rtol=1e-9, atol=0)
        assert torch.equal(batch.theta[row, own:], quiet().expand_as(batch.theta[row, own:]))


def test_more_of_the_same_recording_has_the_same_threshold() -> None:
    clips = torch.stack([speech(0, 9000), speech(1, 9000)])
    lengths = torch.tensor([9000, 6000])
    threshold = masking_threshold(clips, lengths, RATE, "temporal")
    assert torch.equal(threshold.of(clips, lengths).theta, threshold.theta)
    alone = threshold.select(torch.tensor([1]))
    assert torch.equal(alone.theta, threshold.theta[1:, : int(alone.frames)])


# ---- what came before a passage -------------------------------------------------------------


def test_the_edge_of_a_passage_is_masked_by_what_came_before_it() -> None:
    """What is measured of its edges is what the frames of the whole recording see."""
    sound = torch.round(burst(10_000, 19_000, 40_000) * 32768) / 32768
    begin, end = 20_500, 30_000  # 94 ms after the burst, which its frames hardly see
    around = Surroundings.of(Excerpt((sound * 32768).numpy().astype(np.int16), begin, end), RATE)
    change = np.zeros(end - begin)
    change[:1024] = 1e-4 * np.hanning(1024) * np.sin(2 * np.pi * 1000 * np.arange(1024) / RATE)
    clean = sound[begin:end].numpy()
    placed = torch.nn.functional.pad(torch.from_numpy(change), (begin, 40_000 - end))[None]
    seen = {}
    for profile, whole in zip(("paper", "temporal"), thresholds(sound), strict=True):
        measured = masking_excess(clean, clean + change, RATE, profile, around)
        starts = torch.arange(whole.theta.shape[1]) * HOP
        over = (starts < begin) & (starts + WINDOW > begin)
        worst = float(excess_db(placed, whole)[0, over].max())
        assert measured.edges_db == pytest.approx(max(worst, 0), abs=1e-4)
        seen[profile] = measured.edges_db
    assert 0 < seen["temporal"] < seen["paper"] - 1
