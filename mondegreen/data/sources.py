"""What a user names as clips, told apart and read."""

from __future__ import annotations

import os
from pathlib import Path

from mondegreen.data.folder import read_folder
from mondegreen.data.hub import SCHEME, read_hub
from mondegreen.data.manifest import SUFFIXES, read_manifest
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError


def read_clips(source: str, recordings: Path) -> list[Utterance]:
    """The clips of a manifest, a folder, or a data set of the Hugging Face hub.

    Only what describes the clips is read, and all of it is refused if a part is wrong. Whether the
    recordings are there and sound is for a census to find out.

    Args:
        source: a `.jsonl`, `.json`, `.csv` or `.tsv` file, as `mondegreen.data.manifest` describes
            it; a folder of recordings, or of LibriSpeech; or hf:NAME:CONFIG:SPLIT.
        recordings: where recordings are put that come without a file of their own.

    Returns:
        At least one, in the order of the source, each with another id.

    Raises:
        MondegreenError: there is no such source, it has no clips, or not as described.
    """
    path = Path(source)
    if source.startswith(SCHEME):
        return read_hub(source, recordings)
    if os.path.isdir(source):  # noqa: PTH112 - to Path, "" is the folder one happens to stand in
        return read_folder(path)
    if path.suffix.lower() in SUFFIXES:
        return read_manifest(path)
    raise MondegreenError(
        f"Got {source!r} for clips, expected a folder that is there, a manifest"
        f" ({', '.join(SUFFIXES)}), or hf:NAME:CONFIG:SPLIT. For a single recording, use:"
        " mondegreen attack"
    )
