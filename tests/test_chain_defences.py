"""Defences: closed forms of each; `test_chain_links.py` has the contract of all."""

from __future__ import annotations

import importlib.util
import math
import statistics

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.chain.link import Link
from mondegreen.chain.lpc import lpc
from mondegreen.chain.names import link
from mondegreen.errors import OptionError, VictimError

RATE = 16_000
GATE = pytest.param(
    "gate",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("noisereduce") is None, reason="needs noisereduce"
    ),
)
ALL = ["bandpass", "average", "median", "mel", "lpc", GATE, "smooth", "vad"]


def draws(clips: int = 1, count: int = 1) -> Draws:
    return Draws.of((0,), clips, count)


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.1 * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)


def tone(hz: float, samples: int, rate: int = RATE) -> Tensor:
    return (0.5 * torch.sin(2 * torch.pi * hz / rate * torch.arange(samples).double())).float()


def real(spec: str, sound: Tensor, rate: int = RATE) -> Tensor:
    return link(spec, rate).real(sound, draws())


def twin(made: Link, audio: Tensor, lengths: list[int], count: int = 1) -> Tensor:
    return made.twin(audio, torch.tensor(lengths), draws(len(lengths), count))


# ---- of all ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, RATE])
@pytest.mark.parametrize("spec", ALL)
def test_silence_and_the_shortest_clip_have_finite_sounds_and_gradients(
    spec: str, rate: int
) -> None:
    samples = rate // 10
    half = torch.cat([torch.zeros(samples // 2), noise(2, samples - samples // 2)])
    for sound in (torch.zeros(samples), noise(2, samples), half, half.double()):
        audio = sound[None, None].requires_grad_()
        out = twin(link(spec, rate), audio, [samples])
        (gradient,) = torch.autograd.grad(out.square().sum() + out.sum(), audio)
        assert out.dtype == sound.dtype
        assert out.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("spec", ["bandpass", "average", "median", "mel", "lpc", "vad"])
def test_the_gradient_is_that_of_finite_differences(spec: str) -> None:
    made, audio = link(spec, 8000), noise(3, 1, 1, 1600, dtype=torch.float64).requires_grad_()
    weights, way = noise(4, 1600, dtype=torch.float64), noise(5, 1600, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weights * twin(made, audio, [1600])).sum(), audio)
    step = 1e-7 * way
    with torch.no_grad():
        up, down = (twin(made, audio + sign * step, [1600]) for sign in (1, -1))
    slope = (weights * (up - down)).sum() / 2
    assert float(slope) == pytest.approx(float((gradient * step).sum()), rel=1e-3)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("average:4", "Got a window of 4 samples, expected an odd number"),
        ("median:2.5", "Got samples = 2.5"),
        ("bandpass:3400:300", "from 3400 to 300 Hz at 8000 Hz, expected low < high < 4000"),
        ("bandpass:300:5000", "expected low < high < 4000"),
        ("mel:0", "Got bands = 0"),
        ("lpc:1", "Got order = 1"),
        ("smooth:20:0", "Got votes = 0"),
        ("vad:nan", "Got db = nan"),
        ("average:3:5", "expected average:SAMPLES"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(spec: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        link(spec, 8000)


# ---- average and median ------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [3, 5, 9])
def test_a_tone_through_the_average_has_the_gain_of_dirichlets_kernel(samples: int) -> None:
    """sin(N ω / 2) / (N sin(ω / 2)), away from the ends."""
    sound, half = tone(1000, 3200), math.pi * 1000 / RATE
    gain = math.sin(samples * half) / (samples * math.sin(half))
    inside = slice(samples, -samples)
    averaged = real(f"average:{samples}", sound)
    torch.testing.assert_close(averaged[inside], gain * sound[inside], rtol=0, atol=1e-6)


def test_clicks_vanish_in_the_median_and_a_step_stays() -> None:
    sound = torch.zeros(100)
    sound[50:] = 0.5
    clicked = sound.clone()
    clicked[[10, 20, 70]] = torch.tensor([0.9, -0.9, -0.9])
    assert torch.equal(real("median:3", clicked)[:-1], sound[:-1])


@pytest.mark.parametrize("samples", [3, 5, 7])
def test_smoothing_is_what_its_literal_form_is(samples: int) -> None:
    sound = noise(6, 50)
    around = [0.0] * (samples // 2) + sound.tolist() + [0.0] * (samples // 2)
    windows = [around[i : i + samples] for i in range(50)]
    average = torch.tensor([statistics.fmean(window) for window in windows])
    median = torch.tensor([statistics.median(window) for window in windows])
    for made in (link(f"average:{samples}", RATE), link(f"median:{samples}", RATE)):
        expected = average if made.name == "average" else median
        torch.testing.assert_close(made.real(sound, draws()), expected, rtol=0, atol=1e-7)
        torch.testing.assert_close(twin(made, sound[None, None], [50])[0, 0], expected)


# ---- band-pass ---------------------------------------------------------------------------------


def test_the_band_pass_is_at_its_edges_6_db_down_and_has_no_delay() -> None:
    for hz, gain in [(300, 0.5), (1000, 1.0), (3400, 0.5)]:
        sound = tone(hz, RATE)
        left = real("bandpass:300:3400", sound)[4000:12_000]
        torch.testing.assert_close(left, gain * sound[4000:12_000], rtol=0, atol=2e-3)


@pytest.mark.parametrize("hz", [250, 500, 800, 2000, 5000, 6000])
def test_the_band_pass_has_butterworths_gain_twice(hz: float) -> None:
    """1 / (1 + ((w² - l h) / (w (h - l)))⁸), where w, l and h are tan(π f / rate)."""
    w, low, high = (math.tan(math.pi * f / RATE) for f in (hz, 1000, 4000))
    gain = 1 / (1 + ((w**2 - low * high) / (w * (high - low))) ** 8)
    sound = tone(hz, RATE)
    passed = real("bandpass:1000:4000", sound)[4000:12_000]
    torch.testing.assert_close(passed, gain * sound[4000:12_000], rtol=0, atol=1e-6)


# ---- mel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, RATE])
def test_a_tone_keeps_its_pitch_and_level_in_mel_inversion(rate: int) -> None:
    sound = tone(1000, rate, rate)
    left = real("mel", sound, rate)[rate // 4 : -rate // 4]
    spectrum = torch.fft.rfft(left * torch.hann_window(len(left))).abs()
    assert float(spectrum.argmax()) * rate / len(left) == pytest.approx(1000, abs=25)
    assert float(left.std() / sound.std()) == pytest.approx(1, abs=0.25)


def test_what_mel_inversion_keeps_is_the_mel_spectrogram() -> None:
    """Band by band it stays, within what a sound can have; the waveform does not."""
    from transformers.audio_utils import mel_filter_bank

    sound = noise(7, RATE)
    filters = mel_filter_bank(513, 40, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney")
    left = real("mel:40:64", sound)
    before, after = (
        filters.T
        @ np.abs(scipy.signal.stft(x.numpy(), RATE, nperseg=1024, noverlap=768)[2][:, 5:-5])
        for x in (sound, left)
    )
    assert np.abs(before - after).mean() < 0.25 * before.mean()
    assert abs(np.corrcoef(sound, left)[0, 1]) < 0.3


@pytest.mark.parametrize("rate", [8000, RATE])
def test_the_gradient_of_mel_inversion_is_that_of_a_homogeneous_function(rate: int) -> None:
    """f(g x) = g f(x), phases being the same: by Euler's theorem, x · ∇(w · f) = w · f(x)."""
    audio = noise(13, 1, 1, 3200, dtype=torch.float64).requires_grad_()
    weights = noise(14, 3200, dtype=torch.float64)
    seen = (weights * twin(link("mel", rate), audio, [3200])).sum()
    (gradient,) = torch.autograd.grad(seen, audio)
    assert float((audio.detach() * gradient).sum()) == pytest.approx(float(seen.detach()), rel=1e-6)


def test_more_rounds_bring_the_mel_spectrogram_closer() -> None:
    sound = noise(8, RATE // 2)
    few, many = (_distance(sound, real(f"mel:80:{rounds}", sound)) for rounds in (1, 32))
    assert many < few


def _distance(one: Tensor, other: Tensor) -> float:
    spectra = [
        torch.stft(x, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()
        for x in (one, other)
    ]
    return float((spectra[0] - spectra[1]).square().mean())


# ---- linear prediction -------------------------------------------------------------------------


def test_the_coefficients_of_an_autoregressive_process_are_found() -> None:
    """r of x[t] = 1.2 x[t-1] - 0.8 x[t-2] + e, by Yule and Walker's equations."""
    first = 1.2 / 1.8
    rows = [1.0, first]
    for _ in range(4):
        rows.append(1.2 * rows[-1] - 0.8 * rows[-2])
    a, gain = lpc(torch.tensor(rows, dtype=torch.float64))
    expected = torch.tensor([1.2, -0.8, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(a, expected, rtol=0, atol=5e-3)
    assert float(gain**2) == pytest.approx(1 - 1.2 * rows[1] + 0.8 * rows[2], rel=5e-3)


def test_the_coefficients_are_those_of_levinson_and_durbin() -> None:
    sound = noise(9, 512, dtype=torch.float64)
    r = torch.stack([(sound[: 512 - k] * sound[k:]).sum() for k in range(13)])
    corrected = r.clone()
    corrected[0] = r[0] * 1.0001 + 1e-10
    a: list[float] = []
    error = float(corrected[0])
    for k in range(1, 13):
        reflection = float(r[k]) - sum(a[j] * float(r[k - 1 - j]) for j in range(k - 1))
        reflection /= error
        a = [a[j] - reflection * a[k - 2 - j] for j in range(k - 1)] + [reflection]
        error *= 1 - reflection**2
    found, gain = lpc(r)
    torch.testing.assert_close(found, torch.tensor(a, dtype=torch.float64))
    assert float(gain**2) == pytest.approx(error)


def test_linear_prediction_keeps_the_spectrum_and_the_level_of_noise_and_not_its_waveform() -> None:
    white = noise(10, 4 * RATE).numpy()
    sound = torch.from_numpy(scipy.signal.lfilter([1], [1, -1.2, 0.8], white)).float() / 10
    left = real("lpc:8", sound)
    spectra = [scipy.signal.welch(x.numpy(), RATE, nperseg=256)[1][2:-2] for x in (sound, left)]
    assert np.abs(10 * np.log10(spectra[1] / spectra[0])).max() < 3
    assert abs(np.corrcoef(sound, left)[0, 1]) < 0.1


# ---- gate --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [GATE])
def test_the_gate_lets_a_burst_through_and_damps_the_noise_around_it(spec: str) -> None:
    sound = 0.01 * noise(11, 2 * RATE)
    burst = slice(RATE, RATE + 1600)
    sound[burst] += tone(1000, 1600)
    gated = real(spec, sound)
    assert gated[burst].std() > 0.5 * sound[burst].std()
    assert gated[: RATE // 2].std() < 0.3 * sound[: RATE // 2].std()


@pytest.mark.parametrize("spec", [GATE])
def test_the_gates_gradient_is_that_of_what_it_lets_through(spec: str) -> None:
    audio = 0.01 * noise(11, 1, 1, 2 * RATE)
    burst = slice(RATE, RATE + 1600)
    audio[..., burst] += tone(1000, 1600)
    audio.requires_grad_()
    (gradient,) = torch.autograd.grad(twin(link(spec, RATE), audio, [2 * RATE]).sum(), audio)
    assert gradient[..., : RATE // 2].abs().max() < 0.5  # straight through, it would be 1
    assert gradient.abs().max() <= 1.1


def test_what_the_gate_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        VictimError, match=r"gate needs noisereduce; run: pip install 'mondegreen\[denoise\]'"
    ):
        link("gate", RATE)


# ---- randomised smoothing ----------------------------------------------------------------------


def test_smoothing_adds_white_noise_at_its_level_anew_for_each_draw() -> None:
    made, sound = link("smooth:10:3", RATE), tone(440, 2 * RATE)
    out = twin(made, sound[None, None], [2 * RATE], count=3)[0]
    added = out - sound
    for one in added:
        assert 10 * math.log10(sound.var() / one.var()) == pytest.approx(10, abs=0.1)
        low, high = (one[k : k + 4].sum() for k in (0, 4))
        assert low != high
        density = scipy.signal.welch(one.numpy(), RATE, nperseg=256)[1][2:-2]
        assert np.abs(10 * np.log10(density / density.mean())).max() < 2.5
    assert abs(np.corrcoef(added)[0, 1]) < 0.05


def test_smoothing_is_heard_and_searched_in_as_many_draws_as_vote() -> None:
    made = link("smooth:10:3", RATE)
    assert (made.hearings, made.draws, made.random) == (3, 3, True)


# ---- voice activity ----------------------------------------------------------------------------


def test_a_burst_is_kept_with_a_tenth_of_a_second_around_it_and_the_rest_is_silent() -> None:
    sound = 1e-4 * noise(12, RATE)
    sound[6400:9600] = tone(500, 3200)
    left = real("vad:40", sound)
    kept = slice(6400 - 1600, 9600 + 1600)
    assert torch.equal(left[kept], sound[kept])
    assert left[: kept.start].abs().max() == 0
    assert left[kept.stop :].abs().max() == 0


def test_a_frame_just_above_the_threshold_is_speech_and_one_just_below_is_not() -> None:
    for below, kept in [(29.5, True), (30.5, False)]:
        sound = torch.zeros(RATE)
        sound[:320] = 0.5
        sound[8000:8320] = 0.5 * 10 ** (-below / 20)
        assert bool(real("vad:30", sound)[8000:8320].any()) is kept


def test_the_gradient_of_the_detector_is_1_where_it_keeps_and_0_elsewhere() -> None:
    audio = torch.zeros(1, 1, RATE)
    audio[..., :1600] = tone(500, 1600)
    audio.requires_grad_()
    (gradient,) = torch.autograd.grad(twin(link("vad", RATE), audio, [RATE]).sum(), audio)
    assert torch.equal(gradient[0, 0], (torch.arange(RATE) < 3200).float())
