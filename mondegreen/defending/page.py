"""The pages of a table of defences: one to read and send on, and one with every clip to play."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mondegreen.defending.defend import Trial, records
from mondegreen.defending.row import Row
from mondegreen.defending.table import cells, headline, known
from mondegreen.files import write_whole
from mondegreen.report.figures.ink import INK, PAGE, look, page_svg
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.report.page.frame import render
from mondegreen.report.page.media import data_address
from mondegreen.report.page.write import write_report
from mondegreen.results.folder import is_run
from mondegreen.results.record import Record

REPORT, PLAYED = "report.html", "clips.html"
ACROSS: Final = 4  # panels of the chart in a row
PANEL: Final = 1.35  # height of one, inches


def write_pages(trial: Trial, rows: Sequence[Row]) -> list[Path]:
    """Write `report.html` and `clips.html` into the folder of a trial.

    Raises:
        StorageError: one cannot be written.
        MondegreenError: a run cannot be read.
    """
    done = {row.defence for row in rows}
    behind = (trial.behind(one) for one in trial.defences if one.spec in done)
    runs = [trial.without, *(run for run in behind if is_run(run))]
    played = write_report([[run] for run in runs], trial.folder / PLAYED).page
    before = records(trial.without)
    after = {row.defence: (row.adaptive.won.clips, _records_of(trial, row)) for row in rows}
    detectors = [row for row in rows if row.detected]
    html = render(
        "mondegreen.defending",
        "defend",
        facts=trial.facts,
        clips=len(before),
        headline=headline(rows),
        columns=known(rows),
        table=[(row, cells(row, known(rows))) for row in rows],
        chart=_drawn(draw_prices, before, after),
        rocs=_drawn(draw_rocs, detectors) if detectors else None,
        played=PLAYED,
    )
    write_whole(trial.folder / REPORT, html.encode())
    return [trial.folder / REPORT, played]


def _records_of(trial: Trial, row: Row) -> list[Record]:
    """The results of the attack that knows of a row's defence."""
    (defence,) = (one for one in trial.defences if one.spec == row.defence)
    behind = trial.behind(defence)
    return records(behind) if is_run(behind) else []


def _drawn(draw: Callable[..., None], *what: object) -> str:
    """A chart as an address that a page can show."""
    svg = page_svg(lambda figure: draw(figure, *what))
    return data_address(svg.encode(), "image/svg+xml")


def _panels(figure: Figure, count: int) -> list[Axes]:
    """So many axes, some in a row, of one scale."""
    across = min(ACROSS, count)
    down = -(-count // across)
    figure.set_size_inches(PAGE * across / ACROSS, PANEL * down + 0.3)
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in panels[count:]:
        axes.set_visible(False)
    return list(panels[:count])


def draw_rocs(figure: Figure, rows: Sequence[Row]) -> None:
    """Of each detector, the files that it finds over the clean clips that give an alarm."""
    for axes, row in zip(_panels(figure, len(rows)), rows, strict=True):
        for roc, style in ((row.detected, ":"), (row.detected_adaptive, "-")):
            if roc is not None:
                axes.plot(*zip(*roc.points, strict=True), ls=style, color=look(0).color)
        axes.set_title(one_line(row.defence), fontsize=7)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    figure.supxlabel("share of clean clips that give an alarm", fontsize=7)
    figure.supylabel("share of files found", fontsize=7)


def draw_prices(
    figure: Figure, before: Sequence[Record], after: Mapping[str, tuple[int, Sequence[Record]]]
) -> None:
    """Of each defence, the share of clips that are attacked with δ so quiet, and without it."""
    panels = _panels(figure, len(after))
    for axes, (name, (clips, found)) in zip(panels, after.items(), strict=True):
        axes.step(*_attacked(before, len(before)), where="post", color=INK, lw=0.7, ls=":")
        axes.step(*_attacked(found, clips), where="post", color=look(0).color)
        axes.set_title(one_line(name), fontsize=7)
        axes.set_ylim(-0.04, 1.04)
    panels[0].invert_xaxis()
    figure.supxlabel("SNR of the change, dB: louder to the right", fontsize=7)
    figure.supylabel("share of clips attacked", fontsize=7)


def _attacked(found: Sequence[Record], clips: int) -> tuple[list[float], list[float]]:
    """Falling SNRs, and the share of clips that are verified with at least that."""
    snrs = sorted(
        (r.quality.snr_db for r in found if r.verified and r.quality.snr_db is not None),
        reverse=True,
    )
    shares = [n / max(clips, 1) for n in range(len(snrs) + 1)]
    ends = [snrs[0] + 3, *snrs] if snrs else [0.0]
    return [*ends, min(ends) - 3], [*shares, shares[-1]]
