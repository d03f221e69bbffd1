"""Commands over whole data sets: run, collect; and how far a run has come."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.attack import UnderThreshold
from mondegreen.cli.output import Bars, err, out, print_fields, print_json

if TYPE_CHECKING:
    from mondegreen.runs.run import Tally

LOG_EVERY = 30.0  # s between two lines in a log
LOG_NEWS_EVERY = 10.0  # s, where a clip has been dealt with meanwhile


class Dashboard:
    """How far a run over a data set has come: a live table, and what it has to say above it."""

    def __init__(self, name: str) -> None:
        self._name = escape(name)
        self._bars = Bars(self._name)
        self._live = Live(console=err, refresh_per_second=4, transient=True)
        self._told = 0
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
        for note in tally.notes[self._told :]:
            err.print(f"[yellow]note:[/yellow] {escape(note)}")
        self._told = len(tally.notes)
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
        under_way = f", {len(tally.jobs)} under way by {tally.workers} workers"
        err.print(f"{self._name}: {_counts(tally)}{under_way}{rest}", highlight=False)


def _tally_table(name: str, tally: Tally) -> Table:
    """The live table: the run in a line, then what each worker is at."""
    left = tally.seconds_left
    speed = "" if left is None else f"{tally.rate:.0f} an hour, {_duration(left)} left"
    table = Table.grid(padding=(0, 2))
    table.add_row(f"[bold]{name}[/]", _counts(tally), "stopping" if tally.stopped else speed)
    for clip, passes, of in tally.jobs.values():
        bar = ProgressBar(total=max(of, 1), completed=passes, width=24)
        table.add_row("", bar, f"{escape(clip)}  {passes} of {of} passes" if of else escape(clip))
    return table


def _counts(tally: Tally) -> str:
    return (
        f"{tally.done} of {tally.clips} clips: [green]{tally.verified} verified[/],"
        f" {tally.failed} not, [red]{tally.errors} errors[/]"
    )


def _duration(seconds: float) -> str:
    """As 2:03:45."""
    return str(timedelta(seconds=round(seconds)))


RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]


@app.command(
    epilog=Examples + "mondegreen run clips.jsonl --out first-run\n\n"
    'mondegreen run recordings/ --target "open the door" --out doors --workers 4\n\n'
    "mondegreen run LibriSpeech/test-clean --targets paper --limit 100 --out hundred\n\n"
    "mondegreen run hf:librispeech_asr:clean:test --targets paper --out from-the-hub\n\n"
    "mondegreen run clips.jsonl --config experiments/imperceptible.toml --limit 20 --out paper"
)
def run(
    clips: Annotated[
        str | None,
        typer.Argument(
            help="A manifest (.jsonl as NeMo's, .csv, .tsv), a folder of recordings, a LibriSpeech"
            " tree, or hf:NAME:CONFIG:SPLIT."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="The run folder; the same command goes on in it.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with any of these options; a flag overrides it."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="One phrase for all clips; otherwise their own.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(help="A file of phrases, or paper: other clips' transcripts, by length."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="A seeded sample of so many clips.")
    ] = None,
    max_clean_wer: Annotated[
        float | None,
        typer.Option(
            min=0, help="Clips understood worse than this to begin with are flagged (default: 0.5)."
        ),
    ] = None,
    victim: Annotated[
        str | None,
        typer.Option(
            help="The recogniser: a name, a model hub's ID or ID@REVISION, a folder, or"
            " module:function (default: moonshine-tiny)."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="imperceptible, carlini-wagner, robust, combined (default: imperceptible)."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="fast, or paper: the paper's numbers (default: fast).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Of everything random (default: 0).")
    ] = None,
    max_passes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Gradient passes at most for each clip; fast plans for them, and takes 500 at"
            " most for imperceptible (700 with --under-threshold).",
        ),
    ] = None,
    exact: Annotated[
        bool | None, typer.Option("--exact", help="Match case and punctuation too.")
    ] = None,
    under_threshold: UnderThreshold = None,
    rooms: Annotated[
        str | None,
        typer.Option(help="A bank of rooms; or fast, paper: a full bank of that preset."),
    ] = None,
    dtype: Annotated[
        Literal["float32", "float64"] | None,
        typer.Option(help="Of weights and audio (default: float32)."),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"] | None,
        typer.Option(help="Processes of this machine, or a Ray cluster (default: local)."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many; by default one for each GPU, or processor."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each worker; by default the processors, divided.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Clips that a worker attacks at once (default: 1).")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto: every GPU; cpu, cuda, cuda:1, mps (default: auto).")
    ] = None,
    checkpoint_seconds: Annotated[
        float | None,
        typer.Option(help="How often an unfinished search is written down (default: 30)."),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster; by default one is begun here.")
    ] = None,
    force_new: Annotated[
        bool, typer.Option("--force-new", help="Move another run in the folder aside.")
    ] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved options as TOML, and end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Attack every clip of a data set, on every core and GPU; the same command goes on.

    Ctrl-C, a crash or a kill loses nothing. Exit status 0: every clip is verified.
    """
    from mondegreen.runs.config import read_config

    flags = {
        "clips": clips,
        "target": target,
        "targets": targets,
        "limit": limit,
        "max_clean_wer": max_clean_wer,
        "victim": victim,
        "method": method,
        "preset": preset,
        "seed": seed,
        "max_passes": max_passes,
        "exact": exact,
        "under_threshold": under_threshold,
        "rooms": rooms,
        "dtype": dtype,
        "engine": engine,
        "workers": workers,
        "threads": threads,
        "batch": batch,
        "device": device,
        "checkpoint_seconds": checkpoint_seconds,
        "ray_address": ray_address,
    }
    resolved = read_config(config, flags)
    if print_config:
        out.print(resolved.to_toml(), end="", markup=False, highlight=False)
        return
    if folder is None:
        raise typer.BadParameter("Give the run a folder: --out FOLDER")
    from mondegreen.report.numbers.tables import collect as collect_tables
    from mondegreen.runs.run import run as run_all

    # Ray has things to say on stdout, which is for results
    with redirect_stdout(sys.stderr), Dashboard(folder.name) as board:
        tally = run_all(
            resolved, folder, force_new=force_new, on_work=board.work, on_tally=board.show
        )
    collect_tables(folder)
    _print_tally(tally, folder, as_json)
    raise typer.Exit(0 if tally.verified == tally.clips else 1)


@app.command(epilog=Examples + "mondegreen collect first-run")
def collect(folder: RunFolder) -> None:
    """Rebuild a run's tables from its items: records.jsonl, records.csv, records.parquet.

    The last where pyarrow is installed.
    """
    from mondegreen.report.numbers.tables import collect as collect_tables

    for path in collect_tables(folder):
        out.print(str(path), markup=False, highlight=False)


def _print_tally(tally: Tally, folder: Path, as_json: bool) -> None:
    """What a run has come to; what it is worth is told by `summary`, `verify` and `sanity`."""
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
        err.print(f"why clips could not be attacked: {folder / 'errors'}", markup=False)
    if left:
        err.print("stopped; the same command goes on from here")
    elif not as_json:
        err.print(f"next: mondegreen summary {folder}, and verify, and sanity", markup=False)
