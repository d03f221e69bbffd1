"""What a recogniser hears around a passage, if it hears all of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from mondegreen.audio.passage import Excerpt
from mondegreen.audio.pcm import FULL_SCALE


@dataclass(frozen=True)
class Context:
    """What sounds before a passage, and after it."""

    before: Tensor  # [M] float32, full scale 1
    after: Tensor  # [N] float32

    @classmethod
    def of(cls, excerpt: Excerpt) -> Context:
        """All of the recording that a passage is a part of."""
        whole = torch.from_numpy(excerpt.whole.astype("float32")) / FULL_SCALE
        return cls(whole[: excerpt.begin], whole[excerpt.end :])

    def __len__(self) -> int:
        """Its samples, without the passage."""
        return len(self.before) + len(self.after)

    def around(self, sound: Tensor) -> Tensor:
        """A sound [T] in its context, [M + T + N], of the sound's device and type.

        >>> Context(torch.zeros(1), torch.zeros(2)).around(torch.ones(1)).tolist()
        [0.0, 1.0, 0.0, 0.0]
        """
        return torch.cat([self.before.to(sound), sound, self.after.to(sound)])


ALONE: Final = Context(torch.zeros(0), torch.zeros(0))  # of what is heard by itself
