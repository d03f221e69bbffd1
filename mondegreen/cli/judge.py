"""Commands that judge finished results: verify, sanity, summary, compare."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mondegreen.chain.text import chained
from mondegreen.cli.app import (
    ADVANCED,
    ROOMS,
    AsJson,
    Beams,
    Device,
    Dtype,
    Examples,
    Listener,
    Seed,
    Through,
    app,
)
from mondegreen.cli.console import err, out
from mondegreen.cli.output import print_fields, print_finding, print_json, print_table
from mondegreen.cli.progress import Bars, working
from mondegreen.cli.refusals import check_bank, check_recogniser, check_results
from mondegreen.cli.report import print_page, write_page
from mondegreen.errors import OptionError, StorageError
from mondegreen.wording import number_of

if TYPE_CHECKING:
    from mondegreen.findings import Finding
    from mondegreen.judging.gathering import Cost
    from mondegreen.results.heard import Claim, Listening

SAMPLE: Final = 3  # clips drawn for the checks that cost passes
Results = Annotated[Path, typer.Argument(help="The folder of a run, or of any results.")]
Folders = Annotated[list[Path], typer.Argument(help="Folders of runs, or of any results.")]
BankName = Annotated[
    str | None,
    typer.Option(
        help="Bank of rooms of the results: a file, or fast/paper/real. Default: the one kept"
        " beside them.",
        rich_help_panel=ROOMS,
    ),
]


@app.command(
    epilog=Examples + "mondegreen verify first-run\n\n"
    "mondegreen verify first-run --dtype float64 --beams 5\n\n"
    "mondegreen verify first-run --victim moonshine-tiny-int8 --json\n\n"
    "mondegreen verify first-run --through resample:8000"
)
def verify(
    folder: Results,
    victim: Listener = None,
    through: Through = None,
    beams: Beams = 1,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Score this many files per batch greedily instead of transcribing them.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    rooms: BankName = None,
    dtype: Dtype = "float32",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Read and transcribe every saved file again, and count the claims that are confirmed.

    With the same recogniser or another, in another floating type, with beams, in batches. What is
    heard is kept in the folder, for its report. Exit status 0: every claim is confirmed.
    """
    if batch and beams > 1:
        raise OptionError(
            "Files in batches are scored greedily: give --batch or --beams, not both."
        )
    check_results(folder)
    check_recogniser(through, victim)
    check_bank(rooms)
    import torch

    from mondegreen.judging.verify import bank_of, made_on, recheck
    from mondegreen.results.heard import Listening
    from mondegreen.victims import load_recogniser, load_victim

    name = chained(through or (), victim or made_on(folder))
    other = name if victim or through else None
    with working("loading the recogniser"):
        load = load_victim if batch else partial(load_recogniser, beams=beams)
        recogniser = load(name, device=device, dtype=getattr(torch, dtype))
        bank = bank_of(folder, rooms, recogniser.sample_rate)
    claims = []
    with Bars(folder.name) as bars, suppress(KeyboardInterrupt):
        for claim in recheck(
            folder, recogniser, bank=bank, batch=batch, on_item=partial(bars.count, "listening")
        ):
            claims.append(claim)
            if as_json:
                print_json(claim.to_json())
            elif claim.claimed != claim.verified:
                err.say(_surprise(claim, other))
    status = _count(folder, name, claims, as_json)
    _keep_claims(folder, Listening(name, beams, dtype, batch), claims)
    raise typer.Exit(status)


def _surprise(claim: Claim, other: str | None) -> str:
    """A line on a claim that does not hold, or on a failure that matches after all."""
    if not claim.claimed:
        what = "was not claimed by the run, but is transcribed as the target"
    elif other is not None and not claim.over_db:
        what = f"is not transcribed as the target by {other}"
    else:
        what = "is not confirmed"
    heard = "" if claim.transcript is None else f": {claim.transcript!r}"
    if claim.over_db:
        heard += f", {claim.over_db:.1f} dB over its bound"
    return f"{claim.id or claim.item} {what}{heard}{': ' + claim.problem if claim.problem else ''}"


def _keep_claims(folder: Path, how: Listening, claims: list[Claim]) -> None:
    """Write what was heard into the folder; where that fails, it is said and no more."""
    from mondegreen.results.folder import item_folders
    from mondegreen.results.heard import keep_hearings

    if not claims:  # interrupted before the first
        return
    try:
        keep_hearings(folder, how, claims, len(item_folders(folder)))
    except StorageError as error:
        err.say(f"what was heard is not kept: {error}")


