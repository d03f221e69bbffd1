"""Commands of listening tests: listen make, listen serve, listen score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.output import Bars, err, out, print_fields, print_json, print_warnings
from mondegreen.errors import OptionError, reason

if TYPE_CHECKING:
    from mondegreen.listening.make import Made
    from mondegreen.listening.mushra import Exported

group = typer.Typer(
    help="Make listening tests, and let people take them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(group, name="listen")

MUSHRA: Final = "mushra-export"


@group.command(
    epilog=Examples + "mondegreen listen make first-run --out study\n\n"
    "mondegreen listen make cw-run first-run --out study --protocol paper --clips 50\n\n"
    "mondegreen listen make cw-run first-run --out for-webmushra --protocol mushra-export"
)
def make(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, or of any results; several are compared."),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder for the study.")],
    protocol: Annotated[
        Literal["abx", "paper", "mushra-export"],
        typer.Option(
            help="abx: is X the same as A or B? paper: the three questions of the paper's study."
            " mushra-export: files for webMUSHRA."
        ),
    ] = "abx",
    clips: Annotated[int, typer.Option(min=1, help="Clips to draw, at most.")] = 100,
    trials: Annotated[
        int, typer.Option(min=1, help="Clips that one listener is tested on, at most.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    consent: Annotated[
        Path | None, typer.Option(help="A text file: what listeners agree to, instead of ours.")
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            help="The completion code shown at the end; by default, one for each listener."
        ),
    ] = None,
    headphones: Annotated[
        bool, typer.Option(help="Check whether listeners wear headphones.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make a blind listening test of verified results.

    Listeners get the folder `page`, and nothing else of it.
    """
    told: Mapping[str, Any]
    warnings: list[str] = []
    with Bars(out_folder.name) as bars:
        if protocol == MUSHRA:
            from mondegreen.listening.mushra import export

            told = _exported(export(runs, out_folder, clips, seed, bars.count))
        else:
            from mondegreen.listening.make import CONSENT, StudyOptions
            from mondegreen.listening.make import make as make_study

            text = CONSENT if consent is None else _read(consent)
            options = StudyOptions(protocol, clips, trials, seed, text, code, headphones)
            made = make_study(runs, out_folder, options, bars.count)
            told, warnings = _made(made), _warnings(made)
    shown = told if as_json else {name: _line(value) for name, value in told.items()}
    print_fields(shown, as_json)
    print_warnings(out_folder.name, warnings)


def _read(consent: Path) -> str:
    try:
        text = consent.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{consent} cannot be read ({reason(error)}). Expected a text file in UTF-8; check the"
            " path, or save it so."
        ) from error
    if not text.strip():
        raise OptionError(f"{consent} is empty. Expected what listeners are to agree to.")
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


def _warnings(made: Made) -> list[str]:
    """What whoever asked for the study has to know of it."""
    if not made.heard_before:
        return []
    clips = len(made.key.clips)
    fewer = f"choose --trials {clips - 1} or fewer, or " if clips > 1 else ""
    return [
        "practice and catch trials use clips that the same listener is tested on, with their change"
        f" amplified: it may teach where to listen. To keep them apart, {fewer}make the study of"
        " more clips."
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
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8765,
) -> None:
    """Let people take a test on this machine; their answers go into the study's folder.

    Each gets the form that fewest have had. Ctrl-C ends it.
    """
    from mondegreen.listening.serve import HOST, make_server

    with make_server(folder, port, _say) as server:
        out.print(f"open http://{HOST}:{server.server_port}/")
        err.print("anew for each listener, or with ?listener=NAME; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            err.print("stopped by hand")


def _say(line: str) -> None:
    err.print(line, markup=False, highlight=False)


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
    from mondegreen.listening.key import find_key, read_key
    from mondegreen.listening.score import score as score_answers
    from mondegreen.report.page.frame import check_name

    if html is not None:
        check_name(html)
    study = read_key(key or find_key(answers))
    with err.status("scoring"):
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
