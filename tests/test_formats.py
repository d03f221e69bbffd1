"""Whisper in other formats: written here, read as users do, equal to transformers' own model."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
import whisper_files as wf
from tiny_seq2seq import MERGES, sounds
from torch import Tensor
from transformers.models.whisper.configuration_whisper import NON_SPEECH_TOKENS_MULTI

from mondegreen.errors import VictimError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.reading import lying_at
from mondegreen.runs.config import read_config
from mondegreen.victims.families.whisper import Whisper
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.formats import blocks, openai
from mondegreen.victims.formats.tokens import byte_level
from mondegreen.victims.guard import bare
from mondegreen.victims.load import load_victim


@pytest.fixture(scope="module")
def model() -> Any:
    return wf.whisper()


@pytest.fixture(scope="module")
def filters() -> Tensor:
    return wf.mel_filters()


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if openai-whisper were not installed."""
    monkeypatch.setattr(openai, "find_spec", lambda name: None)


def of_transformers(
    model: Any,
    filters: Tensor | None = None,
    extract: Callable[..., Any] = hf.WhisperFeatureExtractor,
) -> Any:
    """The victim of the same model, with a tokenizer of the merges themselves."""
    known = wf.tokens(multilingual=False)
    end, plain = known.index("<|endoftext|>"), known.index("<|notimestamps|>")
    vocabulary = {piece: number for number, piece in enumerate(known[: end + 1])}
    tokenizer = hf.WhisperTokenizer(vocabulary, MERGES)
    tokenizer.add_special_tokens({"additional_special_tokens": known[end + 1 : plain + 1]})
    tokenizer.add_tokens(known[plain + 1 :])
    ids = {token: number for number, token in enumerate(known)}
    settings = dict(
        **dict.fromkeys(["bos_token_id", "eos_token_id", "pad_token_id"], end),
        decoder_start_token_id=end + 1,
        no_timestamps_token_id=plain,
        is_multilingual=False,
        max_length=24,
        suppress_tokens=wf.suppressed(known),
        begin_suppress_tokens=[ids["Ġ"], end],
    )
    model = copy.deepcopy(model)
    model.generation_config = hf.GenerationConfig(**settings)
    extractor = extract(feature_size=wf.MELS, chunk_length=wf.SECONDS)
    if filters is not None:
        extractor.mel_filters = filters.T.double().numpy()
    return Whisper("of transformers", model, hf.WhisperProcessor(extractor, tokenizer))


