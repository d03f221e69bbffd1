"""Writing files in one step, and identity by hash.

Banks of rooms, runs and their items are named by the hash of what they are made from: the same
command finds them again, and another command is told what is different.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from mondegreen.errors import StorageError


def cache_folder() -> Path:
    """The folder for files that can be made again: `MONDEGREEN_CACHE`, or the user's cache."""
    return Path(os.environ.get("MONDEGREEN_CACHE") or user_cache_path("mondegreen"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: whatever happens, `path` is the old file or the whole new one.

    Raises StorageError if it cannot be written (disk full, no such folder, no permission).
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
            f"{path} could not be written: {error.strerror or error}. Free space, or choose an"
            " existing folder that you may write to."
        ) from error
    finally:
        with suppress(OSError):  # it may not even exist
            part.unlink(missing_ok=True)


def key_of(description: Mapping[str, Any]) -> str:
    """The SHA-256 of a description's canonical JSON, as 64 hexadecimal digits."""
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """The differences between two descriptions, each as a clause of an error message."""
    for name in sorted(there.keys() | asked.keys()):
        old, new = there.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new)
        elif json.dumps(old) != json.dumps(new):  # in JSON, a tuple is a list
            yield f"its {name} is {json.dumps(old):.200}, not {json.dumps(new):.200}"
