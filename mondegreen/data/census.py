"""What lies behind a set's paths: which files are there, what is in them, how long they last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import soundfile

from mondegreen.data.utterance import Utterance

THREADS: Final = 4  # hashing and reading files let other threads run
UNKNOWN_FRAMES: Final = 2**63 - 1  # libsndfile's frame count for a header that gives none


@dataclass(frozen=True, slots=True)
class Seen:
    """A recording as it was found."""

    sha256: str | None  # hash of the file's bytes, hexadecimal; None: there is a problem
    # its length as its header has it; None: that has none, or there is a problem
    seconds: float | None
    problem: str | None  # why it cannot be read, as a sentence; None: it can


def take_census(
    clips: Sequence[Utterance], on_file: Callable[[int, int], object] | None = None
) -> list[Seen]:
    """Look at every clip's recording: hash all of it, and read its header.

    Nothing is decoded, and no more of a file is held than a piece at a time. A recording that is
    missing or damaged is told of, not raised.

    Args:
        clips: whose `audio` is looked at.
        on_file: called after each with how many are done, and how many there are.

    Returns:
        What was found, in the order of the clips.
    """
    found = []
    with ThreadPoolExecutor(THREADS) as pool:
        for seen in pool.map(look, (Path(clip.audio) for clip in clips)):
            found.append(seen)
            if on_file is not None:
                on_file(len(found), len(clips))
    return found


def look(path: Path) -> Seen:
    """One recording as it is found; a pipe or a device, which one would wait for, is none."""
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        return _problem(path, "it is not there, or is no file. Check the path")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Seen(sha256, _seconds(path), problem=None)
    # RAW, which has no header, is a TypeError; a header of absurd counts a MemoryError.
    except (soundfile.SoundFileError, OSError, TypeError, MemoryError) as error:
        what = str(getattr(error, "error_string", error)).rstrip(".")
        return _problem(path, f"{what}. Open it in a player, or leave it out")


def _seconds(path: Path) -> float | None:
    with soundfile.SoundFile(path) as file:
        frames, rate = int(file.frames), int(file.samplerate)
    return frames / rate if frames < UNKNOWN_FRAMES and rate > 0 else None


def _problem(path: Path, what: str) -> Seen:
    return Seen(None, None, f"{path} cannot be read as a recording: {what}.")
