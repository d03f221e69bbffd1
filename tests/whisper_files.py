"""A tiny random Whisper, and it written down as others keep it: the formats, stated once more."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from tiny_seq2seq import MERGES, enliven
from torch import Tensor
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.whisper.tokenization_whisper import LANGUAGES

WIDTH, HEADS, LAYERS, MELS, SECONDS = 32, 2, 2, 16, 2
LETTERS = bytes_to_unicode()  # byte -> printable character
BYTES = {letter: byte for byte, letter in LETTERS.items()}


def pieces(multilingual: bool) -> list[str]:
    """Single bytes, a few pairs, and for a multilingual vocabulary as many as there always are."""
    found = [*LETTERS.values(), *("".join(pair) for pair in MERGES)]
    if multilingual:
        merged = set(found[256:])
        pairs = (a + b for a in LETTERS.values() for b in LETTERS.values())
        found += [pair for pair in pairs if pair not in merged][: 50_256 - len(found)]
        found.append("")  # the last piece of the real one is empty, too
    return found


def tokens(multilingual: bool) -> list[str]:
    """The whole vocabulary by number, as published models have it."""
    languages = [f"<|{code}|>" for code in list(LANGUAGES)[:99]]
    stamps = [f"<|{step // 50}.{step % 50 * 2:02d}|>" for step in range(1501)]
    return [
        *pieces(multilingual),
        *("<|endoftext|>", "<|startoftranscript|>", *languages, "<|translate|>", "<|transcribe|>"),
        *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>", *stamps),
    ]


def whisper(multilingual: bool = False) -> Any:
    """Transformers' model with random weights."""
    torch.manual_seed(0)
    end = tokens(multilingual).index("<|endoftext|>")
    config = hf.WhisperConfig(
        vocab_size=len(tokens(multilingual)),
        num_mel_bins=MELS,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_source_positions=50 * SECONDS,
        max_target_positions=24,
        decoder_start_token_id=end + 1,
        **dict.fromkeys(["bos_token_id", "eos_token_id", "pad_token_id"], end),
    )
    model = hf.WhisperForConditionalGeneration(config).eval()
    enliven(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # as initialised, they are all zeros or ones
                parameter.add_(0.1 * torch.randn_like(parameter))
            if name.endswith("embed_tokens.weight"):
                parameter[end + 1 :] *= 0.1  # markers are hardly ever said
    return model


Pairs = Iterator[tuple[str, str]]


def layer_names() -> Iterator[tuple[str, str, str, int]]:
    """Both halves' layers: of transformers, OpenAI and CTranslate2; and their attentions."""
    for half, attentions in (("encoder", 1), ("decoder", 2)):
        for i in range(LAYERS):
            there = f"model.{half}.layers.{i}"
            yield there, f"{half}.blocks.{i}", f"{half}/layer_{i}", attentions


# ---- OpenAI's .pt


def openai_names() -> Pairs:
    """Transformers' names of all parameters, and OpenAI's."""
    for half in ("encoder", "decoder"):
        yield f"model.{half}.embed_positions.weight", f"{half}.positional_embedding"
    yield "model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"
    norms = [
        ("model.encoder.layer_norm", "encoder.ln_post"),
        ("model.decoder.layer_norm", "decoder.ln"),
    ]
    linears = [(f"model.encoder.conv{i}", f"encoder.conv{i}") for i in (1, 2)]
    for there, here, _, attentions in layer_names():
        for a, b in (("self_attn", "attn"), ("encoder_attn", "cross_attn"))[:attentions]:
            norms.append((f"{there}.{a}_layer_norm", f"{here}.{b}_ln"))
            yield f"{there}.{a}.k_proj.weight", f"{here}.{b}.key.weight"
            for p, q in (("q_proj", "query"), ("v_proj", "value"), ("out_proj", "out")):
                linears.append((f"{there}.{a}.{p}", f"{here}.{b}.{q}"))
        norms.append((f"{there}.final_layer_norm", f"{here}.mlp_ln"))
        linears += [(f"{there}.fc1", f"{here}.mlp.0"), (f"{there}.fc2", f"{here}.mlp.2")]
    for there, here in (*norms, *linears):
        yield from ((f"{there}.{kind}", f"{here}.{kind}") for kind in ("weight", "bias"))


def openai_dims(model: Any) -> dict[str, int]:
    c = model.config
    return {
        "n_mels": c.num_mel_bins,
        "n_vocab": c.vocab_size,
        "n_audio_ctx": c.max_source_positions,
        "n_audio_state": c.d_model,
        "n_audio_head": c.encoder_attention_heads,
        "n_audio_layer": c.encoder_layers,
        "n_text_ctx": c.max_target_positions,
        "n_text_state": c.d_model,
        "n_text_head": c.decoder_attention_heads,
        "n_text_layer": c.decoder_layers,
    }


def openai_checkpoint(model: Any, dtype: torch.dtype = torch.float16) -> dict[str, Any]:
    own = model.state_dict()
    weights = {here: own[there].to(dtype) for there, here in openai_names()}
    return {"dims": openai_dims(model), "model_state_dict": weights}


def tiktoken_lines(multilingual: bool) -> str:
    """The asset of the package openai-whisper."""
    lines = []
    for number, piece in enumerate(pieces(multilingual)):
        text = b64encode(bytes(BYTES[letter] for letter in piece)).decode() or "="
        lines.append(f"{text} {number}\n")
    return "".join(lines)


def tokenizer_json(multilingual: bool) -> dict[str, Any]:
    known = tokens(multilingual)
    end = known.index("<|endoftext|>")
    vocabulary = {piece: number for number, piece in enumerate(known[: end + 1])}
    added = [{"id": number, "content": known[number]} for number in range(end, len(known))]
    return {"model": {"type": "BPE", "vocab": vocabulary}, "added_tokens": added}


# ---- CTranslate2's folder

CT2_NUMBERS = {
    **{torch.float32: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3},
    **{torch.float16: 4, torch.bfloat16: 5},
}


def ct2_variables(model: Any) -> dict[str, Tensor]:
    """Every variable but the alias, unquantised, by its name."""
    own = model.state_dict()
    found: dict[str, Tensor] = {}

    def copy(there: str, here: str, kinds: Sequence[tuple[str, str]]) -> None:
        found.update({f"{here}/{b}": own[f"{there}.{a}"] for a, b in kinds})

    linear = (("weight", "weight"), ("bias", "bias"))
    norm = (("weight", "gamma"), ("bias", "beta"))

    def fused(there: str, here: str, parts: str) -> None:
        weights = [own[f"{there}.{part}_proj.weight"] for part in parts]
        none = torch.zeros(model.config.d_model)
        biases = [own.get(f"{there}.{part}_proj.bias", none) for part in parts]
        found[f"{here}/weight"], found[f"{here}/bias"] = torch.cat(weights), torch.cat(biases)

    for half in ("encoder", "decoder"):
        heads = getattr(model.config, f"{half}_attention_heads")
        found[f"{half}/num_heads"] = torch.tensor(heads, dtype=torch.int16)
        places = own[f"model.{half}.embed_positions.weight"]
        found[f"{half}/position_encodings/encodings"] = places
        copy(f"model.{half}.layer_norm", f"{half}/layer_norm", norm)
    found["decoder/embeddings/weight"] = own["model.decoder.embed_tokens.weight"]
    found["decoder/alignment_heads"] = torch.zeros(2, dtype=torch.int16)
    found["decoder/scale_embeddings"] = torch.tensor(0, dtype=torch.int8)
    for i in (1, 2):
        copy(f"model.encoder.conv{i}", f"encoder/conv{i}", linear)
    for there, _, here, attentions in layer_names():
        attention = f"{here}/self_attention"
        copy(f"{there}.self_attn_layer_norm", f"{attention}/layer_norm", norm)
        fused(f"{there}.self_attn", f"{attention}/linear_0", "qkv")
        copy(f"{there}.self_attn.out_proj", f"{attention}/linear_1", linear)
        if attentions == 2:
            attention = f"{here}/attention"
            copy(f"{there}.encoder_attn_layer_norm", f"{attention}/layer_norm", norm)
            copy(f"{there}.encoder_attn.q_proj", f"{attention}/linear_0", linear)
            fused(f"{there}.encoder_attn", f"{attention}/linear_1", "kv")
            copy(f"{there}.encoder_attn.out_proj", f"{attention}/linear_2", linear)
        copy(f"{there}.final_layer_norm", f"{here}/ffn/layer_norm", norm)
        copy(f"{there}.fc1", f"{here}/ffn/linear_0", linear)
        copy(f"{there}.fc2", f"{here}/ffn/linear_1", linear)
    return found


def ct2_quantised(weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Whole numbers and their scale: by rows in int8, one for all in int16."""
    rows = weight.flatten(1)
    if dtype == torch.int8:
        scale = 127 / rows.abs().amax(1)
        return (rows * scale[:, None]).round().to(dtype).reshape(weight.shape), scale
    scale = 1023 / weight.abs().max()
    return (weight * scale).round().to(dtype), scale


def ct2_stored(model: Any, dtype: torch.dtype) -> dict[str, Tensor]:
    """Variables in a type: weights as whole numbers with scales, or all floats in it."""
    found = {}
    for name, tensor in ct2_variables(model).items():
        if not tensor.is_floating_point():
            found[name] = tensor
        elif dtype.is_floating_point:
            found[name] = tensor.to(dtype)
        elif name.endswith("/weight"):
            found[name], found[f"{name}_scale"] = ct2_quantised(tensor, dtype)
        else:
            found[name] = tensor
    return found


def ct2_bytes(
    variables: dict[str, Tensor], aliases: dict[str, str], spec: str = "WhisperSpec"
) -> bytes:
    def text(string: str) -> bytes:
        return struct.pack("<H", len(string) + 1) + string.encode() + b"\0"

    parts = [struct.pack("<I", 6), text(spec), struct.pack("<II", 3, len(variables))]
    for name, tensor in sorted(variables.items()):
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        shape = struct.pack(f"<B{tensor.dim()}I", tensor.dim(), *tensor.shape)
        kind = struct.pack("<BI", CT2_NUMBERS[tensor.dtype], len(data))
        parts += [text(name), shape, kind, data]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [text(alias) + text(name) for alias, name in sorted(aliases.items())]
    return b"".join(parts)


def ct2_folder(folder: Path, model: Any, dtype: torch.dtype, multilingual: bool = False) -> Path:
    folder.mkdir(parents=True)
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
    (folder / "model.bin").write_bytes(ct2_bytes(ct2_stored(model, dtype), aliases))
    known = tokens(multilingual)
    config = {
        "suppress_ids": suppressed(known),
        "suppress_ids_begin": [known.index("Ġ"), known.index("<|endoftext|>")],
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocabulary.json").write_text(json.dumps(known))
    return folder


def suppressed(known: Sequence[str]) -> list[int]:
    """Marks that are not speech, of those in such a small vocabulary, and markers."""
    speechless = [*'"#()*+/:;<=>@[\\]^_`{|}~']
    markers = (
        "startoftranscript",
        "translate",
        "transcribe",
        "startoflm",
        "startofprev",
        "nospeech",
    )
    return [known.index(mark) for mark in (*speechless, *(f"<|{name}|>" for name in markers))]


# ---- ggml of whisper.cpp

Block = tuple[bytes, list[float]]


def half(value: float) -> tuple[bytes, float]:
    """A float16: its bytes, and what it then is."""
    data = struct.pack("<e", value)
    return data, struct.unpack("<e", data)[0]


def _nibbles(whole: Sequence[int]) -> bytes:
    return bytes(whole[i] % 16 + 16 * (whole[i + 16] % 16) for i in range(16))


def _fifth(whole: Sequence[int]) -> bytes:
    return struct.pack("<I", sum((q // 16) << i for i, q in enumerate(whole)))


def _symmetric(x: Sequence[float], bits: int) -> tuple[bytes, float, list[int]]:
    middle = 2 ** (bits - 1)
    data, d = half(max(map(abs, x)) / (middle - 1) + 1e-6)
    return data, d, [min(max(round(v / d) + middle, 0), 2 * middle - 1) for v in x]


def _from_minimum(x: Sequence[float], bits: int) -> tuple[bytes, bytes, float, float, list[int]]:
    most = 2**bits - 1
    (d_bytes, d), (m_bytes, m) = half((max(x) - min(x)) / most + 1e-6), half(min(x))
    return d_bytes, m_bytes, d, m, [min(max(round((v - m) / d), 0), most) for v in x]


def q4_0(x: Sequence[float]) -> Block:
    data, d, whole = _symmetric(x, 4)
    return data + _nibbles(whole), [(q - 8) * d for q in whole]


def q4_1(x: Sequence[float]) -> Block:
    d_bytes, m_bytes, d, m, whole = _from_minimum(x, 4)
    return d_bytes + m_bytes + _nibbles(whole), [q * d + m for q in whole]


def q5_0(x: Sequence[float]) -> Block:
    data, d, whole = _symmetric(x, 5)
    return data + _fifth(whole) + _nibbles(whole), [(q - 16) * d for q in whole]


def q5_1(x: Sequence[float]) -> Block:
    d_bytes, m_bytes, d, m, whole = _from_minimum(x, 5)
    return d_bytes + m_bytes + _fifth(whole) + _nibbles(whole), [q * d + m for q in whole]


def q8_0(x: Sequence[float]) -> Block:
    data, d = half(max(map(abs, x)) / 127 + 1e-6)
    whole = [min(max(round(v / d), -127), 127) for v in x]
    return data + struct.pack("<32b", *whole), [q * d for q in whole]


BLOCKS: dict[str, tuple[int, int, Callable[[Sequence[float]], Block]]] = {
    # by name: the number of a tensor's type, that of the file's, and a block of 32
    "q4_0": (2, 2, q4_0),
    "q4_1": (3, 3, q4_1),
    "q8_0": (8, 7, q8_0),
    "q5_0": (6, 8, q5_0),
    "q5_1": (7, 9, q5_1),
}


def _stored(weight: Tensor, kind: str) -> tuple[int, bytes, Tensor]:
    """A tensor in a type: its number, its bytes, and what is then in it."""
    if kind == "f32":
        return 0, weight.numpy().astype("<f4").tobytes(), weight
    if kind == "f16":
        return 1, weight.numpy().astype("<f2").tobytes(), weight.half().float()
    number, _, block = BLOCKS[kind]
    made = [block(row) for row in weight.reshape(-1, 32).tolist()]
    values = torch.tensor([x for _, row in made for x in row]).reshape(weight.shape)
    return number, b"".join(data for data, _ in made), values


def ggml_bytes(model: Any, kind: str, filters: Tensor, words: Sequence[str]) -> bytes:
    """The model in a type, which it then has itself: its weights become those of the file.

    As whisper.cpp's converter does it: vectors and positions are f32, convolutions at most f16.
    """
    dims = openai_dims(model)
    order = ("vocab", "audio_ctx", "audio_state", "audio_head", "audio_layer", "text_ctx")
    order += ("text_state", "text_head", "text_layer", "mels")
    of_file = {"f32": 0, "f16": 1} | {
        name: 2_000 + number for name, (_, number, _) in BLOCKS.items()
    }
    parts = [struct.pack("<I", 0x67676D6C)]
    parts.append(struct.pack("<11i", *(dims[f"n_{name}"] for name in order), of_file[kind]))
    parts.append(struct.pack("<2i", *filters.shape) + filters.numpy().astype("<f4").tobytes())
    parts.append(struct.pack("<i", len(words)))
    for word in words:
        data = bytes(BYTES[letter] for letter in word)
        parts.append(struct.pack("<i", len(data)) + data)
    parameters = dict(model.named_parameters())
    for there, here in openai_names():
        weight = parameters[there].detach()
        plain = weight.dim() < 2 or "positional" in here
        number, data, values = _stored(
            weight, "f32" if plain else "f16" if weight.dim() == 3 and kind != "f32" else kind
        )
        weight.copy_(values)
        shape = [*weight.shape, 1] if "conv" in here and plain else [*weight.shape]
        head = struct.pack("<3i", len(shape), len(here), number)
        parts += [head, struct.pack(f"<{len(shape)}i", *reversed(shape)), here.encode(), data]
    return b"".join(parts)


def mel_filters() -> Tensor:
    """[mels, bins], a little unlike those that are computed."""
    own = np.array(hf.WhisperFeatureExtractor(feature_size=MELS).mel_filters.T)
    return torch.from_numpy(1.001 * own).float()
