"""Writing files in one step, one process at a time, and identity by hash.

Banks of rooms, runs and their items are named by the hash of what they are made from: the same
command finds them again, and another command is told what is different.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import re
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from mondegreen.errors import StorageError

PART: Final = ".part"  # how the name of something half written ends
PATIENCE: Final = 2.0  # s of waiting for a lock without a word

logger = logging.getLogger(__name__)  # without a handler of the user's, Python prints to stderr


def cache_folder() -> Path:
    """The folder for files that can be made again: `MONDEGREEN_CACHE`, or the user's cache."""
    return Path(os.environ.get("MONDEGREEN_CACHE") or user_cache_path("mondegreen"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: whatever happens, `path` is the old file or the whole new one.

    Raises StorageError if it cannot be written (disk full, no such folder, no permission).
    """
    part = path.with_name(part_name())
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


def write_new(path: Path, content: bytes) -> None:
    """Write a file whose name is free, and never over another.

    Raises StorageError if it is taken, or the file cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}. Choose another name, in an"
            " existing folder that you may write to."
        ) from error


def as_json(value: Any, indent: int | None = 1) -> bytes:
    """Data as a JSON file, or as a line of one: UTF-8, nothing escaped that need not be.

    Names of files that are not UTF-8 have lone surrogates, which JSON escapes and gives back.

    >>> as_json({"heard": "öffne"}).decode().split()
    ['{', '"heard":', '"öffne"', '}']
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return (text + "\n").encode("utf-8", "backslashreplace")


def part_name() -> str:
    """A name for something half written by this process, which `sweep` finds if it is killed."""
    return f".{_HOST}-{os.getpid()}-{secrets.token_hex(4)}{PART}"


_HOST: Final = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_PART: Final = re.compile(rf"\.{_HOST}-(\d+)-[0-9a-f]+\.part")


def sweep(folder: Path) -> None:
    """Delete what killed processes of this machine have left half written in a folder."""
    for path in folder.glob(f".{_HOST}-*.part"):
        if (writer := _PART.fullmatch(path.name)) and not _alive(int(writer[1])):
            discard(path)


def _alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere there is no asking
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        pass
    return True


def discard(path: Path) -> None:
    """Delete a file, a link or a folder, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def locked(path: Path, at_most: float = -1) -> Iterator[None]:
    """Hold a lock file. Waiting for another process is logged, and ends after `at_most` seconds.

    Raises StorageError if it cannot be locked, or another process keeps it for so long.
    """
    from filelock import FileLock, Timeout  # not worth its time where nothing is written

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            logger.warning("waiting for another process, which holds %s", path)
            lock.acquire(timeout=at_most)
    except Timeout:
        raise StorageError(
            f"{path} is held by another process, {at_most:.0f} s later still. Wait for it or end"
            " it, or choose another folder."
        ) from None
    except OSError as error:
        raise StorageError(
            f"{path} cannot be locked: {error.strerror or error}. Choose another folder, one that"
            " you may write to."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until this is done. Other threads than the first get none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: received.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for held_back in dict.fromkeys(received):
            signal.raise_signal(held_back)


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
