"""Manifests: tables of clips as JSON Lines (the form of NVIDIA NeMo), CSV or TSV.

Columns: `audio_filepath` or `audio`; optionally `text`, `target`, `id`, and `offset` and `duration`
in seconds, by which NeMo selects a part of a recording. Others are ignored. Paths are relative to
the manifest's folder.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mondegreen.data.plain_text import is_utf8, read_lines, read_text
from mondegreen.data.utterance import Utterance, numbered
from mondegreen.errors import MondegreenError
from mondegreen.reading import parse_json

AUDIO_COLUMNS: Final = ("audio_filepath", "audio")
DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
JSON_LINES: Final = (".jsonl", ".json")
SUFFIXES: Final = (*JSON_LINES, *DELIMITERS)


def read_manifest(path: Path) -> list[Utterance]:
    """The clips of a manifest with one of `SUFFIXES`, in its order.

    A line without an id takes the name of its recording, numbered where it repeats.

    Raises:
        MondegreenError: the file cannot be read, is not UTF-8 or has no lines, a line is not as
            described above, or an id repeats. A missing recording is not an error here.
    """
    suffix = path.suffix.lower()
    lines = list(_objects(path) if suffix in JSON_LINES else _table(path, DELIMITERS[suffix]))
    if not lines:
        raise MondegreenError(
            f"{path} has no rows. Expected one clip per line, with {AUDIO_COLUMNS[0]} and text."
        )
    return [line.as_utterance(name) for name, line in zip(_ids(lines), lines, strict=True)]


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One clip's entry, and where to find it."""

    manifest: Path
    number: int  # of the line it begins at, from 1
    fields: Mapping[str, object]  # by column

    def as_utterance(self, name: str) -> Utterance:
        """The clip under the id `name`."""
        audio = str((self.manifest.parent / self.audio()).absolute())
        if not is_utf8(audio):
            raise self.wrong(f"a recording in {audio!a:.200}", "a path that is UTF-8; rename it")
        return Utterance(
            id=name,
            audio=audio,
            text=self.string("text"),
            target=self.string("target"),
            duration=self.seconds("duration"),
            offset=self.seconds("offset"),
        )

    def audio(self) -> str:
        """The path of the recording, as written."""
        found = next(filter(None, map(self.string, AUDIO_COLUMNS)), None)
        if found is None:
            columns = ", ".join(map(repr, self.fields))
            raise self.wrong(
                f"no {' or '.join(AUDIO_COLUMNS)} among the columns {columns:.200}",
                "the path of a recording",
            )
        return found

    def id(self) -> str | None:
        """The given id, a string or a whole number; None: there is none."""
        given = self.fields.get("id")
        if isinstance(given, int) and not isinstance(given, bool):
            return str(given)
        return self.string("id")

    def string(self, column: str) -> str | None:
        """A column's text without surrounding blanks; None: empty."""
        value = self.fields.get(column)
        if not isinstance(value, str | None) or not is_utf8(value or ""):
            raise self.wrong(f"{column} {value!r:.60}", "a string of Unicode characters")
        return (value or "").strip() or None

    def seconds(self, column: str) -> float | None:
        """A column's duration, as a number or as text; None: empty."""
        value = self.fields.get(column)
        if value is None or value == "":
            return None
        try:
            found = float(str(value))
        except ValueError:
            found = math.nan
        if not 0 <= found < math.inf:
            raise self.wrong(f"{column} {value!r:.60}", "seconds, 0 or more")
        return found

    def wrong(self, got: str, expected: str) -> MondegreenError:
        """An error that names the line."""
        return MondegreenError(
            f"{self.manifest}, line {self.number}: got {got}, expected {expected}. Correct the"
            " line, or delete it."
        )


def _objects(path: Path) -> Iterator[ManifestLine]:
    """The lines of a file with one JSON object per line."""
    for number, text in read_lines(path):
        try:
            fields = parse_json(text)
        except ValueError:
            fields = None
        line = ManifestLine(path, number, fields)
        if not isinstance(fields, dict):
            raise line.wrong(f"{text!r:.60}", 'one JSON object a line, {"audio_filepath": ...}')
        yield line


def _table(path: Path, delimiter: str) -> Iterator[ManifestLine]:
    """The lines of a file whose first line names the columns."""
    # Strict: otherwise a quotation mark that is never closed swallows the rest of the file.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    begin = 1
    try:
        for values in reader:
            line = ManifestLine(path, begin, dict(zip(columns, values, strict=False)))
            begin = reader.line_num + 1
            if not columns:
                columns = values
            elif len(values) > len(columns):
                raise line.wrong("more fields than columns", "quotes about a field with delimiters")
            elif values:
                yield line
    except csv.Error as error:
        raise MondegreenError(
            f"{path}, line {begin}: not a valid row of a table ({error}). Expected fields in"
            ' "double quotes" where they hold delimiters or quotes; export the table again.'
        ) from error


def _ids(lines: Sequence[ManifestLine]) -> list[str]:
    """An id for each line: the one it gives, or its recording's name."""
    given = [line.id() for line in lines]
    first: dict[str, ManifestLine] = {}
    for name, line in zip(given, lines, strict=True):
        if name is not None and (other := first.setdefault(name, line)) is not line:
            raise line.wrong(f"the id {name!r} of line {other.number} again", "a unique id")
    audio = (line.audio() for name, line in zip(given, lines, strict=True) if name is None)
    free = iter(numbered((Path(path).stem or path for path in audio), taken=first))
    return [next(free) if name is None else name for name in given]
