"""Transfer: whether other recognisers also transcribe a finished sound as the target.

An example is made on one recogniser; the others had no part in the search. The clean clip is the
control: a recogniser that does not understand that one cannot judge the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mondegreen.audio.pcm import resample
from mondegreen.measures.survival import Phrases
from mondegreen.text import matches, word_errors
from mondegreen.victims.base import Recogniser


@dataclass(frozen=True)
class Transcribed:
    """One recogniser's transcript of a sound, compared."""

    transcript: str  # what it prints
    matched: bool  # it is the target
    # wer_target, wer_original: word error rates to the target and to the original; None where there
    # is no original
    wer_target: float
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
    phrases: Phrases,
) -> Transfer:
    """Transcribe a sound and its clean clip; arguments and errors as `transcribe`."""
    return Transfer(
        recogniser=recogniser.name,
        sound=transcribe(recogniser, sound, sample_rate, phrases),
        clean=None if clean is None else transcribe(recogniser, clean, sample_rate, phrases),
    )


def transcribe(
    recogniser: Recogniser, sound: NDArray[np.float32], sample_rate: int, phrases: Phrases
) -> Transcribed:
    """Transcribe a sound by a recogniser's own public pipeline.

    Args:
        recogniser: of any rate; the sound is converted to it.
        sound: [T] in [-1, 1].
        sample_rate: of the sound, Hz.
        phrases: what to compare with.

    Raises:
        OptionError: there is no normaliser of that name.
        VictimError: the recogniser does not answer.
    """
    # converted as `mondegreen.audio.pcm.load` would: clipped, because a steep edge may overshoot
    audio = np.clip(resample(sound, sample_rate, recogniser.sample_rate), -1.0, 1.0)
    text = recogniser.transcribe(torch.from_numpy(audio))
    target, original, by = phrases.target, phrases.original, phrases.normaliser
    return Transcribed(
        transcript=text,
        matched=matches(text, target, by),
        wer_target=word_errors(target, text, by).rate,
        wer_original=None if original is None else word_errors(original, text, by).rate,
    )
