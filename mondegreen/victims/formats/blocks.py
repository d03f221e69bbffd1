"""Numbers as ggml stores them: plain, or in blocks of 32 with a scale d, some with a minimum m.

A block of q4 and q5 has the low four bits of its numbers i and i + 16 in byte i; q5 has a fifth bit
of number i as bit i of a word. With q the whole number of 4, 5 or 8 bits:

    q4_0: d (q - 8)    q5_0: d (q - 16)    q8_0: d q    q4_1, q5_1: d q + m
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Blocks = NDArray[Any]

NUMBERS: Final = 32  # of a block
_REFUSED: Final = {10: "q2_K", 11: "q3_K", 12: "q4_K", 13: "q5_K", 14: "q6_K", 15: "q8_K"}

_D, _M = ("d", "<f2"), ("m", "<f2")
_FIFTH, _LOW = ("fifth", "<u4"), ("low", "u1", 16)


@dataclass(frozen=True)
class Kind:
    """A way to store numbers: some of them together, and how they are read."""

    layout: np.dtype[Any]
    together: int
    values: Callable[[Blocks], Blocks]

    def size(self, count: int) -> int:
        """Bytes of so many numbers; raises ValueError if they do not fill their blocks."""
        if count % self.together:
            raise ValueError(f"{count:,} numbers in blocks of {self.together}")
        return count // self.together * self.layout.itemsize

    def read(self, data: bytes) -> Tensor:
        """The numbers in some bytes, [N] float32."""
        found = self.values(np.frombuffer(data, self.layout))
        return torch.from_numpy(found.astype(np.float32).reshape(-1))


def _four(blocks: Blocks) -> Blocks:
    """The low four bits of every number, [blocks, 32]."""
    low = blocks["low"]
    return np.concatenate([low & 15, low >> 4], axis=1).astype(np.float32)


def _five(blocks: Blocks) -> Blocks:
    """Five bits of every number."""
    fifth = blocks["fifth"][:, None] >> np.arange(NUMBERS, dtype=np.uint32) & 1
    found: Blocks = _four(blocks) + np.float32(16) * fifth
    return found


def _of(blocks: Blocks, field: str) -> Blocks:
    """A number of each block, as a column."""
    found: Blocks = blocks[field].astype(np.float32)[:, None]
    return found


def _block(*fields: Any) -> np.dtype[Any]:
    return np.dtype(list(fields))


_KINDS: Final = {  # by their numbers in the file
    0: Kind(np.dtype("<f4"), 1, lambda x: x),
    1: Kind(np.dtype("<f2"), 1, lambda x: x),
    2: Kind(_block(_D, _LOW), NUMBERS, lambda x: (_four(x) - 8) * _of(x, "d")),
    3: Kind(_block(_D, _M, _LOW), NUMBERS, lambda x: _four(x) * _of(x, "d") + _of(x, "m")),
    6: Kind(_block(_D, _FIFTH, _LOW), NUMBERS, lambda x: (_five(x) - 16) * _of(x, "d")),
    7: Kind(_block(_D, _M, _FIFTH, _LOW), NUMBERS, lambda x: _five(x) * _of(x, "d") + _of(x, "m")),
    8: Kind(_block(_D, ("q", "i1", NUMBERS)), NUMBERS, lambda x: x["q"] * _of(x, "d")),
}


def kind(number: int) -> Kind:
    """The way of that number; raises ValueError, by its name, for one that is not read."""
    if number not in _KINDS:
        raise ValueError(
            f"its weights are stored as {_REFUSED.get(number, f'type {number}')}, expected f32,"
            " f16, q4_0, q4_1, q5_0, q5_1 or q8_0; quantise the model otherwise"
        )
    return _KINDS[number]
