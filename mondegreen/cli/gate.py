"""May it be shipped: gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.output import print_fields, print_json, print_table
from mondegreen.errors import OptionError

if TYPE_CHECKING:
    from mondegreen.gating.gate import Verdict


@app.command(
    epilog=Examples + "mondegreen gate this-week --allow 5% --below margin:0\n\n"
    "mondegreen gate this-week --against last-week --worse-by 3% --below zimtohrli:4.5"
    " --junit gate.xml"
)
def gate(
    run: Annotated[
        Path, typer.Argument(help="The folder of a run, after `mondegreen sanity`; or a card.json.")
    ],
    below: Annotated[
        str,
        typer.Option(
            metavar="YARDSTICK:PRICE",
            help="A clip counts if it is attackable at this price, or less audibly: margin, excess,"
            " snr, pesq or zimtohrli, and a number, such as margin:0. Choose it before you look at"
            " results.",
        ),
    ],
    allow: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Largest share of clips that may count, such as 5%."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="An earlier run or its card.json: same clips, targets and options.", metavar="RUN"
        ),
    ] = None,
    worse_by: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Largest rise of the share since then, such as 3%."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write a JUnit file: a case for each clip.")
    ] = None,
    sarif: Annotated[Path | None, typer.Option(help="Also write a SARIF 2.1.0 file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write a summary for a pull request.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pass or fail a run by what share of its clips is attackable at or below a price.

    It passes if, with 95 % confidence, the share is within what is allowed, and fails if it is
    above: either is wrong in at most 5 of 100 runs. Exit status 0: it passes; 1: it fails; 2: it
    cannot be judged: there are too few clips (with 5 % allowed and none attackable, 59 suffice) or
    no results, or sanity checks fire or were not run. Files are written in each case.
    """
    if (against is None) != (worse_by is None):
        raise OptionError(
            "--against and --worse-by go together: an earlier run, and by how much the share may"
            " have risen since, as 3%. Give both or neither."
        )
    if allow is None and against is None:
        raise OptionError(
            "Nothing to judge by: give --allow, as 5%, or --against with --worse-by, or all three."
        )
    from mondegreen.gating.gate import judge
    from mondegreen.gating.rule import Limit, read_share
    from mondegreen.gating.tested import read_tested

    limit = Limit.read(below)
    share = None if allow is None else read_share(allow, "--allow")
    rise = 0.0 if worse_by is None else read_share(worse_by, "--worse-by")
    before = None if against is None else read_tested(against, limit.by)
    verdict = judge(read_tested(run, limit.by), limit, share, before, rise)
    _write(verdict, junit, sarif, markdown)
    if as_json:
        print_json(verdict_json(verdict))
    else:
        _print(verdict)
    raise typer.Exit(verdict.status)


def _write(verdict: Verdict, junit: Path | None, sarif: Path | None, markdown: Path | None) -> None:
    """The files that were asked for."""
    from mondegreen.files import write_whole
    from mondegreen.gating.junit import junit as to_junit
    from mondegreen.gating.markdown import markdown as to_markdown
    from mondegreen.gating.sarif import sarif as to_sarif

    for path, write in ((junit, to_junit), (sarif, to_sarif), (markdown, to_markdown)):
        if path is not None:
            write_whole(path, write(verdict))


def _print(verdict: Verdict) -> None:
    """Every rule, the verdict, and the clips that count."""
    from mondegreen.gating.gate import WORDS

    clips = verdict.clips
    fields = {"run": clips.label, "counts": verdict.limit.words}
    if clips.clips:
        fields["at any price"] = f"{len(clips.clips) - clips.beyond} of {len(clips.clips)} clips"
    print_fields(fields)
    for one in verdict.rulings:
        print_fields({"rule": one.rule, WORDS[one.outcome]: one.why})
    print_fields({"the gate": verdict.words})
    if verdict.not_checked is not None:
        print_fields({"not checked": verdict.not_checked})
    if verdict.attackable:
        rows = [[one.id, verdict.price(one), one.aim, one.path or ""] for one in verdict.attackable]
        print_table(["attackable", verdict.limit.by.label, "heard", "in"], rows)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "run": verdict.clips.label,
        "by": verdict.limit.by.name,
        "price": verdict.limit.price,
        "verdict": verdict.words,
        "status": verdict.status,
        "at_any_price": len(verdict.clips.clips) - verdict.clips.beyond,
        "rules": [vars(one) for one in verdict.rulings],
        "attackable": [vars(one) for one in verdict.attackable],
        "not_checked": verdict.not_checked,
        "not_known": list(verdict.clips.unknown),
        "clips": len(verdict.clips.clips) + len(verdict.clips.unknown),
    }
