"""What runs came to, as charts: for the page of a run, and for papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mondegreen.report.chart_drawings import (
    MEDIANS,
    QUALITY,
    draw_methods,
    draw_passes,
    draw_quality,
    draw_room_shares,
)
from mondegreen.report.ink import Drawing, page_svg
from mondegreen.report.series import (
    Floats,
    RoomShare,
    Series,
    fifths,
    over_passes,
    room_shares,
)
from mondegreen.report.summary_text import one_line

__all__ = ["CHARTS", "Chart", "Series", "charts", "drawing"]


@dataclass(frozen=True)
class Chart:
    """A chart for a page.

    Attributes:
        name: "passes", "quality", "rooms" or "methods"; also what its file would be called.
        title: what it shows, in some words.
        alt: the same in words and numbers, for those who cannot see it.
        svg: a standalone SVG document, dark on light or light on dark as the reader prefers.
    """

    name: str
    title: str
    alt: str
    svg: str


def charts(series: Sequence[Series]) -> list[Chart]:
    """All the charts of some series that there is something to draw of."""
    return [
        Chart(name, kind.title, _alt(kind, series), page_svg(draw))
        for name, kind in CHARTS.items()
        if (draw := drawing(name, series)) is not None
    ]


def drawing(name: str, series: Sequence[Series]) -> Drawing | None:
    """What draws a chart, one of `CHARTS`; None: there is nothing to draw.

    Series of which there is nothing to draw are handed on, so that each keeps its colour.
    """
    kind = CHARTS[name]
    if sum(kind.tell(some) != "" for some in series) < kind.least:
        return None
    return lambda figure: kind.draw(figure, series)


class Kind(NamedTuple):
    """A kind of chart.

    Attributes:
        title: what it shows.
        draw: into a figure.
        tell: what it says of one series; empty where there is nothing to draw.
        least: of how many series there must be something.
    """

    title: str
    draw: Callable[[Figure, Sequence[Series]], None]
    tell: Callable[[Series], str]
    least: int = 1


def _alt(kind: Kind, series: Sequence[Series]) -> str:
    told = [f"{one_line(some.label)}: {what}." for some in series if (what := kind.tell(some))]
    return " ".join([f"{kind.title}.", *told])


def _passes(some: Series) -> str:
    clips = some.finished
    if not clips:
        return ""
    first = [clip.cells["first_match"] for clip in clips if "first_match" in clip.cells]
    told = f"{len(first):,} of {len(clips):,} finished clips matched in the search"
    if first:
        told += f", half of these by pass {np.median(first):,.0f}, all by pass {max(first):,}"
    band = over_passes(clips, "masking_loss")
    if band is not None:
        begin, end = (
            f"{_number(band.median[at])} at pass {band.passes[at]:,.0f}" for at in (0, -1)
        )
        told += f"; median masking loss {begin}, {end}"
    return told


def _quality(some: Series) -> str:
    if not any(map(some.measured, QUALITY)):
        return ""
    verified, finished = some.verified.hits, len(some.finished)
    known = {name: some.values(column) for column, name in QUALITY.items()}
    told = [f"{name}, {_spread(values)}" for name, values in known.items() if len(values)]
    return "; ".join([f"{verified:,} of {finished:,} finished clips are verified", *told])


def _rooms(some: Series) -> str:
    saved, clean = room_shares(some.finished, "saved"), room_shares(some.finished, "clean")
    if not saved:
        return ""
    span = f"RT60 from {saved[0].rt60:.2f} to {saved[-1].rt60:.2f} s"
    told = f"{len(saved):,} rooms with an {span}; the target is heard {_heard(saved)}"
    if means := [f"{share:.0%}" for _, share in fifths(saved)]:
        told += f", in the fifths of the rooms by rising RT60 {', '.join(means)}"
    return told + (f"; in the clean clips {_heard(clean)}" if clean else "")


def _methods(some: Series) -> str:
    found = some.verified
    if found.share is None:
        return ""
    told = [
        f"verified {found.hits:,} of {found.clips:,}, {found.share:.0%}"
        f" (95 %: {found.low:.0%} to {found.high:.0%})"
    ]
    known = {name: some.values(column) for column, name in MEDIANS.items()}
    return "; ".join([*told, *(f"{n}, {_spread(v)}" for n, v in known.items() if len(v))])


def _heard(rooms: Sequence[RoomShare]) -> str:
    heard, listened = sum(room.heard for room in rooms), sum(room.clips for room in rooms)
    return f"{heard:,} of {listened:,} times"


def _spread(values: Floats) -> str:
    low, median, high = (_number(v) for v in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"median {median} (middle half {low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


CHARTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "passes": Kind("Success and masking loss over gradient passes", draw_passes, _passes),
        "quality": Kind("What the examples cost the ear", draw_quality, _quality),
        "rooms": Kind("Rooms in which the target is heard", draw_room_shares, _rooms),
        "methods": Kind("Side by side", draw_methods, _methods, least=2),
    }
)
