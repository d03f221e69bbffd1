"""The tables of a run, rebuilt from its items at any time.

    records.jsonl    the whole records of the finished clips, one per line
    records.csv      a row for every clip, finished or not; the columns are `COLUMNS`
    records.parquet  the same rows, where pyarrow is installed

Unknown values are empty cells.

A transcript is whatever a recogniser printed, and a spreadsheet takes a cell that begins with =, +,
- or @ for a formula. The CSV has an apostrophe before such a character, and U+FFFD instead of NUL,
at which some readers stop; the other two tables keep texts unchanged.
"""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, StorageError
from mondegreen.report.numbers.entries import COLUMNS, Entry, entries
from mondegreen.results.folder import MANIFEST, is_run

ROWS_AT_ONCE: Final = 1000  # held until they are a row group
FORMULA: Final = re.compile(
    # At the start of a cell, or of what a reader that splits at other marks than commas takes for
    # one. The last four are full-width =, +, - and @, which spreadsheets read like the usual ones.
    r"(^\s*|[;\t\r\n]\s*)(?=[-=+@\uff1d\uff0b\uff0d\uff20])"
)


def collect(run: Path) -> list[Path]:
    """Rebuild the tables of a run; each is replaced whole or stays as it was.

    Memory does not grow with the run. A damaged item is a row that says so. Without pyarrow, an old
    Parquet table is removed. Returns the tables written; while the run is going on, they may differ
    in how much they hold.

    Raises:
        MondegreenError: it is no run, its list of clips is damaged, or a table cannot be written.
    """
    if not is_run(run):
        raise MondegreenError(
            f"{run} is not the folder of a run: it has no {MANIFEST}. Expected one that `mondegreen"
            " run` made."
        )
    tables = {run / "records.jsonl": _lines, run / "records.csv": _csv}
    if find_spec("pyarrow"):
        tables[run / "records.parquet"] = _parquet
    else:  # an old table beside newer ones would contradict them
        (run / "records.parquet").unlink(missing_ok=True)
    for path, write in tables.items():
        with _whole(path) as part:
            write(part, entries(run))
    return list(tables)


def _lines(part: Path, clips: Iterator[Entry]) -> None:
    with part.open("x", encoding="utf-8") as file:
        for entry in clips:
            if entry.record:
                file.write(json.dumps(entry.record.to_json()) + "\n")


def _csv(part: Path, clips: Iterator[Entry]) -> None:
    with part.open("x", encoding="utf-8", newline="") as file:
        # All texts are quoted: not every reader splits at commas only.
        writer = csv.DictWriter(file, list(COLUMNS), quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        for entry in clips:
            writer.writerow({name: _harmless(cell) for name, cell in entry.cells.items()})


def _parquet(part: Path, clips: Iterator[Entry]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    with ParquetWriter(part, schema) as writer:
        while group := [entry.cells for entry in islice(clips, ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(group, schema))


def _harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return FORMULA.sub(r"\1'", cell.replace("\0", "\ufffd")) if isinstance(cell, str) else cell


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A hidden file to write to, which replaces `path` once it is complete."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}. Expected a folder with room"
            " and permission to write; free space or allow it."
        ) from error
    finally:
        part.unlink(missing_ok=True)
