"""Opening recordings: files that nobody vouches for, of any container that says how long it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import SEEK_END, BufferedReader
from os import PathLike
from pathlib import Path
from typing import Final

import soundfile

from mondegreen.audio import mp3
from mondegreen.audio.containers import TELLING, check_whole
from mondegreen.audio.quiet import quiet
from mondegreen.errors import AudioError, reason
from mondegreen.reading import open_file

SAMPLE_RATES: Final = (1_000, 768_000)  # Hz, lowest and highest
MAX_TAGS: Final = 100  # before a recording
UNKNOWN_FRAMES: Final = 2**63 - 1  # libsndfile's frame count for a FLAC that gives none


@contextmanager
def open_recording(path: str | PathLike[str]) -> Iterator[soundfile.SoundFile]:
    """A recording to decode; `frames` is what it holds, or what it promises.

    Less than that can only be decoded if the file is damaged.

    Raises:
        AudioError: the file is missing, a folder, a pipe or a device, empty, damaged, cut short or
            not audio, or does not say how long it is. Also if decoding fails later.
    """
    name = printable(path)
    with _file(name, path) as file:
        start, is_mp3 = _begins(file)
        try:
            with quiet() if is_mp3 else nullcontext(), _decoder(name, file, start, is_mp3) as sound:
                _check_kind(name, sound)
                yield sound
        # MemoryError: a header of absurd counts.
        except (soundfile.SoundFileError, MemoryError) as error:
            why = getattr(error, "error_string", None) or reason(error)
            raise AudioError(
                f"{name} cannot be read as audio ({why.rstrip('.')}). Expected an undamaged wav,"
                " flac, ogg or mp3 file; convert it to wav."
            ) from error


def printable(path: str | PathLike[str]) -> str:
    r"""A path as text that can be printed and stored, though its bytes may be no text.

    >>> printable("caf\udce9.wav").isascii()
    True
    """
    return str(path).encode("utf-8", "backslashreplace").decode()


def _file(name: str, path: str | PathLike[str]) -> BufferedReader:
    """A file with something in it."""
    try:
        file = open_file(Path(path))
    except (OSError, ValueError) as error:
        raise AudioError(
            f"{name} cannot be opened ({reason(error)}). Expected an audio file; check the path."
        ) from error
    if file.seek(0, SEEK_END):
        return file
    file.close()
    raise AudioError(f"{name} is empty (0 bytes). Expected an audio file; copy it again.")


def _begins(file: BufferedReader) -> tuple[int, bool]:
    """Where a recording begins after its tags, and whether it is an MP3."""
    at = 0
    for _ in range(MAX_TAGS):
        file.seek(at)
        head = file.read(10)
        length = mp3.id3_length(head)
        if not length:
            break
        at += length
    return at, len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0


def _check_kind(name: str, sound: soundfile.SoundFile) -> None:
    if sound.format not in TELLING:
        raise AudioError(
            f"{name} is a recording of the kind {sound.format}, which may be cut short without a"
            " trace. Convert it to wav."
        )
    low, high = SAMPLE_RATES
    if not low <= sound.samplerate <= high:
        raise AudioError(
            f"{name} claims a sample rate of {sound.samplerate} Hz, expected {low} to {high} Hz."
            " Convert the recording to a usual rate."
        )


def _decoder(name: str, file: BufferedReader, start: int, is_mp3: bool) -> soundfile.SoundFile:
    if not is_mp3:
        check_whole(name, file, start)
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # libsndfile begins where it stands
        return soundfile.SoundFile(file.fileno(), closefd=False)
    file.seek(start)
    content = file.read(mp3.MAX_BYTES + 1)
    if len(content) > mp3.MAX_BYTES:
        raise AudioError(f"{name} is larger than {mp3.MAX_BYTES >> 20} MiB. Cut it into clips.")
    return soundfile.SoundFile(mp3.counted(name, content))
