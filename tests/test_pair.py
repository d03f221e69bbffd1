"""Two recordings become samples of one rate and length, and what was done to them is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import load, save
from mondegreen.errors import AudioError
from mondegreen.measures.pair import read_pair


def written(path: Path, seconds: float, rate: int) -> Path:
    t = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * t), rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_files_of_one_kind_are_as_they_were(tmp_path: Path, rate: int) -> None:
    paths = [written(tmp_path / f"{n}.wav", 0.5, rate) for n in range(2)]
    pair = read_pair(*paths)
    assert (pair.sample_rate, pair.notes) == (rate, ())
    for path, sound in zip(paths, (pair.original, pair.other), strict=True):
        assert np.array_equal(sound, soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize("rates", [(16_000, 44_100), (44_100, 16_000)])
def test_the_lower_rate_counts(tmp_path: Path, rates: tuple[int, int]) -> None:
    paths = [written(tmp_path / f"{n}.wav", 1, rate) for n, rate in enumerate(rates)]
    pair = read_pair(*paths)
    assert pair.sample_rate == 16_000
    higher = paths[rates.index(44_100)]
    assert pair.notes == (
        f"{higher} is converted from 44,100 to 16,000 Hz: what is above 8,000 Hz is not compared.",
    )
    middle = slice(1_000, 15_000)  # away from the filter's ends
    assert np.abs(pair.original[middle] - pair.other[middle]).max() < 1e-3


def test_a_result_is_compared_as_it_was_attacked(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.wav", 1, 48_000)
    clean = quantise(torch.from_numpy(load(path, 16_000))).numpy()
    delta = np.random.default_rng(0).integers(-9, 9, len(clean)).astype(np.float32) / 2**15
    save(tmp_path / "adversarial.wav", clean + delta, 16_000)
    pair = read_pair(path, tmp_path / "adversarial.wav")
    assert pair.other - pair.original == pytest.approx(delta, abs=0.51 / 2**15)


def test_what_nobody_hears_is_not_looked_at(tmp_path: Path) -> None:
    both = written(tmp_path / "a.wav", 0.5, 96_000), written(tmp_path / "b.wav", 0.5, 96_000)
    pair = read_pair(*both)
    assert (pair.sample_rate, len(pair.original), len(pair.notes)) == (48_000, 24_000, 2)


@pytest.mark.parametrize("longer", [0, 1])
def test_the_longer_one_is_cut(tmp_path: Path, longer: int) -> None:
    seconds = [0.5, 0.5]
    seconds[longer] = 0.75
    pair = read_pair(*(written(tmp_path / f"{n}.wav", seconds[n], 16_000) for n in range(2)))
    assert len(pair.original) == len(pair.other) == 8_000
    assert pair.notes == ("One is 0.250 s longer than the other: its end is left out.",)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="gone"):
        read_pair(written(tmp_path / "a.wav", 0.5, 16_000), tmp_path / "gone.wav")
