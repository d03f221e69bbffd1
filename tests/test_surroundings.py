"""The masking threshold around a passage is that of the whole recording, frame for frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import speech

from mondegreen.audio.passage import Excerpt
from mondegreen.psychoacoustics.excess import excess_db, masking_loss
from mondegreen.psychoacoustics.surroundings import Surroundings, thresholds_around
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold

RATE, WINDOW, HOP = 16_000, 2048, 512
LENGTH = 200_000  # over a hundred frames more than are looked at in one go
F64 = torch.zeros(0, dtype=torch.float64)


def recording(loud_at: int) -> torch.Tensor:
    sound = 0.1 * speech(0, LENGTH)
    sound[loud_at : loud_at + 3000] *= 9  # the loudest bin of all
    return torch.round(sound * 32768) / 32768


def excerpt_of(sound: torch.Tensor, begin: int, end: int) -> Excerpt:
    return Excerpt((sound * 32768).numpy().astype(np.int16), begin, end)


PASSAGES = [
    (0, 5000),
    (700, 4000),  # no whole frame lies before it
    (50_000, 66_000),
    (51_201, 60_000),  # not where a frame begins
    (195_000, LENGTH),
    (190_001, LENGTH - 100),  # past the last frame
]


@pytest.mark.parametrize(("begin", "end"), PASSAGES)
@pytest.mark.parametrize("loud_at", [30_000, 180_000])
@pytest.mark.parametrize("profile", ["paper", "authors", "temporal"])
def test_it_is_a_slice_of_the_whole(begin: int, end: int, loud_at: int, profile: str) -> None:
    sound = recording(loud_at)
    whole = masking_threshold(sound[None], None, RATE, profile)
    starts = np.arange(whole.theta.shape[1]) * HOP
    over = (starts < end) & (starts + WINDOW > begin)  # one by one: frames that share a sample
    around = Surroundings.of(excerpt_of(sound, begin, end), RATE)
    found = thresholds_around([around], RATE, F64, profile)
    torch.testing.assert_close(found.theta[0], whole.theta[0, over], rtol=1e-6, atol=0)
    torch.testing.assert_close(found.psd_max, whole.psd_max, rtol=1e-6, atol=0)
    assert torch.equal(around.audio[around.begin : around.end].double(), sound[begin:end])


def test_a_perturbation_is_as_loud_as_in_the_whole() -> None:
    """The sum of the loss over frames, and the worst excess, are those of the whole recording."""
    begin, end = 51_201, 60_000
    sound = recording(180_000)
    delta = 0.003 * torch.randn(end - begin, generator=torch.manual_seed(0), dtype=torch.float64)
    everywhere = torch.zeros(LENGTH, dtype=torch.float64)
    everywhere[begin:end] = delta
    around = Surroundings.of(excerpt_of(sound, begin, end), RATE)
    found = thresholds_around([around], RATE, F64)
    whole = masking_threshold(sound[None], None, RATE)
    placed = around.placed(delta)[None]

    def total(delta: torch.Tensor, threshold: MaskingThreshold) -> float:
        return float(masking_loss(delta, threshold) * threshold.frames)

    in_whole = total(everywhere[None], whole)
    assert in_whole > 0
    assert total(placed, found) == pytest.approx(in_whole, rel=1e-5)
    worst = excess_db(everywhere[None], whole).max()
    torch.testing.assert_close(excess_db(placed, found).max(), worst, rtol=0, atol=1e-4)


def test_whole_clips_stand_beside_passages_in_a_batch() -> None:
    sound, clip = recording(30_000), speech(1, 6000)
    around = Surroundings.of(excerpt_of(sound, 50_000, 66_000), RATE)
    both = thresholds_around([around, Surroundings(clip, 0, len(clip))], RATE, F64)
    alone = masking_threshold(clip[None], None, RATE)
    frames = int(alone.frames)
    assert torch.equal(both.theta[1, :frames], alone.theta[0])
    assert torch.equal(both.psd_max[1:], alone.psd_max)
    assert both.frames.tolist() == [35, frames]  # the frames at 48128, 48640, ..., 65536
