"""A binary file, read from its beginning; nothing in it is believed to be longer than the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from io import BufferedReader
from math import prod

import numpy as np
import torch
from torch import Tensor


class Binary:
    """What is left of a file of little-endian numbers; what ends too early is a ValueError."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.left = os.fstat(file.fileno()).st_size - file.tell()

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if not 0 <= size <= self.left:
            raise ValueError(
                f"it is cut short or damaged: {size:,} bytes should follow, and {self.left:,} do"
            )
        found = self._file.read(size)
        if len(found) != size:
            raise ValueError("it changed while it was read")
        self.left -= size
        return found

    def numbers(self, layout: str) -> tuple[int, ...]:
        """The next numbers, in a layout of `struct`, without padding."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def number(self, layout: str) -> int:
        """The next number."""
        return self.numbers(layout)[0]

    def tensor(self, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
        """The next numbers as a tensor of this type and shape."""
        if min(shape, default=0) < 0:
            raise ValueError(f"it is damaged: one of its tensors is {[*shape]}")
        data = self.take(prod(shape) * dtype.itemsize)
        return torch.from_numpy(np.frombuffer(data, np.uint8).copy()).view(dtype).reshape(shape)
