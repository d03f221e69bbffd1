"""Codecs: their delay, their bit rate, what is offered, and what is said where one is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import scipy.signal
import soundfile
import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import load
from mondegreen.chain import codecs
from mondegreen.chain.codecs import LEAD, Aac, Codec, Filed, Mp3, Opus, Vorbis, probe
from mondegreen.chain.names import link
from mondegreen.errors import OptionError, VictimError

NO_DRAWS = Draws.of((0,), 1, 1)
HAS_AV = importlib.util.find_spec("av") is not None
needs_av = pytest.mark.skipif(not HAS_AV, reason="PyAV is not installed")
KINDS = ["opus", "mp3", "ogg", pytest.param("aac", marks=needs_av)]


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000)[16_000:40_000].copy())


def codec(spec: str, rate: int = 16_000) -> Codec:
    made = link(spec, rate)
    assert isinstance(made, Codec)
    return made


def snr(sound: Tensor, out: Tensor) -> float:
    return float(10 * (sound.square().sum() / (out - sound).square().sum()).log10())


def test_the_delay_of_lame() -> None:
    # Too few bits for the tag that says what to leave out: LAME's own 576, and the decoder's 529.
    assert codec("mp3:16").begins - LEAD == 576 + 529
    assert codec("mp3:64").begins == LEAD


@needs_av
def test_the_delay_of_aac() -> None:
    assert codec("aac:32").begins - LEAD == 1024  # one frame: half of it overlaps the next


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("spec", ["opus:32", "mp3:32", pytest.param("aac:32", marks=needs_av)])
def test_sounds_stay_in_their_place_at_every_rate(spec: str, rate: int) -> None:
    sound = torch.from_numpy(probe(rate)).roll(100)[: rate + 11]
    out = codec(spec, rate).real(sound, NO_DRAWS)
    found = scipy.signal.correlate(out.numpy(), sound.numpy(), "full", "fft")
    assert found.argmax() == len(sound) - 1


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [
        *(("opus:8", "opus:64"), ("mp3:16", "mp3:64"), ("ogg:24", "ogg:96")),
        pytest.param("aac:16", "aac:64", marks=needs_av),
    ],
)
def test_more_bits_leave_more_of_the_sound(coarse: str, fine: str, speech: Tensor) -> None:
    left, whole = (snr(speech, codec(spec).real(speech, NO_DRAWS)) for spec in (coarse, fine))
    assert 3 < left < whole - 6
    assert whole > 18


@pytest.mark.parametrize(
    ("spec", "within"), [("opus:24", 0.2), ("opus:64", 0.2), ("mp3:64", 0.05), ("mp3:16", 0.05)]
)
def test_the_bit_rate_is_what_was_asked_for(spec: str, within: float, beckett: Path) -> None:
    sound, made = load(beckett, 16_000), codec(spec)
    assert isinstance(made, Filed)
    bits = 8 * len(made._file(sound, made.level))
    assert bits / len(sound) * 16 == pytest.approx(made.kbps, rel=within)


@pytest.mark.parametrize("kbps", [24, 40, 100])
def test_the_nominal_bit_rate_of_vorbis(kbps: int, speech: Tensor) -> None:
    made = codec(f"ogg:{kbps}")
    assert isinstance(made, Vorbis)
    content = made._file(speech.numpy(), made.level)
    nominal = int.from_bytes(content[28 + 20 :][:4], "little")  # after the page's 28 bytes
    assert nominal == pytest.approx(1000 * kbps, rel=0.02)


@pytest.mark.parametrize(
    ("rate", "works_at"), [(16_000, 16_000), (22_050, 24_000), (96_000, 48_000)]
)
def test_opus_works_at_the_next_rate_that_it_takes(rate: int, works_at: int) -> None:
    assert Opus(sample_rate=rate).rate == works_at


@pytest.mark.parametrize("name", KINDS)
def test_the_gradient_is_the_identitys(name: str, speech: Tensor) -> None:
    audio = speech[None, None, :4000].clone().requires_grad_()
    weight = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    out = codec(name).twin(audio, torch.tensor([3000]), NO_DRAWS)
    (gradient,) = torch.autograd.grad((weight * out).sum(), audio)
    assert torch.equal(gradient[0, 0, :3000], weight[:3000])
    assert not gradient[0, 0, 3000:].any()


@pytest.mark.parametrize("name", KINDS)
def test_what_comes_out_is_in_range(name: str) -> None:
    square = torch.ones(4000)
    square[::40] = -1
    assert float(codec(name).real(square, NO_DRAWS).abs().max()) <= 1


@pytest.mark.parametrize(
    ("spec", "rate", "says"),
    [
        ("mp3:60", 16_000, "at 16000 Hz expected one of: 8, 16, 24, 32, 40"),
        ("mp3:320", 16_000, "at 16000 Hz expected one of"),
        ("mp3:80", 8000, r"expected one of: 8, 16, 24, 32, 40, 48, 56, 64$"),
        ("opus:5", 16_000, "Got kbps = 5"),
        ("opus:24.5", 16_000, "Got kbps = 24.5"),
        ("ogg:10", 16_000, "at 16000 Hz expected 24 to 100, as ogg:24$"),
        ("ogg", 48_000, "Got kbps = 40, at 48000 Hz expected 48 to 240, as ogg:48$"),
        pytest.param("aac:200", 16_000, "at 16000 Hz expected at most 96", marks=needs_av),
    ],
)
def test_bit_rates_that_are_not_offered(spec: str, rate: int, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        link(spec, rate)


@pytest.mark.parametrize("kind", [Opus, Mp3, Vorbis])
def test_an_old_libsndfile(kind: type[Filed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda _: {})
    with pytest.raises(VictimError, match=f"{kind.name} needs .* pip install --upgrade soundfile"):
        kind(sample_rate=16_000)


def test_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "find_spec", lambda _: None)
    with pytest.raises(VictimError, match=r"pip install 'mondegreen\[codecs\]'"):
        Aac(sample_rate=16_000)
