"""The table of defences: for a terminal, for a page, as plain data and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

from mondegreen.defending.row import Price, Rate, Result, Row
from mondegreen.files import as_json, write_whole
from mondegreen.judging.detectors import Roc
from mondegreen.report.numbers.statistics import Share
from mondegreen.wording import number_of

UNKNOWN: Final = "-"
JSON, CSV = "defend.json", "defend.csv"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return UNKNOWN
    return f"{_percent(rate.rate)} ({100 * rate.low:.0f} to {100 * rate.high:.0f})"


def _share(share: Share) -> str:
    return f"{share.hits} of {share.clips}" if share.clips else UNKNOWN


def _between(share: Share) -> str:
    if share.low is None or share.high is None:
        return UNKNOWN
    return f"{100 * share.low:.0f} to {100 * share.high:.0f} %"


def _louder(price: Price | None) -> str:
    return UNKNOWN if price is None else f"{price.louder_db:+.1f} dB"


def _lost(value: float | None) -> str:
    return UNKNOWN if value is None else f"{-value:+.2f}"


def _auc(roc: Roc | None) -> str:
    return UNKNOWN if roc is None else f"{roc.auc:.2f}"


def _found(roc: Roc | None) -> str:
    """The share of files above every clean clip."""
    return UNKNOWN if roc is None else _percent(roc.found_without_alarm)


Cell = Callable[[Row], str]
COLUMNS: Final[Mapping[str, Cell]] = {
    "defence": lambda row: row.defence,
    "result": lambda row: row.result,
    "adaptive attack": lambda row: _share(row.adaptive.won),
    "95 %": lambda row: _between(row.adaptive.won),
    "in fresh draws": lambda row: _percent(row.adaptive.anew),
    "louder by": lambda row: _louder(row.price),
    "Zimtohrli MOS": lambda row: _lost(row.price.zimtohrli if row.price else None),
    "PESQ (Cor. 2)": lambda row: _lost(row.price.pesq_c2 if row.price else None),
    "old files still heard": lambda row: _share(row.oblivious.heard),
    "words wrong in them": lambda row: _rate(row.oblivious.recovered),
    "words wrong in clean speech": lambda row: _rate(row.cost.wer),
    "AUC, old files": lambda row: _auc(row.detected),
    "found without alarm": lambda row: _found(row.detected),
    "AUC, adaptive": lambda row: _auc(row.detected_adaptive),
    "found, adaptive": lambda row: _found(row.detected_adaptive),
    "passes in one": lambda row: f"{row.passes}",
    "s per s": lambda row: UNKNOWN if row.cost.work is None else f"{row.cost.work:.3f}",
}
SHORT: Final = (  # columns of a terminal
    *("defence", "adaptive attack", "louder by", "Zimtohrli MOS", "old files still heard"),
    *("words wrong in clean speech", "result"),
)


def cells(row: Row, columns: Sequence[str] = tuple(COLUMNS)) -> list[str]:
    """The cells of a row."""
    return [COLUMNS[name](row) for name in columns]


def known(rows: Sequence[Row]) -> list[str]:
    """The columns in which any row has something to say."""
    return [name for name, cell in COLUMNS.items() if any(cell(row) != UNKNOWN for row in rows)]


def headline(rows: Sequence[Row]) -> str:
    """What became of all of them, in a sentence."""
    counts = Counter(row.result for row in rows)
    parts = [f"{number} {result}" for result in get_args(Result) if (number := counts[result])]
    without = _rate(rows[0].cost.without) if rows else UNKNOWN
    return (
        f"Of {number_of(len(rows), 'row')}: {'; '.join(parts)}."
        f" Words wrong in clean speech without any: {without}."
    )


def to_json(row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return asdict(row)


def write_tables(rows: Sequence[Row], folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `defend.json` and `defend.csv`.

    Raises:
        StorageError: one cannot be written.
    """
    write_whole(folder / JSON, as_json({**facts, "rows": [to_json(row) for row in rows]}))
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    writer.writerows(cells(row) for row in rows)
    write_whole(folder / CSV, text.getvalue().encode())
