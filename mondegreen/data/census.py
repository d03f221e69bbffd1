"""What lies behind a set's paths: which files exist, their content's hash and their length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mondegreen.audio.recording import UNKNOWN_FRAMES, open_recording
from mondegreen.data.utterance import Utterance
from mondegreen.errors import AudioError
from mondegreen.reading import sha256

THREADS: Final = 4  # hashing and reading files let other threads run


@dataclass(frozen=True, slots=True)
class Seen:
    """A recording as it was found."""

    sha256: str | None  # hexadecimal hash of the file's bytes; None: there is a problem
    seconds: float | None  # length; None: its header has none, or a problem
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
    try:
        with open_recording(path) as file:
            seconds = file.frames / file.samplerate if file.frames < UNKNOWN_FRAMES else None
        return Seen(sha256(path), seconds, problem=None)
    except (AudioError, OSError) as error:
        return Seen(None, None, str(error))
