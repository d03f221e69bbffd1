"""PESQ in two versions, Zimtohrli and STOI: the ends of their scales, their order, their refusals.

What they are worth on sounds between those ends is not ours to test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mondegreen.audio import pcm
from mondegreen.errors import MeasureError
from mondegreen.measures import ratings

RATE = 16_000


@pytest.fixture(scope="module")
def speech(beckett: Path) -> np.ndarray:
    return pcm.load(beckett, RATE)[: 3 * RATE]


def with_noise(clip: np.ndarray, rms: float) -> np.ndarray:
    return clip + np.random.default_rng(0).normal(0, rms, len(clip)).astype(np.float32)


def mos(*of: object) -> float:
    return ratings.zimtohrli(*of).mos  # type: ignore[arg-type]


PACKAGES: dict[str, Callable[..., float]] = {
    "pesq": ratings.pesq,
    "pesqc2": ratings.pesq_c2,
    "zimtohrli": mos,
    "pystoi": ratings.stoi,
}
TOP = 0.999 + 4 / (1 + math.exp(-1.3669 * 4.5 + 3.8224))  # P.862.2 maps a raw 4.5 to this
TOPS = {"pesq": TOP, "pesqc2": TOP, "zimtohrli": 5, "pystoi": 1}


@pytest.mark.parametrize("name", PACKAGES)
def test_no_change_is_the_top_of_the_scale(name: str, speech: np.ndarray) -> None:
    pytest.importorskip(name)
    assert PACKAGES[name](speech, speech, RATE) == pytest.approx(TOPS[name], abs=1e-4)


@pytest.mark.parametrize("name", PACKAGES)
def test_scores_fall_with_noise(name: str, speech: np.ndarray) -> None:
    pytest.importorskip(name)
    scores = [PACKAGES[name](speech, with_noise(speech, rms), RATE) for rms in (1e-4, 1e-3, 1e-2)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_corrigendum_2_raises_scores(speech: np.ndarray) -> None:
    for package in ("pesq", "pesqc2"):
        pytest.importorskip(package)
    noisy = with_noise(speech, 1e-3)
    rise = ratings.pesq_c2(speech, noisy, RATE) - ratings.pesq(speech, noisy, RATE)
    assert 0.2 < rise < 0.8


@pytest.mark.parametrize("name", ["pesq", "pesqc2", "zimtohrli"])
def test_clips_of_another_rate_are_converted(name: str, speech: np.ndarray) -> None:
    pytest.importorskip(name)
    clips = speech, with_noise(speech, 1e-3)
    others = [pcm.resample(clip, RATE, 22_050) for clip in clips]
    score = PACKAGES[name](*clips, RATE)
    assert PACKAGES[name](*others, 22_050) == pytest.approx(score, abs=0.1)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_narrow_sound_has_the_same_score_at_8_khz_as_at_16(name: str, speech: np.ndarray) -> None:
    pytest.importorskip(name)
    narrow = pcm.resample(speech, RATE, 8_000)
    pair = narrow, with_noise(narrow, 1e-3)
    score = PACKAGES[name](*(pcm.resample(clip, 8_000, RATE) for clip in pair), RATE)
    assert PACKAGES[name](*pair, 8_000) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("name", "seconds", "told"),
    [
        ("pesq", 0.19, "no speech"),
        ("pesqc2", 0.19, "no speech"),
        ("pesqc2", 30.1, "longer than the 30 s that PESQ was validated on"),
        ("zimtohrli", 0.19, r"0\.19 s long, and Zimtohrli takes 0\.2 to 120 s"),
        ("zimtohrli", 120.1, r"120\.10 s long"),
        ("pystoi", 0.19, "less than about 0.4 s"),
    ],
)
def test_clips_of_a_length_that_it_does_not_take(
    name: str, seconds: float, told: str, speech: np.ndarray
) -> None:
    pytest.importorskip(name)
    clip = np.resize(speech, round(seconds * RATE))
    with pytest.raises(MeasureError, match=told):
        PACKAGES[name](clip, with_noise(clip, 1e-3), RATE)


def test_the_shortest_clip_that_zimtohrli_takes_is_measured() -> None:
    pytest.importorskip("zimtohrli")
    clip = np.random.default_rng(0).normal(0, 0.1, RATE // 5)
    assert 1 < mos(clip, with_noise(clip, 1e-2), RATE) < 5


@pytest.mark.parametrize("name", ["pesq", "pesqc2", "pystoi"])
def test_silence_cannot_be_rated(name: str) -> None:
    pytest.importorskip(name)
    with pytest.raises(MeasureError):
        PACKAGES[name](np.zeros(RATE), with_noise(np.zeros(RATE), 1e-3), RATE)
