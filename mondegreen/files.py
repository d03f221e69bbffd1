"""Files that a crash, a full disk or a second process never leaves half written."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from mondegreen.errors import StorageError


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: a reader meets the old file or the new, never a part.

    Raises:
        StorageError: the file cannot be written (disk full, no such folder, no permission).
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}. Expected a folder that "
            "exists, with room and permission to write; free space or choose another."
        ) from error
    finally:
        with suppress(OSError):  # where it could not be made, it cannot be deleted either
            part.unlink(missing_ok=True)
