"""The masking threshold against closed forms, a literal twin, stored vectors and its invariants."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import literal_threshold as literal
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mondegreen.errors import AudioError, OptionError
from mondegreen.psychoacoustics.excess import guarded, masking_loss, normalised_power
from mondegreen.psychoacoustics.maskers import local_maxima, loudest_nearby, smoothed
from mondegreen.psychoacoustics.profiles import PROFILES
from mondegreen.psychoacoustics.spectrum import (
    absolute_threshold_of_hearing,
    bark,
    bin_frequencies,
    frame_size,
    from_decibels,
    power_spectrum,
)
from mondegreen.psychoacoustics.threshold import (
    FRAMES_AT_ONCE,
    MaskingThreshold,
    global_threshold,
    individual_threshold,
    masking_threshold,
    spread,
)

RATE = 16_000
SIXTEEN_BIT = 32768.0
IN_FREQUENCY = ("paper", "authors")  # the profiles in which a frame masks itself alone
SHARED = Path(__file__).parents[2] / "shared"
VECTORS = Path(os.environ.get("MONDEGREEN_VECTORS", SHARED / "vectors"))
LIBRISPEECH = Path(os.environ.get("MONDEGREEN_LIBRISPEECH", SHARED / "data" / "librispeech"))
CLIPS = (
    "3575-170457-0013",
    "2961-960-0020",
    "8224-274381-0007",
    "61-70968-0011",
    "5142-36377-0007",
)


def f64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def decibels(power: Tensor) -> Tensor:
    return 10 * power.double().log10()


def frame_of(levels: dict[int, float], *, rest: float = -200.0) -> Tensor:
    """One normalised frame at 16 kHz and a window of 2048, from levels in dB."""
    frame = torch.full((1, 1025), rest, dtype=torch.float64)
    for k, level in levels.items():
        frame[0, k] = level
    return from_decibels(frame)


def noise(seed: int, *shape: int, scale: float = 0.1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def tone(hz: float, samples: int, amplitude: float, rate: int = RATE) -> Tensor:
    n = torch.arange(samples, dtype=torch.float64)
    return amplitude * torch.sin(2 * torch.pi * hz * n / rate)[None]


def small(audio: Tensor, lengths: Tensor | None = None, profile: str = "paper") -> MaskingThreshold:
    """A threshold on a short window, for properties that hold for any."""
    return masking_threshold(audio, lengths, RATE, profile, window=256, hop=64)


# ---- closed forms ---------------------------------------------------------------------------


def test_bark_has_its_square_inside_the_arctangent() -> None:
    expected = f64(0.986727, 4.736467, 8.510532, 17.258917, 21.275321)
    torch.testing.assert_close(bark(f64(100, 500, 1000, 4000, 8000)), expected, atol=1e-6, rtol=0)


def test_threshold_in_quiet_at_known_frequencies() -> None:
    expected = f64(83.219298, 22.952896, 3.369067, -4.980885, 4.785640)
    got = absolute_threshold_of_hearing(f64(20, 100, 1000, 3300, 8000))
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_threshold_in_quiet_is_lowest_near_3324_hz() -> None:
    hz = torch.arange(20, 20_000, 0.5, dtype=torch.float64)
    lowest, at = absolute_threshold_of_hearing(hz).min(0)
    assert float(hz[at]) == 3324
    assert float(lowest) == pytest.approx(-4.9832, abs=1e-4)


@pytest.mark.parametrize(
    ("level", "distance", "expected"),
    [
        (60, -1, -27),
        (60, 0, 0),
        (60, 1, -19.6),
        (40, -1, -27),
        (40, 1, -27),
        (12, 1, -27),
        (96, 1, -6.28),
    ],
)
def test_spread_has_two_slopes(level: float, distance: float, expected: float) -> None:
    assert float(spread(f64(level), f64(distance))) == pytest.approx(expected, abs=1e-12)


def test_masker_sets_its_own_threshold_below_its_level() -> None:
    at_1_khz = bark(f64(1000))
    threshold = individual_threshold(f64(60), at_1_khz, at_1_khz)
    assert float(threshold) == pytest.approx(51.634604, abs=1e-6)


def test_threshold_of_one_masker() -> None:
    theta, n_maskers = global_threshold(frame_of({128: 96}), RATE)
    got = decibels(theta[0])
    bins = [3, 13, 64, 100, 127, 128, 129, 256, 512, 1024]
    expected = f64(
        *(73.3012, 22.6697, 6.3169, 46.9456, 86.2836),
        *(87.6346, 87.3221, 58.7873, 32.6958, 9.3434),
    )
    assert n_maskers.tolist() == [1]
    torch.testing.assert_close(got[bins], expected, atol=6e-5, rtol=0)
    assert float(got[3:].mean()) == pytest.approx(33.0234, abs=6e-5)


def test_threshold_of_a_real_tone() -> None:
    threshold = masking_threshold(tone(1000, 4096, 10_000 / SIXTEEN_BIT), None, RATE)
    assert float(threshold.psd_max) * SIXTEEN_BIT**2 == pytest.approx(6.25e6, rel=1e-9)
    assert threshold.n_maskers.tolist() == [[1] * 5]
    got = decibels(threshold.theta[0, 2])
    torch.testing.assert_close(got[[128, 256]], f64(89.3955, 63.5410), atol=6e-5, rtol=0)
    assert float(got[3:].mean()) == pytest.approx(39.4401, abs=6e-5)


def test_a_plateau_makes_two_maskers_each_smoothed_over_both() -> None:
    frame = frame_of({128: 80, 129: 80})
    _, n_maskers = global_threshold(frame, RATE)
    assert n_maskers.tolist() == [2]
    levels = decibels(smoothed(frame))[0, [128, 129]]
    torch.testing.assert_close(levels, f64(83.0103, 83.0103), atol=6e-5, rtol=0)


def test_a_plateau_has_no_strict_maximum() -> None:
    frame = frame_of({128: 80, 129: 80})
    assert local_maxima(frame)[0, [127, 128, 129, 130]].tolist() == [False, True, True, False]
    assert not local_maxima(frame, strict=True)[0, 126:132].any()


def test_the_ends_of_the_spectrum_are_no_maxima() -> None:
    found = local_maxima(f64(9, 1, 5, 1, 9))
    assert found.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("louder", "survives"), [(118, True), (119, False), (138, False), (139, True)]
)
def test_half_a_bark_around_1_khz_is_bins_119_to_138(louder: int, survives: bool) -> None:
    frame = frame_of({128: 80, louder: 81})
    highest = loudest_nearby(frame, bark(bin_frequencies(RATE, 2048)))
    assert bool(highest[0, 128]) is survives


@pytest.mark.parametrize("window", [64, 256, 2048])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_loudest_nearby_is_the_maximum_over_all_near_bins(rate: int, window: int) -> None:
    barks = bark(bin_frequencies(rate, window))
    power = noise(3, 5, len(barks)).square()
    near = (barks[:, None] - barks).abs() < 0.5
    highest = torch.where(near, power[:, None, :], 0).amax(-1)
    assert torch.equal(loudest_nearby(power, barks), power >= highest)


@pytest.mark.parametrize(("profile", "kept"), [("paper", [128]), ("authors", [128, 140])])
def test_profiles_select_differently_among_close_maskers(profile: str, kept: list[int]) -> None:
    theta, n_maskers = global_threshold(frame_of({128: 80, 134: 75, 140: 70}), RATE, profile)
    assert n_maskers.tolist() == [len(kept)]
    levels = f64(*({128: 80, 134: 75, 140: 70}[k] for k in kept))
    hz = bin_frequencies(RATE, 2048)
    thresholds = individual_threshold(levels[:, None], bark(hz)[kept][:, None], bark(hz))
    quiet = from_decibels(absolute_threshold_of_hearing(hz) + PROFILES[profile].ath_offset_db)
    expected = quiet + from_decibels(thresholds).sum(0)
    torch.testing.assert_close(theta[0, 14:], expected[14:], rtol=1e-9, atol=0)


def test_authors_never_test_a_lone_masker_against_quiet() -> None:
    faint = frame_of({512: -60})
    assert global_threshold(faint, RATE, "paper")[1].tolist() == [0]
    assert global_threshold(faint, RATE, "authors")[1].tolist() == [1]


def test_authors_keep_a_faint_masker_that_is_far_from_the_next() -> None:
    frame = frame_of({128: -60, 600: 0})
    assert global_threshold(frame, RATE, "authors")[1].tolist() == [2]


@pytest.mark.parametrize(
    ("levels", "kept"),
    [
        ({128: -40, 134: -30, 600: 0}, 600),
        ({128: -40, 134: 0, 600: -30}, 134),
        ({128: -40, 134: -50}, 134),
    ],
)
def test_authors_compare_the_next_pair_at_any_distance_after_a_faint_one(
    levels: dict[int, float], kept: int
) -> None:
    # 128 is below quiet and close to 134, so it goes, even if louder; 134 then meets 600, however
    # far, and one of the two goes.
    theta, n_maskers = global_threshold(frame_of(levels), RATE, "authors")
    lone, _ = global_threshold(frame_of({kept: levels[kept]}), RATE, "authors")
    assert n_maskers.tolist() == [1]
    torch.testing.assert_close(theta, lone, rtol=1e-9, atol=1e-30)


def test_threshold_in_quiet_starts_at_20_hz_or_above_1_bark() -> None:
    silence = torch.zeros(1, 1025, dtype=torch.float64)
    quiet = absolute_threshold_of_hearing(bin_frequencies(RATE, 2048))
    paper, authors = (global_threshold(silence, RATE, name)[0][0] for name in IN_FREQUENCY)
    assert paper[:3].tolist() == [0, 0, 0]
    torch.testing.assert_close(decibels(paper[3:]), quiet[3:], rtol=0, atol=1e-9)
    assert authors[:13].tolist() == [0] * 13  # bin 13 lies at 101.56 Hz, 0.9996 Bark
    torch.testing.assert_close(decibels(authors[14:]), quiet[14:] - 12, rtol=0, atol=1e-9)


def test_threshold_in_quiet_ends_at_20_khz() -> None:
    silence = torch.zeros(1, 1025, dtype=torch.float64)
    theta, _ = global_threshold(silence, 48_000)
    hz = bin_frequencies(48_000, 2048)
    assert torch.equal(theta[0] > 0, (hz >= 20) & (hz <= 20_000))


def test_profiles_differ_in_window_gain_only_as_documented() -> None:
    hann = torch.hann_window(2048, dtype=torch.float64)
    assert float(hann.square().mean()) == pytest.approx(0.375, abs=1e-12)
    audio, delta = noise(1, 1, 4096), noise(2, 1, 4096)
    paper, authors = (masking_threshold(audio, None, RATE, name) for name in IN_FREQUENCY)
    torch.testing.assert_close(authors.psd_max, paper.psd_max * 8 / 3)
    louder = normalised_power(delta, authors) / normalised_power(delta, paper)
    torch.testing.assert_close(louder, torch.full_like(louder, 8 / 3))  # 64/9 over the clip's 8/3


def test_power_spectrum_of_a_tone_between_its_neighbours() -> None:
    power = power_spectrum(tone(1000, 2048, 0.8), 2048, 512)[0, 0]
    expected = 0.8**2 / 16 * f64(0.25, 1, 0.25)
    torch.testing.assert_close(power[127:130], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("samples", "frames"), [(2048, 1), (2559, 1), (2560, 2), (16_000, 28)])
def test_frames_are_whole_and_not_centred(samples: int, frames: int) -> None:
    assert power_spectrum(torch.zeros(1, samples), 2048, 512).shape == (1, frames, 1025)


# ---- silence and very short clips -----------------------------------------------------------


def test_a_clip_shorter_than_a_window_is_one_zero_padded_frame() -> None:
    audio = noise(4, 1, 1000)
    padded = torch.nn.functional.pad(audio, (0, 1048))
    short, full = (masking_threshold(a, None, RATE) for a in (audio, padded))
    assert short.frames.tolist() == [1]
    torch.testing.assert_close(short.theta, full.theta)
    delta = noise(5, 1, 1000)
    same = torch.nn.functional.pad(delta, (0, 1048), value=7.0)  # what lies past the end is ignored
    torch.testing.assert_close(masking_loss(delta, short), masking_loss(same, short))


@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_silent_clip_has_the_threshold_in_quiet_and_a_finite_loss(profile: str) -> None:
    silence = torch.zeros(1, 4096, dtype=torch.float64)
    threshold = masking_threshold(silence, None, RATE, profile)
    quiet, _ = global_threshold(torch.zeros(1, 1025, dtype=torch.float64), RATE, profile)
    assert threshold.psd_max.tolist() == [0]
    assert not threshold.n_maskers.any()
    assert torch.equal(threshold.theta[0], quiet.expand(5, -1))
    assert masking_loss(silence, threshold).tolist() == [0]
    full_scale = torch.full((1, 4096), 1.0, dtype=torch.float64)  # 96 dB less Hann's 6.02 at 0 Hz
    at_0_hz = normalised_power(full_scale, threshold)[0, :, 0] / PROFILES[profile].delta_gain
    torch.testing.assert_close(decibels(at_0_hz), torch.full_like(at_0_hz, 89.9794))


@pytest.mark.parametrize("profile", IN_FREQUENCY)
def test_silent_frames_hold_the_threshold_in_quiet_alone(profile: str) -> None:
    audio = torch.cat([noise(6, 1, 4096), torch.zeros(1, 4096, dtype=torch.float64)], dim=1)
    threshold = masking_threshold(audio, None, RATE, profile)
    quiet, _ = global_threshold(torch.zeros(1, 1025, dtype=torch.float64), RATE, profile)
    assert torch.equal(threshold.theta[0, 8:], quiet.expand(5, -1))
    assert bool((threshold.n_maskers[0, :8] > 0).all())
    assert not threshold.n_maskers[0, 8:].any()


def test_more_frames_than_are_worked_on_at_once() -> None:
    audio = noise(7, 1, 256 + 64 * (2 * FRAMES_AT_ONCE + 5))
    whole = small(audio)
    # One frame alone, normalised by the whole clip's maximum, is what the whole says of it.
    for t in (0, FRAMES_AT_ONCE, 2 * FRAMES_AT_ONCE + 4):
        power = (
            power_spectrum(audio[:, t * 64 : t * 64 + 256], 256, 64)[0] / whole.psd_max * 10**9.6
        )
        torch.testing.assert_close(whole.theta[0, t : t + 1], global_threshold(power, RATE)[0])


# ---- the literal twin -----------------------------------------------------------------------


def test_twin_says_what_closed_forms_say() -> None:
    levels = [-200.0] * 1025
    levels[128] = 96.0
    theta, count = literal.frame_threshold(levels, RATE, 2048)
    assert count == 1
    assert 10 * np.log10(theta[129]) == pytest.approx(87.3221, abs=6e-5)


@pytest.mark.parametrize(
    ("rate", "window", "hop"),
    [(16_000, 256, 64), (8_000, 200, 80), (44_100, 512, 512), (48_000, 256, 300)],
)
@pytest.mark.parametrize("kind", ["noise", "tones", "speech-like"])
def test_threshold_and_loss_equal_the_literal_twin(
    rate: int, window: int, hop: int, kind: str
) -> None:
    samples = 6 * window + 17
    audio = noise(8, 1, samples)
    if kind == "tones":
        audio = sum((tone(hz, samples, 0.2, rate) for hz in (440.0, 1333.3, 3001.0)), 1e-5 * audio)
    if kind == "speech-like":
        audio = audio.cumsum(1) * tone(3.0, samples, 0.5, rate)
    delta = noise(9, 1, samples, scale=0.01)
    got = masking_threshold(audio, None, rate, window=window, hop=hop)
    theta, counts, psd_max = literal.clip_threshold(audio[0].numpy(), rate, window, hop)
    assert got.n_maskers[0].tolist() == counts
    assert float(got.psd_max) == pytest.approx(psd_max, rel=1e-12)
    expected = torch.from_numpy(theta)
    torch.testing.assert_close(got.theta[0], expected, rtol=1e-9, atol=1e-30)
    loss = literal.clip_loss(delta[0].numpy(), theta, psd_max, window, hop)
    bins, up_to_8_khz = window / 2 + 1, 8_000 * window / rate + 1
    expected_loss = loss * bins / up_to_8_khz
    assert float(masking_loss(delta, got)) == pytest.approx(expected_loss, rel=1e-9)


# ---- at other rates -------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 16_000, 22_050, 32_000, 44_100, 48_000])
def test_frames_last_as_long_at_any_rate(rate: int) -> None:
    window, hop = frame_size(rate)
    assert window / rate == pytest.approx(2048 / 16_000, rel=0.003)
    assert window == 4 * hop
    assert window % 16 == 0  # the norm's frames are a quarter as long, and overlap by quarters


def babble(seed: int, seconds: float, rate: int) -> Tensor:
    """A sound with nothing above 3.5 kHz, known at every moment and so at every rate. [1, T]"""
    random = np.random.default_rng(seed)
    t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    sound = torch.zeros_like(t)
    for hz, slow, one, other in random.uniform((60, 0.3, 0, 0), (3500, 3, 6.3, 6.3), (300, 4)):
        envelope = (2 * math.pi * slow * t + one).sin().clamp(min=0)
        sound += envelope * (2 * math.pi * hz * t + other).sin() / hz
    return sound[None]


@pytest.mark.parametrize("rate", [8_000, 32_000, 48_000])
@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_sound_masks_alike_at_any_rate(rate: int, profile: str) -> None:
    at, as_in_the_paper = (
        masking_threshold(babble(0, 1.0, of), None, of, profile) for of in (rate, RATE)
    )
    low = slice(3, round(3_600 / 7.8125))
    assert at.theta.shape[1] == as_in_the_paper.theta.shape[1]
    apart = decibels(at.theta[..., low]) - decibels(as_in_the_paper.theta[..., low])
    assert float(apart.abs().max()) < 0.1
    losses = [
        float(masking_loss(0.3 * babble(1, 1.0, of), threshold))
        for of, threshold in ((rate, at), (RATE, as_in_the_paper))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


# ---- stored vectors of real clips -----------------------------------------------------------


def clip_and_vectors(name: str, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    wav, stored = LIBRISPEECH / f"{name}.wav", VECTORS / f"{name}.npz"
    if not (wav.exists() and stored.exists()):
        pytest.skip("the LibriSpeech clips and their vectors are not beside the checkout")
    samples, rate = soundfile.read(wav, dtype="int16")
    assert rate == RATE
    audio = torch.from_numpy(samples.astype(np.float64) / SIXTEEN_BIT).to(dtype)
    with np.load(stored) as arrays:
        return audio[None], {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays}


def reference_tone(audio: Tensor) -> Tensor:
    return tone(1000, audio.shape[1], 100 / SIXTEEN_BIT).to(audio.dtype)


def assert_close(got: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got.double(), expected.double(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", CLIPS)
def test_paper_profile_gives_the_stored_vectors(name: str) -> None:
    audio, stored = clip_and_vectors(name, torch.float64)
    threshold = masking_threshold(audio, None, RATE)
    theta_db = decibels(threshold.theta[0])
    assert torch.equal(threshold.n_maskers[0], stored["n_maskers"].long())
    assert float(threshold.psd_max) * SIXTEEN_BIT**2 == pytest.approx(
        float(stored["psd_max"]), 1e-9
    )
    assert_close(theta_db[:, 3:].mean(-1), stored["mean_db"], 1e-6)
    assert_close(theta_db[:, 3:].amin(-1), stored["min_db"], 1e-6)
    assert_close(theta_db[:, 3:].amax(-1), stored["max_db"], 1e-6)
    assert_close(theta_db[:, stored["at_bins"]], stored["db_at_bins"], 1e-6)
    # These were stored in single precision.
    every_50 = theta_db[stored["frames_every50"], 3:]
    assert_close(every_50, stored["theta_db_every50"][:, 3:], 1e-5)
    if "theta_db_full" in stored:
        assert_close(theta_db[:, 3:], stored["theta_db_full"][:, 3:], 1e-5)
    loss = masking_loss(reference_tone(audio), threshold)
    assert float(loss) == pytest.approx(float(stored["l_tone"]), rel=1e-7)


@pytest.mark.parametrize("name", CLIPS)
def test_authors_profile_gives_the_stored_vectors(name: str) -> None:
    audio, stored = clip_and_vectors(name, torch.float64)
    threshold = masking_threshold(audio, None, RATE, "authors")
    psd_max = float(threshold.psd_max) * SIXTEEN_BIT**2
    assert torch.equal(threshold.n_maskers[0], stored["n_maskers_authors"].long())
    assert psd_max == pytest.approx(float(stored["psd_max_authors"]), 1e-9)
    mean_db = decibels(threshold.theta[0])[:, 14:].mean(-1)
    assert_close(mean_db, stored["mean_db_authors"], 1e-6)
    loss = masking_loss(reference_tone(audio), threshold)
    assert float(loss) == pytest.approx(float(stored["l_tone_authors"]), rel=1e-7)


@pytest.mark.parametrize("name", CLIPS)
def test_single_precision_stays_within_a_thousandth_of_a_decibel(name: str) -> None:
    audio, stored = clip_and_vectors(name, torch.float32)
    threshold = masking_threshold(audio, None, RATE)
    assert threshold.theta.dtype == torch.float32
    same = threshold.n_maskers[0] == stored["n_maskers"]
    assert float(same.float().mean()) > 0.95
    theta_db = decibels(threshold.theta[0])[:, stored["at_bins"]]
    assert_close(theta_db[same], stored["db_at_bins"][same], 1e-3)
    loss = masking_loss(reference_tone(audio), threshold)
    assert float(loss) == pytest.approx(float(stored["l_tone"]), rel=1e-5)


# ---- invariants -----------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
profiles = st.sampled_from(sorted(PROFILES))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, exponent=st.integers(-12, 3), profile=profiles)
def test_theta_does_not_depend_on_the_scale_of_the_audio(
    seed: int, exponent: int, profile: str
) -> None:
    audio = noise(seed, 1, 900)
    one, other = small(audio, profile=profile), small(audio * 2.0**exponent, profile=profile)
    torch.testing.assert_close(one.theta, other.theta)
    torch.testing.assert_close(one.psd_max * 4.0**exponent, other.psd_max)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, lengths=st.lists(st.integers(1, 1200), min_size=2, max_size=4), profile=profiles)
def test_a_clip_in_a_batch_is_as_if_alone(seed: int, lengths: list[int], profile: str) -> None:
    # Garbage in the padding must not count either.
    audio, delta = noise(seed, 2, len(lengths), 1200)
    batch = small(audio, torch.tensor(lengths), profile)
    losses = masking_loss(delta, batch)
    for row, length in enumerate(lengths):
        alone = small(audio[row : row + 1, :length], profile=profile)
        frames = int(alone.frames)
        assert int(batch.frames[row]) == frames == 1 + max(length - 256, 0) // 64
        torch.testing.assert_close(batch.theta[row, :frames], alone.theta[0])
        torch.testing.assert_close(batch.psd_max[row], alone.psd_max[0])
        assert torch.equal(batch.n_maskers[row, :frames], alone.n_maskers[0])
        assert not batch.n_maskers[row, frames:].any()
        loss = masking_loss(delta[row : row + 1, :length], alone)
        torch.testing.assert_close(losses[row], loss[0])


@settings(max_examples=25, deadline=None)
@given(seed=seeds, profile=profiles)
def test_theta_is_never_below_the_threshold_in_quiet(seed: int, profile: str) -> None:
    silence = torch.zeros(1, 129, dtype=torch.float64)
    quiet, _ = global_threshold(silence, RATE, profile)
    assert bool((small(noise(seed, 1, 900), profile=profile).theta >= quiet).all())


@settings(max_examples=25, deadline=None)
@given(seed=seeds, factor=st.floats(1.01, 100))
def test_a_louder_perturbation_never_costs_less(seed: int, factor: float) -> None:
    audio, delta = noise(seed, 2, 1, 900)
    threshold = small(audio)
    quiet_loss = masking_loss(1e-3 * delta, threshold)
    assert bool((masking_loss(1e-3 * factor * delta, threshold) >= quiet_loss).all())


@settings(max_examples=25, deadline=None)
@given(level=st.floats(-50, 96), near=st.floats(0.001, 5), further=st.floats(0.001, 5))
def test_masking_falls_with_distance_on_both_sides(
    level: float, near: float, further: float
) -> None:
    for side in (-1, 1):
        close, far = spread(f64(level), side * f64(near, near + further))
        assert 0 > close > far


def test_perturbation_under_the_threshold_costs_nothing() -> None:
    audio = noise(10, 2, 900)
    threshold = small(audio)
    delta = 1e-9 * audio
    # At 0 Hz too, which has no threshold in quiet, for maskers reach it.
    assert bool((normalised_power(delta, threshold) <= threshold.theta).all())
    loss = masking_loss(delta, threshold)
    assert loss.tolist() == [0, 0]
    assert not gradient(delta, threshold).any()


# ---- gradients ------------------------------------------------------------------------------


def test_the_guard_is_a_share_of_the_mean_power_within_half_a_bark() -> None:
    rate, share = 16_000, 0.25
    audio = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    threshold = masking_threshold(audio, None, rate)
    power = normalised_power(audio, threshold)
    own = guarded(threshold, audio, share)
    barks = bark(bin_frequencies(rate, 2048)).tolist()
    for k in (0, 3, 128, 700, 1024):
        near = [j for j, z in enumerate(barks) if abs(z - barks[k]) < 0.5]
        mean = power[:, :, near].mean(-1)
        expected = torch.minimum(threshold.theta[..., k], share * mean)
        torch.testing.assert_close(own.theta[..., k], expected, rtol=1e-9, atol=0)


def test_a_guard_beyond_all_thresholds_changes_nothing() -> None:
    audio = torch.randn(1, 5000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    threshold = masking_threshold(audio, None, 16_000)
    assert torch.equal(guarded(threshold, audio, 1e12).theta, threshold.theta)


def gradient(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    delta = delta.clone().requires_grad_()
    (found,) = torch.autograd.grad(masking_loss(delta, threshold).sum(), delta)
    return found


@pytest.mark.parametrize("window", [16, 15])
def test_gradient_of_the_power_spectrum_is_the_numerical_one(window: int) -> None:
    audio = noise(20, 2, 60).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: power_spectrum(x, window, 5), audio)


def test_gradient_of_the_loss_is_the_numerical_one() -> None:
    audio, delta = noise(11, 2, 2, 200)
    lengths = torch.tensor([200, 131])
    threshold = masking_threshold(audio, lengths, RATE, window=64, hop=16)
    delta = (0.05 * delta).requires_grad_()
    assert bool((masking_loss(delta, threshold) > 0).all())
    assert torch.autograd.gradcheck(lambda d: masking_loss(d, threshold), delta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clip", ["noise", "silence", "half silent"])
def test_gradients_are_finite_at_zero_and_in_silence(clip: str, dtype: torch.dtype) -> None:
    audio = noise(12, 1, 1600).to(dtype)
    if clip != "noise":
        audio[:, 0 if clip == "silence" else 800 :] = 0
    threshold = small(audio)
    assert not gradient(torch.zeros_like(audio), threshold).any()
    moved = gradient(noise(13, 1, 1600).to(dtype), threshold)
    assert bool(moved.isfinite().all())
    assert bool(moved.any())


def test_padding_gets_no_gradient_even_where_it_is_not_a_number() -> None:
    audio, delta = noise(14, 2, 2, 1600)
    threshold = small(audio, torch.tensor([1600, 700]))
    delta[1, 700:] = torch.nan
    found = gradient(delta, threshold)
    assert bool(found.isfinite().all())
    assert bool(found[1, :600].any())
    assert not found[1, 700:].any()


# ---- batches, devices, misuse ---------------------------------------------------------------


@pytest.mark.parametrize(
    "index", [torch.tensor([2, 0]), torch.tensor([True, False, True])], ids=["indices", "mask"]
)
def test_selected_clips_keep_their_thresholds(index: Tensor) -> None:
    audio, delta = noise(15, 2, 3, 1600)
    batch = small(audio, torch.tensor([700, 1600, 500]))
    chosen = batch.select(index)
    assert chosen.theta.shape[1] == chosen.n_maskers.shape[1] == 7  # the longest has 700 samples
    expected = masking_loss(delta, batch)[index]
    torch.testing.assert_close(masking_loss(delta[index], chosen), expected)
    torch.testing.assert_close(masking_loss(delta[index][:, :700], chosen), expected)


def test_the_last_clip_may_leave_a_batch() -> None:
    none = small(noise(16, 2, 900)).select(torch.tensor([False, False]))
    assert none.theta.shape == (0, 0, 129)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_nothing_is_made_on_a_default_device(profile: str) -> None:
    audio, delta = noise(17, 2, 2, 900)
    here = small(audio, profile=profile)
    with torch.device("meta"):  # tensors made without a device hold no data and cannot be mixed in
        there = small(audio, profile=profile)
        loss = masking_loss(delta, there.select(torch.arange(2, device="cpu")))
    assert torch.equal(here.theta, there.theta)
    assert torch.equal(loss, masking_loss(delta, here))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "loud"}, r"'loud'.*\['authors', 'paper', 'temporal'\]"),
        ({"window": 255}, "255 samples.*even"),
        ({"window": 2}, "2 samples.*at least 4"),
        ({"hop": 0}, "hop is 0.*at least 1"),
        ({"sample_rate": 0}, "0 Hz.*positive"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"lengths": None, "sample_rate": RATE} | options
    with pytest.raises(OptionError, match=message):
        masking_threshold(noise(18, 1, 900), **given)


@pytest.mark.parametrize(
    ("audio", "lengths", "message"),
    [
        (torch.zeros(900), None, r"shape \[900\].*\[clips, samples\]"),
        (torch.zeros(1, 900, dtype=torch.int16), None, "int16.*float32"),
        (torch.zeros(2, 900), torch.tensor([900]), r"\[1\] lengths came for 2 clips"),
        (torch.zeros(1, 900), torch.tensor([901]), r"\[901\].*900 samples"),
        (torch.zeros(1, 900), torch.tensor([0]), r"\[0\].*between 1"),
    ],
)
def test_audio_that_is_no_batch_is_refused(
    audio: Tensor, lengths: Tensor | None, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        masking_threshold(audio, lengths, RATE)


@pytest.mark.parametrize("shape", [(900,), (1, 900), (2, 800)])
def test_a_perturbation_of_other_clips_is_refused(shape: tuple[int, ...]) -> None:
    threshold = small(noise(19, 2, 900))
    with pytest.raises(AudioError, match="2 clips and 11 frames"):
        masking_loss(torch.zeros(*shape, dtype=torch.float64), threshold)


def test_power_that_is_not_normalised_is_refused() -> None:
    spectra = torch.full((1, 1025), 1e12, dtype=torch.float64)
    with pytest.raises(AudioError, match=r"120\.0 dB.*normalised"):
        global_threshold(spectra, RATE)
