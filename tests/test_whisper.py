"""Whisper on tiny random checkpoints: against its own `forward` and `generate`."""

from __future__ import annotations

import copy
import json
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
from torch.nn.functional import cross_entropy

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.families.whisper import Whisper

KINDS = ("english", "multilingual")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whisper")
    return {kind: tiny.whisper(root / kind, multilingual=kind != "english") for kind in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def victim(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Any:
    return load(Whisper, folders[request.param])


@pytest.fixture(scope="module")
def english(folders: dict[str, Path]) -> Any:
    return load(Whisper, folders["english"])


def names(victim: Any) -> list[str]:
    """The prompt in words."""
    found: list[str] = victim.processor.tokenizer.convert_ids_to_tokens(victim.generation.prompt)
    return found


def generate(victim: Any, clip: Tensor, **options: Any) -> Any:
    """As a user would, who says which language it is where the model has more than one."""
    if victim.model.generation_config.is_multilingual:
        options |= {"language": "en", "task": "transcribe"}
    inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt")
    return victim.model.generate(
        inputs.input_features, num_beams=1, force_unique_generate_call=True, **options
    )


def say(victim: Any, clip: Tensor) -> Tensor:
    return told(victim, generate(victim, clip)[0], victim.generation.prompt)


# ---- what generation begins with


def test_the_prompt_is_the_one_of_the_family(folders: dict[str, Path], tmp_path: Path) -> None:
    assert names(load(Whisper, folders["english"])) == ["<|startoftranscript|>", "<|notimestamps|>"]
    assert names(load(Whisper, folders["multilingual"])) == [
        "<|startoftranscript|>",
        "<|en|>",
        "<|transcribe|>",
        "<|notimestamps|>",
    ]
    assert names(load(Whisper, tiny.whisper(tmp_path / "french", language="french")))[1] == "<|fr|>"


def test_forced_symbols_of_older_checkpoints_make_no_difference(tmp_path: Path) -> None:
    folder = tiny.whisper(tmp_path / "en", multilingual=False, forced_decoder_ids=[[1, 267]])
    assert names(load(Whisper, folder)) == ["<|startoftranscript|>", "<|notimestamps|>"]
    folder = tiny.whisper(tmp_path / "many", forced_decoder_ids=[[1, None], [2, 268]])
    assert names(load(Whisper, folder))[1:3] == ["<|en|>", "<|transcribe|>"]


def ids(*markers: str) -> list[int]:
    """Numbers of markers in the multilingual vocabulary."""
    order = ["<|startoftranscript|>", *tiny.LANGUAGES, "<|translate|>", "<|transcribe|>"]
    order += ["<|startofprev|>", "<|notimestamps|>"]
    return [263 + order.index(f"<|{marker}|>") for marker in markers]


def forced(*symbols: int | None) -> dict[str, Any]:
    return {"forced_decoder_ids": [[place, s] for place, s in enumerate(symbols, 1)]}


FR, DE, TRANSLATE, TRANSCRIBE, PLAIN = ids("fr", "de", "translate", "transcribe", "notimestamps")


@pytest.mark.parametrize(
    ("generation", "model"),
    [
        ({"language": "fr"}, {}),
        ({"language": "<|de|>", "task": "translate"}, {}),
        (forced(FR, TRANSCRIBE, PLAIN), {}),
        (forced(DE, TRANSLATE), {}),
        ({}, forced(FR, TRANSLATE, PLAIN)),
        (forced(FR, TRANSCRIBE, PLAIN), forced(DE, TRANSLATE, PLAIN)),
        ({"language": "fr"} | forced(DE, TRANSLATE, PLAIN), {}),
        ({"language": "fr"}, forced(DE, TRANSLATE, PLAIN)),
    ],
)
def test_language_and_task_are_those_that_its_own_generate_obeys(
    tmp_path: Path, generation: dict[str, Any], model: dict[str, Any]
) -> None:
    folder = tiny.whisper(tmp_path / "set", **generation)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | model))
    victim = load(Whisper, folder)
    for clip in tiny.sounds(3):
        inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt")
        own = victim.model.generate(
            inputs.input_features, return_timestamps=False, force_unique_generate_call=True
        )[0]
        prompt = victim.generation.prompt
        assert own[: len(prompt)].tolist() == list(prompt)
        assert victim.transcribe(clip) == victim.processor.decode(own, skip_special_tokens=True)


