"""What knows of a detector of broken temporal dependency: the first half of a sound is scored too.

An adversarial sound says its target as a whole; its first half alone says, more often than not,
something else than the first words of the target, and a detector looks for that. `halves > NAME` is
the recogniser NAME, attacked so that the first half says the first half of the target's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.chain.text import chained
from mondegreen.names import HALVES
from mondegreen.text import as_sentence
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.batching import Remembered

BETWEEN: Final = -1  # in a target's symbols, between those of the whole and those of the half


class Halves:
    """A victim that is attacked as a whole and in its first half; it hears as before.

    Args:
        recogniser: behind the border; see `mondegreen.victims.guard`.
    """

    def __init__(self, recogniser: Victim) -> None:
        self.recogniser = recogniser
        self.name = chained([HALVES], recogniser.name)
        self._lengths = Remembered(_halved)
        self._targets = Remembered(_parted)

    def __getattr__(self, name: str) -> Any:
        if name == "recogniser":  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.recogniser, name)

    @property
    def stricter(self) -> str:
        """What a match asks for besides the transcript."""
        return "the first words in the first half"

    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of a phrase, `BETWEEN`, and those of its first words; see `Victim.encode`."""
        words = target.split()
        first = as_sentence(" ".join(words[: max(1, len(words) // 2)]))
        whole = self.recogniser.encode(target, length)
        half = self.recogniser.encode(first, length // 2)
        return torch.cat([whole, whole.new_tensor([BETWEEN]), half])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """-log p of both, and whether both match; see `Victim.score`.

        Costs a pass of the recogniser over the sound, and one over its half.
        """
        shorter = self._lengths(lengths)
        wholes, halves = self._targets(*targets)
        whole = self.recogniser.score(audio, lengths, wholes)
        half = self.recogniser.score(audio[:, : audio.shape[-1] // 2], shorter, halves)
        return Score(whole.loss + half.loss, whole.matched & half.matched)


def _halved(lengths: Tensor) -> Tensor:
    return lengths // 2


def _parted(*targets: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The symbols of the wholes, and those of the halves."""
    places = [int((target == BETWEEN).nonzero()[0]) for target in targets]
    wholes = [target[:place] for target, place in zip(targets, places, strict=True)]
    halves = [target[place + 1 :] for target, place in zip(targets, places, strict=True)]
    return wholes, halves
