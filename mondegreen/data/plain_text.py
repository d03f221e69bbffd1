"""Text files in UTF-8, with errors that name the line."""

from __future__ import annotations

import os
from pathlib import Path

from mondegreen.errors import MondegreenError


def read_text(path: Path) -> str:
    """All of a text file, without a leading byte order mark.

    Raises:
        MondegreenError: the file does not exist, cannot be read, or is not UTF-8.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        raise MondegreenError(
            f"{path} does not exist, or is not a file. Expected a text file; check the path."
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MondegreenError(
            f"{path}, line {line}: got the byte {error.object[error.start]:#04x} ({error.reason}),"
            " expected UTF-8. Save the file in that encoding."
        ) from error
    except OSError as error:
        raise MondegreenError(
            f"{path} cannot be read ({error.strerror or error}). Expected a text file; check its"
            " permissions."
        ) from error


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number from 1.

    Raises:
        MondegreenError: as `read_text`.
    """
    # Not splitlines(): it also splits at U+2028 and others that may stand within a line.
    lines = enumerate(read_text(path).split("\n"), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def is_utf8(text: str) -> bool:
    """Whether a string can be written as UTF-8: it has no lone surrogates.

    JSON can spell lone surrogates, and Python has them in file names that are not UTF-8.
    """
    return not any("\ud800" <= character <= "\udfff" for character in text)
