"""Data sets of the Hugging Face hub, through the optional package `datasets`.

Data may come from outside, code may not: since version 4, `datasets` runs no code of a data set. It
would decode audio with FFmpeg; here it hands over the encoded files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mondegreen.data.folder import SUFFIXES
from mondegreen.data.utterance import Utterance, numbered
from mondegreen.errors import MondegreenError
from mondegreen.files import write_whole

SCHEME: Final = "hf:"
TEXTS: Final = ("text", "transcription", "sentence")  # the first of these columns that exists


def read_hub(source: str, recordings: Path) -> list[Utterance]:
    """The clips of a split of a data set, in its order.

    Audio is the column of that type, or else of that name; the text is `text`, `transcription` or
    `sentence`; `target` is optional. A clip's id is the set's `id`, or else its file's name,
    numbered where it repeats: the ids of some sets stand for sentences, not recordings.

    Args:
        source: hf:NAME:CONFIG:SPLIT. NAME is an id of the hub or a folder; an empty CONFIG is the
            default one; SPLIT may be a part, as in train[:100].
        recordings: folder for audio that the set holds in its tables, in files named by their
            content and written once. Audio in a file stays where it is.

    Raises:
        MondegreenError: the source has another form; `datasets` is missing, or cannot load it; it
            has no audio; or a recording cannot be written.
    """
    name, config, split = _parts(source)
    datasets = _library()
    try:
        table = _load(datasets, name, config, split)
    except MondegreenError:
        raise
    except Exception as error:  # a stranger's files may raise anything at all
        raise MondegreenError(
            f"{source} cannot be loaded: {_reason(error)} Expected a data set with audio; check its"
            " name, configuration and split, and the network."
        ) from error
    clips = [_utterance(source, n, row, recordings) for n, row in enumerate(table, 1)]
    ids = numbered(clip.id for clip in clips)
    return [replace(clip, id=name) for clip, name in zip(clips, ids, strict=True)]


def _parts(source: str) -> tuple[str, str, str]:
    """Name, configuration and split; the split may contain colons."""
    parts = source.removeprefix(SCHEME).split(":", 2)
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise MondegreenError(
            f"Got {source!r}, expected {SCHEME}NAME:CONFIG:SPLIT, with nothing between the colons"
            f" for the default configuration: {SCHEME}{parts[0] or 'NAME'}::test"
        )
    return parts[0], parts[1], parts[2]


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise MondegreenError(
            f"Reading data sets of the hub needs the package datasets, which cannot be imported"
            f" ({error}). Run: pip install 'mondegreen[hf]'"
        ) from error
    module: ModuleType = datasets
    return module


def _load(datasets: ModuleType, name: str, config: str, split: str) -> Any:
    """The split as a table of undecoded `audio` and, where present, `text`, `target` and `id`."""
    builder = datasets.load_dataset_builder(name, config or None)
    if hasattr(builder, "BASE_FEATURE"):  # a folder of files, each of this type
        builder.BASE_FEATURE = _audio_in_files(datasets)
    builder.download_and_prepare()
    table = builder.as_dataset(split=split)
    columns = _columns(datasets, name, table.features)
    table = table.select_columns(list(columns)).rename_columns(columns)
    return table.cast_column("audio", datasets.Audio(decode=False))


def _audio_in_files(datasets: ModuleType) -> type:
    """The audio type, without the encoder it asks for even when given the path of a file."""
    as_path = {"encode_example": lambda self, path: {"bytes": None, "path": path}}  # noqa: ARG005
    return type("AudioInFiles", (datasets.Audio,), as_path)


def _columns(datasets: ModuleType, name: str, features: Mapping[str, Any]) -> dict[str, str]:
    """The columns that are used, and their names here."""
    typed = [column for column, kind in features.items() if isinstance(kind, datasets.Audio)]
    audio = next(iter(typed), "audio")
    if audio not in features:
        raise MondegreenError(
            f"{name} has the columns {', '.join(features)}, expected one with audio. Choose another"
            " data set or configuration."
        )
    text = next((column for column in TEXTS if column in features), "text")
    wanted = {audio: "audio", text: "text", "target": "target", "id": "id"}
    return {column: ours for column, ours in wanted.items() if column in features}


def _utterance(source: str, number: int, row: Mapping[str, Any], recordings: Path) -> Utterance:
    audio = row["audio"] or {"bytes": None, "path": None}
    if audio["bytes"] is None and (not audio["path"] or "://" in audio["path"]):
        raise MondegreenError(
            f"{source}, row {number}: got audio in {audio['path']!r}, expected it in the table"
            " or in a file. Unpack the set, and pass its folder or a manifest."
        )
    own = "" if row.get("id") is None else str(row["id"]).strip()
    return Utterance(
        id=own or Path(audio["path"] or "").stem or f"clip-{number}",
        audio=str(_kept(audio["bytes"], audio["path"], recordings).absolute()),
        text=_phrase(row.get("text")),
        target=_phrase(row.get("target")),
    )


def _kept(content: bytes | None, path: str | None, recordings: Path) -> Path:
    """The file with a recording: the set's own, or a new one with the content from its table."""
    if content is None:
        return Path(path or "")
    suffix = Path(path or "").suffix.lower()
    name = hashlib.sha256(content).hexdigest()[:32] + (suffix if suffix in SUFFIXES else "")
    kept = recordings / name
    if not kept.is_file() or kept.stat().st_size != len(content):
        try:
            recordings.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MondegreenError(
                f"{recordings} cannot be made ({error.strerror or error}). Expected a place for the"
                " set's recordings; choose another folder."
            ) from error
        write_whole(kept, content)
    return kept


def _phrase(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _reason(error: BaseException) -> str:
    """The original cause; what `datasets` makes of it says little."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}."
