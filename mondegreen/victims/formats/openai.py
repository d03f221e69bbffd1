"""OpenAI's own files, such as tiny.en.pt: torch.save of `dims` and `model_state_dict`.

They are zip archives of a pickle and of bytes. The pickle may name nothing but tensors of bytes in
the archive, and is read by torch's reader for weights alone: that runs no code, but would also make
arrays as large as a pickle says.
The vocabulary is not in the file; it comes along with the package openai-whisper.
"""

from __future__ import annotations

import os
import pickle
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from pickletools import genops
from typing import Any, Final
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from mondegreen.errors import VictimError, first_line
from mondegreen.reading import is_file, open_file, read_bytes, read_json
from mondegreen.victims.formats.stored import Stored
from mondegreen.victims.formats.tokens import MULTILINGUAL, byte_level, with_markers

MAGIC: Final = b"PK\x03\x04"
HEADER: Final = {  # names of OpenAI's, and of transformers' WhisperConfig
    "n_vocab": "vocab_size",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
    "n_mels": "num_mel_bins",
}
_NAMED: Final = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_tensor_v2|torch \w+Storage"
)
_PICKLE: Final = 2**22  # bytes at most; that of the largest Whisper has a twentieth
_FLOATS: Final = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_RENAMED: Final = {
    "blocks": "layers",
    "attn": "self_attn",
    "attn_ln": "self_attn_layer_norm",
    "cross_attn": "encoder_attn",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "mlp_ln": "final_layer_norm",
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "out": "out_proj",
    "ln": "layer_norm",
    "ln_post": "layer_norm",
    "token_embedding": "embed_tokens",
    "positional_embedding": "embed_positions.weight",
}


def renamed(name: str) -> str:
    """A tensor's name in transformers.

    >>> renamed("decoder.blocks.3.cross_attn.query.weight")
    'decoder.layers.3.encoder_attn.q_proj.weight'
    """
    name = name.replace("mlp.0.", "fc1.").replace("mlp.2.", "fc2.")
    return ".".join(_RENAMED.get(part, part) for part in name.split("."))


def read(path: Path) -> Stored:
    """What a file holds; see `load_stored` for what may be raised."""
    try:
        size = _check_archive(path)
        # mapped, because sizes in the pickle are then held against the file's
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise VictimError(
            f"cannot load {path}: its pickle holds more than weights and plain values, which could"
            " run code when it is read, or is damaged; get the file anew, as OpenAI published it"
        ) from error
    except RuntimeError as error:
        raise ValueError(f"it is damaged: {first_line(error)}") from error
    dims, weights = _parts(found)
    if sum(tensor.nbytes for tensor in weights.values()) > size:
        raise ValueError("its tensors are larger than the file")
    tensors = {renamed(name): t.to(torch.float32, copy=True) for name, t in weights.items()}
    said = [(setting, dims[name]) for name, setting in HEADER.items()]
    return Stored(tensors, said, _tokens(path, dims["n_vocab"]))


def _check_archive(path: Path) -> int:
    """The size of an archive as torch.save writes them, in which nothing is compressed.

    Raises UnpicklingError for a pickle in it that asks for more than tensors.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            archive = ZipFile(file)
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.lower().endswith(".pkl")]
            packed = any(entry.compress_type != ZIP_STORED for entry in entries)
            packed = packed or sum(entry.file_size for entry in pickles) > _PICKLE
            if packed or sum(entry.file_size for entry in entries) > size:
                raise ValueError("it is packed otherwise than torch.save does")
            for entry in pickles:
                _check_pickle(archive.read(entry))
        except (BadZipFile, NotImplementedError) as error:
            raise ValueError(
                "it is cut short or damaged: it is no zip archive to its end"
            ) from error
    return size


def _check_pickle(content: bytes) -> None:
    """Refuse other names, and tuples that are there twice: some would take ages to hash."""
    tuples, latest = set[Any](), ""  # their places in the memo, and what was last made
    try:
        for code, value, _ in genops(content):
            if code.name.endswith("BINPUT"):
                tuples |= {value} if latest.startswith("TUPLE") else set()
                continue
            again = code.name.endswith("BINGET") and value in tuples
            if again or (code.name == "GLOBAL" and not _NAMED.fullmatch(str(value))):
                raise pickle.UnpicklingError
            latest = code.name
    except ValueError as error:
        raise pickle.UnpicklingError from error


def _parts(found: Any) -> tuple[Mapping[str, int], Mapping[str, Tensor]]:
    """Sizes and tensors, of what a pickle of weights and plain values may hold."""
    try:
        dims = {name: int(found["dims"][name]) for name in HEADER}
        weights = {str(name): tensor for name, tensor in found["model_state_dict"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise ValueError(
            "it does not hold dims and model_state_dict, as OpenAI's files do (checkpoints of"
            " transformers are folders)"
        ) from error
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in _FLOATS:
            raise ValueError(f"its {name:.100} is not a tensor of floats")
    return dims, weights


def _tokens(path: Path, symbols: int) -> Sequence[str]:
    """The vocabulary: of a tokenizer.json beside the file, or in the package openai-whisper."""
    beside = path.with_name("tokenizer.json")
    if is_file(beside):
        return _of_tokenizer(beside)
    name = "multilingual" if symbols >= MULTILINGUAL else "gpt2"
    package = find_spec("whisper")
    for place in (package.submodule_search_locations or ()) if package else ():
        if is_file(file := Path(place) / "assets" / f"{name}.tiktoken"):
            return with_markers(byte_level(ranked(file)), symbols)
    raise VictimError(
        f"cannot load {path}: OpenAI's files hold no vocabulary; run: pip install openai-whisper,"
        f" or put the tokenizer.json of the same model beside it, at {beside}"
    )


def _of_tokenizer(path: Path) -> list[str]:
    """All symbols of a tokenizer.json, by number."""
    found = read_json(path)
    numbers = dict(found["model"]["vocab"])
    numbers |= {added["content"]: added["id"] for added in found["added_tokens"]}
    tokens = {number: token for token, number in numbers.items()}
    if set(tokens) != set(range(len(numbers))):
        raise ValueError(f"{path.name} does not number its symbols from 0 without gaps")
    return [tokens[number] for number in range(len(tokens))]


def ranked(path: Path) -> list[bytes]:
    """The pieces of a .tiktoken file: lines of base64 and a number."""
    lines = [line.split() for line in read_bytes(path).splitlines()]
    pieces = {int(number): piece for piece, number in lines}
    # the empty piece is written as "=", which is not base64 to the letter
    return [b64decode(pieces[number].rjust(4, b"=")) for number in range(len(pieces))]