@pytest.mark.parametrize(
    ("generation", "task"),
    [
        ({"task": "translate"}, TRANSLATE),
        ({"task": "translate"} | forced(FR, TRANSCRIBE), TRANSLATE),
        (forced(None, TRANSLATE), TRANSLATE),
        (forced(None, TRANSCRIBE, PLAIN), TRANSCRIBE),
    ],
)
def test_a_language_that_would_be_guessed_is_english_and_the_task_stays(
    tmp_path: Path, generation: dict[str, Any], task: int
) -> None:
    victim = load(Whisper, tiny.whisper(tmp_path / "guess", **generation))
    assert list(victim.generation.prompt) == [*ids("startoftranscript", "en"), task, PLAIN]


@pytest.mark.parametrize(
    ("generation", "said"),
    [
        (forced(None, TRANSCRIBE, 5), "forces the symbol 5 by forced_decoder_ids"),
        ({"lang_to_id": {"<|fr|>": FR}}, "would guess the language"),
        ({"is_multilingual": False}, "would guess the language.*is_multilingual=False"),
        ({"task": "sing"}, "The `sing` task is not supported"),
        ({"max_new_tokens": 20, "max_length": None}, "`max_new_tokens` is 20"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_for_its_own_reason(
    tmp_path: Path, generation: dict[str, Any], said: str
) -> None:
    with pytest.raises(VictimError, match=said) as caught:
        load(Whisper, tiny.whisper(tmp_path / "odd", **generation))
    assert ("lang_to_id" in str(caught.value)) == ("language" in said)


def test_what_every_call_overrules_changes_nothing(tmp_path: Path) -> None:
    plain = load(Whisper, tiny.whisper(tmp_path / "plain"))
    loud = {"return_timestamps": True, "return_dict_in_generate": True, "output_scores": True}
    several = {"do_sample": True, "num_beams": 3, "num_return_sequences": 2, "temperature": 3.0}
    odd = load(Whisper, tiny.whisper(tmp_path / "odd", **loud, **several))
    assert odd.generation == plain.generation
    for clip in tiny.sounds(3):
        assert odd.transcribe(clip) == plain.transcribe(clip)


@pytest.mark.parametrize(
    "setting",
    [
        {"repetition_penalty": 1.2},
        {"no_repeat_ngram_size": 3},
        {"no_speech_threshold": 0.6},
        {"stop_strings": ["the"]},
        {"dola_layers": "low"},
        {"max_time": 5.0},
        {"min_length": 5},
        {"bad_words_ids": [[5]]},
        {"sequence_bias": [[[5], 2.0]]},
        {"exponential_decay_length_penalty": [3, 1.5]},
        {"encoder_repetition_penalty": 1.5},
        {"encoder_no_repeat_ngram_size": 2},
        {"penalty_alpha": 0.6},
        {"prompt_lookup_num_tokens": 3},
        {"assistant_early_exit": 1},
        {"token_healing": True},
        {"cache_implementation": "quantized"},
    ],
)
def test_settings_that_are_not_reproduced_are_refused(
    tmp_path: Path, setting: dict[str, Any]
) -> None:
    with pytest.raises(VictimError, match=next(iter(setting))):
        load(Whisper, tiny.whisper(tmp_path / "odd", **setting))


def test_nobody_is_suppressed_by_minus_one(tmp_path: Path) -> None:
    """Where -1 counted from the end, it would bar the last symbol of the vocabulary."""
    nobody = load(Whisper, tiny.whisper(tmp_path / "one", suppress_tokens=[-1]))
    free = load(Whisper, tiny.whisper(tmp_path / "none", suppress_tokens=None))
    assert torch.equal(nobody.generation.barred(), free.generation.barred())


# ---- the loss


def test_loss_is_the_models_own_where_nothing_is_suppressed(tmp_path: Path) -> None:
    folder = tiny.whisper(tmp_path / "free", suppress_tokens=None, begin_suppress_tokens=None)
    victim, clip = load(Whisper, folder), tiny.sounds(2)[1]
    target = victim.encode("open the pen", len(clip))
    prompt = list(victim.generation.prompt)
    with torch.no_grad():
        own = victim.model(
            **victim.features(clip),
            decoder_input_ids=torch.tensor([prompt + target[:-1].tolist()]),
            labels=torch.tensor([[-100] * (len(prompt) - 1) + target.tolist()]),
        ).loss
        loss = victim.score(clip[None], torch.tensor([len(clip)]), [target]).loss[0]
    torch.testing.assert_close(loss, own * len(target), rtol=1e-5, atol=0)


def test_loss_leaves_out_what_is_suppressed(victim: Any) -> None:
    """The slow twin: symbol by symbol, over the symbols that generation may choose there."""
    clip = tiny.sounds(2)[1]
    target = victim.encode("open the pen", len(clip))
    given, config, own = list(victim.generation.prompt), victim.model.generation_config, 0.0
    for place, symbol in enumerate(target.tolist()):
        never = set(config.suppress_tokens)
        if place == 0:
            never |= set(config.begin_suppress_tokens)
        with torch.no_grad():
            logits = victim.model(
                **victim.features(clip), decoder_input_ids=torch.tensor([given])
            ).logits[0, -1]
        weights = logits.double().exp()
        free = sum(float(weight) for i, weight in enumerate(weights) if i not in never)
        own -= float((weights[symbol] / free).log())
        given.append(symbol)
    loss = victim.score(clip[None], torch.tensor([len(clip)]), [target]).loss.item()
    assert loss == pytest.approx(own, rel=1e-4)


def test_loss_is_of_what_is_decoded(victim: Any) -> None:
    def run(clip: Tensor) -> tuple[Tensor, list[Tensor]]:
        out = generate(victim, clip, return_dict_in_generate=True, output_scores=True)
        return told(victim, out.sequences[0], victim.generation.prompt), list(out.scores)

    check_loss_is_of_what_is_decoded(victim, tiny.sounds(8), run)


def test_the_silence_of_the_window_is_heard(folders: dict[str, Path]) -> None:
    """In a window of one second instead of two, the same second of sound is another input."""
    victim, clip = load(Whisper, folders["english"]), tiny.sounds(2, 16_000)[1]
    target = victim.encode("open the", len(clip))
    features = victim.features(clip)["input_features"]

    def loss(model: Any, features: Tensor) -> Tensor:
        given = torch.tensor([[*victim.generation.prompt, *target[:-1].tolist()]])
        hidden = model.model(features, decoder_input_ids=given).last_hidden_state[0]
        return cross_entropy(model.proj_out(hidden[-len(target) :]), target)

    small = copy.deepcopy(victim.model)
    places = small.model.encoder.embed_positions.weight[:50]
    small.model.encoder.embed_positions = torch.nn.Embedding.from_pretrained(places)
    small.model.encoder.config.max_source_positions = 50
    whole, cut = loss(victim.model, features), loss(small, features[..., :100])
    assert abs(whole - cut) > 0.005 * whole  # rounding: 0.00001


# ---- the victim's contract


def test_matched_is_what_generate_says(victim: Any) -> None:
    spare = victim.processor.tokenizer.convert_tokens_to_ids(["a", "Ġthe"])
    check_matched(victim, tiny.sounds(10), lambda clip: say(victim, clip), spare, victim.room)


def test_matched_knows_that_an_output_does_not_begin_with_everything(tmp_path: Path) -> None:
    """What the model would begin every clip with is barred; it says something else then."""
    free = load(Whisper, tiny.whisper(tmp_path / "free", begin_suppress_tokens=None))
    clips = tiny.sounds(8)
    said = [say(free, clip) for clip in clips]
    opening = sorted({int(ids[0]) for ids in said})
    barred = load(Whisper, tiny.whisper(tmp_path / "barred", begin_suppress_tokens=opening))
    assert all(int(say(barred, clip)[0]) not in opening for clip in clips)
    spare = [symbol for symbol in opening if symbol != barred.generation.end][:1]
    check_matched(barred, clips, lambda clip: say(barred, clip), spare, barred.room)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_clip_alone(folders: dict[str, Path], kind: str) -> None:
    victim = load(Whisper, folders[kind], torch.float64)
    words = ("open", "the pen", "then open the pen", "then")
    check_rows(victim, [victim.encode(text, 16_000) for text in words])


def test_gradients_are_finite(victim: Any) -> None:
    check_gradient_is_finite(victim, victim.encode("the pen", 16_000))


def test_gradient_agrees_with_finite_differences(folders: dict[str, Path]) -> None:
    victim = load(Whisper, folders["english"], torch.float64)
    check_gradient(victim, victim.encode("the pen", 16_000))


def test_the_attack_is_heard(victim: Any) -> None:
    check_attack(victim, "op", tiny.sounds(4, 16_000)[1])


# ---- transcribing


def test_transcribing_is_processor_and_generate(victim: Any) -> None:
    for clip in tiny.sounds(4):
        ids = generate(victim, clip)
        text = victim.processor.batch_decode(ids, skip_special_tokens=True)[0]
        assert victim.transcribe(clip) == text.strip()


def test_beams_are_honoured(folders: dict[str, Path]) -> None:
    victim, clips = load(Whisper, folders["multilingual"]), tiny.sounds(6)
    greedy = [victim.transcribe(clip) for clip in clips]
    victim.beams = 4
    searched = [victim.transcribe(clip) for clip in clips]
    assert searched != greedy
    inputs = victim.processor(clips[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    ids = victim.model.generate(inputs.input_features, language="en", num_beams=4)
    assert searched[0] == victim.processor.decode(ids[0], skip_special_tokens=True).strip()


# ---- targets


def test_a_target_is_written_as_the_model_writes(english: Any) -> None:
    pieces = english.processor.tokenizer.convert_ids_to_tokens(english.encode("open  the", 100))
    assert pieces == ["Ġop", "en", "Ġthe", "<|endoftext|>"]


def test_a_word_without_a_symbol_for_its_space_begins_the_output_without(english: Any) -> None:
    """As in languages without spaces; a bare space is suppressed at the beginning."""
    pieces = english.processor.tokenizer.convert_ids_to_tokens(english.encode("a", 100))
    assert pieces == ["a", "<|endoftext|>"]


@pytest.mark.parametrize("marker", ["<|endoftext|>", "<|notimestamps|>", "<|0.10|>"])
def test_a_marker_is_not_a_target(english: Any, marker: str) -> None:
    with pytest.raises(TargetError, match="cannot write"):
        english.encode(f"open{marker} the pen", 16_000)


def test_what_is_suppressed_is_not_a_target(english: Any) -> None:
    with pytest.raises(TargetError, match="suppresses '7'"):
        english.encode("open 7 pens", 16_000)
    quoted, plain = (english.encode(text, 16_000) for text in ('open "the', "open the"))
    assert quoted.tolist() == plain.tolist()  # a suppressed mark is left out, since no word is
    with pytest.raises(TargetError, match="suppresses"):
        english.encode("", 16_000)


def test_room_is_what_generate_has_room_for(tmp_path: Path) -> None:
    """An end that is out of sight makes generation stop at its bound, room symbols on."""
    for bound in (
        {"max_length": 8},
        {"max_length": 40},
        {"max_new_tokens": 7},
        {"max_length": None},
    ):
        never = {"suppress_tokens": [0, 262]}
        victim = load(Whisper, tiny.whisper(tmp_path / str(bound), **bound, **never))
        assert len(say(victim, tiny.sounds(1)[0])) == victim.room


def test_a_target_too_long_for_one_output_is_refused(english: Any) -> None:
    longest = english.room - 1
    assert len(english.encode("b" * longest, 16_000)) == english.room
    with pytest.raises(TargetError, match=f"takes {longest + 1} tokens.*at most {longest} at a"):
        english.encode("b" * (longest + 1), 16_000)


def test_a_processor_of_another_rate_is_refused(tmp_path: Path) -> None:
    folder = tiny.whisper(tmp_path / "narrow")
    for path in folder.glob("*processor_config.json"):
        path.write_text(path.read_text().replace('"sampling_rate": 16000', '"sampling_rate": 8000'))
    with pytest.raises(VictimError, match=r"makes 100 frames .* at 8000 Hz, .* takes 200; correct"):
        load(Whisper, folder)


def test_a_clip_longer_than_the_window_is_not_attacked(tmp_path: Path) -> None:
    victim = load(Whisper, tiny.whisper(tmp_path / "whole", seconds=30))
    assert len(victim.encode("open", 480_000)) == 3
    with pytest.raises(TargetError, match=r"30\.50 s.*takes 30 s.*attack a passage of it"):
        victim.encode("open", 488_000)


def test_a_clip_longer_than_the_window_is_heard_in_the_models_long_form(tmp_path: Path) -> None:
    said = {}
    for conditioned in (False, True):
        free = {"suppress_tokens": None, "begin_suppress_tokens": None}  # timestamps, too
        folder = tmp_path / f"{conditioned}"
        victim = load(Whisper, tiny.whisper(folder, condition_on_prev_tokens=conditioned, **free))
        clip = torch.cat(tiny.sounds(3))[: 2 * victim.window + 99]
        long = {"truncation": False, "padding": "longest", "return_attention_mask": True}
        inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt", **long)
        ids = victim.model.generate(
            **inputs,
            **{"return_timestamps": True, "language": "en", "task": "transcribe", "num_beams": 1},
            condition_on_prev_tokens=conditioned,
        )
        said[conditioned] = victim.processor.batch_decode(ids, skip_special_tokens=True)[0]
        assert victim.transcribe(clip) == said[conditioned]
    assert said[False] != said[True]
