"""Commands that judge finished results: verify, sanity, summary, compare."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mondegreen.cli.app import AsJson, Beams, Device, Dtype, Examples, app
from mondegreen.cli.output import (
    Bars,
    err,
    out,
    print_fields,
    print_finding,
    print_json,
    print_table,
)
from mondegreen.cli.report import print_page, write_page
from mondegreen.errors import StorageError

if TYPE_CHECKING:
    from mondegreen.air.rooms import RoomBank
    from mondegreen.judging.checks import Finding
    from mondegreen.judging.gathering import Cost
    from mondegreen.results.heard import Claim, Listening

Results = Annotated[Path, typer.Argument(help="The folder of a run, or of any results.")]
Folders = Annotated[list[Path], typer.Argument(help="Folders of runs, or of any results.")]
Listener = Annotated[
    str | None, typer.Option(help="Who listens; by default, the recogniser that was attacked.")
]
BankName = Annotated[
    str | None,
    typer.Option(help="The bank of a method in rooms: a file, or fast, paper; its run knows it."),
]


@app.command(
    epilog=Examples + "mondegreen verify first-run\n\n"
    "mondegreen verify first-run --dtype float64 --beams 5\n\n"
    "mondegreen verify first-run --victim moonshine-tiny-int8 --json"
)
def verify(
    folder: Results,
    victim: Listener = None,
    beams: Beams = 1,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Compare greedy decodes, so many at once, instead."),
    ] = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    rooms: BankName = None,
    as_json: AsJson = False,
) -> None:
    """Read every saved file again, hear it again, and count the claims that stand.

    With the same recogniser or another, in another floating type, with beams, in batches. What is
    heard is kept in the folder, for its report. Exit status 0: every claim stands, if there is any.
    """
    import torch

    from mondegreen.judging.verify import made_on, recheck
    from mondegreen.results.heard import Listening
    from mondegreen.victims import load_recogniser, load_victim

    name = victim or made_on(folder)
    with err.status("loading the recogniser"):
        load = load_victim if batch else partial(load_recogniser, beams=beams)
        recogniser = load(name, device=device, dtype=getattr(torch, dtype))
        bank = _bank(folder, rooms, recogniser.sample_rate)
    claims = []
    with Bars(folder.name) as bars, suppress(KeyboardInterrupt):
        for claim in recheck(
            folder, recogniser, bank=bank, batch=batch, on_item=partial(bars.count, "hearing")
        ):
            claims.append(claim)
            if as_json:
                print_json(claim.to_json())
            elif claim.claimed != claim.verified:
                err.print(_surprise(claim, victim), markup=False, highlight=False)
    status = _count(folder, name, claims, as_json)
    _keep_claims(folder, Listening(name, beams, dtype, batch), claims)
    raise typer.Exit(status)


def _surprise(claim: Claim, other: str | None) -> str:
    """A line on a claim that falls, or on a failure that is heard; by another recogniser, maybe."""
    if claim.claimed:
        by_ear = other is not None and not claim.over_db
        what = f"is not heard as the target by {other}" if by_ear else "no longer stands"
    else:
        what = "was not claimed, but is heard"
    heard = "" if claim.heard is None else f": heard {claim.heard!r}"
    if claim.over_db:
        heard += f", {claim.over_db:.1f} dB over its bound"
    return f"{claim.id or claim.item} {what}{heard}{': ' + claim.problem if claim.problem else ''}"


def _keep_claims(folder: Path, how: Listening, claims: list[Claim]) -> None:
    """Write what was heard into the folder; where that cannot be, it is said and no more."""
    from mondegreen.results.folder import item_folders
    from mondegreen.results.heard import keep_hearings

    if not claims:  # stopped by hand before the first
        return
    try:
        keep_hearings(folder, how, claims, len(item_folders(folder)))
    except StorageError as error:
        err.print(f"what was heard is not kept: {error}", markup=False, highlight=False)


def _count(folder: Path, listener: str, claims: list[Claim], as_json: bool) -> int:
    """Print how many claims stand; the exit status."""
    from mondegreen.results.folder import item_folders

    claimed, stand = sum(c.claimed for c in claims), sum(c.stands for c in claims)
    fields = {
        "results": str(folder),
        "heard_by": listener,
        "items": len(claims),
        "claims": claimed,
        "stand": stand,
        "fall": claimed - stand,
        "damaged": sum(claim.problem is not None for claim in claims),
        "heard_unclaimed": sum(claim.verified and not claim.claimed for claim in claims),
    }
    print_fields(fields, as_json)
    unheard = len(item_folders(folder)) - len(claims)
    if unheard:
        err.print(f"stopped by hand; {unheard} items were not heard")
    return 0 if stand == claimed and not unheard else 1


@app.command(
    epilog=Examples + "mondegreen sanity first-run\n\n"
    "mondegreen sanity first-run --transfer run-on-another-model --sample 5 --json"
)
def sanity(
    folder: Results,
    victim: Listener = None,
    transfer: Annotated[
        list[Path] | None,
        typer.Option(help="Results on another recogniser, same clips and targets. Repeatable."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="Clips drawn for the checks that cost passes.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    device: Device = "auto",
    rooms: BankName = None,
    as_json: AsJson = False,
) -> None:
    """Ask whether the numbers of a run can be believed: see docs/checks.md.

    The findings are kept in the folder, for its summary and its report. Exit status 0: no check of
    severity “error” fires.
    """
    from mondegreen.judging.sanity import examine
    from mondegreen.judging.verify import made_on
    from mondegreen.victims import load_victim

    with err.status("loading the recogniser"):
        attacked = load_victim(victim or made_on(folder), device=device)
        bank = _bank(folder, rooms, attacked.sample_rate)
    findings: list[Finding] = []
    whole = False
    with Bars(folder.name) as bars, suppress(KeyboardInterrupt):
        for finding in examine(
            folder, attacked, bank, transfer or (), sample, seed, bars.count, on_cost=_announce
        ):
            findings.append(finding)
            print_finding(finding, as_json)
        whole = True
    _keep(folder, findings, sample, seed, whole)
    if not whole:
        err.print("stopped by hand; the checks that remain were not made")
    fires = any(f.state == "fires" and f.severity == "error" for f in findings)
    raise typer.Exit(1 if fires or not whole else 0)


def _announce(cost: Cost) -> None:
    clips = "1 clip" if cost.clips == 1 else f"{cost.clips} clips"
    err.print(
        f"{cost.checks} checks attack {clips} over again (--sample), in {cost.passes:,} gradient"
        " passes at most",
        highlight=False,
    )


def _keep(folder: Path, findings: list[Finding], sample: int, seed: int, whole: bool) -> None:
    from mondegreen.files import write_whole
    from mondegreen.results.folder import SANITY, item_folders

    kept = {
        "whole": whole,
        "items": len(item_folders(folder)),
        "sample": sample,
        "seed": seed,
        "findings": [asdict(finding) for finding in findings],
    }
    write_whole(folder / SANITY, (json.dumps(kept, indent=1) + "\n").encode())


@app.command(
    epilog=Examples + "mondegreen summary first-run\n\nmondegreen summary first-run --json"
)
def summary(folders: Folders, as_json: AsJson = False) -> None:
    """Tell what runs have come to: verified success with its interval, cost, audibility.

    By recogniser, method and preset.
    """
    from mondegreen.report.numbers.summary import summarise
    from mondegreen.report.numbers.summary_text import describe

    for number, found in enumerate(summarise(folders)):
        if as_json:
            print_json(found.to_json())
            continue
        if number:
            out.print()
        print_fields(describe(found))


@app.command(
    epilog=Examples + "mondegreen compare fast-run paper-run\n\n"
    "mondegreen compare fast-run paper-run --html compared.html"
)
def compare(
    folders: Folders,
    page: Annotated[
        Path | None, typer.Option("--html", help="Write a page too, to listen from run to run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what several runs have come to, side by side."""
    from mondegreen.report.numbers.summary import compare as compare_runs
    from mondegreen.report.numbers.summary_text import side_by_side
    from mondegreen.report.page.frame import check_name

    if page is not None:
        check_name(page)
    summaries = compare_runs(folders)
    if as_json:
        for found in summaries:
            print_json(found.to_json())
    else:
        print_table(*side_by_side(summaries))
    if page is not None:
        written = write_page([[folder] for folder in folders], page)
        print_page(written, aside=as_json)


def _bank(folder: Path, rooms: str | None, sample_rate: int) -> RoomBank | None:
    """The rooms that results were proved in: named, or those that their run names; None: none."""
    from mondegreen.air.rooms.cached import named_bank
    from mondegreen.judging.verify import bank_of
    from mondegreen.results.folder import MANIFEST, is_run, read_object

    if bank_of(folder) is None:
        return None
    if rooms is None and is_run(folder):
        rooms = read_object(folder / MANIFEST)["configuration"]["rooms"]
    return named_bank(rooms, sample_rate)
