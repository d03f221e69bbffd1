"""Commands over whole data sets: run, collect; and how far a run has come."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from mondegreen.cli.app import AsJson, Examples, Through, app, takes
from mondegreen.cli.console import err, one_line, out
from mondegreen.cli.output import print_fields, print_json
from mondegreen.cli.progress import Bars
from mondegreen.cli.refusals import (
    check_air,
    check_bank,
    check_clips,
    check_place,
    check_recogniser,
)
from mondegreen.processors import check_threads
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.wording import number_of

if TYPE_CHECKING:
    from mondegreen.runs.run import Tally

# s between two lines in a log, where a clip has been dealt with meanwhile, and where none has
LOG_NEWS_EVERY, LOG_EVERY = 10.0, 30.0


class Dashboard:
    """How far a run over a data set has come: a live table, and what it has to say above it."""

    def __init__(self, name: str) -> None:
        self._name = escape(name)
        self._bars = Bars(name)
        self._live = Live(console=err, refresh_per_second=4, transient=True)
        self._notes_shown = 0
        self._logged = 0, -LOG_EVERY

    def __enter__(self) -> Dashboard:
        self._bars.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.__exit__(kind, error, traceback)
        self._live.stop()

    def work(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        self._bars.count(what, done, total)

    def show(self, tally: Tally) -> None:
        """Show where the run stands."""
        if not self._live.is_started:
            self._bars.__exit__(None, None, None)
            self._live.start()
        for note in tally.notes[self._notes_shown :]:
            err.print(f"[yellow]note:[/yellow] {escape(one_line(note))}")
        self._notes_shown = len(tally.notes)
        self._live.update(_tally_table(self._name, tally))
        if not err.is_terminal:  # a log: no table that is drawn over, but a line now and then
            self._log(tally)

    def _log(self, tally: Tally) -> None:
        since = time.monotonic() - self._logged[1]
        if since < (LOG_EVERY if tally.done == self._logged[0] else LOG_NEWS_EVERY):
            return
        self._logged = tally.done, time.monotonic()
        left = tally.seconds_left
        rest = "" if left is None else f", {_duration(left)} left"
        under_way = f", {len(tally.jobs)} under way by {number_of(tally.workers, 'worker')}"
        err.print(f"{self._name}: {_counts(tally)}{under_way}{rest}", highlight=False)


def _tally_table(name: str, tally: Tally) -> Table:
    """The live table: the run in a line, then what each worker is at."""
    left = tally.seconds_left
    speed = "" if left is None else f"{tally.rate:.0f} an hour, {_duration(left)} left"
    table = Table.grid(padding=(0, 2))
    table.add_row(f"[bold]{name}[/]", _counts(tally), "stopping" if tally.stopped else speed)
    for clip, passes, of in tally.jobs.values():
        bar = ProgressBar(total=max(of, 1), completed=passes, width=24)
        table.add_row(
            "",
            bar,
            f"{escape(clip)}  {passes} of {number_of(of, 'pass', 'passes')}"
            if of
            else escape(clip),
        )
    return table


def _counts(tally: Tally) -> str:
    return (
        f"{tally.done} of {number_of(tally.clips, 'clip')}: [green]{tally.verified} verified[/],"
        f" {tally.failed} not, [red]{number_of(tally.errors, 'error')}[/]"
    )


def _duration(seconds: float) -> str:
    """As 2:03:45."""
    return str(timedelta(seconds=round(seconds)))


RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]


@app.command(
    epilog=Examples + "mondegreen run clips.jsonl --out first-run\n\n"
    'mondegreen run recordings/ --target "open the door" --out doors --workers 4\n\n'
    "mondegreen run LibriSpeech/test-clean --targets paper --limit 100 --out hundred\n\n"
    "mondegreen run LibriSpeech/test-clean --targets paper --limit 1000 --dry-run\n\n"
    "mondegreen run hf:librispeech_asr:clean:test --targets paper --out from-the-hub\n\n"
    "mondegreen run clips.jsonl --config experiments/imperceptible.toml --limit 20 --out paper"
)
@takes(RunConfig, but=frozenset({"clips"}))
def run(
    clips: Annotated[
        str | None, typer.Argument(help=RunConfig.model_fields["clips"].description)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="The run folder; run the same command again to resume."),
    ] = None,
    through: Through = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with any of these options; flags override it."),
    ] = None,
    as_json: AsJson = False,
    force_new: Annotated[
        bool, typer.Option("--force-new", help="Move another run in the folder aside.")
    ] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved options as TOML and exit.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what the run would cost, measured on one clip, and exit."
        ),
    ] = False,
    require_success: Annotated[
        bool, typer.Option("--require-success", help="Exit with 1 unless every clip is verified.")
    ] = False,
    *,
    chosen: dict[str, Any],
) -> None:
    """Attack every clip of a data set, on every core and GPU.

    Ctrl-C, a crash or a kill loses nothing: run the same command again to resume. Exit status 0:
    every clip was attacked, whether or not it is verified; 1: some were not.
    """
    resolved = read_config(config, {"clips": clips, "through": through, **chosen})
    if print_config:
        out.print(resolved.to_toml(), end="", markup=False, highlight=False)
        return
    if folder is None and not dry_run:
        raise typer.BadParameter("Give the run a folder: --out FOLDER")
    check_clips(resolved.clips)
    check_recogniser(None, resolved.victim)
    check_threads(resolved.threads)
    resolved.options.check_rooms(resolved.rooms is not None or resolved.air is not None)
    check_bank(resolved.rooms)
    check_air(resolved.air)
    if dry_run:
        _print_estimate(resolved, as_json)
        return
    assert folder is not None, "it is asked for above"
    check_place(folder)
    from mondegreen.report.numbers.tables import collect as collect_tables
    from mondegreen.runs.run import run as run_all

    # Ray prints to stdout, which is for results
    with redirect_stdout(sys.stderr), Dashboard(folder.name) as board:
        tally = run_all(
            resolved, folder, force_new=force_new, on_work=board.work, on_tally=board.show
        )
    collect_tables(folder)
    print_tally(tally, folder, as_json)
    reached = tally.verified if require_success else tally.verified + tally.failed
    raise typer.Exit(0 if reached == tally.clips else 1)


@app.command(epilog=Examples + "mondegreen merge parts/* --out first-run")
def merge(
    shards: Annotated[
        list[Path], typer.Argument(help="The folders of run --shard 1/N to N/N, in any order.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="The folder of the whole run.")],
    as_json: AsJson = False,
) -> None:
    """Merge the shards of a run: the result is as if one machine had run it.

    Exit status 1: some clips remain. The same `run` without --shard attacks them.
    """
    check_place(folder)
    from mondegreen.report.numbers.tables import collect as collect_tables
    from mondegreen.runs.shards import merge as merge_shards

    with Bars(folder.name) as bars:
        found = merge_shards(shards, folder, lambda done, of: bars.count("clips", done, of))
    collect_tables(folder)
    print_fields({"run": str(folder), **asdict(found), "left": found.left}, as_json)
    raise typer.Exit(1 if found.left else 0)


@app.command(epilog=Examples + "mondegreen collect first-run")
def collect(folder: RunFolder) -> None:
    """Rebuild the tables of a run: records.jsonl, records.csv, and with pyarrow records.parquet."""
    from mondegreen.report.numbers.tables import collect as collect_tables

    for path in collect_tables(folder):
        out.say(str(path))


def _print_estimate(config: RunConfig, as_json: bool) -> None:
    """Print what a run will cost."""
    from mondegreen.runs.estimate import estimate

    with Bars("dry run") as bars:
        found = estimate(config, bars.count)
    if as_json:
        print_json(asdict(found))
        return
    left_out = found.cannot_be_attacked
    print_fields(
        {
            "clips": f"{found.clips:,}" + (f", {left_out} cannot be attacked" if left_out else ""),
            "passes": f"{found.passes:,} at most",
            "measured on": f"{found.measured_on}, of median length: {found.seconds_a_pass:.3g} s a"
            f" pass, {found.seconds_after:.0f} s to prove and measure",
            "time": f"{_duration(3600 * found.hours)} on {number_of(found.workers, 'worker')}, if"
            " it grows with a clip's length",
            "disk": f"{found.bytes / 1e6:,.1f} MB",
        }
    )


def print_tally(tally: Tally, folder: Path, as_json: bool) -> None:
    """Print the counts of a run."""
    left = tally.clips - tally.done
    fields = {
        "run": str(folder),
        "clips": tally.clips,
        "verified": tally.verified,
        "not_verified": tally.failed,
        "errors": tally.errors,
        "left": left,
    }
    if as_json:
        print_json(fields)
    else:
        print_fields(fields)
    if tally.errors:
        err.say(f"why clips could not be attacked: {folder / 'errors'}")
    if left:
        err.print("stopped; run the same command again to resume")
    elif tally.errors < tally.clips and not as_json:
        err.say(f"next: mondegreen verify {folder}, then sanity and summary")
