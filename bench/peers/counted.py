"""A recogniser that counts what is asked of it, and the clip and target that it is asked about.

The peers are told how many steps to take; what they took is counted here, at the recogniser.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mondegreen.victims import Victim


class OutOfTimeError(Exception):
    """The clock has passed the time that the work was allowed to take."""


@dataclass(frozen=True)
class Task:
    """What every peer is given.

    Attributes:
        clip: id of the recording.
        clean: [T] in [-1, 1], on the 16-bit grid.
        target: as the victim writes it.
    """

    clip: str
    clean: Tensor
    target: str


@dataclass
class Counted:
    """A victim whose passes on one task are counted.

    Attributes:
        victim: the recogniser.
        task: what it is asked about.
        until: when `OutOfTimeError` is raised, in seconds since the epoch.
        gradients: gradient passes so far: each is a forward and a backward pass.
        forwards: forward passes that no gradient was taken of, so far.
        digest: of all audio so far, in its order.
    """

    victim: Victim
    task: Task
    until: float = float("inf")
    gradients: int = 0
    forwards: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._lengths = torch.tensor([len(self.task.clean)])
        self._symbols = self.victim.encode(self.task.target, len(self.task.clean))

    def logits(self, audio: Tensor) -> Tensor:
        """Letter logits [1, F, V] of audio [1, T]; of a victim with a head of letters."""
        self._listen(audio)
        victim: Any = self.victim
        logits: Tensor = victim.head(*victim.moonshine.encode_audio(audio, self._lengths))
        if logits.requires_grad:
            logits.register_hook(self._differentiated)
        return logits

    def gradient(self, audio: Tensor) -> Tensor:
        """The gradient [T] of the target's loss at audio [T]; NaN at audio that a peer broke."""
        self._listen(audio)
        if not audio.isfinite().all():
            self._differentiated(audio)
            return torch.full_like(audio, torch.nan)
        sound = audio.clone().requires_grad_()
        loss = self.victim.score(sound[None], self._lengths, [self._symbols]).loss.sum()
        loss.register_hook(self._differentiated)
        return torch.autograd.grad(loss, sound)[0]

    def transcribe(self, audio: Tensor) -> str:
        """What the victim's own decoding hears in audio [T]; nothing in NaN."""
        self._listen(audio)
        return self.victim.transcribe(audio) if audio.isfinite().all() else ""

    def _listen(self, audio: Tensor) -> None:
        if time.time() > self.until:
            raise OutOfTimeError
        self.digest.update(audio.detach().numpy().tobytes())
        self.forwards += 1

    def _differentiated(self, gradient: Tensor) -> None:
        del gradient
        self.gradients += 1
        self.forwards -= 1  # this one was for the gradient


def gradient(victim: Victim, task: Task) -> Tensor:
    """The gradient [T] of the victim's own loss at the clean clip, with nothing in between."""
    sound = task.clean.clone().requires_grad_()
    symbols = victim.encode(task.target, len(sound))
    loss = victim.score(sound[None], torch.tensor([len(sound)]), [symbols]).loss.sum()
    return torch.autograd.grad(loss, sound)[0]


def matched(victim: Victim, audio: Tensor, target: str) -> bool:
    """Whether `Victim.score` says that the greedy decode of audio [T] is the target."""
    symbols = victim.encode(target, len(audio))
    with torch.no_grad():
        score = victim.score(audio[None], torch.tensor([len(audio)]), [symbols])
    return bool(score.matched)
