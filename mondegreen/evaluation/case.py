"""One attacked clip, as the checks take it up again."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mondegreen.audio import quantise
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser, Score, Victim


@dataclass(frozen=True)
class Case:
    """A clip, what it is to be heard as, and what the attack made of it.

    Attributes:
        clean: [T] float32 at the victim's rate, on the 16-bit grid.
        delta: [T] float32, the saved file less the clean clip.
        target: the phrase asked for.
        tokens: the same in the victim's symbols.
        normaliser: that success is judged under; see `mondegreen.text`.
    """

    clean: Tensor
    delta: Tensor
    target: str
    tokens: Tensor
    normaliser: str

    def succeeds(self, recogniser: Recogniser, delta: Tensor) -> bool:
        """Whether x + δ, as a 16-bit file holds it, is transcribed as the target."""
        sound = quantise(self.clean.double() + delta.cpu().double())
        return matches(recogniser.transcribe(sound.float()), self.target, self.normaliser)

    def score(self, victim: Victim, sound: Tensor) -> Score:
        """One forward pass on a sound [T] on the victim's device, for this target."""
        lengths = torch.tensor([len(sound)], device=sound.device)
        return victim.score(sound[None], lengths, [self.tokens])
