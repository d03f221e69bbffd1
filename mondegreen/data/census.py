"""What lies behind a set's paths: which files exist, their content's hash and their length."""

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

    sha256: str | None  # hexadecimal hash of the file's bytes; None: there is a problem
    seconds: float | None  # length by its header; None: the header has none, or a problem
    problem: str | None  # why it cannot be read, as a sentence; None: it can


def take_census(
    clips: Sequence[Utterance], on_file: Callable[[int, int], object] | None = None
) -> list[Seen]:
    """Hash every clip's recording and read its header, in the order of the clips.

    Nothing is decoded, and files are read in pieces. A missing or damaged recording is reported in
    the result, not raised. `on_file` gets how many are done, and of how many.
    """
    found = []
    with ThreadPoolExecutor(THREADS) as pool:
        for seen in pool.map(look, (Path(clip.audio) for clip in clips)):
            found.append(seen)
            if on_file is not None:
                on_file(len(found), len(clips))
    return found


def look(path: Path) -> Seen:
    """One recording as it is found; a pipe or a device, which might never end, is a problem."""
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        return _problem(path, "it does not exist, or is not a file. Check the path")
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
