"""The errors that a user can meet. Messages say what came, what was expected, and what to do."""

from __future__ import annotations

import json


class MondegreenError(Exception):
    """Anything that mondegreen refuses or cannot do; the text is for the user."""


class AudioError(MondegreenError, ValueError):
    """A recording that cannot be read, or cannot be attacked."""


class TargetError(MondegreenError, ValueError):
    """A target phrase that the victim cannot transcribe this clip as."""


class VictimError(MondegreenError, RuntimeError):
    """A recogniser that cannot be found, loaded or used in this way."""


class RecogniserError(VictimError):
    """A recogniser's own code raised something, or returned what it must not.

    Args:
        who: the recogniser, as its user knows it.
        fault: what is wrong, and where.
        advice: what to do.
    """

    def __init__(self, who: str, fault: str, advice: str) -> None:
        super().__init__(who, fault, advice)  # all of them: workers send errors as pickles
        self.who, self.fault, self.advice = who, fault, advice

    def __str__(self) -> str:
        return f"{self.who}: {self.fault}; {self.advice}"


class OptionError(MondegreenError, ValueError):
    """An option that is not one of those offered, or does not go with another."""


class RoomError(MondegreenError, ValueError):
    """A room or bank of rooms that cannot be simulated, read or used."""


class MeasureError(MondegreenError, RuntimeError):
    """A yardstick that two sounds cannot be measured with: it is missing, refuses or failed."""


class StorageError(MondegreenError, RuntimeError):
    """A file that cannot be written: the disk is full, or its folder missing or read-only."""


def reason(error: Exception) -> str:
    """Why something could not be read, as a clause of a message, without Python's own terms."""
    match error:
        case OSError() if error.strerror:
            return error.strerror
        case UnicodeError():
            return "it is not UTF-8 text"
        case json.JSONDecodeError():
            return f"it is not JSON from line {error.lineno} on"
        case KeyError():
            return f"it has no {error.args[0] if error.args else 'such entry'}"
        case _:
            return first_line(error).rstrip(".")


def first_line(error: Exception) -> str:
    """The first line that says something, with the next if it ends in a colon; else the class."""
    first, *more = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    if first.endswith(":"):
        first = " ".join([first, *more[:1]])
    return first or type(error).__name__
