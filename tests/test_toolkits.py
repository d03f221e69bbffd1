"""The examples that wrap recognisers of other toolkits, on tiny random models of each.

They skip where a toolkit is not installed, as none is by `make install`.
"""

from __future__ import annotations

import importlib
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from seq2seq_clauses import check_attack
from test_contract import MATCHED, assert_kept
from tiny_seq2seq import SENTENCES, sounds
from torch import Tensor

from mondegreen import load_victim
from mondegreen.audio.pcm import load

EXAMPLES = Path(__file__).parents[1] / "examples"
LETTERS = "abcdefghijklmnopqrstuvwxyz'"


def speechbrain(folder: Path) -> Path:
    pieces = importlib.import_module("sentencepiece")
    pieces.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(folder / "tokenizer"),
        model_type="char",
        vocab_size=40,
        hard_vocab_limit=False,
        **{"unk_id": 0, "pad_id": 1, "bos_id": -1, "eos_id": -1, "minloglevel": 2},
    )
    (folder / "tokenizer.model").rename(folder / "tokenizer.ckpt")
    size = pieces.SentencePieceProcessor(model_file=str(folder / "tokenizer.ckpt")).piece_size()
    (folder / "hyperparams.yaml").write_text(f"""
sample_rate: 16000
blank_index: 1
seed: !apply:torch.manual_seed [0]
encoder: !new:speechbrain.nnet.containers.LengthsCapableSequential
  features: !new:speechbrain.lobes.features.Fbank
    n_mels: 16
  hidden: !new:speechbrain.nnet.linear.Linear
    n_neurons: 32
    input_size: 16
  letters: !new:speechbrain.nnet.linear.Linear
    n_neurons: {size}
    input_size: 32
  chances: !new:speechbrain.nnet.activations.Softmax
    apply_log: True
tokenizer: !new:sentencepiece.SentencePieceProcessor
decoding_function: !name:speechbrain.decoders.ctc_greedy_decode
  blank_id: !ref <blank_index>
modules:
  encoder: !ref <encoder>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
  loadables:
    tokenizer: !ref <tokenizer>
""")
    return folder


def nemo(folder: Path) -> Path:
    models = importlib.import_module("nemo.collections.asr.models")
    config = importlib.import_module("omegaconf").OmegaConf.create(
        {
            "sample_rate": 16_000,
            "preprocessor": {
                "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
                "features": 16,
                "pad_to": 0,
            },
            "encoder": {
                "_target_": "nemo.collections.asr.modules.ConvASREncoder",
                "feat_in": 16,
                "activation": "relu",
                "jasper": [
                    {"filters": 32, "repeat": 1, "kernel": [11], "stride": [2], "dilation": [1]}
                    | {"dropout": 0.0, "residual": False}
                ],
            },
            "decoder": {
                "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
                "feat_in": 32,
                "num_classes": 28,
                "vocabulary": [" ", *LETTERS],
            },
        }
    )
    torch.manual_seed(0)
    models.EncDecCTCModel(config).save_to(str(folder / "tiny.nemo"))
    return folder / "tiny.nemo"


def espnet(folder: Path) -> Path:
    task = importlib.import_module("espnet2.tasks.asr").ASRTask
    sizes = {"attention_heads": 2, "linear_units": 32, "num_blocks": 1}
    settings = task.get_default_config() | {
        "token_list": ["<blank>", "<unk>", "<space>", *LETTERS, "<sos/eos>"],
        "token_type": "char",
        "frontend_conf": {"fs": 16_000, "n_mels": 16},
        "encoder": "transformer",
        "encoder_conf": sizes | {"output_size": 32},
        "decoder": "transformer",
        "decoder_conf": sizes,
    }
    torch.manual_seed(0)
    torch.save(task.build_model(Namespace(**settings)).state_dict(), folder / "valid.pth")
    (folder / "config.yaml").write_text(importlib.import_module("yaml").safe_dump(settings))
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "speechbrain": speechbrain,
    "nemo": nemo,
    "espnet": espnet,
}


@pytest.fixture(params=BUILDERS)
def victim(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip({"espnet": "espnet2"}.get(request.param, request.param))
    monkeypatch.setenv("MODEL", str(BUILDERS[request.param](tmp_path)))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)  # where SpeechBrain puts links to what it has loaded
    return load_victim(f"{request.param}_victim:victim", device="cpu")


@pytest.mark.slow
def test_a_toolkits_recogniser_keeps_the_contract(victim: Any, beckett: Path) -> None:
    speech: Tensor = torch.from_numpy(load(beckett, 16_000))
    # random weights write letters in an order that their own tokenizer would not choose
    assert_kept(victim, speech, excused=(MATCHED,))


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["speechbrain", "espnet"], indirect=True)
def test_a_toolkits_recogniser_is_driven_to_a_target(victim: Any) -> None:
    check_attack(victim, "no", sounds(2, 4_000)[1])


@pytest.mark.parametrize("name", BUILDERS)
def test_each_takes_forty_lines(name: str) -> None:
    source = (EXAMPLES / f"{name}_victim.py").read_text("utf-8").split('"""', 2)[2]
    lines = [line for line in source.splitlines() if line.strip() and line.strip()[0] != "#"]
    assert len(lines) <= 40, len(lines)
