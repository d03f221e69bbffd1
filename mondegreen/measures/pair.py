"""Any two recordings of the same thing, read so that they can be compared sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.pcm import MAX_SECONDS, load, opened

HIGHEST_RATE: Final = 48_000  # Hz; what is above half of it, nobody hears


@dataclass(frozen=True)
class Pair:
    """An original and another version of it."""

    original: NDArray[np.float32]  # [T], full scale 1
    other: NDArray[np.float32]  # [T]
    sample_rate: int  # of both, Hz
    notes: tuple[str, ...]  # what had to be done to them, in sentences


def read_pair(original: Path, other: Path) -> Pair:
    """Read two recordings at the lower of their rates, cut to the length of the shorter one.

    So a result is compared with its recording as the attack read it, at the recogniser's rate.

    Raises:
        AudioError: one of them cannot be read; see `mondegreen.audio.pcm.load`.
    """
    rates = [_rate(path) for path in (original, other)]
    sample_rate = min(*rates, HIGHEST_RATE)
    sounds = [load(path, sample_rate) for path in (original, other)]
    notes = [
        f"{path} is converted from {rate:,} to {sample_rate:,} Hz: what is above"
        f" {sample_rate // 2:,} Hz is not compared."
        for path, rate in zip((original, other), rates, strict=True)
        if rate != sample_rate
    ]
    lengths = [len(sound) for sound in sounds]
    length = min(lengths)
    if len(set(lengths)) > 1:
        seconds = (max(lengths) - length) / sample_rate
        notes.append(f"One is {seconds:.3f} s longer than the other: its end is left out.")
    return Pair(sounds[0][:length], sounds[1][:length], sample_rate, tuple(notes))


def _rate(path: Path) -> int:
    with opened(path, MAX_SECONDS) as file:
        return int(file.samplerate)
