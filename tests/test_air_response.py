"""A room measured by a simulated sound card: all that went in must come out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sound_card import Card, Sound, decaying, through

from mondegreen.air.loop.recorded import Recorded, read_recorded
from mondegreen.air.loop.response import Response, measure_response
from mondegreen.air.loop.sweep import Sweep
from mondegreen.air.rooms.acoustics import first_arrival
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError

RATE = 16_000
SWEEP = Sweep(seconds=3, low=50, high=8_000, sample_rate=RATE, tail=0.6)
ROOM = through(0.5, RATE)
CARD = Card(path=ROOM, gain=0.4, snr_db=20, latency=1_000)


def recorded(card: Card, sweep: Sweep = SWEEP) -> Recorded:
    return Recorded("take.wav", card.recorded(sweep.signal(), extra=1_000), sweep.sample_rate, 0)


def measured(*cards: Card) -> Response:
    return measure_response([recorded(card) for card in cards], SWEEP)


def third_octaves(response: Sound) -> Sound:
    """Power in dB from 100 Hz to 6.3 kHz, over its mean."""
    power = np.square(np.abs(np.fft.rfft(response, 2**15)))
    f = np.fft.rfftfreq(2**15, 1 / RATE)
    middles = 100 * 2 ** (np.arange(19) / 3)
    bands = [power[(f > m / 2 ** (1 / 6)) & (f < m * 2 ** (1 / 6))].mean() for m in middles]
    return 10 * np.log10(bands) - np.mean(10 * np.log10(bands))


@pytest.mark.parametrize(
    ("ppm", "latency"), [(0, 0.0), (100, 16_000.0), (-100, 4_321.5), (37, 777.7)]
)
def test_the_response_the_clock_and_the_moment_are_recovered(ppm: float, latency: float) -> None:
    found = measured(replace(CARD, drift=ppm * 1e-6, latency=latency))
    assert np.abs(third_octaves(found.audio) - third_octaves(ROOM)).max() < 1
    (take,) = found.takes
    assert take.drift_ppm == pytest.approx(ppm, abs=2)
    direct = first_arrival(ROOM, RATE)
    assert take.offset * RATE == pytest.approx(latency + direct, abs=1)
    assert take.snr_db == pytest.approx(20, abs=4)  # white noise: less of it is in the band
    assert found.rt60 == pytest.approx(0.3, rel=0.1)
    assert found.range_db > 45


def test_takes_of_one_place_are_averaged_and_others_are_told() -> None:
    same = [
        recorded(replace(CARD, seed=seed, drift=seed * 2e-5, latency=500.3 * seed))
        for seed in (1, 2)
    ]
    alone, both = (measure_response(takes, SWEEP) for takes in (same[:1], same))
    assert len(both.takes) == 2
    assert both.range_db > alone.range_db + 1.5  # half of the noise power
    assert both.warnings == []
    elsewhere = replace(CARD, path=through(0.5, RATE, seed=9, rt60=0.6))
    warnings = measure_response([same[0], recorded(elsewhere)], SWEEP).warnings
    assert "something moved" in warnings[0]


def test_a_loudspeaker_that_bends_is_told() -> None:
    card = replace(CARD, snr_db=60.0, overdrive=0.4)
    (take,) = measured(card).takes
    assert take.distortion is not None
    assert 0.03 < take.distortion < 0.2  # 0.4 × 0.5 / 2 at full band: 10 %, by the device's curve
    (clean,) = measured(replace(CARD, snr_db=20.0)).takes
    assert clean.distortion is None


def speech_like(length: int) -> Sound:
    rng = np.random.default_rng(5)
    return 0.1 * np.convolve(rng.normal(size=length), np.ones(20) / 20, "same")


SOUND = CARD.recorded(SWEEP.signal(), extra=1_000)
SPOILT = {
    "without the sweep": (speech_like(len(SOUND)), RATE, "not found"),
    "a tone": (np.sin(np.arange(len(SOUND)) * 0.3), RATE, "not found"),
    "too short": (SOUND[:20_000], RATE, "takes 4.5 s"),
    "its end is missing": (SOUND[:-20_000][: SWEEP.last], RATE, "not found"),
    "another sweep": (
        CARD.recorded(SWEEP.model_copy(update={"seconds": 2.5}).signal(), extra=20_000),
        RATE,
        "not found",
    ),
    "another rate": (SOUND, 48_000, "is of 48,000 Hz"),
    "too quiet": (replace(CARD, snr_db=-25.0).recorded(SWEEP.signal()), RATE, "quiet|not found"),
    "a hall": (
        replace(CARD, path=decaying(1.5, RATE, rt60=3.0)).recorded(SWEEP.signal()),
        RATE,
        "longer than 0.6 s",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_measured_is_refused(name: str) -> None:
    audio, rate, why = SPOILT[name]
    with pytest.raises(AudioError, match=why):
        measure_response([Recorded("take.wav", audio, rate, 0)], SWEEP)


def test_recordings_are_read_with_their_faults(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    save(path, 4 * SOUND, RATE)
    with pytest.raises(AudioError, match="is clipped"):
        read_recorded(path)
    save(path, np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match="is silent"):
        read_recorded(path)
    save(path, np.append(0.5 * SOUND / np.abs(SOUND).max(), [1.0] * 4), RATE)
    assert read_recorded(path).clipped == 4