class FilledByHand(hf.WhisperFeatureExtractor):
    """A frame for each whole hop of a clip, then zeros: as faster-whisper 1.2 fills it."""

    zeros_follow = True

    def __call__(self, raw_speech: Any, **settings: Any) -> Any:
        found = super().__call__(raw_speech, **settings)
        clips = raw_speech if isinstance(raw_speech, list) else [raw_speech]
        for row, clip in enumerate(clips):
            found["input_features"][row][:, len(clip) // 160 :] = 0
            if "attention_mask" in found:
                found["attention_mask"][row] = 0
                found["attention_mask"][row][: len(clip) // 160] = 1
        return found


def in_type(model: Any, change: Callable[[str, Tensor], Tensor]) -> Any:
    """A copy of a model with other weights."""
    found = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            parameter.copy_(change(name, parameter))
    return found


def logits(model: Any) -> Tensor:
    """Of random features and a prompt."""
    draw = torch.Generator().manual_seed(3)
    features = torch.randn(2, wf.MELS, 100 * wf.SECONDS, generator=draw)
    given = torch.randint(0, 260, (2, 7), generator=draw)
    with torch.no_grad():
        found: Tensor = model(features, decoder_input_ids=given).logits
    return found


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def pt(path: Path, model: Any, dtype: torch.dtype = torch.float16) -> Path:
    torch.save(wf.openai_checkpoint(model, dtype), path)
    known = json.dumps(wf.tokenizer_json(multilingual=False))
    path.with_name("tokenizer.json").write_text(known)
    return path


def ggml(path: Path, model: Any, kind: str, multilingual: bool = False) -> Any:
    """The model of which the file is, whose weights are rounded; the file is written."""
    made = copy.deepcopy(model)
    path.write_bytes(wf.ggml_bytes(made, kind, wf.mel_filters(), wf.pieces(multilingual)))
    return made


# ---- the same model


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_openais_file_is_the_model_that_it_came_from(
    model: Any, tmp_path: Path, dtype: torch.dtype
) -> None:
    own = load_victim(str(pt(tmp_path / "tiny.pt", model, dtype)), device="cpu")
    stored = in_type(model, lambda _, weight: weight.to(dtype).float())
    assert relative(logits(bare(own).model), logits(stored)) < 1e-5


def rounded_to(model: Any, dtype: torch.dtype) -> Callable[[str, Tensor], Tensor]:
    """What CTranslate2 keeps of a weight: rows of whole numbers in int8, all of them in int16."""
    weights = dict(model.named_parameters())

    def together(name: str) -> list[Tensor]:
        """The weights that share a tensor with this one."""
        for kind in ("self_attn.qkv", "encoder_attn.kv"):
            attention, parts = kind.split(".")
            names = [f"{attention}.{part}_proj" for part in parts]
            if found := [part for part in names if part in name]:
                return [weights[name.replace(found[0], part)] for part in names]
        return [weights[name]]

    def change(name: str, weight: Tensor) -> Tensor:
        if dtype.is_floating_point:
            return weight.to(dtype).float()
        if weight.dim() == 1 or "embed_positions" in name:
            return weight
        if dtype == torch.int16:
            scale = 1023 / max(float(one.abs().max()) for one in together(name))
            return (weight * scale).round() / scale
        rows = [127 / row.abs().max() for row in weight]
        return torch.stack([(row * s).round() / s for row, s in zip(weight, rows, strict=True)])

    return change


@pytest.mark.parametrize("dtype", [kind for kind in wf.CT2_NUMBERS if kind != torch.int32])
def test_a_folder_of_ctranslate2_is_the_model_that_it_came_from(
    model: Any, tmp_path: Path, dtype: torch.dtype
) -> None:
    own = load_victim(str(wf.ct2_folder(tmp_path / "folder", model, dtype)), device="cpu")
    stored = in_type(model, rounded_to(model, dtype))
    assert relative(logits(bare(own).model), logits(stored)) < 1e-4


@pytest.mark.parametrize("kind", ["f32", "f16", *wf.BLOCKS])
def test_a_ggml_file_is_the_model_that_it_came_from(
    model: Any, filters: Tensor, tmp_path: Path, kind: str
) -> None:
    stored = ggml(tmp_path / "ggml.bin", model, kind)
    own = bare(load_victim(str(tmp_path / "ggml.bin"), device="cpu"))
    assert relative(logits(own.model), logits(stored)) < 1e-5
    np.testing.assert_array_equal(own.processor.feature_extractor.mel_filters, filters.T.numpy())


def test_every_block_is_read_by_its_written_formula() -> None:
    draw = np.random.default_rng(0)
    for number, _, block in wf.BLOCKS.values():
        rows = draw.standard_normal((5, 32)) * 10.0 ** draw.integers(-3, 2, (5, 1))
        made = [block(list(map(float, row))) for row in rows]
        read = blocks.kind(number).read(b"".join(data for data, _ in made))
        expected = torch.tensor([value for _, row in made for value in row])
        torch.testing.assert_close(read, expected, rtol=1e-6, atol=0)


# ---- the same victim


FORMATS: dict[str, Callable[[Path, Any], str]] = {
    "pt": lambda at, model: str(pt(at / "tiny.en.pt", model, torch.float32)),
    "ctranslate2": lambda at, model: str(wf.ct2_folder(at / "folder", model, torch.float32)),
    "ggml": lambda at, model: str(
        (ggml(at / "ggml-tiny.bin", model, "f32"), at / "ggml-tiny.bin")[1]
    ),
}


@pytest.fixture(scope="module")
def theirs(model: Any, filters: Tensor) -> dict[str, Any]:
    return {
        "pt": of_transformers(model),
        "ctranslate2": of_transformers(model, extract=FilledByHand),
        "ggml": of_transformers(model, filters=filters),
    }


@pytest.mark.parametrize("name", FORMATS)
def test_it_hears_scores_and_spells_as_transformers_does(
    model: Any, theirs: dict[str, Any], tmp_path: Path, name: str
) -> None:
    own, other = load_victim(FORMATS[name](tmp_path, model), device="cpu"), theirs[name]
    assert bare(own).generation == other.generation
    clips = sounds(4)
    heard = [own.transcribe(clip) for clip in clips]
    assert heard == [other.transcribe(clip) for clip in clips]
    assert len(set(heard)) > 1
    lengths, words = torch.tensor([len(clips[0])] * 2), ("open the pen", "the other, then")
    targets = [own.encode(text, len(clips[0])) for text in words]
    for ours, text in zip(targets, words, strict=True):
        assert torch.equal(ours, other.encode(text, len(clips[0])))
    audio = torch.stack(clips[:2])
    mine, its = own.score(audio, lengths, targets), other.score(audio, lengths, targets)
    torch.testing.assert_close(mine.loss, its.loss, rtol=1e-5, atol=0)


@pytest.mark.parametrize(("length", "frames"), [(1599, 9), (1600, 10), (1601, 10)])
def test_zeros_follow_the_clip_in_a_folder_of_ctranslate2(
    model: Any, tmp_path: Path, length: int, frames: int
) -> None:
    clip, lengths = sounds(1)[0][:length][None], torch.tensor([length])
    folder = FORMATS["ctranslate2"](tmp_path, model)
    filled, counts = bare(load_victim(folder, device="cpu")).frontend(clip, lengths)
    usual, _ = of_transformers(model).frontend(clip, lengths)
    assert counts.tolist() == [frames]
    assert torch.equal(filled[..., :frames], usual[..., :frames])
    assert not filled[..., frames:].any()
    assert usual[..., frames:].any()


@pytest.mark.parametrize("length", [24_000, 16_000 * wf.SECONDS])
def test_near_passes_know_of_the_zeros(model: Any, tmp_path: Path, length: int) -> None:
    victim = load_victim(FORMATS["ctranslate2"](tmp_path, model), device="cpu")
    clip = sounds(1, length)[0][None]
    given = clip, torch.tensor([clip.shape[1]]), [victim.encode("open the pen", clip.shape[1])]
    whole, near = victim.score(*given), bare(victim).score_near(*given, clip)
    torch.testing.assert_close(near.loss, whole.loss, rtol=1e-5, atol=0)


def test_it_is_named_by_its_whole_path_and_known_by_its_weights(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pt", "ctranslate2"):
        FORMATS[name](tmp_path, model)
    file, folder = (load_victim(name, device="cpu") for name in ("tiny.en.pt", "./folder"))
    assert [file.name, folder.name] == [f"{tmp_path}/tiny.en.pt", f"{tmp_path}/folder"]
    assert fingerprint(file) == fingerprint(folder)
    other = in_type(model, lambda name, w: w + 1e-3 * ("fc1.bias" in name))
    changed = load_victim(str(pt(tmp_path / "other.pt", other, torch.float32)), device="cpu")
    assert fingerprint(changed) != fingerprint(file)
    assert may_be_loaded(file.name, "a record") == file.name
    config = read_config(None, {"clips": "a.csv", "victim": "tiny.en.pt"})
    assert config.victim == f"{tmp_path}/tiny.en.pt"
    with lying_at({"/elsewhere/tiny.pt": tmp_path / "tiny.en.pt"}):
        copied = load_victim("/elsewhere/tiny.pt", device="cpu")
    assert (copied.name, fingerprint(copied)) == ("/elsewhere/tiny.pt", fingerprint(file))


def test_a_link_has_its_vocabulary_where_the_link_is(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("store", "links"):
        (tmp_path / name).mkdir()
    pt(tmp_path / "links" / "tiny.pt", model).rename(tmp_path / "store" / "0123")
    (tmp_path / "links" / "tiny.pt").symlink_to(tmp_path / "store" / "0123")
    (tmp_path / "latest").symlink_to(tmp_path / "links")
    monkeypatch.chdir(tmp_path / "latest")
    name = f"{tmp_path}/links/tiny.pt"
    assert load_victim("./tiny.pt", device="cpu").name == name
    assert read_config(None, {"clips": "a.csv", "victim": "./tiny.pt"}).victim == name


def test_many_languages_are_those_of_the_vocabulary(tmp_path: Path) -> None:
    ggml(tmp_path / "many", wf.whisper(multilingual=True), "f16", multilingual=True)
    own = bare(load_victim(str(tmp_path / "many"), device="cpu"))
    known = wf.tokens(multilingual=True)
    prompt = [known[symbol] for symbol in own.generation.prompt]
    assert prompt == ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    assert own.model.generation_config.lang_to_id["<|su|>"] == known.index("<|su|>")
    assert [*own.processor.tokenizer.convert_ids_to_tokens(range(len(known)))] == known
    text = own.processor.tokenizer.encode(" open the", add_special_tokens=False)
    assert [known[symbol] for symbol in text] == ["Ġop", "en", "Ġthe"]
    assert own.generation.suppressed == set(NON_SPEECH_TOKENS_MULTI) | {50_358, 50_359}


# ---- OpenAI's vocabulary


def test_the_vocabulary_of_the_package_is_found_without_running_it(
    model: Any, theirs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assets = tmp_path / "site" / "whisper" / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "__init__.py").write_text("raise RuntimeError('it was run')")
    (assets / "gpt2.tiktoken").write_text(wf.tiktoken_lines(multilingual=False))
    monkeypatch.syspath_prepend(assets.parents[1])
    path = pt(tmp_path / "tiny.pt", model)
    (tmp_path / "tokenizer.json").unlink()
    own = bare(load_victim(str(path), device="cpu"))
    assert [*own.processor.tokenizer.convert_ids_to_tokens(range(1_870))] == wf.tokens(False)
    assert own.generation == theirs["pt"].generation


def test_the_piece_of_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(wf.tiktoken_lines(multilingual=True))
    read = openai.ranked(tmp_path / "file")
    assert [read[-1], read[32], len(read)] == [b"", bytes([wf.BYTES["A"]]), 50_257]
    assert byte_level(read) == wf.pieces(multilingual=True)


def test_without_a_vocabulary_both_ways_to_one_are_told(model: Any, tmp_path: Path) -> None:
    path = pt(tmp_path / "tiny.pt", model)
    (tmp_path / "tokenizer.json").unlink()
    assert (said := refusal(path)).startswith(f"cannot load {path}: OpenAI's files hold no vocab")
    assert "pip install openai-whisper" in said
    assert str(tmp_path / "tokenizer.json") in said


def test_a_vocabulary_of_another_model_is_refused(model: Any, tmp_path: Path) -> None:
    path = pt(tmp_path / "tiny.pt", model)
    (tmp_path / "tokenizer.json").write_text(json.dumps(wf.tokenizer_json(multilingual=True)))
    assert "51,865 symbols, but its weights have 1,870" in refusal(path)


# ---- hostile files


def refusal(path: Path | str) -> str:
    """The one line that loading it ends with."""
    with pytest.raises(VictimError) as raised:
        load_victim(str(path), device="cpu")
    said = str(raised.value)
    assert "\n" not in said
    assert len(said) < 600
    return said


@pytest.fixture(scope="module")
def whole(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound file of each format."""
    at = tmp_path_factory.mktemp("whole")
    names = {name: Path(write(at, model)) for name, write in FORMATS.items()}
    names["ctranslate2"] /= "model.bin"
    return {name: path.read_bytes() for name, path in names.items()}


def put(at: Path, name: str, content: bytes, model: Any) -> Path:
    """A file of a format, with what belongs beside it; what to load."""
    if name == "ctranslate2":
        path = wf.ct2_folder(at / "folder", model, torch.float16) / "model.bin"
        path.write_bytes(content)
        return path.parent
    (at / "tokenizer.json").write_text(json.dumps(wf.tokenizer_json(multilingual=False)))
    path = at / ("tiny.pt" if name == "pt" else "ggml.bin")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_short_anywhere_is_refused(
    whole: dict[str, bytes], model: Any, tmp_path: Path, name: str
) -> None:
    content = whole[name]
    path = put(tmp_path, name, content, model)
    file = path / "model.bin" if name == "ctranslate2" else path
    inside = np.random.default_rng(0).integers(100, len(content), 20)
    for size in (0, 1, 3, 4, 5, 8, 20, 47, 48, 60, *inside, len(content) - 1):
        file.write_bytes(content[:size])
        refusal(path)


def test_pickles_with_code_are_refused_and_not_run(model: Any, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    checkpoint = wf.openai_checkpoint(model)
    for place in ("dims", "more"):
        torch.save(checkpoint | {place: Hostile()}, tmp_path / "tiny.pt")
        assert "which could run code when it is read" in refusal(tmp_path / "tiny.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Hostile()))
    assert "none of the formats" in refusal(tmp_path / "old.pt")
    assert not (tmp_path / "ran").exists()


def saved(**changes: Any) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        torch.save(wf.openai_checkpoint(model) | changes, path)

    return write


def one_weight(name: str, made: Callable[[Tensor], Any]) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        checkpoint = wf.openai_checkpoint(model)
        weights = checkpoint["model_state_dict"]
        weights[name] = made(weights.get(name))
        torch.save(checkpoint, path)

    return write


def one_size(name: str, value: Any) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        checkpoint = wf.openai_checkpoint(model)
        checkpoint["dims"][name] = value
        torch.save(checkpoint, path)

    return write


def compressed(model: Any, path: Path) -> None:
    """An archive of which a kilobyte may become a gigabyte."""
    plain = io.BytesIO()
    torch.save(wf.openai_checkpoint(model), plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))


def longer_than_it_is(model: Any, path: Path) -> None:
    """A storage of 2**31 numbers and a tensor in it, by the word of the pickle; it has 59,840."""
    plain = io.BytesIO()
    torch.save(wf.openai_checkpoint(model), plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry.endswith("data.pkl"):
                for number, lie in ((1_870 * wf.WIDTH, 2**31 - 1), (1_870, 2**24)):
                    said = b"M" + struct.pack("<H", number)
                    assert said in data
                    data = data.replace(said, b"J" + struct.pack("<I", lie))
            new.writestr(entry, data)


def recased(write: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    """The same archive; torch finds the pickle in it all the same."""

    def rewrite(model: Any, path: Path) -> None:
        write(model, path)
        plain = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
            for entry in old.namelist():
                new.writestr(entry.replace("data.pkl", "DATA.PKL"), old.read(entry))

    return rewrite


HOSTILE_PT: dict[str, tuple[Callable[[Any, Path], None], str]] = {
    "no dims": (saved(dims=None), "does not hold dims and model_state_dict"),
    "no weights": (saved(model_state_dict=[1]), "does not hold dims and model_state_dict"),
    "empty": (saved(model_state_dict={}), "it has no decoder.embed_tokens.weight"),
    "negative": (one_size("n_vocab", -5), "it says -5 for vocab_size, but its tensors have 1,870"),
    "endless": (one_size("n_audio_layer", 2**40), "for encoder_layers, but its tensors have 2"),
    "no heads": (one_size("n_text_head", 0), "it says 0 heads"),
    "odd heads": (one_size("n_audio_head", 5), "it says 5 heads, which cannot share 32"),
    "state": (one_size("n_text_state", 64), "it says 64 for d_model, but its tensors have 32"),
    "text": (one_size("n_mels", "many"), "does not hold dims and model_state_dict"),
    "whole numbers": (
        one_weight("decoder.ln.weight", lambda w: w.int()),
        "its decoder.ln.weight is not a tensor of floats",
    ),
    "a list": (one_weight("decoder.ln.weight", lambda w: [1.0]), "not a tensor of floats"),
    # which could be of any size
    "an array": (saved(more=bytearray(3)), "its pickle holds more than weights and plain values"),
    # with such in each other, a key of a few bytes would never be hashed
    "a tuple twice": (
        saved(more=[(1, 2, 3, 4)] * 2),
        "its pickle holds more than weights and plain values",
    ),
    "an array under another name": (
        recased(saved(more=bytearray(3))),
        "its pickle holds more than weights and plain values",
    ),
    "sparse": (
        one_weight("decoder.blocks.0.mlp.0.weight", lambda w: w.float().to_sparse()),
        "its pickle holds more than weights and plain values",
    ),
    "huge and empty": (
        one_weight("decoder.token_embedding.weight", lambda w: torch.zeros(1).expand(10**9, 10**3)),
        "its tensors are larger than the file",
    ),
    "wrong shape": (
        one_weight("decoder.ln.weight", lambda w: w[:16].clone()),
        r"its decoder.layer_norm.weight is [16], expected [32]",
    ),
    "flat": (
        one_weight("decoder.token_embedding.weight", lambda w: w[0].clone()),
        "its decoder.embed_tokens.weight is [32], expected 2 sizes",
    ),
    "more": (
        one_weight("decoder.extra", lambda w: torch.zeros(1)),
        "has no use for: decoder.extra",
    ),
    "many layers": (
        lambda model, path: torch.save(
            {
                "dims": wf.openai_dims(model),
                "model_state_dict": wf.openai_checkpoint(model)["model_state_dict"]
                | {f"encoder.blocks.{i}.x": torch.zeros(1) for i in range(100)},
            },
            path,
        ),
        "too few for 100 layers",
    ),
    "compressed": (compressed, "packed otherwise than torch.save does"),
    "longer than it is": (longer_than_it_is, "it is damaged: Trying to resize storage"),
}


@pytest.mark.parametrize("fault", HOSTILE_PT)
def test_a_hostile_pt_is_refused(model: Any, tmp_path: Path, fault: str) -> None:
    write, said = HOSTILE_PT[fault]
    pt(tmp_path / "tiny.pt", model)
    write(model, tmp_path / "tiny.pt")
    assert said in refusal(tmp_path / "tiny.pt")


def changed(at: int, layout: str, value: float) -> Callable[[bytes], bytes]:
    """A number somewhere, counted from the end if negative."""

    def change(content: bytes) -> bytes:
        found = bytearray(content)
        struct.pack_into(f"<{layout}", found, at % len(found), value)
        return bytes(found)

    return change


def in_place(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


def name_of(name: str, dims: int, kind: int, *shape: int) -> bytes:
    """What stands before a tensor of ggml."""
    head = struct.pack(f"<{3 + len(shape)}i", dims, len(name), kind, *shape)
    return head + name.encode()


NORM = name_of("decoder.ln.weight", 1, 0, 32)
FILTERS = 4 + 11 * 4  # bytes before the sizes of the filters
VOCABULARY = FILTERS + 8 + 4 * wf.MELS * 201

HOSTILE_GGML: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "GGUF": (in_place(b"lmgg", b"GGUF"), "GGUF file, whose layout is not settled for Whisper"),
    "other bytes": (in_place(b"lmgg", b"RIFF"), "begins with b'RIFF'"),
    "negative": (changed(4, "i", -5), "262 pieces, but its weights have -5 symbols"),
    "endless": (changed(4, "i", 2**31 - 1), "they belong to different models"),
    "too few": (changed(4 + 2 * 4, "i", 31), "it says 31 for d_model, but its tensors have 32"),
    "heads": (changed(4 + 3 * 4, "i", -2), "it says -2 heads"),
    "layers": (changed(4 + 8 * 4, "i", 2**30), "for decoder_layers, but its tensors have 2"),
    "earlier blocks": (changed(4 + 10 * 4, "i", 1_002), "blocks are of version 1, expected 2"),
    "filters": (changed(FILTERS, "Q", 8 + (402 << 32)), "are [8, 402], expected [16, 201]"),
    "negative filters": (changed(FILTERS, "i", -16), "one of its tensors is [-16, 201]"),
    "endless filters": (changed(FILTERS, "i", 2**31 - 1), "bytes should follow, and"),
    "no words": (changed(VOCABULARY, "i", -1), "stored as type"),
    "endless words": (changed(VOCABULARY, "i", 2**31 - 1), "bytes should follow, and"),
    "an endless word": (changed(VOCABULARY + 4, "i", 2**31 - 1), "bytes should follow, and"),
    "a negative word": (changed(VOCABULARY + 4, "i", -1), "bytes should follow, and"),
    "a word twice": (changed(VOCABULARY + 8, "B", ord('"')), "some of them twice"),
    "q4_K": (
        in_place(NORM, name_of("decoder.ln.weight", 1, 12, 32)),
        "stored as q4_K, expected f32, f16, q4_0",
    ),
    "type": (in_place(NORM, name_of("decoder.ln.weight", 1, -7, 32)), "stored as type -7"),
    "part of a block": (
        in_place(NORM, name_of("decoder.ln.weight", 1, 8, 31)),
        "31 numbers in blocks of 32",
    ),
    "dimensions": (
        in_place(NORM, name_of("decoder.ln.weight", 2**30, 0, 32)),
        "has 1073741824 dimensions, expected 1 to 4",
    ),
    "negative shape": (
        in_place(NORM, name_of("decoder.ln.weight", 1, 0, -32)),
        "one of its tensors is [-32], which is nothing",
    ),
    "endless shape": (
        in_place(NORM, name_of("decoder.ln.weight", 1, 0, 2**31 - 1)),
        "8,589,934,588 bytes should follow, and",
    ),
    "another name": (
        in_place(b"decoder.ln.weight", b"decoder.nn.weight"),
        "it has no weights for decoder.layer_norm.weight",
    ),
    "no text": (in_place(b"decoder.ln.weight", b"\xff" * 17), "it is not UTF-8 text"),
    "more": (lambda whole: whole + whole[-100:], ""),
}


@pytest.mark.parametrize("fault", HOSTILE_GGML)
def test_a_hostile_ggml_file_is_refused(
    whole: dict[str, bytes], model: Any, tmp_path: Path, fault: str
) -> None:
    change, said = HOSTILE_GGML[fault]
    assert said in refusal(put(tmp_path, "ggml", change(whole["ggml"]), model))


def ct2(change: Callable[[dict[str, Tensor]], Any], **settings: Any) -> Callable[[Any], bytes]:
    """A model.bin of int8 whose variables were changed."""

    def write(model: Any) -> bytes:
        variables = wf.ct2_stored(model, torch.int8)
        change(variables)
        aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
        return wf.ct2_bytes(variables, **{"aliases": aliases} | settings)

    return write


def put_in(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], Any]:
    return lambda variables: variables.update({name: tensor})


FC1 = "encoder/layer_0/ffn/linear_0/weight"
SOUND = ct2(lambda variables: None)

HOSTILE_CT2: dict[str, tuple[Callable[[Any], bytes], str]] = {
    "version": (lambda m: changed(0, "I", 5)(SOUND(m)), "has version 5, expected 6; convert"),
    "of another kind": (ct2(len, spec="Wav2Vec2Spec"), "'Wav2Vec2Spec' of CTranslate2"),
    "type": (
        lambda m: in_place(b"alignment_heads\0\1\2\0\0\0\2", b"alignment_heads\0\1\2\0\0\0\t")(
            SOUND(m)
        ),
        "alignment_heads is of type 9, which is not known",
    ),
    "bytes": (
        lambda m: in_place(b"\2\0\0\0\2\4\0\0\0", b"\2\0\0\0\2\5\0\0\0")(SOUND(m)),
        "alignment_heads has 5 bytes, expected 4",
    ),
    "endless": (
        lambda m: in_place(b"alignment_heads\0\1\2\0\0\0", b"alignment_heads\0\1\xff\xff\xff\xff")(
            SOUND(m)
        ),
        "8,589,934,590 bytes should follow",
    ),
    "no scale": (ct2(lambda v: v.pop(f"{FC1}_scale")), "whole numbers and has no scale"),
    "scales": (ct2(put_in(f"{FC1}_scale", torch.ones(7))), "has 128 rows and 7 scales"),
    "no such layer": (ct2(lambda v: v.pop(FC1)), f"it has no {FC1}"),
    "more": (ct2(put_in("decoder/rotary", torch.ones(7))), "has no use for: decoder/rotary"),
    "no heads": (ct2(put_in("encoder/num_heads", torch.tensor(0).short())), "it says 0 heads"),
    "an alias of nothing": (
        ct2(len, aliases={"decoder/projection/weight": "no/such"}),
        "it has no no/such",
    ),
    "another output": (
        ct2(put_in("decoder/projection/weight", torch.ones(1)), aliases={}),
        "its output layer is not its embeddings",
    ),
    "one weight many times": (
        ct2(len, aliases={f"encoder/layer_{i}/ffn/linear_0/weight": FC1 for i in range(1, 100)}),
        "too many of its weights are one tensor",
    ),
    "endless aliases": (lambda m: changed(-58, "I", 2**32 - 1)(SOUND(m)), "bytes should follow"),
}


@pytest.mark.parametrize("fault", HOSTILE_CT2)
def test_a_hostile_folder_of_ctranslate2_is_refused(model: Any, tmp_path: Path, fault: str) -> None:
    write, said = HOSTILE_CT2[fault]
    assert said in refusal(put(tmp_path, "ctranslate2", write(model), model))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", "[]", "its config.json holds no object"),
        ("config.json", '{"suppress_ids": [1, "2"]}', "sets suppress_ids to"),
        ("config.json", None, "No such file or directory (config.json)"),
        ("vocabulary.json", "{}", "its vocabulary.json is no list of texts"),
        ("vocabulary.json", '["a", 1]', "its vocabulary.json is no list of texts"),
        ("vocabulary.json", '["a"]', "its vocabulary has no <|endoftext|>"),
        (
            "vocabulary.json",
            json.dumps(["a" * 257, *wf.tokens(False)[1:]]),
            "has a symbol of 257 characters",
        ),
        (
            "vocabulary.json",
            json.dumps(wf.tokens(False)[:-1]),
            "has 1,869 symbols, but its weights",
        ),
        ("vocabulary.json", None, "No such file or directory (vocabulary.txt)"),
    ],
)
def test_what_belongs_to_a_folder_of_ctranslate2_is_there_and_sound(
    whole: dict[str, bytes], model: Any, tmp_path: Path, file: str, content: str | None, said: str
) -> None:
    folder = put(tmp_path, "ctranslate2", whole["ctranslate2"], model)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    assert said in refusal(folder)


def test_a_vocabulary_of_lines_is_the_same(
    whole: dict[str, bytes], model: Any, tmp_path: Path
) -> None:
    folder = put(tmp_path, "ctranslate2", whole["ctranslate2"], model)
    (folder / "vocabulary.json").rename(tmp_path / "tokens.json")
    (folder / "vocabulary.txt").write_text("\n".join(wf.tokens(False)) + "\n")
    own = bare(load_victim(str(folder), device="cpu"))
    assert [*own.processor.tokenizer.convert_ids_to_tokens(range(1_870))] == wf.tokens(False)


def test_a_part_of_a_folder_is_not_a_model(
    whole: dict[str, bytes], model: Any, tmp_path: Path
) -> None:
    folder = put(tmp_path, "ctranslate2", whole["ctranslate2"], model)
    assert f"it belongs to its folder; give {folder}" in refusal(folder / "model.bin")
    assert "begins with b'{\"su'" in refusal(folder / "config.json")
    (folder / "model.bin").unlink()
    assert "a model of CTranslate2, which is read from a folder with all of" in refusal(folder)
