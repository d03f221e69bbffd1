"""Where a search stands between two steps: the stage, the step, and the clips still in it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from mondegreen.audio import FULL_SCALE

GIVEN: Final = ("audio", "lengths", "low", "high")  # follow from the clips; the rest is searched


@dataclass
class Batch:
    """The clips still in a stage; every tensor has one row a clip.

    What is as long as a sound, and the lengths, lie on the victim's device; the numbers that go
    with a clip lie in main memory, where they are decided.
    """

    audio: Tensor  # [A, T]
    lengths: Tensor  # [A]
    low: Tensor  # [A, T] the smallest δ that keeps x + δ in range; zero in padding
    high: Tensor  # [A, T]
    index: Tensor  # [A] which clip of the search this is
    delta: Tensor  # [A, T]
    mean: Tensor  # [A, T] Adam's first moment
    square: Tensor  # [A, T] Adam's second moment
    average: Tensor  # [A, T] of δ over the steps, where the stage keeps it
    fastest: Tensor  # [A] the largest rate in this stage
    eps: Tensor  # [A]
    alpha: Tensor  # [A]
    quietest: Tensor  # [A] lowest masking loss of a success in this stage
    most: Tensor  # [A] most draws that a success in this stage was heard in
    left: Tensor  # [A] steps until the clip leaves

    @classmethod
    def of(cls, audio: Tensor, lengths: Tensor, **searched: Tensor) -> Batch:
        """A batch of all clips [B, T] with `lengths` [B], whose δ keeps within the 16-bit range."""
        real = torch.arange(audio.shape[1], device=audio.device) < lengths[:, None]
        low, high = (-1 - audio) * real, (1 - 1 / FULL_SCALE - audio) * real
        return cls(audio, lengths, low, high, **searched)

    def select(self, rows: Tensor) -> Batch:
        """The clips of `rows`, without the padding that the others needed."""
        kept = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        longest = int(kept["lengths"].max()) if len(kept["lengths"]) else 0
        return Batch(**{k: v[:, :longest] if v.ndim == 2 else v for k, v in kept.items()})

    def searched(self) -> dict[str, Tensor]:
        """What does not follow from the clips, by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in GIVEN}


@dataclass
class Place:
    """Where a search stands.

    Attributes:
        stage: its number.
        step: the step of the stage that comes next.
        batch: the clips still in it.
    """

    stage: int
    step: int
    batch: Batch
