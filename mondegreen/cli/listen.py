"""Commands of listening tests: listen make, listen serve, listen score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from mondegreen.cli.app import (
    AsJson,
    Examples,
    group_of,
)
from mondegreen.cli.console import err, out
from mondegreen.cli.output import print_fields, print_json, print_warnings
from mondegreen.cli.progress import Bars, working
from mondegreen.data.plain_text import read_text
from mondegreen.errors import OptionError

if TYPE_CHECKING:
    from mondegreen.listening.make import Made
    from mondegreen.listening.mushra import Exported

group = group_of("listen", "Make listening tests, run them and score them.")

MUSHRA: Final = "mushra-export"


@group.command(
    epilog=Examples + "mondegreen listen make first-run --out study\n\n"
    "mondegreen listen make cw-run first-run --out study --protocol paper --clips 50\n\n"
    "mondegreen listen make first-run --out thresholds --protocol staircase\n\n"
    "mondegreen listen make cw-run first-run --out for-webmushra --protocol mushra-export"
)
def make(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, or of any results; each is a condition."),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder for the study.")],
    protocol: Annotated[
        Literal["abx", "paper", "staircase", "mushra-export"],
        typer.Option(
            help="abx: is X the same as A or B? paper: the three questions of the paper's study."
            " staircase: how loud must the change be to be just heard? mushra-export: files for"
            " webMUSHRA."
        ),
    ] = "abx",
    clips: Annotated[int, typer.Option(min=1, help="Draw at most this many clips.")] = 100,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Test each listener on at most this many clips. Default: 20; staircase: 4, in some"
            " 40 trials.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    consent: Annotated[
        Path | None, typer.Option(help="A text file with your own consent form.")
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(help="The completion code shown at the end. Default: one per listener."),
    ] = None,
    headphones: Annotated[
        bool, typer.Option(help="Check whether listeners wear headphones.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make a blind listening test of verified results.

    Give listeners the folder `page`, and keep the rest to yourself.
    """
    fields: Mapping[str, Any]
    warnings: list[str] = []
    with Bars(out_folder.name) as bars:
        if protocol == MUSHRA:
            from mondegreen.listening.mushra import export

            exported = export(runs, out_folder, clips, seed, bars.count)
            fields, warnings = _exported(exported), _damaged(exported.damaged)
        else:
            from mondegreen.listening.make import CONSENT, StudyOptions
            from mondegreen.listening.make import make as make_study

            text = CONSENT if consent is None else _read(consent)
            options = StudyOptions(protocol, clips, trials, seed, text, code, headphones)
            made = make_study(runs, out_folder, options, bars.count)
            fields, warnings = _made(made), [*_damaged(made.damaged), *_warnings(made)]
    shown = fields if as_json else {name: _line(value) for name, value in fields.items()}
    print_fields(shown, as_json)
    print_warnings(out_folder.name, warnings)


def _read(consent: Path) -> str:
    text = read_text(consent)
    if not text.strip():
        raise OptionError(f"{consent} is empty. Expected the text that listeners agree to.")
    return text


def _made(made: Made) -> dict[str, Any]:
    return {
        "study": made.key.study,
        "protocol": made.key.protocol,
        "conditions": list(made.key.conditions),
        "clips": len(made.key.clips),
        "left_out": made.left_out,
        "forms": len(made.key.forms),
        "trials": made.roles("test"),
        "catch_trials": made.roles("catch"),
        "practice": made.roles("training"),
        "sounds": f"{len(made.key.sounds)}, {made.size / 1e6:.1f} MB",
        "for_listeners": str(made.folder / "page"),
        "for_you_alone": str(made.folder / "key.json"),
    }


def _damaged(folders: Sequence[Path]) -> list[str]:
    return [f"{folder} is damaged, and left out" for folder in folders]


def _warnings(made: Made) -> list[str]:
    """What the author of the study should know."""
    if not made.heard_before:
        return []
    clips = len(made.key.clips)
    fewer = f"choose --trials {clips - 1} or fewer, or " if clips > 1 else ""
    return [
        "practice and catch trials reuse clips that the same listener is tested on, with the change"
        f" amplified: listeners may learn where to listen. To keep them apart, {fewer}make the"
        " study of more clips."
    ]


def _exported(exported: Exported) -> dict[str, Any]:
    return {
        "study": exported.study,
        "protocol": MUSHRA,
        "conditions": list(exported.conditions),
        "clips": exported.clips,
        "longer_than_12_s": exported.long,
        "left_out": exported.left_out,
        "configuration": str(exported.configuration),
        "for_webMUSHRA": str(exported.configuration.parent),
    }


def _line(value: object) -> object:
    """A list or a count of reasons in a line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {why}" for why, count in value.items()) or None
    return "; ".join(map(str, value)) if isinstance(value, list) else value


@group.command(epilog=Examples + "mondegreen listen serve study --port 8000")
def serve(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8765,
) -> None:
    """Serve a listening test on this machine; answers go into the study's folder.

    Each listener gets the form that fewest have had. Ctrl-C ends it.
    """
    from mondegreen.listening.serve import HOST, make_server

    with make_server(folder, port, _say) as server:
        out.print(f"open http://{HOST}:{server.server_port}/")
        err.print("reload for each listener, or add ?listener=NAME; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            err.print("stopped")


def _say(line: str) -> None:
    err.say(line)


@group.command(
    epilog=Examples + "mondegreen listen score study\n\n"
    "mondegreen listen score downloads/*.json --key study/key.json --html score.html\n\n"
    "mondegreen listen score study --json > score.json"
)
def score(
    answers: Annotated[
        list[Path],
        typer.Argument(
            help="Files of answers (JSON or CSV), or folders of them, such as the study."
        ),
    ],
    key: Annotated[
        Path | None,
        typer.Option(help="The study's key.json. Default: the one beside or above the answers."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON object with every clip and listener on stdout."
        ),
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with all of it.")] = None,
) -> None:
    """Score a listening test: rates with intervals, and what may be claimed.

    Listeners who failed the catch trials are left out and named: see docs/listening.md.
    """
    from mondegreen.listening.answers import read_answers
    from mondegreen.listening.key import find_key, read_key
    from mondegreen.listening.score import score as score_answers
    from mondegreen.report.page.frame import check_name

    if html is not None:
        check_name(html)
    study = read_key(key or find_key(answers))
    with working("scoring"):
        found = score_answers(study, read_answers(answers, study))
    if html is not None:
        from mondegreen.files import write_whole
        from mondegreen.listening.score_report import page

        write_whole(html, page(found).encode())
    if as_json:
        from mondegreen.listening.score_report import to_json

        print_json(to_json(found))
    else:
        from mondegreen.listening.score_report import describe

        out.print(describe(found), markup=False, highlight=False)
