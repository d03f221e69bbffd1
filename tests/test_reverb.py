"""Rooms by blocks of spectra, against closed forms, a direct convolution and its invariants."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.air.rooms import reverb as module
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.audio.pcm import load
from mondegreen.errors import AudioError, RoomError

PEAK = 32767 / 32768
BOTH = pytest.mark.parametrize("normalise", [True, False])


@pytest.fixture
def short_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few samples, so that short clips have many."""
    monkeypatch.setattr(module, "SMALLEST_TRANSFORM", 2)


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.1 * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)


def decaying(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return noise(seed, *shape, dtype=dtype) * torch.logspace(0, -3, shape[-1], dtype=dtype)


def literal(clip: NDArray, rir: NDArray, normalise: bool) -> NDArray:
    """The definition: convolve, scale the whole to the peak, cut."""
    whole = np.convolve(clip, rir)
    if normalise:
        whole = whole / np.abs(whole).max() * PEAK
    return whole[: len(clip)]


# ---- closed forms ---------------------------------------------------------------------------


def test_a_room_of_one_impulse_changes_only_the_peak() -> None:
    audio, lengths, rooms = noise(1, 1, 1, 9000), torch.tensor([9000]), torch.tensor([[0]])
    impulse = torch.ones(1, 1, dtype=torch.float64)
    plain = Reverb(impulse, normalise=False)(audio, lengths, rooms)
    torch.testing.assert_close(plain, audio, rtol=0, atol=1e-15)
    scaled = Reverb(0.3 * impulse)(audio, lengths, rooms)
    torch.testing.assert_close(scaled, audio / audio.abs().max() * PEAK, rtol=0, atol=1e-14)


@pytest.mark.parametrize("delay", [1, 99, 3999, 8999, 9500])
def test_a_room_of_one_late_impulse_delays(delay: int) -> None:
    rirs = torch.zeros(1, 10_000, dtype=torch.float64)
    rirs[0, delay] = -0.5
    audio = noise(2, 1, 1, 9000)
    got = Reverb(rirs, normalise=False)(audio, torch.tensor([9000]), torch.tensor([[0]]))
    expected = torch.zeros(9000, dtype=torch.float64)
    expected[delay:] = -0.5 * audio[0, 0, : max(0, 9000 - delay)]
    torch.testing.assert_close(got[0, 0], expected, rtol=0, atol=1e-14)


def test_the_peak_is_that_of_the_tail_too() -> None:
    audio = torch.zeros(1, 1, 50)
    audio[..., -1] = 0.7  # its echo, four times louder, comes after the cut
    got = Reverb(torch.tensor([[0.25, 1.0]]))(audio, torch.tensor([50]), torch.tensor([[0]]))
    assert float(got[0, 0, -1]) == pytest.approx(PEAK / 4, abs=1e-6)
    torch.testing.assert_close(got[0, 0, :-1], torch.zeros(49), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_stays_silence_with_a_finite_gradient(dtype: torch.dtype) -> None:
    audio = torch.stack([torch.zeros(500, dtype=dtype), noise(3, 500, dtype=dtype)])[:, None]
    audio.requires_grad_()
    reverb = Reverb(decaying(4, 2, 300, dtype=dtype))
    got = reverb(audio, torch.tensor([500, 500]), torch.tensor([[0, 1], [0, 1]]))
    assert not got[0].any()
    torch.testing.assert_close(got[1].abs().amax(), torch.tensor(PEAK, dtype=dtype))
    (gradient,) = torch.autograd.grad(got.sum(), audio)
    assert bool(torch.isfinite(gradient).all())


# ---- the direct convolution -----------------------------------------------------------------


@BOTH
@settings(max_examples=60, deadline=None)
@given(taps=st.integers(1, 40), samples=st.integers(1, 200), seed=st.integers(0, 9999))
def test_equals_the_direct_convolution(taps: int, samples: int, seed: int, normalise: bool) -> None:
    audio, rirs = noise(seed, 1, 1, samples), decaying(seed + 1, 2, taps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALLEST_TRANSFORM", 2)
        reverb = Reverb(rirs, normalise)
        got = reverb(audio, torch.tensor([samples]), torch.tensor([[1, 0]]))
    expected = [literal(audio[0, 0].numpy(), rirs[n].numpy(), normalise) for n in (1, 0)]
    np.testing.assert_allclose(got[0].numpy(), np.stack(expected), rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("samples", [4000, 8000, 8001, 50, 96, 97])
def test_clips_of_whole_blocks_of_more_and_of_less_than_a_response(
    samples: int, normalise: bool
) -> None:
    audio, rirs = noise(5, 1, 1, samples), decaying(6, 1, 97)  # 4096 - 96: blocks of 4000
    got = Reverb(rirs, normalise)(audio, torch.tensor([samples]), torch.tensor([[0]]))
    expected = literal(audio[0, 0].numpy(), rirs[0].numpy(), normalise)
    np.testing.assert_allclose(got[0, 0].numpy(), expected, rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_speech_in_a_simulated_room(
    vectors: Path, beckett: Path, dtype: torch.dtype, tolerance: float, normalise: bool
) -> None:
    rir = np.load(vectors / "rir_4x5x3.npz")["rir"].astype(np.float64)
    clip = load(beckett, 16_000)[:70_001].astype(np.float64)
    whole = scipy.signal.fftconvolve(clip, rir)
    scale = PEAK / np.abs(whole).max() if normalise else 1.0
    reverb = Reverb(torch.from_numpy(rir)[None].to(dtype), normalise)
    audio = torch.from_numpy(clip)[None, None].to(dtype)
    got = reverb(audio, torch.tensor([len(clip)]), torch.tensor([[0]]))
    assert got.dtype == dtype
    expected = scale * whole[: len(clip)]
    np.testing.assert_allclose(got[0, 0].numpy(), expected, rtol=0, atol=tolerance)


@BOTH
@pytest.mark.parametrize("sounds", [1, 3])
def test_gradient_equals_the_finite_difference(
    short_transforms: None, sounds: int, normalise: bool
) -> None:
    audio = noise(7, 2, sounds, 40).requires_grad_()
    reverb, rooms = Reverb(decaying(8, 4, 11), normalise), torch.tensor([[0, 3, 3], [1, 2, 0]])
    lengths = torch.tensor([40, 23])
    assert torch.autograd.gradcheck(lambda x: reverb(x, lengths, rooms), audio)


# ---- invariants -----------------------------------------------------------------------------


@BOTH
def test_a_shared_clip_is_as_many_equal_ones(normalise: bool) -> None:
    audio, lengths = noise(9, 2, 1, 5000), torch.tensor([5000, 3000])
    reverb, rooms = Reverb(decaying(10, 5, 800), normalise), torch.tensor([[4, 1, 1], [0, 2, 3]])
    shared, repeated = audio.clone().requires_grad_(), audio.expand(-1, 3, -1).clone()
    repeated.requires_grad_()
    once, each = (reverb(clips, lengths, rooms) for clips in (shared, repeated))
    torch.testing.assert_close(once, each, rtol=0, atol=1e-14)
    weight = noise(11, 2, 3, 5000)
    (of_shared,) = torch.autograd.grad((weight * once).sum(), shared)
    (of_each,) = torch.autograd.grad((weight * each).sum(), repeated)
    torch.testing.assert_close(of_shared, of_each.sum(1, keepdim=True), rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("sounds", [1, 7])
@pytest.mark.parametrize("at_once", [1, 2 * 2 * 2 * 2049, 5 * 2 * 2 * 2049])
def test_rooms_taken_few_at_a_time_give_the_same(
    monkeypatch: pytest.MonkeyPatch, at_once: int, sounds: int, normalise: bool
) -> None:
    audio, lengths = noise(12, 2, sounds, 6000), torch.tensor([6000, 2000])
    reverb, rooms = Reverb(decaying(13, 9, 500), normalise), torch.arange(14).reshape(2, 7) % 9
    whole = reverb(audio, lengths, rooms)
    monkeypatch.setattr(module, "PRODUCTS_AT_ONCE", at_once)
    torch.testing.assert_close(reverb(audio, lengths, rooms), whole, rtol=0, atol=1e-15)


def test_spectra_are_kept_or_made_again_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audio, lengths, rooms = noise(14, 1, 1, 900), torch.tensor([900]), torch.tensor([[2, 0]])
    rirs = decaying(15, 3, 200)
    taken = []
    rfft = torch.fft.rfft

    def counting(values: Tensor, size: int) -> Tensor:
        taken.append(tuple(values.shape))
        return rfft(values, size)

    monkeypatch.setattr(torch.fft, "rfft", counting)
    keeping = Reverb(rirs)
    kept = [keeping(audio[..., :n], lengths.clamp(max=n), rooms) for n in (900, 400)]
    assert taken.count((3, 200)) == 1
    monkeypatch.setattr(module, "KEPT_BYTES", 3 * 2049 * 16 - 1)
    taken.clear()
    made_again = Reverb(rirs)
    again = [made_again(audio[..., :n], lengths.clamp(max=n), rooms) for n in (900, 400)]
    assert taken.count((1, 2, 200)) == 2
    assert (3, 200) not in taken
    for one, other in zip(kept, again, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-15)


@BOTH
@pytest.mark.parametrize("padding", [0.0, 1.0, math.inf, math.nan])
def test_neither_batch_mates_nor_padding_matter(normalise: bool, padding: float) -> None:
    reverb = Reverb(decaying(16, 4, 700, dtype=torch.float32), normalise)
    audio, rooms = (
        noise(17, 3, 1, 20_000, dtype=torch.float32),
        torch.tensor([[0, 3], [1, 1], [2, 0]]),
    )
    lengths = torch.tensor([20_000, 5000, 333])
    for row, length in enumerate(lengths.tolist()):
        audio[row, :, length:] = padding
    batch = reverb(audio, lengths, rooms)
    for row, length in enumerate(lengths.tolist()):
        this = slice(row, row + 1)
        alone = reverb(audio[this, :, :length], lengths[this], rooms[this])
        torch.testing.assert_close(batch[this, :, :length], alone, rtol=0, atol=1e-6)
        assert not batch[row, :, length:].any()


def test_the_gradient_of_padding_is_zero() -> None:
    audio = noise(18, 2, 1, 900).requires_grad_()
    reverb = Reverb(decaying(19, 1, 100))
    got = reverb(audio, torch.tensor([900, 300]), torch.tensor([[0], [0]]))
    (gradient,) = torch.autograd.grad(got.square().sum(), audio)
    assert not gradient[1, :, 300:].any()
    assert bool(gradient[1, :, :300].any())


def test_normalised_rooms_have_no_loudness() -> None:
    rirs, lengths, rooms = decaying(20, 1, 60), torch.tensor([500]), torch.tensor([[0]])
    audio = noise(21, 1, 1, 500)
    expected = Reverb(rirs)(audio, lengths, rooms)
    got = Reverb(-1e-3 * rirs)(50 * audio, lengths, rooms)
    torch.testing.assert_close(got, -expected, rtol=0, atol=1e-12)


# ---- types and use --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("of_rooms", [torch.bfloat16, torch.float32, torch.float64])
def test_the_result_has_the_type_of_the_audio(dtype: torch.dtype, of_rooms: torch.dtype) -> None:
    rirs, audio = decaying(22, 2, 30).to(of_rooms), noise(23, 1, 1, 300).to(dtype)
    got = Reverb(rirs)(audio, torch.tensor([300]), torch.tensor([[1]]))
    assert got.dtype == dtype
    expected = literal(audio[0, 0].double().numpy(), rirs[1].double().numpy(), True)
    error = np.abs(got[0, 0].double().numpy() - expected).max()
    assert error < max(torch.finfo(dtype).eps, 1e-6)


def test_moves_to_another_type() -> None:
    reverb = Reverb(decaying(24, 3, 30, dtype=torch.float32), normalise=False)
    moved = reverb.to("cpu", torch.float64)
    assert len(moved) == len(reverb) == 3
    assert moved.rirs.dtype == torch.float64
    assert reverb.rirs.dtype == torch.float32
    assert not moved.normalise


def test_a_first_use_without_gradients_does_not_spoil_those_with() -> None:
    reverb, lengths, rooms = Reverb(decaying(25, 2, 30)), torch.tensor([300]), torch.tensor([[1]])
    with torch.inference_mode():
        heard = reverb(noise(26, 1, 1, 300), lengths, rooms)
    audio = noise(26, 1, 1, 300).requires_grad_()
    again = reverb(audio, lengths, rooms)
    assert torch.equal(again, heard)
    (gradient,) = torch.autograd.grad(again.square().sum(), audio)
    assert bool(gradient.any())


@pytest.mark.parametrize(
    "rirs",
    [
        torch.zeros(5),
        torch.zeros(0, 5),
        torch.zeros(5, 0),
        torch.ones(1, 5, dtype=torch.int64),
        torch.tensor([[1.0, torch.nan]]),
    ],
)
def test_responses_that_are_none_are_refused(rirs: Tensor) -> None:
    with pytest.raises(RoomError, match="Got impulse responses"):
        Reverb(rirs)


@pytest.mark.parametrize("shape", [(2, 100), (2, 2, 100), (3, 1, 100)])
def test_audio_that_does_not_fit_the_rooms_is_refused(shape: tuple[int, ...]) -> None:
    reverb, rooms = Reverb(torch.ones(1, 1)), torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(AudioError, match=r"expected \[2, 1, T\] or \[2, 3, T\]"):
        reverb(torch.zeros(shape), torch.tensor([100, 100]), rooms)
