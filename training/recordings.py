"""Real voices from Debian packages, with the embedded recogniser's own transcripts.

    apt-get install flight-of-the-amazon-queen asterisk-core-sounds-en-wav

The voice acting of a free game (about 6,700 lines) and the prompts of a telephone exchange. No
transcripts are read: the labels are what Moonshine hears.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from voices import RATE, Sound

GAME = Path("/usr/share/scummvm/flight-of-the-amazon-queen/queen.1c")
PROMPTS = Path("/usr/share/asterisk/sounds")
ENTRY = struct.Struct(">12sBII")  # name, bundle, offset, size
SECONDS = (1.0, 15.0)


def recordings() -> list[bytes]:
    """Every sound file, in a fixed order."""
    return [*_lines(), *(path.read_bytes() for path in sorted(PROMPTS.glob("**/*.wav")))]


def _lines() -> Iterator[bytes]:
    """The spoken lines of the game's archive: a table of entries, and MP3 files end to end."""
    content = GAME.read_bytes()
    (count,) = struct.unpack_from(">H", content, 13)
    for name, _, start, size in ENTRY.iter_unpack(content[15 : 15 + count * ENTRY.size]):
        if b".SB" in name:
            yield content[start : start + size]


def play(recording: bytes) -> Sound | None:
    """[T] at `RATE`, or None if it is too short, too long or silent."""
    sound, rate = soundfile.read(io.BytesIO(recording), dtype="float32", always_2d=True)
    heard = np.asarray(soxr.resample(sound[:, 0], rate, RATE), dtype=np.float32)
    fits = SECONDS[0] <= len(heard) / RATE <= SECONDS[1] and np.abs(heard).max() > 0.01
    return np.clip(heard, -1, 1) if fits else None
