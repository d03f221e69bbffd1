"""Checkpoints that load, and what is said of those that do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny_ctc
import torch
import transformers

from mondegreen import load_recogniser, load_victim
from mondegreen.errors import MondegreenError, VictimError
from mondegreen.victims.frontends import gate
from mondegreen.victims.hub import load_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ctc.build("wav2vec2", tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture
def copy(wav2vec2: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(wav2vec2, tmp_path / "copy"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def refusal(name: str | Path) -> str:
    with pytest.raises(VictimError) as caught:
        load_checkpoint(str(name), CPU, torch.float32)
    return str(caught.value)


def test_a_folder_is_a_victim_under_its_own_name(wav2vec2: Path) -> None:
    victim = load_victim(str(wav2vec2), device="cpu")
    assert (victim.name, victim.sample_rate, victim.dtype) == (str(wav2vec2), 16_000, torch.float32)


def test_weights_come_in_the_type_that_was_asked_for(wav2vec2: Path) -> None:
    victim = load_victim(str(wav2vec2), device="cpu", dtype=torch.float64)
    assert victim.dtype == torch.float64
    audio = torch.randn(1, 8000, dtype=torch.float64) / 10
    score = victim.score(audio, torch.tensor([8000]), [victim.encode("yes", 8000)])
    assert score.loss.dtype == torch.float64


def test_an_id_that_cannot_be_reached(no_network: None) -> None:
    said = refusal("openai/no-such-model@main")
    assert "openai/no-such-model@main" in said
    for needed in (
        "config.json",
        "model.safetensors",
        "hf download openai/no-such-model",
        "folder",
    ):
        assert needed in said


def test_a_name_that_is_nothing(no_network: None) -> None:
    with pytest.raises(VictimError, match=r"moonshine-tiny-ctc.*module:function"):
        load_recogniser("moonshine-tinny")


def test_a_folder_that_is_no_checkpoint(tmp_path: Path) -> None:
    assert "a folder must hold config.json" in refusal(tmp_path)


def test_a_model_that_is_no_recogniser(tmp_path: Path) -> None:
    transformers.BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(tmp_path)
    said = refusal(tmp_path)
    assert "'bert' model" in said
    assert "wav2vec2" in said
    assert "module:function" in said


def test_an_encoder_that_was_never_taught_to_transcribe(copy: Path) -> None:
    model = transformers.Wav2Vec2ForCTC.from_pretrained(copy)
    (copy / "model.safetensors").unlink()
    model.wav2vec2.save_pretrained(copy)
    assert "no weights for lm_head" in refusal(copy)


def test_pickled_weights(copy: Path) -> None:
    model = transformers.Wav2Vec2ForCTC.from_pretrained(copy)
    (copy / "model.safetensors").unlink()
    torch.save(model.state_dict(), copy / "pytorch_model.bin")
    said = refusal(copy)
    assert "pickled ones are refused" in said
    assert "save_pretrained" in said


def test_code_of_the_checkpoint_is_never_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (copy / "config.json").write_text(json.dumps(config))
    ran = copy / "ran"
    (copy / "mine.py").write_text(f"open({str(ran)!r}, 'w')\nclass Config: pass\n")
    assert "never run" in refusal(copy)
    assert not ran.exists()


def test_a_damaged_file(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not weights")
    assert str(copy) in refusal(copy)


def test_a_processor_that_is_not_what_was_reproduced(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "TOLERANCE", 1e-12)
    with pytest.raises(MondegreenError, match="another"):
        load_checkpoint(str(copy), CPU, torch.float32)


def test_beams_reach_the_decoder_or_are_refused(wav2vec2: Path) -> None:
    audio = torch.randn(16_000) / 10
    greedy, beams = (load_recogniser(str(wav2vec2), device="cpu", beams=n) for n in (1, 4))
    for recogniser in (greedy, beams):  # unsure of everything, so that paths lie close together
        recogniser.model.lm_head.weight.mul_(0.02)  # type: ignore[attr-defined]
    assert greedy.transcribe(audio) != beams.transcribe(audio)
    with pytest.raises(VictimError, match="beams"):
        load_recogniser("moonshine-tiny-int8", beams=4)
