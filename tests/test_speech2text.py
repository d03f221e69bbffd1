"""Speech2Text on tiny random checkpoints: against its own `forward` and `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_seq2seq as tiny
import torch
from seq2seq_clauses import (
    check_attack,
    check_gradient,
    check_gradient_is_finite,
    check_loss_is_of_what_is_decoded,
    check_matched,
    check_rows,
    load,
    told,
)
from torch import Tensor

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.families.speech2text import Speech2Text

pytest.importorskip("sentencepiece")

KINDS = ("english", "multilingual")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("speech2text")
    return {kind: tiny.speech2text(root / kind, multilingual=kind != "english") for kind in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def victim(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Any:
    return load(Speech2Text, folders[request.param])


@pytest.fixture(scope="module")
def english(folders: dict[str, Path]) -> Any:
    return load(Speech2Text, folders["english"])


def generate(victim: Any, clip: Tensor, **options: Any) -> Any:
    """As a user would, who says which language to write where the model has more than one."""
    languages = victim.processor.tokenizer.lang_code_to_id
    if languages:
        options = {"forced_bos_token_id": languages["fr"]} | options
    inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt")
    return victim.model.generate(**inputs, **({"num_beams": 1} | options))


def say(victim: Any, clip: Tensor) -> Tensor:
    return told(victim, generate(victim, clip)[0], victim.generation.prompt)


# ---- what generation begins with


def test_the_prompt_is_the_start_and_the_language(folders: dict[str, Path], tmp_path: Path) -> None:
    assert load(Speech2Text, folders["english"]).generation.prompt == (2,)
    french = load(Speech2Text, folders["multilingual"])
    marks = french.processor.tokenizer.lang_code_to_id
    assert french.generation.prompt == (2, marks["fr"])
    folder = tiny.speech2text(tmp_path, multilingual=True, forced_bos_token_id=marks["nl"])
    assert load(Speech2Text, folder).generation.prompt == (2, marks["nl"])


def test_settings_that_are_not_reproduced_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VictimError, match="no_repeat_ngram_size=3"):
        load(Speech2Text, tiny.speech2text(tmp_path, no_repeat_ngram_size=3))


# ---- the loss


def test_loss_is_the_models_own(english: Any) -> None:
    clip = tiny.sounds(2)[1]
    target = english.encode("open the door", len(clip))
    with torch.no_grad():
        own = english.model(**english.features(clip), labels=target[None]).loss
        loss = english.score(clip[None], torch.tensor([len(clip)]), [target]).loss[0]
    torch.testing.assert_close(loss, own * len(target), rtol=1e-5, atol=0)


def test_loss_is_of_what_is_decoded(victim: Any) -> None:
    def run(clip: Tensor) -> tuple[Tensor, list[Tensor]]:
        out = generate(victim, clip, return_dict_in_generate=True, output_scores=True)
        return told(victim, out.sequences[0], victim.generation.prompt), list(out.scores)

    check_loss_is_of_what_is_decoded(victim, tiny.sounds(8), run)


def test_the_models_own_batch_is_not_its_clips(english: Any) -> None:
    """Why clips of unequal length are encoded apart: the last states hear the padding."""
    clips = [clip[:n] for clip, n in zip(tiny.sounds(2), (24_000, 16_200), strict=True)]
    inputs = english.processor(
        [clip.numpy() for clip in clips], sampling_rate=16_000, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        together = english.model.model.encoder(**inputs).last_hidden_state[1]
        alone = english.model.model.encoder(**english.features(clips[1])).last_hidden_state[0]
    difference = (together[: len(alone)] - alone).abs().amax(-1)
    assert difference.max() > 0.01 * alone.abs().max()


# ---- the victim's contract


def test_matched_is_what_generate_says(victim: Any) -> None:
    spare = victim.processor.tokenizer.convert_tokens_to_ids(["a", "▁the"])
    check_matched(victim, tiny.sounds(10), lambda clip: say(victim, clip), spare, victim.room)


def test_matched_honours_suppressed_symbols(tmp_path: Path) -> None:
    """What the model would begin every clip with is barred; it says something else then."""
    clips = tiny.sounds(8)
    free = load(Speech2Text, tiny.speech2text(tmp_path / "free", multilingual=True))
    opening = sorted({int(say(free, clip)[0]) for clip in clips})
    barred = load(
        Speech2Text,
        tiny.speech2text(tmp_path / "barred", multilingual=True, begin_suppress_tokens=opening),
    )
    assert all(int(say(barred, clip)[0]) not in opening for clip in clips)
    spare = [symbol for symbol in opening if symbol != barred.generation.end][:1]
    check_matched(barred, clips, lambda clip: say(barred, clip), spare, barred.room)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_clip_alone(folders: dict[str, Path], kind: str) -> None:
    victim = load(Speech2Text, folders[kind], torch.float64)
    words = ("open", "the door", "let the people", "a")
    check_rows(victim, [victim.encode(text, 16_000) for text in words])


def test_gradients_are_finite(victim: Any) -> None:
    check_gradient_is_finite(victim, victim.encode("the box", 16_000))


def test_gradient_agrees_with_finite_differences(folders: dict[str, Path]) -> None:
    victim = load(Speech2Text, folders["english"], torch.float64)
    check_gradient(victim, victim.encode("the box", 16_000))


def test_the_attack_is_heard(victim: Any) -> None:
    check_attack(victim, "the", tiny.sounds(4, 16_000)[1])


# ---- transcribing


def test_transcribing_is_processor_and_generate(victim: Any) -> None:
    for clip in tiny.sounds(4):
        text = victim.processor.batch_decode(generate(victim, clip), skip_special_tokens=True)[0]
        assert victim.transcribe(clip) == text.strip()


def test_greedy_is_greedy_though_the_checkpoint_asks_for_beams(folders: dict[str, Path]) -> None:
    victim, clips = load(Speech2Text, folders["english"]), tiny.sounds(6)
    greedy = [victim.transcribe(clip) for clip in clips]
    victim.beams = 5
    searched = [victim.transcribe(clip) for clip in clips]
    assert searched != greedy
    for clip, text in zip(clips, searched, strict=True):
        ids = generate(victim, clip, num_beams=5)
        assert text == victim.processor.decode(ids[0], skip_special_tokens=True).strip()


# ---- targets


def test_a_target_is_written_in_the_pieces_of_the_model(english: Any) -> None:
    tokenizer = english.processor.tokenizer
    pieces = tokenizer.convert_ids_to_tokens(english.encode(" Open  the door", 16_000))
    assert pieces[-1] == "</s>"
    assert "".join(pieces[:-1]) == "▁open▁the▁door"
    assert pieces[:-1] == tokenizer.tokenize("open the door")


@pytest.mark.parametrize("target", ["open the ☃", "open</s> the", "ouvrir la <lang:de> porte", "é"])
def test_what_cannot_be_written_is_not_a_target(victim: Any, target: str) -> None:
    with pytest.raises(TargetError, match="cannot write"):
        victim.encode(target, 16_000)


def test_room_is_what_generate_has_room_for(tmp_path: Path) -> None:
    """An end that is out of sight makes generation stop at its bound, room symbols on."""
    for bound in ({"max_length": 9}, {"max_new_tokens": 7}, {"max_length": None}):
        folder = tmp_path / str(bound)
        for kind in (False, True):
            built = tiny.speech2text(folder, multilingual=kind, suppress_tokens=[2], **bound)
            victim = load(Speech2Text, built)
            assert len(say(victim, tiny.sounds(1)[0])) == victim.room


def test_a_target_too_long_for_one_output_is_refused(english: Any) -> None:
    longest = english.room - 1
    fits = "q " * (longest // 2)
    assert len(english.encode(fits, 16_000)) <= english.room
    with pytest.raises(TargetError, match=f"at most {longest} at a time"):
        english.encode(fits * 2, 16_000)


def test_a_forced_end_is_not_an_end_that_was_said(tmp_path: Path) -> None:
    forced = load(Speech2Text, tiny.speech2text(tmp_path, forced_eos_token_id=2, max_length=8))
    outputs = [generate(forced, clip)[0].tolist() for clip in tiny.sounds(8)]
    cut = max(outputs, key=len)
    assert len(cut) == 8
    assert cut.index(2, 1) == 7  # at the bound, whatever the model would say there
    assert forced.room == 6


def test_a_clip_without_frames_is_refused(english: Any) -> None:
    with pytest.raises(TargetError, match="399 samples"):
        english.encode("open", 399)
