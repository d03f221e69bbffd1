"""Which figures there are of what an attack or a run has left, and the drawing of each by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.report.figures.charts import CHARTS, drawing
from mondegreen.report.figures.figures import draw_curve, draw_example
from mondegreen.report.figures.ink import write
from mondegreen.report.numbers.entries import entries
from mondegreen.report.numbers.series import Series, number, read_series
from mondegreen.results.folder import LEVELS, RECORD, hash_of, read_record
from mondegreen.results.levels import read_levels

NEEDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "passes": "It needs a finished clip.",
        "quality": "It needs a finished clip.",
        "rooms": "It needs results of a method in rooms, whose records tell the rooms' RT60.",
        "methods": "It needs two runs, or results of two recognisers, methods or presets.",
    }
)


def plot(paths: Sequence[Path], out: Path, figure: str | None = None) -> None:
    """Draw a figure of one item, or a chart of runs and folders of items.

    Args:
        paths: an item, by its folder or its record.json; or folders of runs, or of any items.
        out: the picture: .png, .svg or .pdf.
        figure: one of `OF_AN_ITEM`, or of `CHARTS` in `figures.charts`; None: the first.

    Raises:
        OptionError: there is no such figure of what is there, or nothing to draw in it.
        MondegreenError: something is not there, or damaged; or as `ink.write`.
    """
    folders = [path.parent if path.name == RECORD else path for path in paths]
    if len(folders) == 1 and (folders[0] / RECORD).is_file():
        OF_AN_ITEM[_chosen(figure, OF_AN_ITEM, "one result")](folders[0], out)
    else:
        name = _chosen(figure, CHARTS, "a run, or of several results")
        _draw_chart(name, read_series(folders), out)


def draw_item(folder: Path, out: Path) -> None:
    """What was done to the clip of an item, from the levels beside it; see `draw_example`.

    Raises:
        MondegreenError: its record or its levels cannot be read, or do not belong together.
    """
    record, path = read_record(folder), folder / LEVELS
    levels, files = read_levels(path), record.get("files")
    if isinstance(files, Mapping) and files.get(LEVELS, hash_of(path)) != hash_of(path):
        raise MondegreenError(
            f"{path} is not the file that was saved, and the picture would be of something else."
            " Attack the clip again."
        )
    masking = record.get("masking")
    share = number(masking.get("share_above")) if isinstance(masking, Mapping) else None
    heard = str(record.get("heard_clean")), str(record.get("heard"))
    draw_example(levels, out, str(record.get("id")), heard, share)


def _draw_curve(folder: Path, out: Path) -> None:
    record = read_record(folder)
    draw_curve(record, out, str(record.get("id")))


def _draw_rooms(folder: Path, out: Path) -> None:
    _draw_chart("rooms", [Series(folder.name, list(entries(folder)))], out)


OF_AN_ITEM: Final[Mapping[str, Callable[[Path, Path], None]]] = MappingProxyType(
    {"example": draw_item, "curve": _draw_curve, "rooms": _draw_rooms}
)


def _draw_chart(name: str, series: Sequence[Series], out: Path) -> None:
    draw = drawing(name, series)
    if draw is None:
        raise OptionError(f"There is nothing to draw in a figure of {name}. {NEEDED[name]}")
    write(draw, out)


def _chosen(figure: str | None, names: Iterable[str], of: str) -> str:
    """The figure that is asked for, or the first."""
    known = list(names)
    if figure is not None and figure not in known:
        raise OptionError(f"There is no figure {figure!r} of {of}. There are: {', '.join(known)}.")
    return figure or known[0]
