"""The way of one clip through its search, over gradient passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mondegreen.errors import MondegreenError
from mondegreen.report.ink import COLOURS, COLUMN, INK, log_axis, write
from mondegreen.report.series import curve, number, points
from mondegreen.report.summary_text import one_line

FULL_SCALE: Final = 32768
SMALLEST: Final = 1e-6  # of what is drawn on a logarithmic axis
FIELDS: Final = {  # of a record's curve, with what each is called
    "loss": "loss, nats",
    "masking_loss": "masking loss",
    "eps": "ε, of 32768",
    "alpha": "α",
}
LINE: Final = 62  # characters


class Stage(NamedTuple):
    """A stage of a search, from the first to the last pass that its points tell of."""

    name: str
    first: int
    last: int


def draw_curve(record: Mapping[str, Any], path: Path, title: str) -> None:
    """Loss, masking loss, ε and α of a clip's search, and where the target was heard.

    Lines stand where a stage begins, a dashed one at the pass that found what was saved.

    Raises:
        MondegreenError: the record has no curve; or as `mondegreen.report.ink.write`.
    """
    found = stages(record)
    if not found:
        raise MondegreenError(
            f"The record of {one_line(title)} has no curve to draw. Expected one that an attack"
            " wrote."
        )
    shown = [field for field in FIELDS if len(curve(record, field).passes)]

    def draw(figure: Figure) -> None:
        figure.set_size_inches(COLUMN, 1.2 + 1.0 * len(shown))
        said = f"{one_line(title)}: {_told(found, record)}"
        figure.suptitle(fill(said, LINE), fontsize=7, x=0.02, ha="left")
        heard, *lines = figure.subplots(
            1 + len(shown), sharex=True, height_ratios=[0.6, *[1.0] * len(shown)]
        )
        _heard(heard, record)
        for axes, field in zip(lines, shown, strict=True):
            _line(axes, record, field)
        for axes in figure.axes:
            _mark(axes, found, record)
        figure.axes[-1].set(xlabel="gradient passes", xlim=(0, None))

    write(draw, path)


def stages(record: Mapping[str, Any]) -> list[Stage]:
    """The stages of a record's curve, in their order."""
    told = [(point["stage"], point["passes"]) for point in points(record)]
    groups = [(name, [at for _, at in some]) for name, some in groupby(told, lambda t: t[0])]
    return [Stage(name, min(passes), max(passes)) for name, passes in groups]


def _told(found: Sequence[Stage], record: Mapping[str, Any]) -> str:
    parts = [f"{one_line(stage.name)} from pass {stage.first:,}" for stage in found]
    at = number(record.get("found_at"))
    parts.append("nothing matched" if at is None else f"saved is what pass {at:,.0f} found")
    return "; ".join(parts)


def _heard(axes: Axes, record: Mapping[str, Any]) -> None:
    """The share of what was listened to that was heard as the target, filled where it counts."""
    for matched, fill_in in ((False, "none"), (True, COLOURS[0])):
        some = [p for p in points(record) if (p.get("matched") is True) is matched]
        shares = [_share(point) for point in some]
        axes.plot(
            [p["passes"] for p in some], shares, "o", ms=2.5, mew=0.6, mfc=fill_in, color=COLOURS[0]
        )
    axes.set(title="heard as the target; filled: a success", ylim=(-0.25, 1.25), yticks=[0, 1])
    several = any((number(p.get("judged")) or 0) > 1 for p in points(record))
    axes.set_yticklabels(["none", "all"] if several else ["no", "yes"])


def _share(point: Mapping[str, Any]) -> float:
    hits, judged = number(point.get("hits")), number(point.get("judged"))
    return hits / judged if hits is not None and judged else float(point.get("matched") is True)


def _line(axes: Axes, record: Mapping[str, Any], field: str) -> None:
    passes, values = curve(record, field)
    values = np.maximum(values * (FULL_SCALE if field == "eps" else 1), SMALLEST)
    axes.plot(passes, values, color=COLOURS[0], marker=".", ms=2)
    axes.set_title(FIELDS[field])
    log_axis(axes, "y")


def _mark(axes: Axes, found: Sequence[Stage], record: Mapping[str, Any]) -> None:
    for stage in found[1:]:
        axes.axvline(stage.first, color=INK, lw=0.8, alpha=0.6)
    at = number(record.get("found_at"))
    if at is not None:
        axes.axvline(at, color=COLOURS[1], lw=0.9, ls="--")
