"""Whisper's near pass on tiny random checkpoints, against the model's own whole pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import tiny_seq2seq as tiny
import torch
from seq2seq_clauses import load
from torch import Tensor
from waits import counted

from mondegreen.audio.batch import pad
from mondegreen.victims.families.whisper import Whisper
from mondegreen.victims.families.whisper_near import BEYOND

SECONDS = 4  # of the window: 200 places
WORDS = ("open the pen", "then", "the pen")


@pytest.fixture(scope="module", params=("english", "multilingual"))
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("whisper") / "tiny"
    tiny.whisper(folder, multilingual=request.param == "multilingual", seconds=SECONDS)
    return load(Whisper, folder, torch.float64)


def clips(*lengths: int) -> list[Tensor]:
    sounds = tiny.sounds(len(lengths), max(lengths))
    return [sound[:n].double() for sound, n in zip(sounds, lengths, strict=True)]


def moved(clip: Tensor, by: float = 0.05) -> Tensor:
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(5), dtype=clip.dtype)
    return clip + by * noise


@contextmanager
def silence_as_it_was(model: Any, near: Tensor, places: int) -> Iterator[None]:
    """Within it, the encoder's layers find, after the first places, what they found for `near`.

    The slow twin: the model's own whole pass, in which the rest is overwritten layer by layer.
    """
    encoder = model.model.encoder
    with torch.no_grad():
        found = encoder(near, output_hidden_states=True).hidden_states
    parts = [*encoder.layers, encoder.layer_norm]

    def overwritten(states: Tensor, kept: Tensor) -> Tensor:
        return torch.cat([states[:, :places], kept[:, places:]], dim=1)

    handles = [
        part.register_forward_pre_hook(
            lambda _, given, kept=kept: (overwritten(given[0], kept), *given[1:])
        )
        for part, kept in zip(encoder.layers, found[:-1], strict=True)
    ]
    handles.append(
        encoder.layer_norm.register_forward_hook(
            lambda _, __, states: overwritten(states, found[-1])
        )
    )
    assert len(handles) == len(parts)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("length", [3_000, 16_000, 16_123, 48_000, 64_000])
def test_it_is_the_whole_pass_with_the_silence_as_it_was(victim: Any, length: int) -> None:
    (near,) = clips(length)
    lengths, targets = torch.tensor([length]), [victim.encode(WORDS[0], length)]
    places = min(50 * SECONDS, -(-length // 320) + BEYOND)
    sound = moved(near)[None].requires_grad_()
    score = victim.score_near(sound, lengths, targets, near[None])
    (slope,) = torch.autograd.grad(score.loss.sum(), sound)
    features, _ = victim.frontend(near[None], lengths)
    with silence_as_it_was(victim.model, features, places):
        expected = victim.score(sound, lengths, targets)
        (own,) = torch.autograd.grad(expected.loss.sum(), sound)
    torch.testing.assert_close(score.loss, expected.loss, rtol=1e-9, atol=0)
    torch.testing.assert_close(slope, own, rtol=0, atol=1e-7 * float(own.abs().max()))
    assert torch.equal(score.matched, expected.matched)


def test_the_silence_matters_to_the_twin(victim: Any) -> None:
    """Else the test above would say nothing."""
    (near,) = clips(16_000)
    lengths, targets = torch.tensor([16_000]), [victim.encode(WORDS[0], 16_000)]
    features, _ = victim.frontend(near[None], lengths)
    with torch.no_grad():
        whole = victim.score(moved(near)[None], lengths, targets).loss
        with silence_as_it_was(victim.model, 0 * features, 58):
            other = victim.score(moved(near)[None], lengths, targets).loss
    assert abs(other - whole) > 1e-4 * whole


def test_at_the_sound_itself_it_is_what_score_says(victim: Any) -> None:
    for clip in clips(16_000, 20_000, 31_000):
        lengths = torch.tensor([len(clip)])
        for words in WORDS:
            targets = [victim.encode(words, len(clip))]
            with torch.no_grad():
                whole = victim.score(clip[None], lengths, targets)
                near = victim.score_near(clip[None], lengths, targets, clip[None])
            torch.testing.assert_close(near.loss, whole.loss, rtol=1e-9, atol=0)
            assert torch.equal(near.matched, whole.matched)


def test_a_row_is_the_clip_alone(victim: Any) -> None:
    near = clips(40_000, 16_000, 24_123)
    sounds = [moved(clip) for clip in near]
    targets = [victim.encode(words, 16_000) for words in WORDS]
    audio, lengths = pad(sounds)
    nearby, _ = pad(near)
    audio[1, 16_000:] = torch.nan
    nearby[1, 16_000:] = torch.nan
    audio.requires_grad_()
    together = victim.score_near(audio, lengths, targets, nearby)
    (gradient,) = torch.autograd.grad(together.loss.sum(), audio)
    for row, (clip, target) in enumerate(zip(near, targets, strict=True)):
        sound = sounds[row][None].requires_grad_()
        alone = victim.score_near(sound, lengths[row : row + 1], [target], clip[None])
        (slope,) = torch.autograd.grad(alone.loss.sum(), sound)
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=1e-9, atol=0)
        scale = float(slope.abs().max())
        torch.testing.assert_close(gradient[row, : len(clip)], slope[0], rtol=0, atol=1e-7 * scale)
        assert gradient[row, len(clip) :].abs().sum() == 0


def test_features_of_the_beginning_are_the_first_of_the_whole(victim: Any) -> None:
    audio, lengths = pad(clips(16_000, 10_123))
    whole, _ = victim.frontend(audio, lengths)
    for frames in (110, 118, 400, 500):
        begun = victim.frontend.beginning(audio, lengths, frames)
        torch.testing.assert_close(begun, whole[..., :frames], rtol=0, atol=1e-12)


def test_the_whole_pass_is_made_once_for_the_same_sounds(victim: Any) -> None:
    passes: list[int] = []
    handle = victim.model.model.encoder.register_forward_hook(lambda *_: passes.append(1))
    try:
        near, lengths = clips(16_000)[0][None], torch.tensor([16_000])
        targets = [victim.encode("the", 16_000)]
        for _ in range(3):
            victim.score_near(moved(near), lengths, targets, near)
        assert len(passes) == 1
        victim.score_near(moved(near), lengths, targets, near.clone())
        assert len(passes) == 2
    finally:
        handle.remove()


def test_it_waits_for_no_device_once_it_is_laid_out(victim: Any) -> None:
    near, lengths = clips(16_000)[0][None], torch.tensor([16_000])
    sound, targets = moved(near).requires_grad_(), [victim.encode("the", 16_000)]
    victim.score_near(sound, lengths, targets, near)
    with counted() as waits:
        for nearby in (near, sound.detach()):
            score = victim.score_near(sound, lengths, targets, nearby)
            torch.autograd.grad(score.loss.sum(), sound)
    assert waits == []
