"""Checkpoints that load, and what is said of those that do not."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tiny_ctc
import tiny_seq2seq
import tiny_transducer
import torch
import transformers
from huggingface_hub import utils as hub
from safetensors.torch import load_file, save_file

from mondegreen import load_recogniser, load_victim
from mondegreen.errors import MondegreenError, TargetError, VictimError
from mondegreen.victims.families.checkpoint import load_checkpoint, pinned
from mondegreen.victims.frontends import gate

CPU = torch.device("cpu")
SETTING = "DISABLE_SAFETENSORS_CONVERSION"


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ctc.build("wav2vec2", tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture
def copy(wav2vec2: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(wav2vec2, tmp_path / "copy"))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_seq2seq.whisper(tmp_path_factory.mktemp("whisper") / "tiny")


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


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64])
def test_types_that_the_features_do_not_have(wav2vec2: Path, dtype: torch.dtype) -> None:
    for name in (str(wav2vec2), "moonshine-tiny-ctc"):
        with pytest.raises(VictimError, match=f"got {dtype}, expected float32 or float64, or"):
            load_victim(name, device="cpu", dtype=dtype)


def test_weights_of_training_only_may_be_missing(copy: Path) -> None:
    """Fine-tuned checkpoints of the hub often come without the mask of SpecAugment."""
    audio = torch.randn(16_000) / 10
    heard = load_recogniser(str(copy), device="cpu").transcribe(audio)
    weights = load_file(copy / "model.safetensors")
    del weights["wav2vec2.masked_spec_embed"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert load_recogniser(str(copy), device="cpu").transcribe(audio) == heard


# ---- the name of what was loaded


@pytest.mark.parametrize("given", ["owner/model", "owner/model@main"])
def test_a_name_is_pinned_to_its_commit(given: str) -> None:
    assert pinned(given, "0a1b") == "owner/model@0a1b"
    assert pinned(given, None) == given


def test_a_folder_keeps_its_name_though_its_path_tells_a_commit(tmp_path: Path) -> None:
    assert pinned(str(tmp_path), "0a1b") == str(tmp_path)


def test_a_branch_is_loaded_as_the_commit_that_it_stands_for(
    wav2vec2: Path, tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hub's cache, in which a branch is a file that names a commit."""
    commit, cached = "0123456789abcdef" * 2 + "01234567", tmp_path / "models--owner--model"
    shutil.copytree(wav2vec2, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    victim = load_victim("owner/model", device="cpu")
    assert victim.name == f"owner/model@{commit}"
    (cached / "refs" / "main").unlink()
    assert load_victim(victim.name, device="cpu").name == victim.name


# ---- what is refused


def test_an_id_that_cannot_be_reached(no_network: None) -> None:
    said = refusal("openai/no-such-model@main")
    assert "openai/no-such-model@main" in said
    assert "cannot be reached" in said
    assert "`hf download openai/no-such-model --local-dir FOLDER`" in said


class Hub(BaseHTTPRequestHandler):
    """A hub that refuses what it is asked for, by the owner's name."""

    refusals: ClassVar = {
        "missing": (404, "RepoNotFound"),
        "gated": (403, "GatedRepo"),
        "revised": (404, "RevisionNotFound"),
        "empty": (404, "EntryNotFound"),
    }

    asked: ClassVar[list[str]] = []  # of what it has no answer to

    def do_HEAD(self) -> None:
        if self.path.startswith("/silent/"):
            self.asked.append(self.path)
            return
        status, code = self.refusals[self.path.split("/")[1]]
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub_at() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def local_hub(hub_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only hub that there is, and nothing is cached of it."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub_at)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        hub_at + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_a_hub_that_does_not_answer_is_asked_once(local_hub: None) -> None:
    assert "cannot be reached" in refusal("silent/model")
    assert Hub.asked == ["/silent/model/resolve/main/config.json"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing/model", "the model hub has no such model, or it is private"),
        ("gated/model", "terms first. Do so at https://huggingface.co/gated/model, then run: hf"),
        ("revised/model@v9", "it has no revision 'v9'"),
        ("empty/model", "it has no config.json, so it is not a checkpoint of transformers"),
        ("no such/model", "this is not an ID of the model hub. Expected OWNER/NAME"),
    ],
)
def test_what_the_hub_refuses(name: str, said: str, local_hub: None) -> None:
    assert f"cannot load {name}: " in (whole := refusal(name))
    assert said in whole
    assert "\n" not in whole


def test_a_name_that_is_nothing(no_network: None) -> None:
    with pytest.raises(VictimError, match=r"did you mean moonshine-tiny.*module:function"):
        load_recogniser("moonshine-tinny")


@pytest.mark.parametrize("name", ["./tiny", "/no/tiny", "~/tiny", ".tiny", "a/b/c", "a/b/c@main"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(VictimError, match=f"there is no folder or file {name}"):
        load_recogniser(name, device="cpu")


def test_a_folder_that_is_no_checkpoint(tmp_path: Path) -> None:
    assert "a folder must hold config.json" in refusal(tmp_path)


def test_a_model_that_is_no_recogniser(tmp_path: Path) -> None:
    transformers.BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(tmp_path)
    said = refusal(tmp_path)
    assert "'bert' model" in said
    assert "wav2vec2" in said
    assert "module:function" in said


def test_weights_of_other_shapes_are_refused_without_a_report_on_the_way(
    copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    having(intermediate_size=64)(copy / "config.json")
    assert re.search(r"intermediate_dense.bias is \[48\] instead of \[64\]", refusal(copy))
    assert capfd.readouterr() == ("", "")


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


def test_no_weights_at_all(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    said = refusal(copy)
    assert "it has no model.safetensors" in said
    assert "pickled" not in said


def test_nobody_is_asked_to_convert_weights_and_nothing_is_logged_while_loading(
    wav2vec2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_pretrained = transformers.AutoModelForCTC.from_pretrained
    logger, seen = logging.getLogger("huggingface_hub.utils._http"), []

    def spy(*given: Any, **options: Any) -> Any:
        seen.append((os.environ[SETTING], logger.isEnabledFor(logging.WARNING)))
        return from_pretrained(*given, **options)

    monkeypatch.setattr(transformers.AutoModelForCTC, "from_pretrained", spy)
    for before in (None, "no"):
        monkeypatch.delenv(SETTING, raising=False)
        if before:
            monkeypatch.setenv(SETTING, before)
        load_checkpoint(str(wav2vec2), CPU, torch.float32)
        assert os.environ.get(SETTING) == before
        assert logger.isEnabledFor(logging.WARNING)
    assert seen == [("1", False)] * 2


def bars_shown() -> tuple[bool, bool]:
    """Whether transformers and the hub show progress bars."""
    logging = transformers.utils.logging
    return logging.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()


def show_bars(shown: bool, hub_shown: bool) -> None:
    logging = transformers.utils.logging
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    (hub.enable_progress_bars if hub_shown else hub.disable_progress_bars)()


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("hub_shown", [True, False])
def test_loading_shows_no_progress_bars_and_leaves_their_settings(
    wav2vec2: Path, monkeypatch: pytest.MonkeyPatch, shown: bool, hub_shown: bool
) -> None:
    seen = []

    def spy(*given: Any, **options: Any) -> Any:
        seen.append(bars_shown())
        return from_pretrained(*given, **options)

    from_pretrained = transformers.AutoModelForCTC.from_pretrained
    monkeypatch.setattr(transformers.AutoModelForCTC, "from_pretrained", spy)
    before = bars_shown()
    try:
        show_bars(shown, hub_shown)
        load_checkpoint(str(wav2vec2), CPU, torch.float32)
        assert bars_shown() == (shown, hub_shown)
    finally:
        show_bars(*before)
    assert seen == [(False, False)]


@pytest.mark.parametrize(("value", "expected"), [("no", ["owner/model"]), ("1", [])])
def test_the_setting_that_forbids_conversion_is_the_one_that_transformers_reads(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str]
) -> None:
    """Of a repository that is found to hold no safetensors, it would have some made."""
    from transformers import modeling_utils

    asked: list[str] = []

    def convert(name: str, **_: Any) -> tuple[None, None, bool]:
        asked.append(name)
        return None, None, False

    monkeypatch.setattr(modeling_utils, "cached_file", lambda *_, **__: None)
    monkeypatch.setattr(modeling_utils, "is_offline_mode", lambda: False)
    monkeypatch.setattr(modeling_utils, "auto_conversion", convert)
    monkeypatch.setenv(SETTING, value)
    config = transformers.Wav2Vec2Config(**tiny_ctc.SMALL)
    with pytest.raises(OSError, match="safetensors"):
        transformers.Wav2Vec2ForCTC.from_pretrained(
            "owner/model", config=config, use_safetensors=True, revision="main"
        )
    assert asked == expected


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


def gone(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_text("[]")


def having(**settings: Any) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    return damage


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("vocab.json", gone),
        ("vocab.json", empty),
        ("tokenizer_config.json", empty),
        ("processor_config.json", empty),
        ("config.json", empty),
        ("config.json", having(hidden_size="abc")),
        ("config.json", having(conv_dim=[])),
    ],
)
def test_a_file_with_something_else_in_it(
    copy: Path, file: str, damage: Callable[[Path], None]
) -> None:
    damage(copy / file)
    assert str(copy) in refusal(copy)


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("tokenizer.json", gone, "tokenizer has 9 symbols, but the model has 372"),
        ("tokenizer.json", empty, "cannot load"),
        ("generation_config.json", empty, "generation_config.json holds no object"),
        ("generation_config.json", having(language="xx"), "Unsupported language: xx"),
        ("generation_config.json", having(lang_to_id={"<|fr|>": 269}), "<.en.>.*lang_to_id={"),
        (
            "generation_config.json",
            having(no_timestamps_token_id=None),
            "no_timestamps_token_id=None",
        ),
    ],
)
def test_a_whisper_with_something_else_in_a_file(
    whisper: Path, tmp_path: Path, file: str, damage: Callable[[Path], None], said: str
) -> None:
    folder = Path(shutil.copytree(whisper, tmp_path / "copy"))
    damage(folder / file)
    with pytest.raises(VictimError, match=said):
        load_checkpoint(str(folder), CPU, torch.float32)


MANY = 10_000_000


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("config.json", having(num_hidden_layers=MANY), "num_hidden_layers to 10000000"),
        ("config.json", having(num_feat_extract_layers=MANY), "num_feat_extract_layers to"),
        ("config.json", having(num_labels=MANY), "num_labels to 10000000"),
        ("config.json", having(vocab_size=10**9), "vocab_size to 1e\\+09.*at most 131,072"),
        ("config.json", having(hidden_size=10**9), "hidden_size to 1e\\+09"),
        ("config.json", having(conv_dim=[10**9, 24, 24]), "conv_dim to 1e\\+09"),
        ("config.json", having(nested={"a": [{"depth": 10**9}]}), "depth to 1e\\+09"),
        ("config.json", having(intermediate_size=2**17, hidden_size=2**17), "do not belong"),
        ("processor_config.json", having(sampling_rate=10**9), "sampling_rate to 1e\\+09"),
        ("processor_config.json", having(sampling_rate=0), "sampling_rate to 0; expected 1,000"),
        ("preprocessor_config.json", lambda path: path.write_text("[]"), "holds no object"),
        ("config.json", having(_attn_implementation="owner/kernel"), "'owner/kernel', code"),
        ("config.json", having(attn_implementation={"": "sdpa", "a": "x/y:z"}), "'x/y:z', code"),
        ("config.json", having(deep={"_attn_implementation": "flash_attention_2"}), "'flash_"),
        ("config.json", having(experts_implementation="owner/kernel"), "experts_implementation"),
        ("config.json", having(quantization_config={"quant_method": "x"}), "quantization_config"),
        ("config.json", having(transformers_weights="other.bin"), "transformers_weights"),
        ("adapter_config.json", lambda path: path.write_text("{}"), "adapter of another model"),
        ("generation_config.json", lambda p: p.write_text('{"max_new_tokens": 1e9}'), "max_new_t"),
    ],
)
def test_sizes_and_code_that_a_file_names_are_refused_before_anything_is_built(
    copy: Path,
    file: str,
    damage: Callable[[Path], None],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transformers.AutoModelForCTC, "from_pretrained", pytest.fail)
    damage(copy / file)
    with pytest.raises(VictimError, match=said) as caught:
        load_checkpoint(str(copy), CPU, torch.float32)
    assert str(copy) in str(caught.value)
    assert "a folder must hold" not in str(caught.value)  # none of them is missing


