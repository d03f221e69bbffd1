"""Sounds and pictures of a page: inside it, or in a folder beside it if they are many.

A medium is named by the hash of its content: duplicates are kept once, and a page never plays the
media of another.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mondegreen.errors import StorageError
from mondegreen.files import write_whole

INSIDE: Final = 12_000_000  # bytes of media that a page holds itself; base64 adds a third
TYPES: Final = {"flac": "audio/flac", "png": "image/png", "svg": "image/svg+xml"}
OURS: Final = re.compile(r"[a-z]+-[0-9a-f]{24}\.(flac|png|svg)")


class Shelf:
    """Where a page's media are: in memory, and beyond a limit in a folder beside the page.

    Args:
        page: the page's file; report.html has report-files/.
        inside: bytes that the page may hold itself.
    """

    def __init__(self, page: Path, inside: int = INSIDE) -> None:
        self.folder = page.with_name(f"{page.stem}-files")
        self.names: set[str] = set()
        self.size = 0  # bytes of all media
        self._inside = inside
        self._held: dict[str, bytes] = {}

    @property
    def beside(self) -> bool:
        """Whether they are too many for the page itself."""
        return self.size > self._inside

    def put(self, kind: str, content: bytes, suffix: str) -> str:
        """Keep a medium; returns its name, which begins with a lower-case word, its kind.

        Raises:
            StorageError: it, or the folder, cannot be written.
        """
        name = f"{kind}-{hashlib.sha256(content).hexdigest()[:24]}.{suffix}"
        if name not in self.names:
            self.names.add(name)
            self.size += len(content)
            self._held[name] = content
            if self.beside:
                self._write()
        return name

    def address(self, name: str) -> str:
        """What the page refers to a medium by, once all are there: its content, or its path."""
        if self.beside:
            return quote(f"{self.folder.name}/{name}")
        return data_address(self._held[name], TYPES[name.rpartition(".")[2]])

    def _write(self) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self.folder} could not be made: {error.strerror or error}. The sounds and"
                " pictures of the page go there; name another page with --out."
            ) from error
        for name, content in self._held.items():
            write_whole(self.folder / name, content)
        self._held.clear()

    def clear_away(self) -> None:
        """Delete what an earlier page of the same name left beside it, and nothing else."""
        if not self.folder.is_dir():
            return
        kept = self.names if self.beside else set()
        for path in self.folder.iterdir():
            if OURS.fullmatch(path.name) and path.name not in kept:
                path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def data_address(content: bytes, kind: str) -> str:
    """A file of a MIME type as an address that contains it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
