"""Text files in UTF-8, with errors that name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mondegreen.errors import MondegreenError, reason
from mondegreen.reading import is_file, read_bytes

LARGEST: Final = 2**28  # bytes; a table of a million clips


def read_text(path: Path) -> str:
    """All of a text file, without a leading byte order mark.

    Raises:
        MondegreenError: the file does not exist, cannot be read, or is not UTF-8.
    """
    if not is_file(path):
        raise MondegreenError(
            f"{path} does not exist, or is not a file. Expected a text file; check the path."
        )
    try:
        return read_bytes(path, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MondegreenError(
            f"{path}, line {line}: got the byte {error.object[error.start]:#04x} ({error.reason}),"
            " expected UTF-8. Save the file in that encoding."
        ) from error
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected a text file; check its size and its"
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
