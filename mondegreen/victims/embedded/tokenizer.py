"""Byte-pair tokenizer of the embedded model, read from its `tokenizer.bin`.

The file is a list of length-prefixed byte strings, one per token; a length of 128 or more takes a
second byte. Tokens 0-2 are special, 3-258 are the single bytes, and the pieces that follow are in
the order of their merge priority, with "▁" for a space, as in SentencePiece. Byte tokens and pieces
are distinct: "." is both token 49 and token 29889, and the model writes the second.
"""

from __future__ import annotations

from heapq import heappop, heappush
from pathlib import Path

from mondegreen.errors import TargetError, VictimError

START, END = 1, 2
_BYTES = range(3, 259)
_SPACE = "▁"


class Tokenizer:
    """Text to tokens and back; `entries` are the byte strings of all tokens, by id."""

    def __init__(self, entries: list[bytes]) -> None:
        self._entries = entries
        self._ids = {
            piece.decode(): i for i, piece in enumerate(entries) if i >= _BYTES.stop and piece
        }

    @classmethod
    def from_file(cls, path: Path) -> Tokenizer:
        """Read a `tokenizer.bin`; raises `VictimError` if it ends within an entry."""
        data, at, entries = path.read_bytes(), 0, []
        while at < len(data):
            length, at = data[at], at + 1
            if length >= 128 and at < len(data):
                length, at = length - 128 + 128 * data[at], at + 1
            if at + length > len(data):
                raise VictimError(f"{path} is cut short; reinstall the package it came with")
            entries.append(data[at : at + length])
            at += length
        return cls(entries)

    def encode(self, text: str) -> list[int]:
        """Merge characters into pieces, the pair of highest priority first.

        Raises:
            TargetError: a character is in no piece.
        """
        pieces = list(_SPACE + " ".join(text.split()).replace(" ", _SPACE))
        if missing := sorted({piece for piece in pieces if piece not in self._ids}):
            raise TargetError(
                f"the recogniser has no token for {' '.join(missing)!r}; spell the target without"
            )
        return [self._ids[piece] for piece in self._merged(pieces)]

    def _merged(self, pieces: list[str]) -> list[str]:
        """Merge the neighbours whose piece has the lowest id, leftmost if equal, while any can be.

        The candidates wait in a heap; one whose pieces have changed since is passed over. A piece
        that was merged into the one before it has nothing after it.
        """
        count, pieces = len(pieces), list(pieces)
        before, after = list(range(-1, count - 1)), list(range(1, count + 1))
        waiting: list[tuple[int, int, str]] = []

        def offer(left: int) -> None:
            if left >= 0 and after[left] < count:
                whole = pieces[left] + pieces[after[left]]
                if whole in self._ids:
                    heappush(waiting, (self._ids[whole], left, whole))

        for left in range(count):
            offer(left)
        while waiting:
            _, left, whole = heappop(waiting)
            if (gone := after[left]) < count and pieces[left] + pieces[gone] == whole:
                pieces[left], pieces[gone] = whole, ""
                after[left], after[gone] = after[gone], count
                if after[left] < count:
                    before[after[left]] = left
                offer(before[left])
                offer(left)
        return [piece for piece in pieces if piece]

    def decode(self, ids: list[int]) -> str:
        """Join the pieces of `ids`, without special tokens."""
        joined = b"".join(self._entries[i] for i in ids if i >= _BYTES.start)
        return joined.decode(errors="replace").replace(_SPACE, " ").strip()
