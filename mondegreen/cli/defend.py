"""The command that puts defences to the test: defend."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mondegreen.cli.app import AsJson, Examples, app, takes
from mondegreen.cli.console import err, out
from mondegreen.cli.output import print_json, print_table
from mondegreen.cli.progress import working
from mondegreen.cli.refusals import check_clips, check_place, check_recogniser, check_results
from mondegreen.cli.run import Dashboard
from mondegreen.names import check_defence
from mondegreen.processors import check_threads
from mondegreen.results.folder import is_run
from mondegreen.runs.config import RunConfig

if TYPE_CHECKING:
    from mondegreen.runs.run import Tally

QUICK_PASSES, QUICK_CLIPS = 150, 2


@app.command(
    epilog=Examples + "mondegreen defend first-run --with resample:8000 --with my_filter:clean"
    " --out defences\n\n"
    "mondegreen defend clips.jsonl --quick --out quick\n\n"
    "mondegreen defend clips.jsonl --budget 200 --out all"
)
@takes(RunConfig, but=frozenset({"clips", "max_passes"}))
def defend(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_CLIPS",
            help="A finished run without a defence, or clips as for `mondegreen run`.",
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Folder; run the same command again to resume.")
    ],
    tried: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="A channel, defence or detector (see docs/through.md), or module:function for"
            " your own. Repeatable. Default: all that come with mondegreen.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="Gradient passes per clip. Default: those of the run, or 500."),
    ] = None,
    sample: Annotated[
        int,
        typer.Option(
            min=1, help="Clips drawn for the checks that tell whether a row can be believed."
        ),
    ] = 2,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"A first look in some 20 minutes: {QUICK_CLIPS} clips, {QUICK_PASSES} passes, and"
            " the defences that take least.",
        ),
    ] = False,
    as_json: AsJson = False,
    *,
    chosen: dict[str, Any],
) -> None:
    """Test whether defences help: their cost on clean speech, and attacks that know of them.

    Each is tried on files that were made without it, and by an attack through it. A row whose
    checks fail is “not evaluated”. Writes report.html, clips.html, defend.json and defend.csv.
    Ctrl-C loses nothing: run the same command again. Exit status 0: every row is evaluated; 2: a
    defence fails on a clip.
    """
    check_threads(chosen.get("threads"))
    check_place(folder)
    if is_run(source):
        check_results(Path(source))
    else:
        check_clips(source)
    for spec in tried or ():
        check_defence(spec)
    check_recogniser(None, chosen.get("victim"))
    from mondegreen.defending.defence import ALL, QUICK
    from mondegreen.defending.defend import FAILED, Stopped, plan
    from mondegreen.defending.defend import defend as tried_one_by_one
    from mondegreen.defending.page import write_pages
    from mondegreen.defending.table import SHORT, cells, headline, to_json, write_tables

    flags = {**chosen, **({"max_passes": budget} if budget else {})}
    specs = tried or list(QUICK if quick else ALL)
    if quick:
        flags = {"limit": QUICK_CLIPS, "max_passes": QUICK_PASSES, **flags}
        _say_what_is_left_out(specs, ALL)
    on_missing = None if tried else err.say
    trial = plan(source, flags, specs, folder, 1 if quick else sample, on_missing)
    rows = []
    try:
        # Ray prints to stdout, which is for results
        with redirect_stdout(sys.stderr), closing(_Boards()) as boards:
            for row in tried_one_by_one(trial, boards.work, boards.run):
                rows.append(row)
                boards.close()
                err.say(f"{row.defence}: {row.result}: {row.why}")
        whole = True
    except (Stopped, KeyboardInterrupt):
        err.print("stopped; run the same command again to resume")
        whole = False
    if not rows:
        raise typer.Exit(1)
    write_tables(rows, folder, trial.facts)
    with working("writing the pages"):
        written = write_pages(trial, rows)
    if as_json:
        for row in rows:
            print_json(to_json(row))
    else:
        print_table(list(SHORT), [cells(row, SHORT) for row in rows])
        out.say(headline(rows))
    for page in written:
        err.say(f"page: {page}")
    if any(found.id == FAILED for row in rows for found in row.findings):
        raise typer.Exit(2)
    evaluated = all(row.result != "not evaluated" for row in rows)
    raise typer.Exit(0 if whole and evaluated else 1)


def _say_what_is_left_out(specs: Sequence[str], every: Sequence[str]) -> None:
    left = [spec for spec in every if spec not in specs]
    err.say(f"a first look: {QUICK_CLIPS} clips at most, {QUICK_PASSES} passes each")
    if left:
        err.say(f"left out: {', '.join(left)}")


class _Boards:
    """One dashboard after another: a run has one, and so has the work between two runs."""

    def __init__(self) -> None:
        self._board: Dashboard | None = None
        self._name = ""

    def work(self, what: str, done: int, total: int) -> None:
        """Show work that can be counted, of the defence before the colon."""
        name, _, part = what.partition(": ")
        self._of(name).work(part, done, total)

    def run(self, name: str) -> Callable[[Tally], object]:
        """What shows the tallies of a run."""
        return lambda tally: self._of(f"{name}, attacked").show(tally)

    def _of(self, name: str) -> Dashboard:
        if self._board is None or self._name != name:
            self.close()
            self._board, self._name = Dashboard(name).__enter__(), name
        return self._board

    def close(self) -> None:
        """End the one that is shown."""
        if self._board is not None:
            self._board.__exit__(None, None, None)
            self._board = None
