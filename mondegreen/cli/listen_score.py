"""The command that scores a listening test: listen score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mondegreen.cli.app import Examples
from mondegreen.cli.listen import group
from mondegreen.cli.output import err, out, print_json


@group.command(
    epilog=Examples + "mondegreen listen score study\n\n"
    "mondegreen listen score downloads/*.json --key study/key.json --html score.html\n\n"
    "mondegreen listen score study --json > score.json"
)
def score(
    answers: Annotated[
        list[Path],
        typer.Argument(help="Files of answers, JSON or CSV, or folders: a study's, or any other."),
    ],
    key: Annotated[
        Path | None,
        typer.Option(help="The study's key.json; by default the one beside or above the answers."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout: every clip and listener.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="A page to write, with all of it.")] = None,
) -> None:
    """Tell what a listening test came to, with intervals, and what may be claimed.

    Who failed the catch trials is left out, and named: see docs/listening.md.
    """
    from mondegreen.listening.answers import read_answers
    from mondegreen.listening.score import score as score_answers
    from mondegreen.listening.study import find_key, read_study
    from mondegreen.pages import check_name

    if html is not None:
        check_name(html)
    study = read_study(key or find_key(answers))
    with err.status("scoring"):
        found = score_answers(study, read_answers(answers, study))
    if html is not None:
        from mondegreen.files import write_whole
        from mondegreen.listening.score_page import page

        write_whole(html, page(found).encode())
    if as_json:
        from mondegreen.listening.score_json import to_json

        print_json(to_json(found))
    else:
        from mondegreen.listening.score_text import describe

        out.print(describe(found), markup=False, highlight=False)
