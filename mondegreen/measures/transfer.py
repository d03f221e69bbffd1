"""Transfer: whether other recognisers also transcribe a finished sound as was aimed for.

An example is made on one recogniser; the others had no part in the search. The clean clip is the
control: a recogniser that does not understand that one cannot judge the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mondegreen.aim import Aim
from mondegreen.audio.pcm import resample
from mondegreen.text import word_errors
from mondegreen.victims.base import Recogniser


@dataclass(frozen=True)
class Transcribed:
    """One recogniser's transcript of a sound, compared."""

    transcript: str  # what it prints
    matched: bool  # it is what was aimed for
    # wer_target, wer_original: word error rates to the target and to the original; None where there
    # is none
    wer_target: float | None
    wer_original: float | None


@dataclass(frozen=True)
class Transfer:
    """One recogniser's transcripts of a sound, and of the clean clip where there is one."""

    recogniser: str
    sound: Transcribed
    clean: Transcribed | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; the parts of `sound` stand beside the other fields."""
        data = asdict(self)
        return {"recogniser": data["recogniser"], **data["sound"], "clean": data["clean"]}


def transfer(
    recogniser: Recogniser,
    sound: NDArray[np.float32],
    clean: NDArray[np.float32] | None,
    sample_rate: int,
    aim: Aim,
) -> Transfer:
    """Transcribe a sound and its clean clip; arguments and errors as `transcribe`."""
    return Transfer(
        recogniser=recogniser.name,
        sound=transcribe(recogniser, sound, sample_rate, aim),
        clean=None if clean is None else transcribe(recogniser, clean, sample_rate, aim),
    )


def transcribe(
    recogniser: Recogniser, sound: NDArray[np.float32], sample_rate: int, aim: Aim
) -> Transcribed:
    """Transcribe a sound by a recogniser's own public pipeline.

    Args:
        recogniser: of any rate; the sound is converted to it.
        sound: [T] in [-1, 1].
        sample_rate: of the sound, Hz.
        aim: what to compare with.

    Raises:
        OptionError: there is no normaliser of that name.
        VictimError: the recogniser does not answer.
    """
    # converted as `mondegreen.audio.pcm.load` would: clipped, because a steep edge may overshoot
    audio = np.clip(resample(sound, sample_rate, recogniser.sample_rate), -1.0, 1.0)
    text = recogniser.transcribe(torch.from_numpy(audio))
    target, original, by = aim.target, aim.original, aim.normaliser
    return Transcribed(
        transcript=text,
        matched=aim.met(text),
        wer_target=None if target is None else word_errors(target, text, by).rate,
        wer_original=None if original is None else word_errors(original, text, by).rate,
    )
