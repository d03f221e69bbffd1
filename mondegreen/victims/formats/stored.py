"""A Whisper as a file has it, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Stored:
    """Weights and vocabulary, in the names of transformers.

    Sizes are those of the tensors. What a file says of them must agree, and nothing is built by its
    word alone.
    """

    tensors: Mapping[str, Tensor]  # float32, by their names in transformers' WhisperModel
    said: Sequence[tuple[str, int]]  # settings of WhisperConfig; heads have no other source
    tokens: Sequence[str]  # the whole vocabulary, by number, in the alphabet of byte pairs
    filters: Tensor | None = None  # [mels, bins]; None: those of every Whisper
    # symbols that are never said, and those that no output begins with; None: every Whisper's
    suppressed: tuple[Sequence[int], Sequence[int]] | None = None
    zeros_follow: bool = False  # its engine fills the window so, see `formats.filled`
