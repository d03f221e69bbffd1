"""A success is what the saved file proves: read it back, and let the recogniser hear it."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import torch

from mondegreen.audio import load
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser


@dataclass(frozen=True)
class Proof:
    """What a recogniser makes of a file.

    Attributes:
        heard: its transcript, through its own pipeline.
        verified: the transcript is the target, under the declared normaliser.
    """

    heard: str
    verified: bool


def verify(
    path: str | PathLike[str], recogniser: Recogniser, target: str, normaliser: str = "default"
) -> Proof:
    """Read a file and compare what the recogniser hears with the target.

    Raises:
        AudioError: the file cannot be read; see `mondegreen.audio.load`.
        OptionError: there is no normaliser of that name.
    """
    audio = load(path, recogniser.sample_rate)
    heard = recogniser.transcribe(torch.from_numpy(audio))
    return Proof(heard=heard, verified=matches(heard, target, normaliser))
