"""The embedded recogniser: against transformers, against the shipped model, and as a victim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import Clip
from torch import Tensor

from mondegreen import attack
from mondegreen.attacks.loop import Search
from mondegreen.attacks.presets import preset
from mondegreen.attacks.result import Trajectory
from mondegreen.audio import load, pad, save
from mondegreen.errors import TargetError
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.victims import load_recogniser, load_victim
from mondegreen.victims.moonshine import Moonshine, max_tokens
from mondegreen.victims.moonshine_int8 import MoonshineInt8
from mondegreen.victims.tokenizer import START

TARGET = "Open the door."


@pytest.fixture(scope="module")
def victim() -> Moonshine:
    loaded = load_victim("moonshine-tiny", device="cpu")
    assert isinstance(loaded, Moonshine)
    return loaded


@pytest.fixture(scope="module")
def int8() -> MoonshineInt8:
    loaded = load_recogniser("moonshine-tiny-int8")
    assert isinstance(loaded, MoonshineInt8)
    return loaded


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


def score(victim: Moonshine, clips: list[Tensor], target: str = TARGET) -> tuple[Tensor, Tensor]:
    audio, lengths = pad(clips)
    found = victim.score(audio, lengths, [victim.encode(target, 160_000)] * len(clips))
    return found.loss, found.matched


# ---- the conversion


def test_it_hears_the_recording_in_the_wheel(victim: Moonshine, speech: Tensor) -> None:
    # the recording is of a known sentence (Beckett, Worstward Ho)
    said = "ever tried ever failed no matter try again fail again fail better"
    heard = "".join(c for c in victim.transcribe(speech).lower() if c.isalpha() or c == " ")
    assert heard == said


def every_clip(beckett: Path, two_cities: Path, clips: list[Clip]) -> list[Tensor]:
    paths = [beckett, two_cities, *(clip.path for clip in clips)]
    return [torch.from_numpy(load(path, 16_000)) for path in paths]


@pytest.mark.slow
def test_float_and_shipped_int8_model_agree(
    victim: Moonshine, int8: MoonshineInt8, beckett: Path, two_cities: Path, clips: list[Clip]
) -> None:
    """Along the float model's own transcript, the int8 model would say the same at every token."""
    for audio in every_clip(beckett, two_cities, clips):
        ids = [START, *victim.tokenizer.encode(victim.transcribe(audio))]
        ours = float_logits(victim, audio, ids)
        theirs = int8.logits(audio, ids)
        assert (ours.argmax(-1) == theirs.argmax(-1)).all()
        # int8 activations: measured 2.5 to 3.1 % of the logits' size on seven clips
        assert rms(ours - theirs) < 0.05 * rms(ours)


@pytest.mark.slow
def test_float_and_shipped_transcripts_agree_where_the_float_model_is_sure(
    victim: Moonshine, int8: MoonshineInt8, beckett: Path, two_cities: Path, clips: list[Clip]
) -> None:
    differing = [
        audio
        for audio in every_clip(beckett, two_cities, clips)
        if victim.transcribe(audio) != int8.transcribe(audio)
    ]
    assert len(differing) <= 1  # 61-70968-0011 spells the name "Fitzooth" in another way
    for audio in differing:
        ours, theirs = (r.tokenizer.encode(r.transcribe(audio)) for r in (victim, int8))
        same = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
        logits = float_logits(victim, audio, [START, *ours[:same]])[-1]
        assert logits[ours[same]] - logits[theirs[same]] < 1.0  # within what int8 moves a logit


def float_logits(victim: Moonshine, audio: Tensor, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        out = victim.model(input_values=audio[None], decoder_input_ids=torch.tensor([ids]))
    return out.logits[0].numpy()


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


# ---- the victim's contract, on the real model


def test_loss_is_the_models_own(victim: Moonshine, speech: Tensor) -> None:
    tokens = victim.encode(TARGET, len(speech))
    logits = torch.from_numpy(float_logits(victim, speech, [START, *tokens[:-1].tolist()]))
    own = F.cross_entropy(logits, tokens, reduction="sum")
    loss, _ = score(victim, [speech])
    torch.testing.assert_close(loss[0], own, rtol=1e-5, atol=0)


def test_matched_is_what_the_decoder_says(victim: Moonshine, speech: Tensor) -> None:
    heard = victim.transcribe(speech)
    assert score(victim, [speech], heard)[1].tolist() == [True]
    for other in (TARGET, heard[:-1], heard + " Again."):
        assert score(victim, [speech], other)[1].tolist() == [False]


def test_a_row_of_a_batch_is_the_clip_alone(victim: Moonshine, speech: Tensor) -> None:
    clips = [speech[:48_000], speech[20_000:53_001], speech[60_000:84_000]]
    together, _ = score(victim, clips)
    alone = torch.cat([score(victim, [clip])[0] for clip in clips])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-4)


