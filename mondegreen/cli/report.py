"""Commands that show results: report, plot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.console import err, out
from mondegreen.cli.console import out as stdout
from mondegreen.cli.output import print_json
from mondegreen.cli.progress import Bars, working
from mondegreen.cli.refusals import check_picture, check_results
from mondegreen.errors import OptionError

if TYPE_CHECKING:
    from mondegreen.report.page.write import Written

PAGE: Final = "report.html"


@app.command(
    epilog=Examples + "mondegreen report first-run\n\n"
    "mondegreen report mondegreen-out --out for-a-colleague.html"
)
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="The folder of a run, of any results, or of one result; or its record.json.",
            metavar="FOLDER",
        ),
    ],
    page: Annotated[
        Path | None, typer.Option("--out", help="The page (default: report.html in the folder).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a web page to send to a colleague: what was attacked, whether it worked, how audible.

    One file; the sounds and pictures of many clips go into a folder beside it.
    """
    from mondegreen.results.folder import RECORD, check_there

    if len(folders) > 1:
        names = " ".join(map(str, folders))
        raise OptionError(
            f"Got {len(folders)} folders, expected one. For a page of several:"
            f" mondegreen compare {names} --html PAGE"
        )
    (folder,) = folders
    folder = folder.parent if folder.name == RECORD else folder
    check_there(folder)
    written = write_page([[folder]], page or folder / PAGE)
    if not as_json:
        print_page(written)
        return
    files = None if written.files is None else str(written.files)
    print_json({"page": str(written.page), "files": files, "clips": written.clips})


def write_page(sources: Sequence[Sequence[Path]], page: Path) -> Written:
    """Write the page of some sources, see `mondegreen.report.page.write`, under a bar of clips."""
    from mondegreen.report.page.write import write_report

    with Bars(page.name) as bars:
        return write_report(sources, page, on_card=partial(bars.count, "clips"))


def print_page(written: Written, *, aside: bool = False) -> None:
    """Say where a page is, and what belongs to it; aside where something else is on stdout."""
    to = err if aside else out
    to.say(str(written.page))
    if written.files is not None:
        err.say(f"send {written.files} with it: its sounds and pictures")


def report_of_results(folders: Sequence[Path], page: Path, *, aside: bool) -> None:
    """Write the page of what a command has made, and say where it is.

    The results are saved by then: whatever goes wrong here is said, and no more.

    Args:
        folders: of the items.
        page: where it goes.
        aside: its path goes to stderr, because something else is on stdout.
    """
    try:
        written = write_page([folders], page)
    except (Exception, KeyboardInterrupt) as error:
        why = str(error) or type(error).__name__
        err.say(f"the report could not be written: {why}")
        return
    to = err if aside else out
    to.say(f"{'report':<18} {written.page}")


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
    """Draw a result, or a comparison of runs, as a figure for a paper.

    As wide as a page or a column, at 300 dpi, or as vectors with fonts embedded.
    """
    from mondegreen.results.folder import RECORD

    check_picture(out)
    for result in results:
        check_results(result.parent if result.name == RECORD else result)
    with working("drawing"):
        from mondegreen.report.figures.plots import plot as draw

        draw(results, out, figure)
    stdout.say(str(out))
