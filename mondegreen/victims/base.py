"""What mondegreen needs of a recogniser.

`Recogniser` is enough to verify with; `Victim` adds what an attack needs. Both are protocols: your
own class with these members can be attacked without inheriting anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Score:
    """The result of one forward pass over a batch."""

    # [B], differentiable: -log p(target | audio) in nats, summed over the target's symbols
    loss: Tensor
    matched: Tensor  # [B] bool: greedy decoding of this audio yields the target, symbol by symbol
    # [B] int64: words of the original that are wrong, where that is the aim; None: it is not
    wrong: Tensor | None = None


@runtime_checkable
class Recogniser(Protocol):
    """Anything that turns speech into text."""

    @property
    def name(self) -> str:
        """The name in records, which `load_victim` understands."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of its audio, in Hz."""

    def transcribe(self, audio: Tensor) -> str:
        """Transcribe one clip through the model's own public pipeline.

        Args:
            audio: [T] in [-1, 1], float32, in main memory.
        """


@runtime_checkable
class Victim(Recogniser, Protocol):
    """A recogniser that can be attacked: its loss is differentiable in the audio."""

    @property
    def device(self) -> torch.device:
        """The device of `score`'s audio."""

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of `score`'s audio."""

    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of a target phrase, [N] int64, for a clip of `length` samples.

        Raises:
            TargetError: the model cannot express the phrase, or not in so short a clip.
        """

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Score a padded batch by one differentiable forward pass.

        A clip's row depends only on its own `lengths[b]` samples, never on other clips.

        Args:
            audio: [B, T] in [-1, 1]; samples past a clip's length are ignored.
            lengths: [B] int64, samples.
            targets: B results of `encode`.
        """