@pytest.mark.parametrize("file", ["processor_config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"chunk_length": 10**9}, "chunk_length to 1e"),
        ({"chunk_length": 3600, "sampling_rate": 48_000}, "window of 3600 s at 48000 Hz"),
        ({"n_fft": 10**9}, "n_fft to 1e"),
        ({"n_samples": 10**9}, "n_samples to 1e"),
        ({"feature_size": 10**6}, "feature_size to 1000000"),
    ],
)
def test_features_larger_than_any_recording_are_refused(
    whisper: Path, tmp_path: Path, file: str, settings: dict[str, int], said: str
) -> None:
    folder = Path(shutil.copytree(whisper, tmp_path / "copy"))
    (folder / file).touch()
    (folder / file).write_text(json.dumps({"feature_extractor": settings}))
    assert re.search(said, refusal(folder))


def test_weights_in_several_files_count_together(copy: Path) -> None:
    victim = load_checkpoint(str(copy), CPU, torch.float32)
    victim.model.save_pretrained(copy, max_shard_size="20KB")
    (copy / "model.safetensors").unlink(missing_ok=True)
    assert len(list(copy.glob("model-*.safetensors"))) > 1
    again = load_checkpoint(str(copy), CPU, torch.float32)
    audio = torch.randn(16_000) / 10
    assert again.transcribe(audio) == victim.transcribe(audio)


