"""What happens to sound on its way: one contract for all, and closed forms of each."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mondegreen.air.devices import Offset, Response, SoftClip
from mondegreen.air.noises import Recorded
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import (
    ClockDrift,
    Draws,
    Gain,
    Noise,
    Quantise,
    Rooms,
    Transformation,
    apply,
)
from mondegreen.audio.batch import quantise

RATE = 16_000
SEED = (7, 1, 20)  # seed, stage, step
DRIFT = (-5000.0, 5000.0)  # of 1,500 samples: as many whole samples as of a long clip in life


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.05 * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)


def bank() -> Reverb:
    return Reverb(noise(1, 20, 90) * torch.logspace(0, -2, 90, dtype=torch.float64))


DEVICE = Response(RATE, (80.0, 300.0), (12.0, 24.0), (5e3, 9e3), (6.0, 12.0), (1.0, 4.0))
ALL: dict[str, Transformation] = {
    "rooms": Rooms(bank()),
    "noise": Noise(),
    "gain": Gain(),
    "device": DEVICE,
    "soft clipping": SoftClip((0.2, 1.0)),
    "offset": Offset(RATE, (0.0, 20.0)),
    "recorded": Recorded((noise(2, 700), noise(3, 2000)), (10.0, 30.0)),
    "drift": ClockDrift(DRIFT),
    "16 bits": Quantise(16),
    "8 bits": Quantise(8),
}
RANDOM = [name for name in ALL if "bits" not in name]
# The gradient of these is that of one term or of a convention, and is tested with each.
DIFFERENTIABLE = [name for name in RANDOM if name not in ("noise", "recorded")]


@pytest.fixture(params=list(ALL))
def transformation(request: pytest.FixtureRequest) -> Transformation:
    return ALL[request.param]


def decibels(ratio: Tensor) -> Tensor:
    return 10 * ratio.log10()


def impulse(at: int, samples: int) -> Tensor:
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    audio[..., at] = 1
    return audio


def cut(samples: int, clips: int = 1) -> Tensor:
    return torch.full((clips,), samples)


# ---- the contract of all --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sounds", [1, 5])
def test_shape_type_and_zeros_past_the_end(
    transformation: Transformation, sounds: int, dtype: torch.dtype
) -> None:
    audio, lengths = noise(2, 2, sounds, 1500, dtype=dtype), torch.tensor([1500, 900])
    got = transformation(audio, lengths, Draws.of(SEED, 2, 5))
    assert got.shape == (2, 5, 1500)
    assert got.dtype == dtype
    assert not got[1, :, 900:].any()
    assert bool(got[:, :, :900].any(-1).all())


def test_the_same_draws_give_the_same(transformation: Transformation) -> None:
    audio = noise(3, 1, 1, 1500)
    one, other = (transformation(audio, cut(1500), Draws.of(SEED, 1, 5)) for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("seed", [(8, 1, 20), (7, 2, 20), (7, 1, 21)])
def test_another_seed_stage_or_step_gives_another(name: str, seed: tuple[int, ...]) -> None:
    audio = noise(3, 1, 1, 1500)
    one, other = (ALL[name](audio, cut(1500), Draws.of(which, 1, 5)) for which in (SEED, seed))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", RANDOM)
def test_draws_differ_from_each_other(name: str) -> None:
    got = ALL[name](noise(3, 1, 1, 1500), cut(1500), Draws.of(SEED, 1, 5))[0]
    assert len(got.unique(dim=0)) >= 3  # of five; the same room may come up twice


def test_a_shared_sound_is_as_many_equal_ones(transformation: Transformation) -> None:
    audio, lengths = noise(4, 2, 1, 1500), torch.tensor([1500, 900])
    shared = transformation(audio, lengths, Draws.of(SEED, 2, 5))
    each = transformation(audio.expand(-1, 5, -1), lengths, Draws.of(SEED, 2, 5))
    torch.testing.assert_close(shared, each, rtol=0, atol=1e-13)


def test_draws_taken_few_at_a_time_are_the_same(transformation: Transformation) -> None:
    audio, lengths = noise(5, 2, 1, 1500), torch.tensor([1500, 900])
    whole = transformation(audio, lengths, Draws.of(SEED, 2, 10))
    part = transformation(audio, lengths, Draws.of(SEED, 2, 4, first=4))
    torch.testing.assert_close(part, whole[:, 4:8], rtol=0, atol=1e-13)


@pytest.mark.parametrize("padding", [0.0, 1.0, math.nan])
def test_neither_batch_mates_nor_padding_matter(
    transformation: Transformation, padding: float
) -> None:
    audio = noise(6, 3, 1, 9000, dtype=torch.float32)
    lengths = torch.tensor([9000, 1024, 331])
    for row, length in enumerate(lengths.tolist()):
        audio[row, :, length:] = padding
    batch = transformation(audio, lengths, Draws.of(SEED, 3, 4))
    for row, length in enumerate(lengths.tolist()):
        clip = audio[row : row + 1, :, :length]
        alone = transformation(clip, cut(length), Draws.of(SEED, 1, 4))
        torch.testing.assert_close(batch[row, :, :length], alone[0], rtol=0, atol=1e-6)


def test_both_types_agree(transformation: Transformation) -> None:
    audio, lengths = noise(7, 1, 1, 1500, dtype=torch.float32), cut(1500)
    single = transformation(audio, lengths, Draws.of(SEED, 1, 5))
    double = transformation(audio.double(), lengths, Draws.of(SEED, 1, 5))
    torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-6)


@pytest.mark.parametrize("sounds", [1, 3])
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_equals_the_finite_difference(name: str, sounds: int) -> None:
    audio, lengths = noise(8, 2, sounds, 60).requires_grad_(), torch.tensor([60, 41])
    assert torch.autograd.gradcheck(
        lambda x: ALL[name](x, lengths, Draws.of(SEED, 2, 3)), audio, fast_mode=name == "band"
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_has_finite_values_and_gradients(
    transformation: Transformation, dtype: torch.dtype
) -> None:
    audio = torch.zeros(1, 1, 1500, dtype=dtype).requires_grad_()
    got = transformation(audio, cut(1500), Draws.of(SEED, 1, 3))
    assert not got.any()
    (gradient,) = torch.autograd.grad(got.sum(), audio)
    assert bool(torch.isfinite(gradient).all())


# ---- draws ----------------------------------------------------------------------------------


def test_a_draw_is_known_by_seed_and_number() -> None:
    draws = Draws.of((7, 1, 20), clips=2, count=3, first=5)
    expected = [
        int(np.random.SeedSequence([7, 1, 20, number]).generate_state(1, np.uint64)[0])
        for number in (5, 6, 7)
    ]
    assert draws.count == 3
    for row in draws.generators:
        assert [generator.initial_seed() for generator in row] == expected
    assert len({id(generator) for row in draws.generators for generator in row}) == 6


def test_numbers_are_uniform() -> None:
    draws = Draws.of(SEED, 1, 4000)
    values, rooms = draws.uniform(-2, 6)[0], draws.integers(8)[0]
    assert bool(((values >= -2) & (values < 6)).all())
    assert float(values.mean()) == pytest.approx(2, abs=4 * 8 / math.sqrt(12 * 4000))
    assert float(values.std()) == pytest.approx(8 / math.sqrt(12), rel=0.05)
    several = draws.uniform(-2, 6, 3)
    assert several.shape == (1, 4000, 3)
    assert float(several.mean()) == pytest.approx(2, abs=4 * 8 / math.sqrt(12 * 12_000))
    share = torch.bincount(rooms, minlength=8) / 4000
    torch.testing.assert_close(share, torch.full((8,), 1 / 8), rtol=0, atol=0.025)


def test_noise_is_normal_and_of_each_clips_length() -> None:
    first, second = Draws.of(SEED, 2, 3).normal(torch.tensor([9000, 20]))
    assert first.shape == (3, 9000)
    assert second.shape == (3, 20)
    assert float(first.mean()) == pytest.approx(0, abs=4 / math.sqrt(27_000))
    assert float(first.std()) == pytest.approx(1, abs=0.02)
    assert float((first.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.012)


# ---- composition ----------------------------------------------------------------------------


def test_nothing_happening_gives_copies() -> None:
    audio, lengths = noise(9, 2, 100), torch.tensor([100, 60])
    audio[1, 60:] = math.nan
    got = apply([], audio, lengths, Draws.of(SEED, 2, 3))
    assert got.shape == (2, 3, 100)
    assert torch.equal(got, audio.nan_to_num()[:, None].expand(-1, 3, -1))


def test_what_happens_happens_in_order() -> None:
    louder, fewer = Gain((-20.0, -20.0)), Quantise(8)
    audio, lengths = noise(10, 1, 400), cut(400)
    steps = 128 * apply([louder, fewer], audio, lengths, Draws.of(SEED, 1, 2))
    assert torch.equal(steps, steps.round())
    other = 128 * apply([fewer, louder], audio, lengths, Draws.of(SEED, 1, 2))
    torch.testing.assert_close(10 * other, (10 * other).round(), rtol=0, atol=1e-12)
    assert not torch.equal(other, other.round())


def test_all_one_after_the_other_read_on_in_the_draws() -> None:
    audio, lengths = noise(11, 2, 1500), torch.tensor([1500, 900])
    got = apply(list(ALL.values()), audio, lengths, Draws.of(SEED, 2, 4))
    sound, draws = audio[:, None], Draws.of(SEED, 2, 4)
    for transformation in ALL.values():
        sound = transformation(sound, lengths, draws)
    torch.testing.assert_close(got, sound, rtol=0, atol=1e-12)
    assert bool(torch.isfinite(got).all())


# ---- rooms ----------------------------------------------------------------------------------


def test_rooms_are_those_of_the_bank_each_as_likely() -> None:
    reverb, audio = bank(), noise(12, 1, 1, 200)
    got = Rooms(reverb)(audio, cut(200), Draws.of(SEED, 1, 800))[0]
    each = reverb(audio, cut(200), torch.arange(20)[None])[0]
    distance = torch.cdist(got, each)
    torch.testing.assert_close(distance.amin(1), torch.zeros(800).double(), rtol=0, atol=1e-6)
    counts = torch.bincount(distance.argmin(1), minlength=20)
    assert 15 <= int(counts.min()) <= int(counts.max()) <= 70  # 40, within four deviations


# ---- noise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [16_000, 7919])
def test_the_noise_is_as_loud_as_drawn(length: int) -> None:
    audio = noise(13, 1, 1, 16_000)
    drawn = Draws.of(SEED, 1, 6).uniform(15, 35)
    added = (Noise()(audio, cut(length), Draws.of(SEED, 1, 6)) - audio)[..., :length]
    power = audio[..., :length].square().mean(-1)
    torch.testing.assert_close(decibels(power / added.square().mean(-1)), drawn, rtol=0, atol=1e-4)


def test_the_noise_is_pink_from_20_hz_on() -> None:
    audio = torch.ones(1, 1, RATE, dtype=torch.float64)
    added = Noise((0.0, 0.0))(audio, cut(RATE), Draws.of(SEED, 1, 60)) - audio
    power = torch.fft.rfft(added).abs().square().mean((0, 1))  # one bin a hertz
    octaves = torch.stack([power[2**k * 31 : 2 ** (k + 1) * 31].sum() for k in range(8)])
    level = decibels(octaves / octaves.mean())
    torch.testing.assert_close(level, torch.zeros(8).double(), rtol=0, atol=0.6)
    assert float(power[:20].sum() / power.sum()) < 1e-9
    assert float(power[20:31].sum() / octaves.mean()) > 0.4  # log2(31 / 20) of an octave is 0.63


def test_the_level_of_the_noise_has_no_gradient() -> None:
    audio = noise(14, 2, 1, 300).requires_grad_()
    lengths = torch.tensor([300, 200])
    got = Noise((0.0, 0.0))(audio, lengths, Draws.of(SEED, 2, 3))
    weight = noise(15, 2, 3, 300)
    (gradient,) = torch.autograd.grad((weight * got).sum(), audio)
    expected = weight.sum(1, keepdim=True)
    expected[1, :, 200:] = 0
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-15)


# ---- gain -----------------------------------------------------------------------------------


def test_gain_in_decibels() -> None:
    audio = noise(16, 1, 1, 400)
    drawn = Draws.of(SEED, 1, 6).uniform(-6, 6)
    got = Gain()(audio, cut(400), Draws.of(SEED, 1, 6))
    measured = decibels(got.square().sum(-1) / audio.square().sum(-1))
    torch.testing.assert_close(measured, drawn, rtol=0, atol=1e-9)


def test_gain_overloads_at_full_scale() -> None:
    audio = torch.tensor([[[-0.9, -0.5, 0.4, 0.9]]]).requires_grad_()
    got = Gain((6.0, 6.0))(audio, cut(4), Draws.of(SEED, 1, 1))
    gain = 10**0.3
    expected = torch.tensor([[[-1, -0.5 * gain, 0.4 * gain, 32767 / 32768]]])
    torch.testing.assert_close(got, expected)
    (gradient,) = torch.autograd.grad(got.sum(), audio)
    torch.testing.assert_close(gradient, torch.tensor([[[0, gain, gain, 0]]]))


# ---- devices --------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(100, 4000), (200, 5500), (300, 6000)])
def test_the_band_is_butterworths(low: float, high: float) -> None:
    samples, middle = 2**15, 2**14
    orders = (2, 3)
    slopes = [(order * 6.0206, order * 6.0206) for order in orders]
    band = Response(RATE, (low, low), slopes[0], (high, high), slopes[1])
    response = band(impulse(middle, samples), cut(samples), Draws.of(SEED, 1, 1))[0, 0]
    torch.testing.assert_close(response[1:], response[1:].flip(0), rtol=0, atol=1e-12)  # no phase
    spectrum = torch.fft.rfft(response).abs().numpy()
    at = np.linspace(0, RATE / 2, len(spectrum))
    expected = np.ones(len(spectrum))
    for order, edge, kind in zip(orders, (low, high), ("highpass", "lowpass"), strict=True):
        b, a = scipy.signal.butter(order, 2 * np.pi * edge, kind, analog=True)
        expected *= np.abs(scipy.signal.freqs(b, a, 2 * np.pi * at)[1])
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high", "edge"), [(400.0, 1e6, 400), (1e-3, 3000.0, 3000)])
def test_at_an_edge_a_tone_is_three_decibels_down(
    low: float, high: float, edge: int, dtype: torch.dtype
) -> None:
    band = Response(RATE, (low, low), (12.0, 12.0), (high, high), (12.0, 12.0))
    tone = (2 * math.pi * edge / RATE * torch.arange(RATE).double()).sin().to(dtype)
    got = band(tone[None, None], cut(RATE), Draws.of(SEED, 1, 1))[0, 0, 4000:12_000]
    level = decibels(got.square().mean() / tone[4000:12_000].square().mean())
    assert float(level) == pytest.approx(10 * math.log10(0.5), abs=0.1)


@pytest.mark.parametrize("slope", [6.0, 15.0, 24.0])
def test_beyond_an_edge_the_response_falls_by_the_slope(slope: float) -> None:
    def falls(band: Response, near: int, far: int) -> float:
        gain = decibels(torch.fft.rfft(band.kernels(Draws.of(SEED, 1, 1))[0, 0], RATE).abs() ** 2)
        return float(gain[near] - gain[far])  # one bin a hertz

    steep, any_slope = (slope, slope), (6.0, 6.0)
    above = Response(RATE, (1e-3, 1e-3), any_slope, (500.0, 500.0), steep)
    below = Response(RATE, (6000.0, 6000.0), steep, (1e6, 1e6), any_slope)
    assert falls(above, 3000, 6000) == pytest.approx(slope, rel=0.03)
    assert falls(below, 1000, 500) == pytest.approx(slope, rel=0.03)


def test_a_band_that_is_wide_enough_changes_nothing() -> None:
    band = Response(RATE, (1e-6, 1e-6), (6.0, 6.0), (1e9, 1e9), (6.0, 6.0))
    audio = noise(18, 1, 1, 1501).diff()  # with nothing at 0 Hz, which no device plays
    got = band(audio, cut(1500), Draws.of(SEED, 1, 2))
    torch.testing.assert_close(got, audio.expand(-1, 2, -1), rtol=0, atol=1e-4)


def test_ripple_stays_within_what_was_drawn() -> None:
    band = Response(RATE, (1.0, 1.0), (6.0, 6.0), (1e6, 1e6), (6.0, 6.0), (3.0, 3.0))
    kernels = band.kernels(Draws.of(SEED, 1, 20))[0]
    gain = decibels(torch.fft.rfft(kernels, 4096).abs().square())[:, 40:2000]
    assert float(gain.abs().max()) <= 3.1
    assert float(gain.abs().max()) > 2.0
    assert float((gain[0] - gain[1]).abs().max()) > 1.0


@pytest.mark.parametrize("samples", [1, 3000, 6144, 20_000])  # to several blocks
@pytest.mark.parametrize("sounds", [1, 2])
def test_a_response_is_a_convolution_with_its_kernel(sounds: int, samples: int) -> None:
    audio = noise(3, 1, sounds, samples).requires_grad_()
    got = DEVICE(audio, cut(samples), Draws.of(SEED, 1, 2))
    kernels = DEVICE.kernels(Draws.of(SEED, 1, 2))[0].numpy()
    late, own = kernels.shape[1] // 2, audio.detach()[0].expand(2, -1).numpy()

    def convolved(signals: np.ndarray, kernels: np.ndarray) -> np.ndarray:
        pairs = zip(signals, kernels, strict=True)
        return np.stack([scipy.signal.convolve(s, k)[late : late + samples] for s, k in pairs])

    np.testing.assert_allclose(got[0].detach(), convolved(own, kernels), rtol=0, atol=1e-12)
    weights = noise(4, 1, 2, samples)
    (gradient,) = torch.autograd.grad(got, audio, weights)
    adjoint = convolved(weights[0].numpy(), kernels[:, ::-1])
    expected = adjoint if sounds == 2 else adjoint.sum(0, keepdims=True)
    np.testing.assert_allclose(gradient[0], expected, rtol=0, atol=1e-12)


def test_soft_clipping_makes_odd_harmonics_of_the_known_size() -> None:
    tone = torch.sin(2 * math.pi * 100 * torch.arange(1600).double() / 1600)[None, None]
    drive = 0.3
    got = SoftClip((drive, drive))(tone, cut(1600), Draws.of(SEED, 1, 1))[0, 0]
    lines = torch.fft.rfft(got).abs()
    # tanh(d sin) / d = (1 - d² / 4) sin + (d² / 12) sin 3 + ..., up to d⁴
    assert float(lines[300] / lines[100]) == pytest.approx(drive**2 / 12, rel=0.05)
    assert float(lines[200] / lines[100]) < 1e-12


def test_an_offset_moves_by_whole_samples() -> None:
    audio = noise(4, 1, 1, 500)
    got = Offset(RATE, (0.0, 10.0))(audio, cut(500), Draws.of(SEED, 1, 30))[0]
    for row in got:
        late = int((row != 0).nonzero()[0])
        assert 0 <= late <= 160
        assert torch.equal(row[late:], audio[0, 0, : 500 - late])
    assert len({int((row != 0).nonzero()[0]) for row in got}) > 20


def test_recorded_noise_is_a_part_of_a_recording_at_its_level() -> None:
    recordings = (noise(5, 900), noise(6, 300))
    audio = noise(7, 1, 1, 400)
    got = Recorded(recordings, (10.0, 10.0))(audio, cut(400), Draws.of(SEED, 1, 12))
    left = (got - audio)[0]
    ratio = decibels(audio.square().mean() / left.square().mean(-1))
    torch.testing.assert_close(ratio, torch.full_like(ratio, 10.0))
    used = set()
    for row in left:
        fits = [
            (float(abs(torch.cosine_similarity(row, torch.roll(whole.repeat(3), -at)[:400], 0))), n)
            for n, whole in enumerate(recordings)
            for at in range(len(whole))
        ]
        best, which = max(fits)
        assert best == pytest.approx(1.0)
        used.add(which)
    assert used == {0, 1}


# ---- drift ----------------------------------------------------------------------------------


def test_no_drift_changes_nothing() -> None:
    audio = noise(17, 1, 1, 800)
    got = ClockDrift((0.0, 0.0))(audio, cut(800), Draws.of(SEED, 1, 2))
    assert torch.equal(got, audio.expand(-1, 2, -1))


@pytest.mark.parametrize("ppm", [-100.0, -7.0, 33.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tone_changes_its_frequency(ppm: float, dtype: torch.dtype) -> None:
    samples = 160_000
    radians = 2 * math.pi * 500 / RATE * torch.arange(samples, dtype=torch.float64)
    tone = radians.sin()[None, None].to(dtype)
    got = ClockDrift((ppm, ppm))(tone, cut(samples), Draws.of(SEED, 1, 1))[0, 0, 2:-20]
    expected = ((1 + 1e-6 * ppm) * radians).sin()[2:-20]
    worst = 1 - (9 * math.cos(math.pi / 32) - math.cos(3 * math.pi / 32)) / 8
    assert worst < 4e-5
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=1.5 * worst)


@pytest.mark.parametrize(("hz", "decibel"), [(2000, -0.07), (4000, -1.1), (6000, -5.3)])
def test_halfway_between_samples_high_tones_are_lowered(hz: float, decibel: float) -> None:
    omega, middle = 2 * math.pi * hz / RATE, 5000
    tone = (omega * (torch.arange(10_000, dtype=torch.float64) - middle - 0.5)).cos()
    # at sample 5000, 100 ppm have added up to half a sample, where the tone's crest is
    got = ClockDrift((100.0, 100.0))(tone[None, None], cut(10_000), Draws.of(SEED, 1, 1))
    gain = (9 * math.cos(omega / 2) - math.cos(3 * omega / 2)) / 8
    assert float(got[0, 0, middle]) == pytest.approx(gain, abs=1e-9)
    assert 20 * math.log10(gain) == pytest.approx(decibel, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(
    ppm=st.floats(-20_000, 20_000), coefficients=st.lists(st.floats(-1, 1), min_size=4, max_size=4)
)
def test_a_cubic_is_read_exactly(ppm: float, coefficients: list[float]) -> None:
    def cubic(at: Tensor) -> Tensor:
        return torch.stack([c * (at / 500) ** k for k, c in enumerate(coefficients)]).sum(0)

    at = torch.arange(500, dtype=torch.float64)
    got = ClockDrift((ppm, ppm))(cubic(at)[None, None], cut(500), Draws.of(SEED, 1, 1))[0, 0]
    inside = slice(2, 480)  # outside of the clip is silence, no cubic
    expected = cubic((1 + 1e-6 * ppm) * at)
    torch.testing.assert_close(got[inside], expected[inside], rtol=0, atol=1e-10)


# ---- quantiser ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sixteen_bits_are_those_of_a_file(dtype: torch.dtype) -> None:
    audio = 8 * noise(18, 1, 1, 5000, dtype=dtype)
    assert float(audio.abs().max()) > 1
    got = Quantise(16)(audio, cut(5000), Draws.of(SEED, 1, 2))
    assert torch.equal(got, quantise(audio).expand(-1, 2, -1))


def test_eight_bits_are_steps_of_a_128th() -> None:
    audio = torch.linspace(-0.99, 0.99, 5000, dtype=torch.float64)[None, None]
    got = Quantise(8)(audio, cut(5000), Draws.of(SEED, 1, 1))
    assert torch.equal(128 * got, (128 * got).round())
    assert len(got.unique()) == 255
    assert float((got - audio).abs().max()) <= 1 / 256


def test_the_quantiser_is_transparent_to_gradients() -> None:
    audio = (20 * noise(19, 1, 1, 300)).requires_grad_()
    weight = noise(20, 1, 3, 300)
    got = Quantise(8)(audio, cut(300), Draws.of(SEED, 1, 3))
    (gradient,) = torch.autograd.grad((weight * got).sum(), audio)
    torch.testing.assert_close(gradient, weight.sum(1, keepdim=True), rtol=0, atol=1e-15)
