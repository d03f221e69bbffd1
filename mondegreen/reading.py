"""Reading files that may be anybody's: regular files alone, of bounded size and depth.

What goes wrong is an OSError or a ValueError, for `mondegreen.errors.reason`: the caller knows what
the file should have been, and says so.

On a machine of a cluster that does not see the user's files, copies of them are read; they go by
their names all the same, in records too. See `lying_at`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Literal

from safetensors import SafetensorError, safe_open

LARGEST: Final = 2**26  # bytes of a text file: ten times the largest that is written here
LARGEST_TOML: Final = 2**16  # bytes
LONGEST_LINE: Final = 2**20  # bytes
MOST_VALUES: Final = 4_000_000  # of JSON or TOML: Python takes up to 100 bytes for each
DEEPEST: Final = 50  # lists and objects within each other; what is written here has five
TOO_DEEP: Final = f"it is nested more than {DEEPEST} deep"

_copies: dict[Path, Path] = {}  # where the copies of files and folders lie, by the originals' names


def here(path: str | os.PathLike[str]) -> Path:
    """Where a file or folder is to be read: where it is said to be, or where its copy lies."""
    return _copies.get(Path(path), Path(path))


@contextmanager
def lying_at(copies: Mapping[str, Path]) -> Iterator[None]:
    """For this long, read these copies in place of the files and folders of these names."""
    before = dict(_copies)
    _copies.update({Path(path): copy for path, copy in copies.items()})
    try:
        yield
    finally:
        _copies.clear()
        _copies.update(before)


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file; `Path.is_file` raises where a name is too long."""
    return os.path.isfile(here(path))  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; `Path.is_dir` raises where a name is too long."""
    return os.path.isdir(here(path))  # noqa: PTH112


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether there is anything of that name, if only a link to nothing."""
    return os.path.lexists(path)


def in_full(path: str | os.PathLike[str]) -> Path:
    """The path without links and dots; `Path.resolve` raises where links go in circles."""
    return Path(os.path.realpath(path))


def in_place(path: str | os.PathLike[str]) -> Path:
    """The same of a folder; of a file, the name that it goes by here: others may lie beside it."""
    given = Path(path)
    return in_full(given) if is_folder(given) else in_full(given.parent) / given.name


def open_file(path: Path) -> BufferedReader:
    """Open a regular file; reading from a pipe or a device may never end."""
    path = here(path)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ValueError("it is a folder")
    if not stat.S_ISREG(mode):
        raise ValueError("it is a pipe or a device, not a file")
    return path.open("rb")


def read_bytes(path: Path, at_most: int = LARGEST) -> bytes:
    """All of a regular file of at most so many bytes."""
    with open_file(path) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise ValueError(_too_large(at_most))
    return content


def sha256(path: Path) -> str:
    """SHA-256 of a regular file of any size, as 64 hexadecimal digits."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, at_most: int = LARGEST) -> Any:
    """The value in a JSON file of at most so many bytes."""
    return parse_json(read_bytes(path, at_most))


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a JSON Lines file, each with the number of its line from 1."""
    with open_file(path) as file:
        lines = iter(lambda: file.readline(LONGEST_LINE + 1), b"")
        for number, line in enumerate(lines, 1):
            if len(line) > LONGEST_LINE:
                raise ValueError(f"line {number} has more than {LONGEST_LINE // 2**10:,} KiB")
            try:
                found = parse_json(line)
            except ValueError as error:
                raise ValueError(f"line {number} holds no object") from error
            yield number, found


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, with or without a byte order mark."""
    return _parsed(json.loads, _text(text))


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file, with or without a byte order mark."""
    text = _text(read_bytes(path, LARGEST_TOML))
    if any(line.count(".") > DEEPEST for line in text.split("\n")):  # it would take hours
        raise ValueError(TOO_DEEP)
    found: dict[str, Any] = _parsed(tomllib.loads, text)
    return found


def read_tensors(
    path: Path, at_most: int, framework: Literal["np", "pt"] = "np"
) -> tuple[dict[str, str], dict[str, Any]]:
    """The texts and the tensors, by name, of a safetensors file of at most so many bytes."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > at_most:
            raise ValueError(_too_large(at_most))
    try:
        with safe_open(here(path), framework=framework) as tensors:
            names = tensors.keys()
            return tensors.metadata() or {}, {name: tensors.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _too_large(at_most: int) -> str:
    return f"it has more than {at_most // 2**10:,} KiB"


def _text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8-sig")


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    if sum(map(text.count, ",[{=")) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    try:
        found = parse(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    level = [found]
    for _ in range(DEEPEST):  # so that whatever is done with it keeps within Python's stack
        level = [x for outer in level for x in _inside(outer) if isinstance(x, dict | list)]
        if not level:
            return found
    raise ValueError(TOO_DEEP)


def _inside(value: Any) -> Iterable[Any]:
    """What a list or an object holds; nothing for other values."""
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()
