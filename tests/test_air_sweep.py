"""The sweep: its spectrum, its markers, and its parameters in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mondegreen.air.loop.deconvolve import deconvolved, harmonic_distortion
from mondegreen.air.loop.sweep import MARK, Sweep, make_sweep, read_sweep
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError, OptionError

SWEEP = Sweep(seconds=2, low=50, high=8_000, sample_rate=16_000, tail=0.5)


def test_the_frequency_rises_exponentially() -> None:
    sweep = SWEEP.sweep()
    for second in (0.5, 1.0, 1.5):
        around = sweep[round(second * 16_000) - 800 :][:1_600] * np.hanning(1_600)
        found = np.argmax(np.abs(np.fft.rfft(around, 2**16))) * 16_000 / 2**16
        assert found == pytest.approx(50 * 160 ** (second / 2), rel=0.03)


def test_it_is_as_loud_as_asked_and_silent_where_it_says() -> None:
    signal = SWEEP.signal()
    assert np.abs(signal).max() == pytest.approx(10 ** (-6 / 20), rel=1e-3)
    silences = [(0, SWEEP.first), (SWEEP.first + 4_000, SWEEP.begin), (SWEEP.end, SWEEP.last)]
    assert all(not signal[begin:end].any() for begin, end in silences)
    markers = [signal[at : at + 4_000] for at in (SWEEP.first, SWEEP.last)]
    assert np.array_equal(*markers)
    assert markers[0].any()
    assert len(signal) - SWEEP.last == 4_000 + 8_000


def test_a_sweep_undone_is_a_pulse_that_is_even_in_the_band() -> None:
    response = deconvolved(np.pad(SWEEP.sweep(), (0, 8_000)), SWEEP)
    assert np.argmax(response) == 32_000
    size = np.abs(np.fft.rfft(response))
    f = np.fft.rfftfreq(len(response), 1 / 16_000)
    inside = 20 * np.log10(size[(f > 100) & (f < 6_500)])
    assert np.abs(inside).max() < 0.1
    assert size[f < 40].max() < 0.1


@pytest.mark.parametrize(("bend", "thd"), [(0.02, 0.01), (0.2, 0.1)])
def test_harmonic_distortion_of_a_known_curve(bend: float, thd: float) -> None:
    """2 sin²φ = 1 - cos 2φ: x + bend x² has an octave of half the size."""
    sweep = Sweep(seconds=2, low=50, high=3_900, sample_rate=16_000, tail=0.5, level=0)
    played = sweep.sweep()
    response = deconvolved(np.pad(played + bend * played**2, (0, 8_000)), sweep)
    assert harmonic_distortion(response, 32_000, sweep) == pytest.approx(thd, rel=0.1)


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    SWEEP.save(tmp_path / "sweep.wav")
    assert read_sweep(tmp_path / "sweep.wav") == SWEEP


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        (None, "no parameters"),
        ("mondegreen", "no parameters"),
        (MARK + "{}", "changed"),
        (MARK + '{"seconds": 1e9}', "damaged"),
        (MARK + "nonsense", "damaged"),
        (MARK + " " * 2_000 + "{}", "no parameters"),
    ],
)
def test_other_files_are_no_sweeps(comment: str | None, why: str, tmp_path: Path) -> None:
    save(tmp_path / "a.wav", np.ones(1_000) / 2, 48_000, comment=comment)
    with pytest.raises(AudioError, match=why):
        read_sweep(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "wrong",
    [{"seconds": 0.1}, {"level": 1.0}, {"high": 30_000.0}, {"low": 10_000.0}, {"tail": 60.0}],
)
def test_a_sweep_that_cannot_be_made_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="cannot be made"):
        make_sweep(**wrong)
