"""Manifests: tables of clips as JSON Lines, the form that NVIDIA NeMo has spread, or as CSV or TSV.

Columns: `audio_filepath`, or `audio`; and, where they are known, `text`, `target`, `id` and
`duration` (s). Others are left alone, but an `offset`, where NeMo takes a part of a recording, is
refused. Paths are relative to the manifest's folder.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mondegreen.data.plain_text import is_utf8, read_lines, read_text
from mondegreen.data.utterance import Utterance, numbered
from mondegreen.errors import MondegreenError

AUDIO_COLUMNS: Final = ("audio_filepath", "audio")
DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
JSON_LINES: Final = (".jsonl", ".json")
SUFFIXES: Final = (*JSON_LINES, *DELIMITERS)


def read_manifest(path: Path) -> list[Utterance]:
    """The clips of a manifest, in its order.

    A row without an id is called as its recording, and numbered where the name is in use.

    Args:
        path: a file with one of `SUFFIXES`.

    Raises:
        MondegreenError: it cannot be read, is not UTF-8, has no rows, or a row is not as above;
            or an id is given twice. A recording that is missing is no error here.
    """
    suffix = path.suffix.lower()
    rows = list(_objects(path) if suffix in JSON_LINES else _table(path, DELIMITERS[suffix]))
    if not rows:
        raise MondegreenError(
            f"{path} has no rows. Expected a clip a line, with {AUDIO_COLUMNS[0]} and text."
        )
    named = zip(_ids(rows), rows, strict=True)
    return [row.as_utterance(name) for name, row in named]


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """A row, and where it stands, for whoever has to mend it."""

    manifest: Path  # the file
    line: int  # where in it the row begins, from 1
    fields: Mapping[str, object]  # by their columns

    def as_utterance(self, name: str) -> Utterance:
        """The clip that the row describes, under the name that it has been given."""
        if self.seconds("offset"):
            raise self.wrong(
                f"a part of a recording, from offset {self.fields['offset']!r}",
                "a whole one; cut it out first",
            )
        return Utterance(
            id=name,
            audio=str((self.manifest.parent / self.audio()).absolute()),
            text=self.string("text"),
            target=self.string("target"),
            duration=self.seconds("duration"),
        )

    def audio(self) -> str:
        """The path of the recording, as it is written."""
        found = next(filter(None, map(self.string, AUDIO_COLUMNS)), None)
        if found is None:
            columns = ", ".join(map(repr, self.fields))
            raise self.wrong(
                f"no {' or '.join(AUDIO_COLUMNS)} among the columns {columns:.200}",
                "the path of a recording",
            )
        return found

    def id(self) -> str | None:
        """The id that the row gives, a string or a whole number; None: it gives none."""
        given = self.fields.get("id")
        if isinstance(given, int) and not isinstance(given, bool):
            return str(given)
        return self.string("id")

    def string(self, column: str) -> str | None:
        """What a column holds, without blanks around it; None: nothing."""
        value = self.fields.get(column)
        if not isinstance(value, str | None) or not is_utf8(value or ""):
            raise self.wrong(f"{column} {value!r:.60}", "a string of Unicode characters")
        return (value or "").strip() or None

    def seconds(self, column: str) -> float | None:
        """What a column of durations holds, a number or how it is written; None: nothing."""
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
        """An error that leads to the row."""
        return MondegreenError(
            f"{self.manifest}, line {self.line}: got {got}, expected {expected}. Mend the line, or"
            " delete it."
        )


def _objects(path: Path) -> Iterator[ManifestLine]:
    """The rows of a file with a JSON object in each line."""
    for number, line in read_lines(path):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):  # also: numbers without end, brackets without end
            fields = None
        row = ManifestLine(path, number, fields)
        if not isinstance(fields, dict):
            raise row.wrong(f"{line!r:.60}", 'one JSON object a line, {"audio_filepath": ...}')
        yield row


def _table(path: Path, delimiter: str) -> Iterator[ManifestLine]:
    """The rows of a file whose first line names the columns."""
    # Strict, or else a quotation mark that is never closed swallows the rest of the file.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    begin = 1
    try:
        for values in reader:
            row = ManifestLine(path, begin, dict(zip(columns, values, strict=False)))
            begin = reader.line_num + 1
            if not columns:
                columns = values
            elif len(values) > len(columns):
                raise row.wrong("more fields than columns", "quotes about a field with delimiters")
            elif values:
                yield row
    except csv.Error as error:
        raise MondegreenError(
            f"{path}, line {begin}: here begins what is no row of a table ({error}). Expected"
            ' fields in "double quotes" where they hold delimiters or quotes; export it again.'
        ) from error


def _ids(rows: Sequence[ManifestLine]) -> list[str]:
    """A name for each row: the id that it gives, or else its recording's."""
    given = [row.id() for row in rows]
    first: dict[str, ManifestLine] = {}
    for name, row in zip(given, rows, strict=True):
        if name is not None and (other := first.setdefault(name, row)) is not row:
            raise row.wrong(f"the id {name!r} of line {other.line} again", "one of its own")
    audio = (row.audio() for name, row in zip(given, rows, strict=True) if name is None)
    free = iter(numbered((Path(path).stem or path for path in audio), taken=first))
    return [next(free) if name is None else name for name in given]
