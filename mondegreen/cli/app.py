"""The application that commands add themselves to, and the options that several of them share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from mondegreen.cli.console import out

DEFAULT_VICTIM = "moonshine-tiny"
ROOMS, ADVANCED = "Rooms", "Advanced options"
PLAIN: Final = frozenset(  # fields that most users choose; others are in the advanced panel
    {"method", "preset", "max_passes", "target", "targets", "limit", "victim", "workers", "device"}
)
ORDER: Final = (  # of work
    *("attack", "run", "merge", "suite", "defend", "verify", "evaluate", "sanity"),
    *(
        "summary",
        "compare",
        "curve",
        "gate",
        "report",
        "plot",
        "collect",
        "measure",
        "listen",
        "rooms",
        "air",
    ),
    *("transcribe", "check-victim", "list", "links", "threshold", "demo", "doctor"),
)


class InOrder(TyperGroup):
    """Lists commands in the order of work."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names of the commands."""
        del ctx
        return sorted(self.commands, key=ORDER.index)


HELP: Final = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=InOrder,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


def group_of(name: str, about: str) -> typer.Typer:
    """A group of commands under one name."""
    group = typer.Typer(
        help=about, no_args_is_help=True, rich_markup_mode="rich", context_settings=HELP
    )
    app.add_typer(group, name=name)
    return group


def rate_option(about: str) -> Any:
    """An option for a sample rate, in Hz."""
    return typer.Option(min=1000, max=768_000, help=about)


AudioFile = Annotated[Path, typer.Argument(help="A recording: wav, flac, ogg or mp3.")]
AudioFiles = Annotated[list[Path], typer.Argument(help="Recordings: wav, flac, ogg or mp3.")]
VictimName = Annotated[
    str,
    typer.Option(
        help="The recogniser: a name, a model hub's ID or ID@REVISION, a folder with a checkpoint,"
        " a file of Whisper, or module:function."
    ),
]
Listener = Annotated[
    str | None, typer.Option(help="The recogniser. Default: the one that was attacked.")
]
Through = Annotated[
    list[str] | None,
    typer.Option(
        help="A link that sound passes on its way to the recogniser, such as telephone, opus:24 or"
        " module:function: see `mondegreen links`. Repeatable; sound comes to the first one first.",
        show_default=False,
    ),
]
MOST_BEAMS: Final = 100  # each costs memory, and beyond a few nothing is heard better
Beams = Annotated[
    int,
    typer.Option(min=1, max=MOST_BEAMS, help="Beam width of the decoder; 1 is greedy decoding."),
]
Picture = Annotated[Path | None, typer.Option(help="Also draw it: a .png, .svg or .pdf file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.", rich_help_panel=ADVANCED)]
Dtype = Annotated[
    Literal["float32", "float64"],
    typer.Option(help="Floating type of weights and audio.", rich_help_panel=ADVANCED),
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="Random seed.", rich_help_panel=ADVANCED)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line on stdout.")]
Bank = Annotated[
    str | None,
    typer.Option(
        help="Bank file, or fast, paper or real: a bank that is made once and kept. Default: the"
        " air's own.",
        rich_help_panel=ROOMS,
    ),
]
AIR_HELP = (
    "What happens to the sound: paper, rooms alone; real, also loudspeaker, noise, microphone and"
    " clock; or a TOML file of ranges: see docs/rooms.md. Default: paper."
)
AirName = Annotated[str | None, typer.Option(help=AIR_HELP, rich_help_panel=ROOMS)]
Examples = "[bold]Examples[/bold]\n\n"


def takes(model: type[BaseModel], *, but: frozenset[str] = frozenset()) -> Callable[..., Any]:
    """Give a command a flag for each field of a model, except some.

    The command's parameter `chosen` gets those that were given, by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        names = [name for name in model.model_fields if name not in but]

        @wraps(command)
        def wrapped(**given: Any) -> None:
            flags = {name: given.pop(name) for name in names}
            chosen = {name: value for name, value in flags.items() if value is not None}
            command(**given, chosen=chosen)

        kept = [parameter for name, parameter in own.parameters.items() if name != "chosen"]
        flags = [_flag(name, model.model_fields[name]) for name in names]
        wrapped.__signature__ = own.replace(parameters=[*kept, *flags])  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    """A field as an optional flag that stays unset: its type, bounds, help and default."""
    least = [one.ge for one in field.metadata if hasattr(one, "ge")]
    most = [one.le for one in field.metadata if hasattr(one, "le")]
    kind: Any = field.annotation
    known = "" if field.default in (None, False) else f" Default: {field.default}."
    option = typer.Option(
        *([f"--{name.replace('_', '-')}"] if kind is bool else []),
        min=least[0] if least else None,
        max=most[0] if most else None,
        help=f"{field.description}{known}",
        rich_help_panel=None if name in PLAIN else ROOMS if name == "rooms" else ADVANCED,
    )
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=None, annotation=Annotated[kind | None, option])


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        out.print(f"mondegreen {version('mondegreen')}", highlight=False)
        raise typer.Exit


@app.callback()
def mondegreen(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Measure how easily speech recognisers can be made to mishear.

    Only for recognisers that you own or are allowed to test: see RESPONSIBLE_USE.md.
    """
