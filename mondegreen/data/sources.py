"""Reads clips from whatever a user names: a manifest, a folder, or a data set of the hub."""

from __future__ import annotations

import os
from pathlib import Path

from mondegreen.data.folder import read_folder
from mondegreen.data.hub import SCHEME, read_hub
from mondegreen.data.manifest import SUFFIXES, read_manifest
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError


def read_clips(source: str, recordings: Path) -> list[Utterance]:
    """The clips of a source in its order, at least one, with unique ids.

    Only the descriptions of the clips are read. One that is wrong refuses the source. Whether the
    recordings exist and are sound is for a census to find out.

    Args:
        source: a `.jsonl`, `.json`, `.csv` or `.tsv` file, see `mondegreen.data.manifest`; a folder
            of recordings, or of LibriSpeech; or hf:NAME:CONFIG:SPLIT.
        recordings: folder for recordings that come without a file of their own.

    Raises:
        MondegreenError: the source does not exist, has no clips, or is not as described.
    """
    path = Path(source)
    if source.startswith(SCHEME):
        return read_hub(source, recordings)
    if os.path.isdir(source):  # noqa: PTH112 - to Path, "" is the current folder
        return read_folder(path)
    if path.suffix.lower() in SUFFIXES:
        return read_manifest(path)
    raise MondegreenError(
        f"Got {source!r} for clips, expected an existing folder, a manifest"
        f" ({', '.join(SUFFIXES)}), or hf:NAME:CONFIG:SPLIT. For a single recording, use:"
        " mondegreen attack"
    )
