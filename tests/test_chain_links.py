"""The contract of every link of a chain, with its defaults."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import scipy.signal
import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import load
from mondegreen.chain.link import Link
from mondegreen.chain.names import LINKS, link
from mondegreen.errors import OptionError, VictimError

RATE = 16_000
SEED = (7, 1, 20)
# By how many dB of the sound a twin may differ from the real thing; others: by rounding.
ROUNDING = -120.0
TWIN: dict[str, float] = {}
MOVES = frozenset({"drift"})  # what moves sounds in time, and should
NEW_PHASE = frozenset({"mel", "lpc"})  # what makes another waveform, of the same envelope


def loaded(name: str, rate: int = RATE) -> Link:
    try:
        return link(name, rate)
    except VictimError as error:
        pytest.skip(str(error))


@pytest.fixture(params=list(LINKS))
def one(request: pytest.FixtureRequest) -> Link:
    return loaded(request.param)


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    """0.8 s of it, with a pause of zeros."""
    sound = torch.from_numpy(load(beckett, RATE)[RATE : RATE + 12_800].copy())
    sound[6000:8000] = 0
    return sound


def draws(clips: int, count: int) -> Draws:
    return Draws.of(SEED, clips, count)


def twin(one: Link, sound: Tensor) -> Tensor:
    """What the twin makes of a sound [T] in its first draw."""
    return one.twin(sound[None, None], torch.tensor([len(sound)]), draws(1, one.draws))[0, 0]


def error_db(found: Tensor, expected: Tensor) -> float:
    """The power of what differs over that of what is expected."""
    found, expected = found.detach().double(), expected.detach().double()
    left = (found - expected).square().sum() / expected.square().sum().clamp(min=1e-30)
    return float(10 * left.clamp(min=1e-30).log10())


def test_its_name_gives_it_again(one: Link) -> None:
    assert link(one.spec, RATE) == one


@pytest.mark.parametrize("rate", [8000, RATE])
@pytest.mark.parametrize("samples", [800, 1601])
def test_as_many_samples_come_out(one: Link, speech: Tensor, samples: int, rate: int) -> None:
    out = loaded(one.name, rate).heard(speech[:samples], draws(1, 1))
    assert out.shape == (samples,)
    assert out.dtype == torch.float32
    assert float(out.abs().max()) > 0


NOT_BY_DEFAULT = {("bandpass", 4000): "bandpass:300:1500", ("ogg", 48_000): "ogg:48"}


@pytest.mark.parametrize("rate", [4000, 48_000])
def test_every_link_works_at_the_lowest_rate_and_at_a_high_one(
    one: Link, speech: Tensor, rate: int
) -> None:
    spec = NOT_BY_DEFAULT.get((one.name, rate), one.name)
    if spec != one.name:
        with pytest.raises(OptionError, match="expected"):
            link(one.name, rate)
    out = loaded(spec, rate).heard(speech[:1601], draws(1, 1))
    assert out.shape == (1601,)
    assert float(out.abs().max()) > 0


def test_nothing_comes_of_silence_but_finite_numbers(one: Link) -> None:
    silence = torch.zeros(1, 1, 4000, requires_grad=True)
    assert one.heard(silence[0, 0].detach(), draws(1, 1)).isfinite().all()
    out = one.twin(silence, torch.tensor([4000]), draws(1, one.draws))
    (gradient,) = torch.autograd.grad(out.sum(), silence)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", [n for n in LINKS if not LINKS[n].random and n not in MOVES])
def test_it_delays_nothing(name: str, speech: Tensor) -> None:
    out = loaded(name).real(speech, draws(1, 1))
    if name in NEW_PHASE:
        assert abs(delay(envelope(out), envelope(speech))) <= 0.005 * RATE
    else:
        assert delay(out, speech) == 0


def delay(out: Tensor, sound: Tensor) -> int:
    """By how many samples it is late, by cross-correlation."""
    found = scipy.signal.correlate(out.numpy(), sound.numpy(), "full", "fft")
    return int(found.argmax()) - (len(sound) - 1)


def envelope(sound: Tensor) -> Tensor:
    """The mean power in 10 ms around each sample, less its mean."""
    power = torch.nn.functional.avg_pool1d(sound.square()[None], 161, 1, 80)[0]
    return power - power.mean()


def test_the_twin_is_the_real_thing(one: Link, speech: Tensor) -> None:
    real = one.heard(speech, draws(1, 1))
    assert error_db(twin(one, speech), real) <= TWIN.get(one.name, ROUNDING)


def test_the_same_draws_give_the_same(one: Link, speech: Tensor) -> None:
    assert torch.equal(twin(one, speech), twin(one, speech))
    first, second = (one.heard(speech, draws(1, 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_what_is_random_draws_anew_and_nothing_else(one: Link, speech: Tensor) -> None:
    first, second = (one.heard(speech, Draws.of((seed,), 1, 1)) for seed in (1, 2))
    assert torch.equal(first, second) != one.random


def test_neither_batch_mates_nor_padding_matter(one: Link, speech: Tensor) -> None:
    lengths = torch.tensor([len(speech), 7000])
    audio = torch.stack([speech, speech.roll(-3000)])[:, None]
    audio[1, :, 7000:] = math.nan
    together = one.twin(audio, lengths, draws(2, one.draws))
    assert together.shape == (2, one.draws, len(speech))
    assert not together[1, :, 7000:].any()
    for row, length in zip((0, 1), lengths.tolist(), strict=True):
        alone = twin(one, audio[row, 0, :length].clone())
        assert error_db(together[row, 0, :length], alone) < -90


def test_its_gradient_is_finite_and_there(one: Link, speech: Tensor) -> None:
    sound = speech.clone().requires_grad_()
    weight = torch.randn(len(speech), generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((weight * twin(one, sound)).sum(), sound)
    assert gradient.isfinite().all()
    assert gradient.any()
