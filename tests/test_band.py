"""The band of a clip, and perturbations that keep within it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from torch import Tensor
from toy import TARGET, linear_victim, speech, toy_rooms

from mondegreen import attack
from mondegreen.audio import pcm
from mondegreen.audio.band import band_of, is_narrow, within_band
from mondegreen.audio.batch import pad, quantise
from mondegreen.errors import OptionError
from mondegreen.options import Options
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.presets import PRESETS, stages_for

RATE = 16_000
STEP = 1 / 32768
ROOMS = toy_rooms()


def narrow(clip: Tensor) -> Tensor:
    """A clip as a file of 8 kHz would have it."""
    low = soxr.resample(clip.numpy(), RATE, RATE // 2)
    return quantise(torch.from_numpy(soxr.resample(low, RATE // 2, RATE))[: len(clip)])


def tone(hz: float, seconds: float = 1.0) -> Tensor:
    t = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return 0.5 * torch.sin(2 * torch.pi * hz * t)


def power_above(sound: Tensor, hz: float) -> float:
    """The power of its parts, away from its abrupt ends, in 16-bit steps squared."""
    window = torch.hann_window(1024, dtype=torch.float64)
    parts = (sound.double() / STEP).unfold(0, 1024, 512) * window
    spectrum = torch.fft.rfft(parts).abs().square().mean(0)
    axis = torch.fft.rfftfreq(1024, 1 / RATE)
    return float(2 * spectrum[axis > hz].sum() / (1024 * window.square().sum()))


# ---- the band of a clip ----------------------------------------------------------------------


def test_a_band_ends_where_a_millionth_of_the_energy_is_left() -> None:
    loud, quiet = tone(1_000), tone(5_000)
    assert band_of(loud + 2e-3 * quiet, RATE) == pytest.approx(5_000, abs=30)  # 4e-6
    assert band_of(loud + 5e-4 * quiet, RATE) == pytest.approx(1_000, abs=30)  # 2.5e-7


def test_what_was_recorded_at_8_khz_is_narrow(clips: list[tuple[str, Path, str, str]]) -> None:
    for _, path, _, _ in clips:
        clip = torch.from_numpy(pcm.load(path, RATE))
        assert not is_narrow(band_of(clip, RATE), RATE)
        assert 3_500 < band_of(narrow(clip), RATE) < 4_000
        assert is_narrow(band_of(narrow(clip), RATE), RATE)


def test_noise_has_all_frequencies() -> None:
    assert band_of(torch.randn(RATE, generator=torch.Generator().manual_seed(0)), RATE) == 8_000


# ---- keeping within it -----------------------------------------------------------------------


def test_what_is_below_stays_and_what_is_above_goes() -> None:
    sounds = torch.stack([tone(2_000) + tone(5_000)] * 2)
    found = within_band(sounds, torch.tensor([4_000.0, 8_000.0]), RATE)
    inside = slice(1_000, -1_000)  # away from the edges, where a tone is no tone
    torch.testing.assert_close(found[0][inside], tone(2_000)[inside], rtol=0, atol=1e-3)
    torch.testing.assert_close(found[1], sounds[1], rtol=0, atol=1e-12)


def test_a_band_is_kept_without_delay() -> None:
    pulse = torch.zeros(1, 2_001, dtype=torch.float64)
    pulse[0, 1_000] = 1
    (found,) = within_band(pulse, torch.tensor([4_000.0]), RATE)
    assert int(found.argmax()) == 1_000
    torch.testing.assert_close(found, found.flip(0), rtol=0, atol=1e-12)


ATTACKS = [
    *(
        Options(method=method, preset=preset, band="keep")
        for method, presets in PRESETS.items()
        for preset in presets
        if method != "untargeted"  # whose stages are those of imperceptible, or the last here
    ),
    Options(under_threshold=6.0, band="keep"),
    Options(method="untargeted", snr=2.0, band="keep"),
]


def test_every_stage_of_every_attack_keeps_it() -> None:
    for options in ATTACKS:
        assert all(stage.in_band for stage in stages_for(options))


@pytest.mark.parametrize("options", [each for each in ATTACKS if each.preset == "fast"], ids=str)
def test_every_attack_keeps_it_to_the_noise_of_rounding(options: Options) -> None:
    stages = stages_for(options, (ROOMS,) if options.in_rooms else ())
    victim, seen = linear_victim(bias=5.0), [narrow(speech(1)), speech(2)]
    audio, lengths = pad(seen)
    search = Search(
        victim,
        seen,
        [victim.encode(TARGET, len(clip)) for clip in seen],
        masking_threshold(audio, lengths, RATE),
    )
    for _ in search.run([dataclasses.replace(stage, steps=15) for stage in stages]):
        pass
    clip, found = seen[0], search.trajectories[0]
    assert found.candidates
    for candidate in (found.last, *found.candidates):
        saved = quantise(clip + candidate.delta) - clip
        assert power_above(saved, 0) > 1
        assert power_above(saved, 4_000) < 2 * (1 / 12) / 2  # twice half of the rounding noise


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pcm.save(tmp_path / "a.wav", np.asarray(narrow(speech())), RATE)
    return tmp_path / "a.wav"


def test_who_leaves_a_narrow_band_is_told(path: Path) -> None:
    full, kept = (
        attack(linear_victim(), path, TARGET, max_passes=20, band=band) for band in ("full", "keep")
    )
    told = [any("own band ends at 3.7 kHz" in w for w in r.record.warnings) for r in (full, kept)]
    assert told == [True, False]
    assert power_above(torch.from_numpy(full.delta), 4_000) > 1
    assert power_above(torch.from_numpy(kept.delta), 4_000) < 1 / 12


def test_a_start_that_leaves_it_is_refused(path: Path) -> None:
    victim = linear_victim()
    start = attack(victim, path, TARGET, method="carlini-wagner", max_passes=40)
    with pytest.raises(OptionError, match="The start has the band 'full', expected 'keep'"):
        attack(victim, path, TARGET, start=start, band="keep")
