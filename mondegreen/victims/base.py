"""What mondegreen asks of a recogniser: three things, and nothing about how it is built.

`Recogniser` is enough to verify with; `Victim` adds what an attack needs. Both are protocols: a
class of your own that has these members can be attacked without inheriting anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Score:
    """What one forward pass says of a batch."""

    # [B], differentiable: -log p(target | audio) in nats, summed over the target's symbols
    loss: Tensor
    matched: Tensor  # [B] bool: greedy decoding of this audio yields the target, symbol by symbol


@runtime_checkable
class Recogniser(Protocol):
    """Anything that turns speech into text."""

    @property
    def name(self) -> str:
        """The name that records carry and `load_victim` understands."""

    @property
    def sample_rate(self) -> int:
        """Samples per second of the audio it takes."""

    def transcribe(self, audio: Tensor) -> str:
        """Hear one clip through the model's own public pipeline.

        Args:
            audio: [T] in [-1, 1], float32, in main memory.
        """


@runtime_checkable
class Victim(Recogniser, Protocol):
    """A recogniser whose mishearing can be measured: it can be differentiated."""

    @property
    def device(self) -> torch.device:
        """Where `score` wants its audio."""

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of `score`'s audio."""

    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of a target phrase, [N] int64, for a clip of `length` samples.

        Raises:
            TargetError: the model cannot express the phrase, or not in a clip that short.
        """

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Score a padded batch by one differentiable forward pass.

        A clip's row depends on its own `lengths[b]` samples alone, never on its batch-mates.

        Args:
            audio: [B, T] in [-1, 1]; what stands past a clip's length is ignored.
            lengths: [B] int64, samples.
            targets: B results of `encode`.
        """
