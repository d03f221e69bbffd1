"""Figures of results by their names: one item, or charts of runs and folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mondegreen.errors import OptionError
from mondegreen.reading import in_full, is_file
from mondegreen.report.figures.charts import CHARTS, drawing
from mondegreen.report.figures.ink import write
from mondegreen.report.figures.pictures import draw_curve, draw_example
from mondegreen.report.numbers.entries import read_entry
from mondegreen.report.numbers.series import Series
from mondegreen.report.numbers.sources import gather
from mondegreen.results.folder import RECORD
from mondegreen.results.item import read_record
from mondegreen.results.levels import levels_of


def plot(paths: Sequence[Path], out: Path, figure: str | None = None) -> None:
    """Draw a figure of one item, or a chart of runs and folders of items.

    Args:
        paths: an item, by its folder or its record.json; or folders of runs, or of any items.
        out: the picture: .png, .svg or .pdf.
        figure: one of `OF_AN_ITEM`, or of `CHARTS`; None: the first.

    Raises:
        OptionError: there is no such figure, or nothing to draw in it.
        MondegreenError: something is not there, or damaged; or as `ink.write`.
    """
    folders = [path.parent if path.name == RECORD else path for path in paths]
    if len(folders) == 1 and is_file(folders[0] / RECORD):
        OF_AN_ITEM[_chosen(figure, OF_AN_ITEM, "one result")](folders[0], out)
        return
    name = _chosen(figure, CHARTS, "a run, or of several results")
    apart = {in_full(folder): [folder] for folder in folders}
    _draw_chart(name, [part.series for part in gather(list(apart.values())).parts], out)


def draw_item(folder: Path, out: Path) -> None:
    """What was done to the clip of an item, from the levels beside it; see `draw_example`.

    Raises:
        MondegreenError: its record or its levels cannot be read, or do not belong together.
    """
    record = read_record(folder)
    draw_example(levels_of(folder, record), record, out)


OF_AN_ITEM: Final[Mapping[str, Callable[[Path, Path], None]]] = {
    "example": draw_item,
    "curve": lambda item, out: draw_curve(read_record(item), out),
    "rooms": lambda item, out: _draw_chart("rooms", [Series(item.name, [read_entry(item)])], out),
}


def _draw_chart(name: str, series: Sequence[Series], out: Path) -> None:
    draw = drawing(name, series)
    if draw is None:
        raise OptionError(f"There is nothing to draw in a figure of {name}. {CHARTS[name].needs}")
    write(draw, out)


def _chosen(figure: str | None, names: Iterable[str], of: str) -> str:
    """The figure that is asked for, or the first."""
    known = list(names)
    if figure is not None and figure not in known:
        raise OptionError(f"There is no figure {figure!r} of {of}. Expected: {', '.join(known)}.")
    return figure or known[0]
