"""How the program begins, and how it ends: every way out becomes a line and an exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Final

from rich.markup import escape
from typer import TyperException

from mondegreen.cli.app import app
from mondegreen.cli.console import PIPE_CLOSED, err
from mondegreen.errors import MondegreenError, StorageError
from mondegreen.processors import processors

STOPPED: Final = 130  # exit status of Ctrl-C, by convention


def main() -> None:
    """Entry point: errors become a message and an exit status; see `mondegreen.cli`."""
    prepare()
    status = _status()
    if status == STOPPED:
        err.print("interrupted; what was saved before is kept")
    sys.exit(status)


def prepare() -> None:
    """Set what all commands need of this process."""
    # transformers' advice on its own interfaces is for programmers
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # where nothing else was chosen, torch would take all processors that it sees
    os.environ.setdefault("OMP_NUM_THREADS", str(processors()))
    # `timeout`, a scheduler or a supervisor ends a command as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what it cannot encode is shown as \u03b5
            stream.reconfigure(errors="backslashreplace")


def _status() -> int:
    """The exit status of the command that was typed."""
    try:
        if sys.stdout is None:
            raise StorageError("stdout is closed. Send the results somewhere, such as to a file.")
        status: int | None = app(standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except TyperException as error:
        return _usage(error)
    except MondegreenError as error:
        _say(str(error))
        return 4 if isinstance(error, StorageError) else 2
    except KeyboardInterrupt:
        return STOPPED
    except OSError as error:
        _say(f"{error.filename or 'the output'}: {error.strerror or error}")
        return 4
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            return PIPE_CLOSED
        _say("something that was loaded ended the program, before the command was done")
        return 3
    except Exception:  # a fault of ours; 1 would say that the attack ran
        err.print_exception()
        return 3


def _explained(message: str, error: TyperException) -> str:
    """The message; of something that is missing, also what it should have been."""
    message = message.replace(": Value error, ", ": ")  # pydantic's
    asked = getattr(getattr(error, "param", None), "help", None)
    if asked and message.startswith("Missing "):
        return f"{message.rstrip('.')}: {asked}"
    return message


def _say(what: str) -> None:
    err.print(f"[red]error:[/red] {escape(what)}")


def _usage(error: TyperException) -> int:
    """Say what was typed wrongly; a group that was called with nothing has printed its help."""
    if message := error.format_message():
        context = getattr(error, "ctx", None)
        _say(_explained(message, error))
        if context is not None:
            err.say(f"see {context.command_path} --help")
    return 2
