from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from mondegreen.audio import pcm as audio
from mondegreen.errors import AudioError, OptionError
from mondegreen.measures import quality as metrics
from mondegreen.measures import ratings

RATE = 16_000
QUIET_1KHZ_DB = 3.369067  # eq. (3) at 1 kHz, from the reference vectors


def tone(hz: float, peak: float, seconds: float = 1.0) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def with_noise(clip: np.ndarray, rms: float) -> np.ndarray:
    return clip + np.random.default_rng(0).normal(0, rms, len(clip)).astype(np.float32)


@pytest.fixture(scope="module")
def speech(beckett: Path) -> np.ndarray:
    return audio.load(beckett, RATE)[: 4 * RATE]


# ---- level -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [7, -9])
def test_max_abs_is_in_16_bit_steps(speech: np.ndarray, steps: int) -> None:
    changed = speech.copy()
    changed[[100, 200]] += np.float32([steps / 32768, -3 / 32768])
    assert metrics.max_abs(speech, changed) == abs(steps)


@pytest.mark.parametrize("db", [-3, 0, 20, 70])
def test_snr_of_a_scaled_copy(speech: np.ndarray, db: float) -> None:
    clean = speech.astype(np.float64)
    assert metrics.snr_db(clean, clean * (1 + 10 ** (-db / 20))) == pytest.approx(db, abs=1e-9)


def test_snr_of_no_change_or_no_signal_is_undefined(speech: np.ndarray) -> None:
    assert metrics.snr_db(speech, speech) is None
    assert metrics.snr_db(np.zeros_like(speech), speech) is None


# ---- masking ---------------------------------------------------------------------------------


def quiet_db(hz: float) -> float:
    """Eq. (3)."""
    khz = hz / 1000
    return 3.64 * khz**-0.8 - 6.5 * math.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4


def test_excess_of_a_tone_over_silence() -> None:
    # A tone on bin 128 has power (A/4)^2 there, a quarter of it in the bins beside, none elsewhere.
    # Without a clip, full scale is at 96 dB and theta is the threshold in quiet.
    peak = 1e-3
    excess = metrics.masking_excess(np.zeros(RATE), tone(1000, peak), RATE)
    level_db = 96 + 20 * math.log10(peak / 4)
    levels = {
        hz: level_db - 10 * math.log10(share)
        for hz, share in ((992.1875, 4), (1000, 1), (1007.8125, 4))
    }
    above = [level - quiet_db(hz) for hz, level in levels.items()]
    loss = sum(10 ** (db / 10) - 10 ** (quiet_db(hz) / 10) for hz, db in levels.items()) / 1025
    assert excess.max_excess_db == pytest.approx(level_db - QUIET_1KHZ_DB, abs=1e-5)
    assert excess.mean_excess_db == pytest.approx(sum(above) / 3, abs=1e-6)
    assert excess.share_above == pytest.approx(3 / 1022, rel=1e-12)  # bins 3 to 1024: from 20 Hz
    assert excess.loss == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(("place", "offset"), [(3, 1027), (RATE - 1, 1151)])
def test_a_click_at_the_edge_is_seen_by_the_frames_over_it_alone(place: int, offset: int) -> None:
    """A click is as loud in a bin as the window is at its place: `offset` in the best of frames.

    The frames within a second of sound end 128 samples before it, and begin at its first.
    """

    def click(at: int) -> metrics.MaskingExcess:
        sound = np.zeros(RATE)
        sound[at] = 0.5
        return metrics.masking_excess(np.zeros(RATE), sound, RATE)

    middle, edge = click(7 * 512 + 1024), click(place)  # the former at the top of a window
    window_db = 20 * math.log10(math.sin(math.pi * offset / 2048) ** 2)
    assert middle.edges_db == 0
    assert edge.max_excess_db == 0
    assert edge.loss < 1e-9
    assert edge.edges_db == pytest.approx(middle.max_excess_db + window_db, abs=1e-6)
    assert edge.edges_db > 20


