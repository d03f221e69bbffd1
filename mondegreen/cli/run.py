"""Commands over whole data sets: run, collect."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.attack import UnderThreshold
from mondegreen.cli.dashboard import Dashboard
from mondegreen.cli.output import err, out, print_fields, print_json

if TYPE_CHECKING:
    from mondegreen.runs.drive import Tally

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
    from mondegreen.report.tables import collect as collect_tables
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
    from mondegreen.report.tables import collect as collect_tables

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