def test_what_stands_in_the_padding_is_never_heard(victim: Moonshine, speech: Tensor) -> None:
    audio, lengths = pad([speech[:48_000], speech[:30_000]])
    noisy = audio.clone()
    noisy[1, 30_000:] = torch.randn(18_000)
    tokens = [victim.encode(TARGET, 48_000)] * 2
    clean, dirty = victim.score(audio, lengths, tokens), victim.score(noisy, lengths, tokens)
    torch.testing.assert_close(clean.loss, dirty.loss, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["speech", "silence", "clipped", "short"])
def test_gradients_are_finite_and_zero_in_the_padding(
    victim: Moonshine, speech: Tensor, kind: str
) -> None:
    clip = {
        "speech": speech[:32_000],
        "silence": torch.zeros(32_000),
        "clipped": (speech[:32_000] * 100).clamp(-1, 1),
        "short": speech[:1_600],
    }[kind]
    audio, lengths = pad([clip, speech[:40_000]])
    audio.requires_grad_()
    loss = victim.score(audio, lengths, [victim.encode(TARGET, 40_000)] * 2).loss
    (gradient,) = torch.autograd.grad(loss.sum(), audio)
    assert gradient.isfinite().all()
    assert gradient[0, : len(clip)].abs().max() > 0
    assert gradient[0, len(clip) :].abs().max() == 0


def test_the_weights_want_no_gradient(victim: Moonshine) -> None:
    assert not any(p.requires_grad for p in victim.model.parameters())


def test_gradient_agrees_with_finite_differences(speech: Tensor) -> None:
    victim = load_victim("moonshine-tiny", device="cpu", dtype=torch.float64)
    clip = speech[:24_000].double()
    lengths, tokens = torch.tensor([len(clip)]), [victim.encode(TARGET, 24_000)]

    def loss(audio: Tensor) -> Tensor:
        return victim.score(audio[None], lengths, tokens).loss[0]

    (gradient,) = torch.autograd.grad(loss(clip.requires_grad_()), clip)
    direction = torch.randn(len(clip), generator=torch.Generator().manual_seed(0)).double()
    step = 1e-7
    with torch.no_grad():
        slope = (loss(clip + step * direction) - loss(clip - step * direction)) / (2 * step)
    torch.testing.assert_close(gradient @ direction, slope, rtol=1e-5, atol=1e-5)


# ---- targets


def test_a_target_too_long_for_the_clip_is_refused(victim: Moonshine) -> None:
    length = 16_000
    with pytest.raises(TargetError, match=r"in 1\.0 s the recogniser says at most 5"):
        victim.encode("This is much more than one second has room for.", length)
    assert len(victim.encode("Yes.", length)) < max_tokens(length)


def test_a_target_with_a_character_unknown_to_the_model_is_refused(victim: Moonshine) -> None:
    with pytest.raises(TargetError, match="no token"):
        victim.encode("Open the 🚪", 160_000)


# ---- attacked


@pytest.mark.slow
def test_the_fast_attack_on_real_speech_is_verified(
    victim: Moonshine, speech: Tensor, tmp_path: Path
) -> None:
    save(tmp_path / "clip.wav", speech[:52_000], 16_000)  # up to the end of "ever failed"
    result = attack(victim, tmp_path / "clip.wav", "open the door", max_passes=260)
    assert result.verified
    audible = [p.masking_loss for p in result.record.curve if p.masking_loss is not None]
    assert result.record.quality.masking is not None
    assert result.record.quality.masking.loss < audible[0] / 2


@pytest.mark.slow
def test_a_clip_in_a_batch_of_four_is_the_clip_alone(speech: Tensor) -> None:
    """In float64, where rounding is too small to turn a gradient's sign over."""
    victim = load_victim("moonshine-tiny", device="cpu", dtype=torch.float64)
    pieces = [speech[5_000 : 5_000 + n].double() for n in (19_200, 24_000, 28_805, 32_000)]

    def run(clips: list[Tensor]) -> list[Trajectory]:
        audio, lengths = pad(clips)
        tokens = [victim.encode("Yes.", len(clip)) for clip in clips]
        search = Search(victim, clips, tokens, masking_threshold(audio, lengths, 16_000))
        first, second = preset("imperceptible", "fast")
        list(search.run([replace(first, steps=16), replace(second, steps=8)]))
        return search.trajectories

    together = run(pieces)
    assert any(row.first_match for row in together)
    for piece, row in zip(pieces, together, strict=True):
        (alone,) = run([piece])
        assert row.first_match == alone.first_match
        assert row.passes == alone.passes
        torch.testing.assert_close(row.delta, alone.delta, rtol=0, atol=1e-9)
