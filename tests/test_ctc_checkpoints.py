"""The CTC family on whole checkpoints: the model's own loss, its own decoder, its own letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_ctc
import torch
from tiny_seq2seq import sounds
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError, VictimError
from mondegreen.text import words_only
from mondegreen.victims.ctc_loss import frames_needed
from mondegreen.victims.families.checkpoint import load_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[*tiny_ctc.WAVEFORM, "parakeet_ctc"])
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_ctc.build(request.param, tmp_path_factory.mktemp("tiny"))
    return load_checkpoint(str(folder), CPU, torch.float32)


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_ctc.build("wav2vec2", tmp_path_factory.mktemp("tiny"))
    return load_checkpoint(str(folder), CPU, torch.float32)


def symbols(victim: Any, audio: Tensor) -> Tensor:
    """What the model's own best path says, merged as the definition has it, in plain Python."""
    path = victim.model(**victim.features(audio)).logits[0].argmax(-1)
    path = path[: victim._frames(len(audio))].tolist()
    merged = [s for s, before in zip(path, [None, *path], strict=False) if s != before]
    return torch.tensor([s for s in merged if s != victim.blank])


def without_redundant(delimiter: int | None, target: Tensor) -> Tensor:
    """As `encode` writes: no delimiter first, last, or twice in a row."""
    kept: list[int] = []
    for symbol in target.tolist():
        if symbol != delimiter or (kept and kept[-1] != delimiter):
            kept.append(symbol)
    return torch.tensor(kept[:-1] if kept[-1:] == [delimiter] else kept)


def test_the_loss_is_the_models_own(victim: Any) -> None:
    audio = sounds(1)[0]
    target = victim.encode("yes", len(audio))
    ours = victim.score(audio[None], torch.tensor([len(audio)]), [target]).loss
    victim.model.config.ctc_loss_reduction = "sum"
    theirs = victim.model(**victim.features(audio), labels=target[None]).loss
    torch.testing.assert_close(ours[0], theirs, rtol=1e-4, atol=1e-3)


def test_a_padded_batch_is_heard_clip_by_clip(victim: Any) -> None:
    clips = [sound[:n] for sound, n in zip(sounds(3), (24_000, 17_777, 24_000), strict=True)]
    targets = [victim.encode(word, 17_777) for word in ("yes", "no", "go")]
    lengths = torch.tensor([len(clip) for clip in clips])
    padded = pad_sequence(clips, batch_first=True, padding_value=torch.nan).requires_grad_()
    together = victim.score(padded, lengths, targets)
    together.loss.sum().backward()
    assert padded.grad is not None
    assert not padded.grad[1, 17_777:].any()
    assert padded.grad.isfinite().all()
    for b, clip in enumerate(clips):
        alone = victim.score(clip[None], lengths[b : b + 1], targets[b : b + 1])
        torch.testing.assert_close(together.loss[b : b + 1], alone.loss, rtol=1e-4, atol=1e-4)
        assert together.matched[b] == alone.matched[0]


def test_matched_is_what_the_decoder_says(victim: Any) -> None:
    # of some lengths Parakeet's features have a padded frame that its encoder makes a frame of
    clips = [s[:n] for s, n in zip(sounds(6), (24_000, 12_800, 21_760) * 2, strict=True)]
    said = [symbols(victim, clip) for clip in clips]
    agreed = 0
    for clip in clips:
        heard, frames = victim.transcribe(clip), victim.model(**victim.features(clip)).logits[0]
        for whole in said:
            for said_so in (whole, whole[:-1], whole[1:]):
                target = without_redundant(victim.delimiter, said_so)
                if len(target) == 0 or frames_needed(target) > len(frames):
                    continue
                matched = victim.score(clip[None], torch.tensor([len(clip)]), [target]).matched
                text = victim.processor.tokenizer.decode(target.tolist(), group_tokens=False)
                assert bool(matched[0]) == (text.split() == heard.split())
                agreed += bool(matched[0])
    assert agreed >= 6


def test_a_phrase_is_spelled_in_the_letters_of_the_model(victim: Any) -> None:
    for written in ("good morning", "Good morning.", "GOOD, MORNING!"):
        target = victim.encode(written, 48_000)
        assert (
            words_only(victim.processor.tokenizer.decode(target.tolist(), group_tokens=False))
            == "good morning"
        )
    quoted = victim.encode("don\u2019t", 24_000)
    assert quoted.tolist() == victim.encode("don't", 24_000).tolist()


def test_what_cannot_be_spelled_is_named(victim: Any) -> None:
    with pytest.raises(TargetError, match=r"no symbol for 'ł'"):
        victim.encode("wrocław", 24_000)


@pytest.mark.parametrize(("target", "symbol"), [("AT&T", "&"), ("pay 50\uff05", "%")])
def test_a_spoken_symbol_is_not_left_out_of_a_target(victim: Any, target: str, symbol: str) -> None:
    with pytest.raises(TargetError, match=f"no symbol for .*'{symbol}'"):
        victim.encode(target, 48_000)


def test_a_target_that_has_no_frames_is_refused(wav2vec2: Any) -> None:
    # 1,600 samples are nine frames; "ballot" takes seven, with the blank between its two l
    assert len(wav2vec2.encode("ballot", 1_600)) == 6
    with pytest.raises(TargetError, match=r"takes 11 frames, but the clip of 0\.1 s has only 9"):
        wav2vec2.encode("ballot box", 1_600)
    with pytest.raises(TargetError):
        wav2vec2.encode("a", 10)


def test_beams_find_a_text_that_is_more_probable(wav2vec2: Any) -> None:
    clip = sounds(1)[0]
    wav2vec2.model.lm_head.weight.mul_(0.02)  # unsure of everything: paths lie close together
    wav2vec2.beams = 8
    heard = wav2vec2.transcribe(clip)
    wav2vec2.beams = 1
    losses = [
        wav2vec2.score(
            clip[None],
            torch.tensor([len(clip)]),
            [torch.tensor(wav2vec2.processor.tokenizer(text).input_ids)],
        ).loss.item()
        for text in (heard, wav2vec2.transcribe(clip))
    ]
    assert losses[0] < losses[1] - 0.5


def test_a_blank_that_the_tokenizer_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = tiny_ctc.build("wav2vec2", tmp_path, pad_token_id=31)
    with pytest.raises(VictimError, match="has the blank 31 in its config but 0 in"):
        load_checkpoint(str(folder), CPU, torch.float32)


def test_a_marker_is_no_target(wav2vec2: Any) -> None:
    with pytest.raises(TargetError):
        wav2vec2.encode("<s>", 16_000)
