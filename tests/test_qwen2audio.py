"""Qwen2-Audio on a tiny random checkpoint: against its own processor, `forward` and `generate`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_qwen2audio
import torch
from seq2seq_clauses import (
    check_attack,
    check_gradient,
    check_gradient_is_finite,
    check_loss_is_of_what_is_decoded,
    check_matched,
    check_rows,
)
from tiny_seq2seq import sounds
from torch import Tensor

from mondegreen.errors import AudioError, TargetError, VictimError
from mondegreen.victims.families.checkpoint import load_checkpoint
from mondegreen.victims.families.qwen2audio import QUESTION, ROOM


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    return load_checkpoint(str(folder), torch.device("cpu"), dtype)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen2audio.build(tmp_path_factory.mktemp("qwen2audio"))


@pytest.fixture(scope="module")
def victim(folder: Path) -> Any:
    return load(folder)


@pytest.fixture(scope="module")
def precise(folder: Path) -> Any:
    return load(folder, torch.float64)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One that may say every symbol, as in `forward`."""
    return load(tiny_qwen2audio.build(tmp_path_factory.mktemp("free"), suppress_tokens=None))


def asked(victim: Any, clip: Tensor, answer: str = "") -> Any:
    """As a user would ask: a talk in the checkpoint's chat template, and the clip."""
    said = {"type": "text", "text": QUESTION}
    talk = [{"role": "user", "content": [{"type": "audio", "audio": "clip.wav"}, said]}]
    text = victim.processor.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
    given = {"text": text + answer, "audio": clip.float().numpy(), "sampling_rate": 16_000}
    return victim.processor(**given, return_tensors="pt").to(victim.dtype)


def stop(victim: Any) -> int:
    (symbol,) = victim.processor.tokenizer.encode(".")
    return int(symbol)


def generate(victim: Any, clip: Tensor, **options: Any) -> Any:
    inputs = asked(victim, clip)
    options = {
        "do_sample": False,
        "max_new_tokens": ROOM,
        "return_dict_in_generate": True,
    } | options
    out = victim.model.generate(**inputs, **options)
    return out, out.sequences[0, inputs["input_ids"].shape[1] :]


def sentence(victim: Any, said: Tensor) -> Tensor:
    """Symbols up to the first full stop, or all."""
    ids = said.tolist()
    return said[: ids.index(stop(victim)) + 1] if stop(victim) in ids else said


def ending_in_a_stop(victim: Any) -> Any:
    """The victim, for checks that ask for the symbol that ends a target."""
    return SimpleNamespace(score=victim.score, generation=SimpleNamespace(end=stop(victim)))


# ---- the loss


@pytest.mark.parametrize("length", [24_000, 16_123, 16_400, 961])
def test_loss_is_the_models_own(free: Any, length: int) -> None:
    clip = sounds(2)[1][:length]
    target = free.encode("open the", length)
    inputs = asked(free, clip, "open the.")
    labels = torch.full_like(inputs["input_ids"], -100)
    labels[0, -len(target) :] = target
    assert inputs["input_ids"][0, -len(target) :].tolist() == target.tolist()
    with torch.no_grad():
        own = free.model(**inputs, labels=labels).loss
        loss = free.score(clip[None], torch.tensor([length]), [target]).loss[0]
    torch.testing.assert_close(loss, own * len(target), rtol=1e-4, atol=0)


def test_loss_is_of_what_is_decoded(victim: Any) -> None:
    def run(clip: Tensor) -> tuple[Tensor, list[Tensor]]:
        out, said = generate(victim, clip, output_scores=True)
        said = sentence(victim, said)
        return said, list(out.scores)[: len(said)]

    check_loss_is_of_what_is_decoded(ending_in_a_stop(victim), sounds(5), run)


# ---- the victim's contract


def test_matched_is_whether_the_answer_begins_so(victim: Any) -> None:
    def say(clip: Tensor) -> Tensor:
        return sentence(victim, generate(victim, clip)[1])

    spare = victim.processor.tokenizer.convert_tokens_to_ids(["a", "Ġthe"])
    check_matched(ending_in_a_stop(victim), sounds(5), say, spare, ROOM)


def test_a_row_is_the_clip_alone(precise: Any) -> None:
    words = ("open", "the pen", "then open the pen", "then")
    check_rows(precise, [precise.encode(text, 16_000) for text in words])


def test_gradients_are_finite(victim: Any) -> None:
    check_gradient_is_finite(victim, victim.encode("the pen", 16_000))


def test_gradient_agrees_with_finite_differences(precise: Any) -> None:
    # its language model normalises in single precision, whatever its weights are in
    check_gradient(precise, precise.encode("the pen", 16_000), step=1e-5, tolerance=1e-2)


def test_the_attack_is_heard(victim: Any) -> None:
    check_attack(victim, "a.", sounds(4, 16_000)[1])


# ---- transcribing


def test_the_transcript_is_the_first_sentence_of_the_answer(victim: Any) -> None:
    ended = 0
    for clip in sounds(6):
        answer = victim.processor.decode(generate(victim, clip)[1], skip_special_tokens=True)
        first, found, _ = answer.partition(".")
        assert victim.transcribe(clip) == (first + found).strip()
        ended += bool(found)
    assert 2 <= ended <= 5  # those that do not end are cut off


def test_beams_are_honoured(folder: Path) -> None:
    victim, clips = load(folder), sounds(3)
    greedy = [victim.transcribe(clip) for clip in clips]
    victim.beams = 3
    assert [victim.transcribe(clip) for clip in clips] != greedy


# ---- targets


@pytest.mark.parametrize("target", ["Open the pen.", " Open  the pen", "Open the pen"])
def test_a_target_is_a_sentence(victim: Any, target: str) -> None:
    assert victim.processor.decode(victim.encode(target, 16_000)) == "open the pen."


@pytest.mark.parametrize(
    "target", ["open. the pen", "open the pen. then.", "open the pen..", "เปิด"]
)
def test_what_is_not_one_sentence_is_refused(free: Any, target: str) -> None:
    with pytest.raises(TargetError, match="is not one sentence"):
        free.encode(target, 16_000)


def test_a_suppressed_symbol_is_not_a_target(victim: Any) -> None:
    with pytest.raises(TargetError, match="suppresses '7'"):
        victim.encode("open 7 pens", 16_000)
    with pytest.raises(TargetError, match="cannot write"):
        victim.encode("open <|im_end|> the pen", 16_000)


def test_a_target_too_long_for_a_first_sentence_is_refused(victim: Any) -> None:
    assert len(victim.encode("b" * (ROOM - 1), 16_000)) == ROOM
    with pytest.raises(TargetError, match=f"at most {ROOM - 1} at a time"):
        victim.encode("b" * ROOM, 16_000)


@pytest.mark.parametrize(("length", "said"), [(960, "960 samples"), (32_001, "split the clip")])
def test_a_clip_outside_of_the_window_is_refused(victim: Any, length: int, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        victim.encode("open", length)
    with pytest.raises(AudioError, match=said):
        victim.transcribe(torch.zeros(length))


def test_a_template_without_a_place_for_the_clip_is_refused(tmp_path: Path) -> None:
    folder = tiny_qwen2audio.build(tmp_path)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'][1]['text'] }}")
    with pytest.raises(VictimError, match="0 places for one clip, expected 1"):
        load(folder)


def test_settings_that_are_not_reproduced_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VictimError, match=r"repetition_penalty=1\.1"):
        load(tiny_qwen2audio.build(tmp_path, repetition_penalty=1.1))
