"""The application that commands add themselves to, and the options that several of them share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from mondegreen.cli.output import err
from mondegreen.errors import MondegreenError, StorageError

DEFAULT_VICTIM = "moonshine-tiny"
STOPPED = 130  # exit status of Ctrl-C, by convention

app = typer.Typer(
    help="Measure how easily speech recognisers can be made to mishear. For models that you own"
    " or may test: see RESPONSIBLE_USE.md.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AudioFiles = Annotated[list[Path], typer.Argument(help="Recordings: wav, flac, ogg or mp3.")]
VictimName = Annotated[
    str,
    typer.Option(
        help="The recogniser: a name, a model hub's ID or ID@REVISION, a folder with a checkpoint,"
        " or module:function."
    ),
]
Beams = Annotated[
    int, typer.Option(min=1, help="Hypotheses that the decoder keeps; 1 is greedy decoding.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[Literal["float32", "float64"], typer.Option(help="Of weights and audio.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
Bank = Annotated[
    str | None,
    typer.Option(
        help="A bank of rooms; or fast, paper: a full bank of that preset, made and cached on first"
        " use, as the default one is, which is of half as many rooms to search in."
    ),
]
Examples = "[bold]Examples[/bold]\n\n"


def main() -> None:
    """Entry point: errors become a message and an exit status; see `mondegreen.cli`."""
    # transformers' advice on its own interfaces is for programmers
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except SystemExit as ended:
        if ended.code == STOPPED:
            err.print("interrupted; what was saved before is kept")
        raise
    except MondegreenError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}")
        sys.exit(4 if isinstance(error, StorageError) else 2)
    except Exception:  # our fault
        err.print_exception()
        sys.exit(3)
