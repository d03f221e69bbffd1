"""ggml files of whisper.cpp, such as ggml-tiny.en.bin.

In their order: the magic number, eleven sizes, the mel filters, the pieces of the vocabulary, and
until the file ends tensors, under OpenAI's names, innermost size first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from mondegreen.reading import open_file
from mondegreen.victims.formats import blocks
from mondegreen.victims.formats.binary import Binary
from mondegreen.victims.formats.openai import HEADER, renamed
from mondegreen.victims.formats.stored import Stored
from mondegreen.victims.formats.tokens import byte_level, with_markers

MAGIC: Final = b"lmgg"
_SIZES: Final = (
    "n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx",
    "n_text_state", "n_text_head", "n_text_layer", "n_mels",
)  # fmt: skip
_VERSION: Final = 2  # of blocks; earlier ones were laid out otherwise
_PLAIN: Final = (0, 1)  # types without blocks


def read(path: Path) -> Stored:
    """What a file holds; see `load_stored` for what may be raised."""
    with open_file(path) as file:
        binary = Binary(file)
        binary.take(len(MAGIC))
        sizes = dict(zip(_SIZES, binary.numbers("10i"), strict=True))
        version, kind = divmod(binary.number("i"), 1_000)
        if kind not in _PLAIN and version != _VERSION:
            raise ValueError(
                f"its blocks are of version {version}, expected {_VERSION}; quantise it again"
            )
        filters = binary.tensor(torch.float32, binary.numbers("2i"))
        pieces = [binary.take(binary.number("i")) for _ in range(binary.number("i"))]
        tensors = dict(_tensors(binary))
    said = [(setting, sizes[name]) for name, setting in HEADER.items()]
    tokens = with_markers(byte_level(pieces), sizes["n_vocab"])
    return Stored(tensors, said, tokens, filters)


def _tensors(binary: Binary) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under its name in transformers."""
    while binary.left:
        dimensions, length, number = binary.numbers("3i")
        if not 1 <= dimensions <= 4:
            raise ValueError(f"one of its tensors has {dimensions} dimensions, expected 1 to 4")
        shape = binary.numbers(f"{dimensions}i")[::-1]
        if min(shape) < 1:
            raise ValueError(f"one of its tensors is {[*shape]}, which is nothing")
        name = renamed(binary.take(length).decode())
        kind = blocks.kind(number)
        kind.size(shape[-1])  # a row is of whole blocks
        values = kind.read(binary.take(kind.size(torch.Size(shape).numel())))
        # biases of convolutions are columns
        yield name, values if name.endswith(".bias") else values.reshape(shape)
