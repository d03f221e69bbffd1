"""Folders of recordings, with transcripts where they are laid out as LibriSpeech is.

There, `SPEAKER/CHAPTER/` holds `SPEAKER-CHAPTER-0000.flac` and so on, and what is said in them in
`SPEAKER-CHAPTER.trans.txt`: a line each, first the file's name without suffix, then the words.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

from mondegreen.data.plain_text import is_utf8, read_lines
from mondegreen.data.utterance import Utterance, numbered
from mondegreen.errors import MondegreenError

SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3")
TRANSCRIPTS: Final = ".trans.txt"
RUN: Final = frozenset({"manifest.json", "items"})  # what the folder of a run holds
OF_LIBRISPEECH: Final = ".flac"


def read_folder(folder: Path) -> list[Utterance]:
    """The recordings in a folder and all folders below it, in the order of their paths.

    Hidden files and folders do not count, nor do those of runs, and links to folders are not
    followed. Each clip is
    called as its file, numbered where the name is in use. Its text is None where no transcript
    speaks of it; a recording that a transcript speaks of is listed even where it is missing.

    Raises:
        MondegreenError: there are no recordings; a folder or transcript cannot be read; one has a
            recording twice; or a file's name is not UTF-8.
    """
    files = _visible_files(folder.absolute())
    recordings = [path for path in files if path.suffix.lower() in SUFFIXES]
    said = _transcripts(path for path in files if path.name.endswith(TRANSCRIPTS))
    missing = said.keys() - {_stem(path) for path in recordings}
    paths = sorted([*recordings, *(stem.with_name(stem.name + OF_LIBRISPEECH) for stem in missing)])
    if not paths:
        raise MondegreenError(
            f"{folder} has no recordings. Expected {', '.join(SUFFIXES)} files in it or below it."
        )
    ids = numbered(path.stem for path in paths)
    return [
        Utterance(name, str(path), text=said.get(_stem(path)))
        for name, path in zip(ids, paths, strict=True)
    ]


def _visible_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        if RUN.issubset((*folders, *files)):  # whose sounds are results, not recordings
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]  # os.walk obeys
        found += [Path(place, name) for name in files if not name.startswith(".")]
    for path in found:
        if not is_utf8(str(path)):
            raise MondegreenError(
                f"{str(path)!a} has a name that is not UTF-8, in which runs are recorded. Rename"
                " it, or move it elsewhere."
            )
    return sorted(found)


def _refuse(error: OSError) -> NoReturn:
    raise MondegreenError(
        f"{error.filename} cannot be read ({error.strerror}). Expected a folder of recordings;"
        " check who may read it."
    ) from error


def _transcripts(files: Iterable[Path]) -> dict[Path, str | None]:
    """What is said, by the path of the recording without its suffix."""
    said: dict[Path, str | None] = {}
    for file in files:
        for number, line in read_lines(file):
            name, *text = line.split(maxsplit=1)
            if file.parent / name in said:
                raise MondegreenError(
                    f"{file}, line {number}: {name} has a transcript already, expected one for each"
                    " recording. Delete one of the two."
                )
            said[file.parent / name] = text[0] if text else None
    return said


def _stem(path: Path) -> Path:
    return path.parent / path.stem
