"""The errors a user can meet: one tree.

Each message says what came, what was expected, and what to do.
"""

from __future__ import annotations

import json


class MondegreenError(Exception):
    """Anything that mondegreen refuses or cannot do; its text is meant for the user."""


class AudioError(MondegreenError, ValueError):
    """A recording that cannot be read, or that no attack could start from."""


class TargetError(MondegreenError, ValueError):
    """A target phrase that the victim cannot be made to say on this clip."""


class VictimError(MondegreenError, RuntimeError):
    """A recogniser that cannot be found, loaded or used for what was asked."""


class OptionError(MondegreenError, ValueError):
    """An option outside of what is offered."""


class RoomError(MondegreenError, ValueError):
    """A room, or a bank of rooms, that cannot be drawn, read, made or used."""


class StorageError(MondegreenError, RuntimeError):
    """A file that cannot be written: a full disk, a folder that is gone or read-only."""


def reason(error: Exception) -> str:
    """Why something could not be read, as a part of a message; nothing that only Python says."""
    match error:
        case OSError():
            return error.strerror or str(error)
        case UnicodeDecodeError():
            return "it is no text in UTF-8"
        case json.JSONDecodeError():
            return f"it is no JSON from line {error.lineno} on"
        case KeyError():
            return f"it has no {error.args[0]}"
        case _:
            return str(error).rstrip(".")
