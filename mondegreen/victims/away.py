"""What an untargeted attack searches on: a recogniser from which a transcript is pushed away.

A search minimises a loss until `matched`, whatever these are. Here the loss falls as what was heard
in the clean clip becomes unlikely, and `matched` says that the aim is met: of the transcript of the
sound itself, because words that are wrong cannot be seen in a loss. So the search, its bounds and
its budget are those of every other attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.aim import Aim
from mondegreen.options import Options
from mondegreen.text import word_errors
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.batching import Remembered

BETWEEN: Final = -1  # in a target's symbols, between those pushed away and the letters of the text
CLEAN: Final = 5.0  # the loss where what is pushed away is certain to be heard


def aimed(victim: Victim, options: Options) -> Victim:
    """What an attack with these options searches on: the victim, or one that is pushed away."""
    return Away(victim, options) if options.untargeted else victim


def symbols(victim: Victim, spelled: str, aim: Aim, length: int) -> Tensor:
    """What `aimed` scores a clip of `length` samples against, [N] int64.

    Args:
        victim: the recogniser itself.
        spelled: the target, or the transcript to push away, as the victim would write it.
        aim: of the attack on the clip.
        length: of the clip.

    Raises:
        TargetError: as `Victim.encode`.
    """
    encoded = victim.encode(spelled, length)
    if aim.target is not None:
        return encoded
    letters = encoded.new_tensor([BETWEEN, *map(ord, aim.original or "")])
    return torch.cat([encoded, letters])


class Away:
    """A victim that is attacked by pushing a transcript away; it hears as before.

    Args:
        recogniser: behind the border; see `mondegreen.victims.guard`.
        options: of the attack.
    """

    def __init__(self, recogniser: Victim, options: Options) -> None:
        self.recogniser, self.options = recogniser, options
        self._parts = Remembered(_parted)

    def __getattr__(self, name: str) -> Any:
        if name == "recogniser":  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.recogniser, name)

    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of what is said, and its letters; see `Victim.encode` and `symbols`."""
        return symbols(self.recogniser, target, self._aim(target), length)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """How far what is pushed away is from being unlikely, and whether the aim is met.

        The loss is `CLEAN` / (1 - log p / N) for a transcript of N symbols: it falls all the way,
        and is nowhere so flat that a gradient vanishes.

        Costs a pass of the recogniser; and, where greedy decoding no longer gives what is pushed
        away, a transcript.
        """
        pushed, texts, sizes = self._parts(*targets)
        score = self.recogniser.score(audio, lengths, pushed)
        loss = CLEAN / (1 + score.loss / sizes.to(score.loss))
        same = score.matched.tolist()
        found = [
            (0, False) if unchanged else self._heard(row[:length], text)
            for row, length, unchanged, text in zip(
                audio.detach(), lengths.tolist(), same, texts, strict=True
            )
        ]
        wrong, met = torch.tensor(found, device=audio.device).T
        return Score(loss, met.bool(), wrong)

    def _heard(self, sound: Tensor, text: str) -> tuple[int, bool]:
        """How many words of a text are wrong in the transcript of a sound [T]; the aim is met."""
        transcript = self.recogniser.transcribe(sound.float().cpu())
        found = word_errors(text, transcript)
        return min(found.errors, found.words + found.characters), self._aim(text).met(transcript)

    def _aim(self, text: str) -> Aim:
        return Aim.of(self.options, None, text)


def _parted(*targets: Tensor) -> tuple[list[Tensor], list[str], Tensor]:
    """The symbols to push away, the texts, and how many symbols there are of each, [B]."""
    places = [int((target == BETWEEN).nonzero()[0]) for target in targets]
    pushed = [target[:place] for target, place in zip(targets, places, strict=True)]
    texts = [
        "".join(map(chr, target[place + 1 :].tolist()))
        for target, place in zip(targets, places, strict=True)
    ]
    return pushed, texts, targets[0].new_tensor(places)
