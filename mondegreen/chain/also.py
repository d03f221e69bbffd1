"""What knows of a detector that listens twice: the sound as it is, and through a link as well.

A detector of transcripts that disagree changes nothing that the recogniser hears. An attack that
knows of it wants both transcripts to be the target: `also:LINK`, in place of a link, is that.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.link import Link
from mondegreen.names import ALSO


class Also(Link):
    """A sound as it is; in a search, as it is and behind a link, of which each is scored."""

    name: ClassVar[str] = ALSO
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "Carlini and Wagner 2017: a detector belongs in the loss"

    inner: Link = Field(description="What the sound is also heard through.")

    @property
    def spec(self) -> str:
        """`also:LINK`."""
        return f"{self.name}:{self.inner.spec}"

    @property
    def random(self) -> bool:  # type: ignore[override]
        """That of the link."""
        return self.inner.random

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """That of the link; but the loss is of two sounds, of which only one is heard."""
        return self.inner.differentiable

    @property
    def draws(self) -> int:
        """Those of the link."""
        return self.inner.draws

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """The sound as it is."""
        del draws
        return sound

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """Both, [A, K, T] -> [A, 2 M, T]: M times the sound, then M draws of the link."""
        own = without_padding(audio, lengths)
        both = own, self.inner.twin(own, lengths, draws)
        return torch.cat([one.expand(-1, draws.count, -1) for one in both], 1)
