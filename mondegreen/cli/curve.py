"""The price at which clips are attackable: curve."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mondegreen.cli.app import AsJson, Examples, Picture, app
from mondegreen.cli.console import err, out
from mondegreen.cli.output import print_fields, print_json, print_table
from mondegreen.cli.progress import working
from mondegreen.cli.refusals import check_picture, check_results
from mondegreen.wording import By, number_of

if TYPE_CHECKING:
    from mondegreen.report.numbers.prices import PricedClips
    from mondegreen.results.prices import Yardstick


@app.command(
    epilog=Examples + "mondegreen curve first-run --by margin\n\n"
    "mondegreen curve last-week this-week --by zimtohrli --plot curve.png"
)
def curve(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of runs, or of any results.", metavar="RUN...")
    ],
    by: Annotated[
        By,
        typer.Option(help="What prices are measured in, of five yardsticks: see docs/numbers.md."),
    ] = "margin",
    plot: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Show what share of clips is attackable at or below each price, with a 95 % band.

    A clip's price is the lowest of all successes of its search. Clips without one are beyond.
    """
    check_picture(plot)
    for folder in folders:
        check_results(folder)
    from mondegreen.report.numbers.prices import priced
    from mondegreen.report.numbers.sources import gather
    from mondegreen.results.prices import YARDSTICKS

    parts = gather([[folder] for folder in folders]).parts
    curves = [priced(part.label, part.entries, YARDSTICKS[by]) for part in parts]
    for number, one in enumerate(curves):
        if as_json:
            print_json(curve_json(one))
            continue
        if number:
            out.print()
        _print(one)
    if plot is not None:
        _draw(curves, plot)
        (err if as_json else out).say(str(plot))


def _draw(curves: Sequence[PricedClips], path: Path) -> None:
    with working("drawing"):
        from mondegreen.report.figures.ink import write
        from mondegreen.report.figures.prices import draw_prices

        write(lambda figure: draw_prices(figure, curves), path)


def _print(one: PricedClips) -> None:
    """The quantiles of a curve, and the share at the mark."""
    from mondegreen.report.numbers.prices import QUANTILES

    clips = number_of(len(one.clips), "clip")
    fields = {"run": one.label, "by": one.by.label, "clips": f"{clips}, {one.beyond} beyond"}
    if one.unfinished:
        fields["not finished"] = f"{number_of(len(one.unfinished), 'clip')}, left out"
    if one.missing:
        fields["not measured"] = f"{number_of(len(one.missing), 'clip')}, left out"
    if (mark := one.by.mark) is not None:
        fields[f"at {one.by.text(mark)}, the mark"] = _share(one, mark)
    print_fields(fields)
    text = partial(_cost_text, by=one.by)
    rows = []
    for share in QUANTILES:
        found = one.quantile(share)
        between = f"{text(found.low)} to {text(found.high)}"
        rows.append([f"{share:.0%} of clips", text(found.cost), between])
    print_table(["attackable", "at", "95 % band"], rows)


def _share(one: PricedClips, price: float) -> str:
    hits, clips = one.attackable(price), len(one.clips)
    low, high = max(0.0, hits / clips - one.band), min(1.0, hits / clips + one.band)
    return f"{hits} of {clips} attackable, {hits / clips:.0%} (95 % band: {low:.0%} to {high:.0%})"


def _cost_text(cost: float, by: Yardstick) -> str:
    if cost == inf:
        return "beyond"
    return "unknown" if cost == -inf else by.text(by.cost(cost))


def curve_json(one: PricedClips) -> dict[str, Any]:
    """All of a curve; "beyond" and "unknown" stand in place of numbers, as in the table."""
    from mondegreen.report.numbers.prices import QUANTILES

    def value(cost: float) -> float | str:
        return {inf: "beyond", -inf: "unknown"}.get(cost) or one.by.cost(cost)

    quantiles = (one.quantile(share) for share in QUANTILES)
    return {
        "run": one.label,
        "by": one.by.name,
        "clips": [vars(clip) for clip in one.clips],
        "beyond": one.beyond,
        "not_finished": list(one.unfinished),
        "not_measured": list(one.missing),
        "band": one.band,
        "quantiles": [
            {"share": each.share, "at": value(each.cost), "low": value(each.low)}
            | {"high": value(each.high)}
            for each in quantiles
        ],
    }
