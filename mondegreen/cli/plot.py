"""The command that draws results: plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mondegreen.cli.app import Examples, app
from mondegreen.cli.output import err
from mondegreen.cli.output import out as stdout

Figure = Annotated[
    str | None,
    typer.Option(
        help="Of a result: example (default), curve, rooms. Of runs: passes (default), quality,"
        " rooms, methods."
    ),
]


@app.command(
    epilog=Examples + "mondegreen plot result --out result.png\n\n"
    "mondegreen plot result --figure curve --out curve.pdf\n\n"
    "mondegreen plot first-run another-run --figure methods --out methods.svg"
)
def plot(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="A result, by its folder or record.json; or folders of runs, or of any results.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The picture: a .png, .svg or .pdf file.")],
    figure: Figure = None,
) -> None:
    """Draw what an attack did to a clip, or what runs have come to, as a figure for a paper.

    As wide as a page, or as a column; at 300 dots per inch, or in lines with their fonts inside.
    """
    from mondegreen.report.plots import plot as draw

    with err.status("drawing"):
        draw(results, out, figure)
    stdout.print(str(out), markup=False, highlight=False)
