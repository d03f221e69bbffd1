"""Folders of CTranslate2, as faster-whisper runs them: model.bin, config.json, a vocabulary.

model.bin is a list of named tensors. Those of whole numbers were rounded after multiplication by a
scale, one for each row or one for all; divided by it, they are the weights that are computed with.
Queries, keys and values are stored as one tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.reading import is_file, open_file, read_bytes, read_json
from mondegreen.victims.formats.binary import Binary
from mondegreen.victims.formats.stored import Stored

_VERSION: Final = 6  # of the layout
_SPEC: Final = "WhisperSpec"
_DTYPES: Final = (  # by their numbers in the file
    torch.float32,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.float16,
    torch.bfloat16,
)
_SHARED: Final = 2  # times the file: the embeddings, at most all of it, are the output layer too
_OUTPUT: Final = "decoder/projection/weight"  # another name of the embeddings
_NOT_COMPUTED_WITH: Final = "decoder/alignment_heads"  # for timestamps of words


def read(folder: Path) -> Stored:
    """What a folder holds; see `load_stored` for what may be raised."""
    with open_file(folder / "model.bin") as file:
        weights = _Weights(_variables(Binary(file)))
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise ValueError("its config.json holds no object")
    said = [(f"{half}_attention_heads", weights.heads(half)) for half in ("encoder", "decoder")]
    tensors = dict(weights.named())
    weights.check_used()
    suppressed = [_numbers(config, key) for key in ("suppress_ids", "suppress_ids_begin")]
    return Stored(
        tensors,
        said,
        _tokens(folder),
        suppressed=(suppressed[0], suppressed[1]),
        zeros_follow=True,
    )


def _variables(binary: Binary) -> dict[str, Tensor]:
    """Every tensor by its names, of which it may have several."""
    version = binary.number("I")
    if version != _VERSION:
        raise ValueError(
            f"its model.bin has version {version}, expected {_VERSION}; convert the model again"
            " with ct2-transformers-converter"
        )
    if (spec := _text(binary)) != _SPEC:
        raise ValueError(f"it is a {spec!r:.100} of CTranslate2, expected a {_SPEC}")
    binary.number("I")  # the revision of the specification
    found, size = {}, binary.left
    for _ in range(binary.number("I")):
        name = _text(binary)
        shape = binary.numbers(f"{binary.number('B')}I")
        number, taken = binary.numbers("BI")
        if number >= len(_DTYPES):
            raise ValueError(f"its {name:.100} is of type {number}, which is not known")
        found[name] = tensor = binary.tensor(_DTYPES[number], shape)
        if tensor.nbytes != taken:
            raise ValueError(f"its {name:.100} has {taken:,} bytes, expected {tensor.nbytes:,}")
    for _ in range(binary.number("I")):
        alias, name = _text(binary), _text(binary)
        found[alias] = found[name]
    if sum(tensor.nbytes for tensor in found.values()) > _SHARED * size:
        raise ValueError("it is damaged: too many of its weights are one tensor")
    return found


def _text(binary: Binary) -> str:
    """A string with a zero at its end, after its length."""
    return binary.take(binary.number("H"))[:-1].decode()


class _Weights:
    """Variables on their way to transformers' names, as floats; each is used once."""

    def __init__(self, variables: dict[str, Tensor]) -> None:
        self._left = variables

    def heads(self, half: str) -> int:
        """The number of heads of a half's attention."""
        return int(self._left[f"{half}/num_heads"])

    def named(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor under its name in transformers."""
        for half in ("encoder", "decoder"):
            if half == "encoder":
                for conv in ("conv1", "conv2"):
                    yield from self._linear(f"encoder.{conv}", f"encoder/{conv}")
            else:
                self._check_alias()
                yield "decoder.embed_tokens.weight", self._take("decoder/embeddings/weight")
            places = self._take(f"{half}/position_encodings/encodings")
            yield f"{half}.embed_positions.weight", places
            yield from self._norm(f"{half}.layer_norm", f"{half}/layer_norm")
            for layer in range(self._layers(half)):
                yield from self._layer(f"{half}.layers.{layer}", f"{half}/layer_{layer}")

    def check_used(self) -> None:
        """Raises ValueError for a tensor that has no place."""
        left = sorted(name for name, tensor in self._left.items() if tensor.dim())
        if left := [name for name in left if name != _NOT_COMPUTED_WITH]:
            raise ValueError(f"it has weights that Whisper has no use for: {', '.join(left[:3])}")

    def _layers(self, half: str) -> int:
        """How many layers have tensors."""
        start = f"{half}/layer_"
        names = (name for name in self._left if name.startswith(start))
        return len({name.split("/")[1] for name in names} - {"layer_norm"})

    def _layer(self, name: str, stored: str) -> Iterator[tuple[str, Tensor]]:
        attention = f"{stored}/self_attention"
        yield from self._norm(f"{name}.self_attn_layer_norm", f"{attention}/layer_norm")
        yield from self._together(f"{name}.self_attn", f"{attention}/linear_0", "qkv")
        yield from self._linear(f"{name}.self_attn.out_proj", f"{attention}/linear_1")
        if f"{stored}/attention/linear_0/weight" in self._left:
            attention = f"{stored}/attention"
            yield from self._norm(f"{name}.encoder_attn_layer_norm", f"{attention}/layer_norm")
            yield from self._linear(f"{name}.encoder_attn.q_proj", f"{attention}/linear_0")
            yield from self._together(f"{name}.encoder_attn", f"{attention}/linear_1", "kv")
            yield from self._linear(f"{name}.encoder_attn.out_proj", f"{attention}/linear_2")
        yield from self._norm(f"{name}.final_layer_norm", f"{stored}/ffn/layer_norm")
        yield from self._linear(f"{name}.fc1", f"{stored}/ffn/linear_0")
        yield from self._linear(f"{name}.fc2", f"{stored}/ffn/linear_1")

    def _norm(self, name: str, stored: str) -> Iterator[tuple[str, Tensor]]:
        yield f"{name}.weight", self._take(f"{stored}/gamma")
        yield f"{name}.bias", self._take(f"{stored}/beta")

    def _linear(self, name: str, stored: str) -> Iterator[tuple[str, Tensor]]:
        yield f"{name}.weight", self._take(f"{stored}/weight")
        yield f"{name}.bias", self._take(f"{stored}/bias")

    def _together(self, name: str, stored: str, parts: str) -> Iterator[tuple[str, Tensor]]:
        """Several projections in one; a bias of keys changes no attention, and there is none."""
        for kind in ("weight", "bias"):
            pieces = self._take(f"{stored}/{kind}").chunk(len(parts))
            for part, piece in zip(parts, pieces, strict=True):
                if (part, kind) != ("k", "bias"):
                    yield f"{name}.{part}_proj.{kind}", piece.clone()

    def _take(self, name: str) -> Tensor:
        """A variable as floats, divided by its scale if it has one."""
        stored, scale = self._left.pop(name), self._left.pop(f"{name}_scale", None)
        if scale is None:
            if not stored.is_floating_point():
                raise ValueError(f"its {name:.100} is of whole numbers and has no scale")
            return stored.float()
        if scale.numel() not in (1, len(stored)):
            raise ValueError(f"its {name:.100} has {len(stored)} rows and {scale.numel()} scales")
        return stored.float() / scale.float().reshape(-1, *[1] * (stored.dim() - 1))

    def _check_alias(self) -> None:
        """Refuse an output layer that is not the embeddings, which transformers would share."""
        if self._left.pop(_OUTPUT, None) is not self._left["decoder/embeddings/weight"]:
            raise ValueError("its output layer is not its embeddings, as every Whisper's is")


def _numbers(config: dict[str, Any], key: str) -> list[int]:
    """A list of symbols in config.json; none where it has none."""
    found = config.get(key) or []
    if not isinstance(found, list) or not all(type(number) is int for number in found):
        raise ValueError(
            f"its config.json sets {key} to {found!r:.100}, expected a list of numbers"
        )
    return found


def _tokens(folder: Path) -> list[str]:
    """The vocabulary: a list in JSON or, of older converters, lines."""
    if is_file(path := folder / "vocabulary.json"):
        found = read_json(path)
        if not isinstance(found, list) or not all(isinstance(token, str) for token in found):
            raise ValueError("its vocabulary.json is no list of texts")
        return found
    return read_bytes(folder / "vocabulary.txt").decode().removesuffix("\n").split("\n")
