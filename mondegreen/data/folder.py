"""Folders of recordings, with transcripts where they are laid out like LibriSpeech.

There, `SPEAKER/CHAPTER/` holds `SPEAKER-CHAPTER-0000.flac` and so on, and their transcripts in
`SPEAKER-CHAPTER.trans.txt`: one line each, the file's name without suffix, then the words.
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
    """The recordings in a folder and below, in the order of their paths.

    Skips hidden files and folders, folders of runs, and links to folders. A clip's id is its file's
    name, numbered where it repeats. Its text is None without a transcript. A recording that has a
    transcript is listed even if it is missing.

    Raises:
        MondegreenError: there are no recordings; a folder or transcript cannot be read; a recording
            has two transcripts; or a file's name is not UTF-8.
    """
    files = _visible_files(folder.absolute())
    recordings = [path for path in files if path.suffix.lower() in SUFFIXES]
    texts = _transcripts(path for path in files if path.name.endswith(TRANSCRIPTS))
    missing = texts.keys() - {_stem(path) for path in recordings}
    paths = sorted([*recordings, *(stem.with_name(stem.name + OF_LIBRISPEECH) for stem in missing)])
    if not paths:
        raise MondegreenError(
            f"{folder} has no recordings. Expected {', '.join(SUFFIXES)} files in it or below it."
        )
    ids = numbered(path.stem for path in paths)
    return [
        Utterance(name, str(path), text=texts.get(_stem(path)))
        for name, path in zip(ids, paths, strict=True)
    ]


def _visible_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        if RUN.issubset((*folders, *files)):  # its sounds are results, not recordings
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]  # os.walk obeys
        found += [Path(place, name) for name in files if not name.startswith(".")]
    for path in found:
        if not is_utf8(str(path)):
            raise MondegreenError(
                f"{str(path)!a} has a name that is not UTF-8, as records require. Rename it, or"
                " move it elsewhere."
            )
    return sorted(found)


def _refuse(error: OSError) -> NoReturn:
    raise MondegreenError(
        f"{error.filename} cannot be read ({error.strerror}). Expected a folder of recordings;"
        " check its permissions."
    ) from error


def _transcripts(files: Iterable[Path]) -> dict[Path, str | None]:
    """Transcripts by the path of the recording without its suffix."""
    texts: dict[Path, str | None] = {}
    for file in files:
        for number, line in read_lines(file):
            name, *text = line.split(maxsplit=1)
            if file.parent / name in texts:
                raise MondegreenError(
                    f"{file}, line {number}: {name} already has a transcript, expected one per"
                    " recording. Delete one of the two."
                )
            texts[file.parent / name] = text[0] if text else None
    return texts


def _stem(path: Path) -> Path:
    return path.parent / path.stem