def test_an_error_is_told_in_its_own_words(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in (
        (RuntimeError("\n\n  the tensors differ:\n a (3)\n b (4)"), "the tensors differ: a (3)"),
        (ValueError("\nno such option"), "no such option"),
        (RuntimeError(""), "RuntimeError"),
    ):

        def fail(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr(transformers.AutoModelForCTC, "from_pretrained", fail)
        assert said in refusal(copy)
        assert "a folder must hold" not in refusal(copy)


def test_a_language_model_beside_the_recogniser_is_left_out(wav2vec2: Path, copy: Path) -> None:
    """Its processor wants packages that only decode with that model."""
    for file in ("processor_config.json", "tokenizer_config.json"):
        settings = json.loads((copy / file).read_text())
        settings["processor_class"] = "Wav2Vec2ProcessorWithLM"
        (copy / file).write_text(json.dumps(settings))
    (copy / "language_model").mkdir()
    (copy / "alphabet.json").write_text('{"labels": [], "is_bpe": false}')
    audio = torch.randn(16_000) / 10
    with_lm, plain = (load_checkpoint(str(f), CPU, torch.float32) for f in (copy, wav2vec2))
    assert with_lm.transcribe(audio) == plain.transcribe(audio)


def test_a_recogniser_of_phones_takes_its_targets_in_phones(copy: Path) -> None:
    """Nothing is needed that makes phones of words."""
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer", "phonemizer_backend": "espeak"}
    settings |= {"word_delimiter_token": None, "do_phonemize": True}
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    victim = load_checkpoint(str(copy), CPU, torch.float32)
    heard = victim.transcribe(torch.randn(16_000) / 10)
    assert all(len(phone) == 1 or phone in tiny_ctc.LETTERS for phone in heard.split())
    assert victim.encode("G U D", 16_000).tolist() == [tiny_ctc.LETTERS.index(c) for c in "GUD"]
    with pytest.raises(TargetError, match="writes sounds, not letters"):
        victim.encode("good morning", 16_000)


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


def test_beams_are_refused_where_a_transducer_is_loaded(tmp_path: Path) -> None:
    folder = str(tiny_transducer.rnnt(tmp_path))
    with pytest.raises(VictimError, match="no beam search; got 4 beams"):
        load_recogniser(folder, device="cpu", beams=4)


def test_a_folder_is_named_by_its_whole_path(
    wav2vec2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(wav2vec2.parent)
    assert load_victim(f"./{wav2vec2.name}", device="cpu").name == str(wav2vec2.resolve())
