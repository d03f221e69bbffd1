"""The ceiling over a perturbation's spectrum, against closed forms and a literal twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from toy import TARGET, linear_victim, speech

from mondegreen.audio.batch import pad
from mondegreen.psychoacoustics.excess import excess_db, normalised_power
from mondegreen.psychoacoustics.spectrum import LOUDEST
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold
from mondegreen.search.ceiling import THIN, lowered
from mondegreen.search.loop import Search
from mondegreen.search.stage import Masking, Sinking, Stage, Steps

LENGTH, WINDOW, HOP = 8192, 2048, 512


def flat(theta_db: float, length: int = LENGTH) -> MaskingThreshold:
    """A threshold of one level everywhere, on a scale where full scale has 96 dB."""
    silence = torch.zeros(1, length, dtype=torch.float64)
    made = masking_threshold(silence, None, 16_000)
    return replace(made, theta=torch.full_like(made.theta, 10 ** (theta_db / 10)))


def sine(amplitude: float, bin_number: int = 100) -> Tensor:
    """A sinusoid in the middle of a bin: periodic Hann makes its power (amplitude / 4)²."""
    time = torch.arange(LENGTH, dtype=torch.float64)
    return amplitude * torch.cos(2 * torch.pi * bin_number * time / WINDOW)[None]


def noise(seed: int, amplitude: float, length: int = LENGTH) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return amplitude * torch.randn(1, length, generator=generator, dtype=torch.float64)


def worst(delta: Tensor, threshold: MaskingThreshold) -> float:
    return float(excess_db(delta, threshold).max())


def literal(delta: Tensor, threshold: MaskingThreshold, ceiling_db: float) -> NDArray[np.float64]:
    """One clip, frame by frame and bin by bin."""
    power, theta = normalised_power(delta, threshold)[0].numpy(), threshold.theta[0].numpy()
    audible, hann = (
        threshold.audible.numpy(),
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW),
    )
    moved, overlap = np.zeros(delta.shape[1]), np.zeros(delta.shape[1])
    for frame in range(len(theta)):
        here = slice(frame * HOP, frame * HOP + WINDOW)
        spectrum = np.fft.rfft(delta[0, here].numpy() * hann)
        for k in range(len(spectrum)):
            limit = theta[frame, k] * 10 ** (ceiling_db / 10)
            over = audible[k] and power[frame, k] > limit
            spectrum[k] *= np.sqrt(limit / power[frame, k]) - 1 if over else 0
        moved[here] += np.fft.irfft(spectrum) * hann
        overlap[here] += hann**2
    return delta[0].numpy() + moved / np.maximum(overlap, THIN * np.sum(hann**2) / HOP)


def test_excess_of_a_sinusoid() -> None:
    at_bin = 10 * np.log10((0.01 / 4) ** 2 * LOUDEST) - 30
    found = excess_db(sine(0.01), flat(30.0)).amax(-1)
    torch.testing.assert_close(found, torch.full_like(found, at_bin), rtol=0, atol=1e-9)


def test_silence_is_under_everything() -> None:
    assert worst(torch.zeros(1, LENGTH, dtype=torch.float64), flat(30.0)) == -torch.inf


@pytest.mark.parametrize("ceiling", [-20.0, 0.0, 7.0])
def test_lowered_is_its_literal_twin(ceiling: float) -> None:
    audio = speech(0, LENGTH + 100)[None]
    threshold = masking_threshold(audio, None, 16_000)
    delta = noise(0, 0.003, LENGTH + 100)
    found = lowered(delta, threshold, ceiling)
    np.testing.assert_allclose(found[0], literal(delta, threshold, ceiling), rtol=0, atol=1e-12)
    assert not torch.equal(found, delta)


def test_what_is_under_the_ceiling_comes_back_as_it_was() -> None:
    delta = noise(1, 1e-3)
    above = worst(delta, flat(30.0))
    assert torch.equal(lowered(delta, flat(30.0), above + 1e-6), delta)
    assert not torch.equal(lowered(delta, flat(30.0), above - 1e-3), delta)


def test_a_ceiling_far_below_leaves_nothing_but_where_frames_are_thin() -> None:
    delta = sine(0.1)
    hann, overlap = torch.hann_window(WINDOW, dtype=torch.float64), torch.zeros(LENGTH)
    for start in range(0, LENGTH - WINDOW + 1, HOP):
        overlap[start : start + WINDOW] += hann.square()
    left = 1 - overlap / overlap.clamp(min=THIN * 1.5)  # full overlap is 1.5
    found = lowered(delta, flat(30.0), -1000.0)
    torch.testing.assert_close(found, delta * left, rtol=0, atol=1e-7)
    assert int(left.count_nonzero()) < 2 * HOP  # at both ends


def test_what_nobody_hears_stays() -> None:
    offset = torch.full((1, LENGTH), 0.5, dtype=torch.float64)  # 0 Hz, and what Hann leaks to 8 Hz
    torch.testing.assert_close(lowered(offset, flat(-90.0), 0.0), offset, rtol=0, atol=1e-3)


@pytest.mark.parametrize("ceiling", [-6.0, 6.0])
def test_a_sinusoid_comes_under(ceiling: float) -> None:
    threshold, delta = flat(30.0), sine(0.01)
    assert worst(delta, threshold) > ceiling + 5
    for _ in range(30):
        delta = lowered(delta, threshold, ceiling)
    assert worst(delta, threshold) < ceiling + 0.5


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), ceiling=st.floats(-20, 30), amplitude=st.floats(1e-5, 0.3))
def test_lowered_takes_away(seed: int, ceiling: float, amplitude: float) -> None:
    delta = noise(seed, amplitude)
    after = lowered(delta, flat(30.0), ceiling)
    assert float(after.square().sum()) <= float(delta.square().sum())


def test_clips_of_a_batch_are_alone() -> None:
    clips = [speech(1, 6000), speech(2, 9000)]
    audio, lengths = pad(clips)
    together = masking_threshold(audio, lengths, 16_000)
    delta, _ = pad([noise(3, 0.01, 6000)[0], noise(4, 0.01, 9000)[0]])
    found = lowered(delta, together, 0.0)
    for row, clip in enumerate(clips):
        alone = masking_threshold(clip[None], None, 16_000)
        expected = lowered(delta[row : row + 1, : len(clip)], alone, 0.0)[0]
        torch.testing.assert_close(found[row, : len(clip)], expected, rtol=0, atol=1e-12)
        assert not found[row, len(clip) :].any()


@pytest.mark.parametrize("length", [500, WINDOW, WINDOW + 700])
def test_lengths_that_frames_do_not_fill(length: int) -> None:
    threshold, delta = flat(30.0, length), noise(5, 0.1, length)
    found = lowered(delta, threshold, 0.0)
    assert found.shape == delta.shape
    assert torch.equal(found[0, WINDOW + 512 :], delta[0, WINDOW + 512 :])  # no frame is there
    assert worst(found, threshold) < worst(delta, threshold)


def test_a_stage_keeps_under_its_ceiling() -> None:
    """The same search with and without one."""
    clip, victim = speech(), linear_victim()
    threshold = masking_threshold(clip[None], None, victim.sample_rate)

    def ends(ceiling: Sinking | None) -> float:
        masking = Masking(1e-6, 1.0, 1, 1.0, 1)
        rate = Steps(((0, 3e-4),))
        stage = Stage("s", 30, rate, masking=masking, ceiling=ceiling)
        search = Search(victim, [clip], [victim.encode(TARGET, len(clip))], threshold)
        for _ in search.run([stage]):
            pass
        return worst(search.trajectories[0].delta[None], threshold)

    assert ends(Sinking(40, every=0.5, least=3)) < ends(None) - 10