def _count(folder: Path, listener: str, claims: list[Claim], as_json: bool) -> int:
    """Print how many claims are confirmed; the exit status."""
    from mondegreen.results.folder import item_folders

    confirmed = sum(claim.confirmed for claim in claims)
    damaged = sum(claim.problem is not None for claim in claims)
    refuted = sum(c.claimed and not c.verified and c.problem is None for c in claims)
    fields = {
        "results": str(folder),
        "recogniser": listener,
        "items": len(claims),
        "claims": sum(claim.claimed for claim in claims),
        "confirmed": confirmed,
        "not_confirmed": refuted,
        "damaged": damaged,
        "heard_but_not_claimed": sum(claim.verified and not claim.claimed for claim in claims),
    }
    print_fields(fields, as_json)
    unheard = len(item_folders(folder)) - len(claims)
    if unheard:
        err.print(f"interrupted before {number_of(unheard, 'item')} could be transcribed")
    return 0 if not (refuted or damaged or unheard) else 1


@app.command(
    epilog=Examples + "mondegreen sanity first-run\n\n"
    "mondegreen sanity first-run --transfer run-on-another-model --sample 5 --json"
)
def sanity(
    folder: Results,
    victim: Listener = None,
    through: Through = None,
    transfer: Annotated[
        list[Path] | None,
        typer.Option(help="Results on another recogniser, same clips and targets. Repeatable."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="Clips drawn for the checks that cost passes.")
    ] = SAMPLE,
    rooms: BankName = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Check whether the numbers of a run can be believed: see docs/checks.md.

    The findings are kept in the folder, for its summary and its report. Exit status 0: no check of
    severity “error” fires.
    """
    for results in (folder, *(transfer or ())):
        check_results(results)
    check_recogniser(through, victim)
    check_bank(rooms)
    from mondegreen.judging.verify import made_on

    name = chained(through or (), victim or made_on(folder))
    found, whole = examined(
        folder, name, transfer or (), sample, rooms, seed, device=device, as_json=as_json
    )
    fires = any(one.state == "fires" and one.severity == "error" for one in found)
    raise typer.Exit(1 if fires or not whole else 0)


def examined(
    folder: Path,
    name: str,
    transfer: Sequence[Path] = (),
    sample: int = SAMPLE,
    rooms: str | None = None,
    seed: int = 0,
    *,
    device: str = "auto",
    as_json: bool = False,
) -> tuple[list[Finding], bool]:
    """Make every check, print what is found, and whether all were made; then it is kept."""
    from mondegreen.judging.sanity import examine
    from mondegreen.judging.verify import bank_of
    from mondegreen.results.sanity import keep_findings
    from mondegreen.victims import load_victim

    with working("loading the recogniser"):
        attacked = load_victim(name, device=device)
        bank = bank_of(folder, rooms, attacked.sample_rate)
    found: list[Finding] = []
    whole = False
    with Bars(folder.name) as bars, suppress(KeyboardInterrupt):
        for finding in examine(
            folder, attacked, bank, transfer, sample, seed, bars.count, on_cost=_announce
        ):
            found.append(finding)
            print_finding(finding, as_json)
        whole = True
    if whole:
        keep_findings(folder, found, sample=sample, seed=seed)
    else:  # earlier findings, of every check, are worth more than some
        err.print("interrupted; the remaining checks were not made, and nothing is kept")
    return found, whole


def _announce(cost: Cost) -> None:
    err.print(
        f"{cost.checks} checks attack {number_of(cost.clips, 'clip')} again (--sample), in at most"
        f" {number_of(cost.passes, 'gradient pass', 'gradient passes')}",
        highlight=False,
    )


@app.command(
    epilog=Examples + "mondegreen summary first-run\n\nmondegreen summary first-run --json"
)
def summary(folders: Folders, as_json: AsJson = False) -> None:
    """Summarise runs by recogniser, method and preset: verified success, cost, audibility."""
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
        Path | None, typer.Option("--html", help="Also write a page, to listen from run to run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs side by side, and list what else differs between them."""
    from mondegreen.report.numbers.contrast import contrast
    from mondegreen.report.numbers.sources import gather_to_compare
    from mondegreen.report.numbers.summary_text import side_by_side
    from mondegreen.report.page.frame import check_name

    if page is not None:
        check_name(page)
    gathered = gather_to_compare(folders)
    summaries, differences = [part.summary for part in gathered.parts], contrast(gathered)
    if as_json:
        for found in summaries:
            print_json({**found.to_json(), "differences": differences})
    else:
        for line in differences:
            out.say(line)
        print_table(*side_by_side(summaries))
    if page is not None:
        written = write_page([[folder] for folder in folders], page)
        print_page(written, aside=as_json)