def test_no_change_has_no_excess(speech: np.ndarray) -> None:
    expected = metrics.MaskingExcess("paper", 0, 0, 0, 0, 0)
    assert metrics.masking_excess(speech, speech, RATE) == expected


def test_a_change_ten_times_as_large_is_20_db_up(speech: np.ndarray) -> None:
    clean = speech.astype(np.float64)
    delta = np.random.default_rng(0).normal(0, 1e-3, len(clean))
    small = metrics.masking_excess(clean, clean + delta, RATE)
    large = metrics.masking_excess(clean, clean + 10 * delta, RATE)
    assert large.max_excess_db - small.max_excess_db == pytest.approx(20, abs=1e-6)
    assert large.share_above > small.share_above > 0
    assert large.mean_excess_db > small.mean_excess_db > 0


def test_the_threshold_is_of_the_clean_clip(speech: np.ndarray) -> None:
    # Were it of the changed clip, the change would hide itself.
    forth = metrics.masking_excess(speech, with_noise(speech, 0.05), RATE)
    back = metrics.masking_excess(with_noise(speech, 0.05), speech, RATE)
    assert forth.mean_excess_db > 20 + back.mean_excess_db


def test_profiles_differ_and_are_named(speech: np.ndarray) -> None:
    paper = metrics.masking_excess(speech, with_noise(speech, 1e-3), RATE)
    authors = metrics.masking_excess(speech, with_noise(speech, 1e-3), RATE, "authors")
    assert (paper.profile, authors.profile) == ("paper", "authors")
    assert authors.loss != pytest.approx(paper.loss, rel=0.1)
    with pytest.raises(OptionError, match="nobody"):
        metrics.masking_excess(speech, speech, RATE, "nobody")


def test_loss_of_the_reference_tone(clips: list[tuple[str, Path, str, str]], vectors: Path) -> None:
    for name, path, _, _ in clips:
        clean = audio.load(path, RATE).astype(np.float64)
        seconds = len(clean) / RATE
        changed = clean + tone(1000, 100 / 32768, seconds)[: len(clean)]
        with np.load(vectors / f"{name}.npz") as reference:
            expected = float(reference["l_tone"])
        loss = metrics.masking_excess(clean, changed, RATE).loss
        assert loss == pytest.approx(expected, rel=1e-6)


# ---- all of them -----------------------------------------------------------------------------


def test_measure_takes_each_of_them(speech: np.ndarray) -> None:
    pytest.importorskip("pesq")
    pytest.importorskip("pesqc2")
    noisy = with_noise(speech, 1e-3)
    near = ratings.zimtohrli(speech, noisy, RATE)
    assert metrics.measure(speech, noisy, RATE, "authors") == metrics.Quality(
        max_abs=metrics.max_abs(speech, noisy),
        snr_db=metrics.snr_db(speech, noisy),
        masking=metrics.masking_excess(speech, noisy, RATE, "authors"),
        temporal=metrics.masking_excess(speech, noisy, RATE, "temporal"),
        pesq=ratings.pesq(speech, noisy, RATE),
        stoi=ratings.stoi(speech, noisy, RATE),
        pesq_c2=ratings.pesq_c2(speech, noisy, RATE),
        zimtohrli=near.distance,
        zimtohrli_mos=near.mos,
    )


@pytest.mark.parametrize("samples", [1_600, 5_000, 4 * RATE])
@pytest.mark.parametrize("rms", [0, 1e-3])
def test_every_result_is_json(speech: np.ndarray, samples: int, rms: float) -> None:
    clean = speech[:samples]
    changed = with_noise(clean, rms) if rms else clean
    record = asdict(metrics.measure(clean, changed, RATE))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("shape", [(RATE - 1,), (1, RATE), (0,)])
def test_clips_that_do_not_belong_together(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match="expected two of the same length"):
        metrics.measure(np.zeros(RATE), np.zeros(shape), RATE)
