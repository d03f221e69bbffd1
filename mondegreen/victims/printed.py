"""What each symbol of a vocabulary prints.

A tokenizer's settings name a blank, a delimiter between words and special symbols, but only its
decode says what a transcript shows of them. So each symbol is decoded between two letters, where
nothing is stripped, and what appears there is what it prints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from itertools import islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import VictimError

Decode = Callable[[list[int]], str]

NOTHING, SPACE = 0, ord(" ")
_UNLIKE_ANY = 0x110000  # past Unicode: codes of symbols whose text depends on their neighbours


class Printed:
    """The texts of symbols, as a decode prints them.

    Args:
        decode: symbols to text, as `transcribe` uses it.
        symbols: how many there are.
        special: symbols that are markers, not writing, even where they are printed.

    Attributes:
        texts: of each symbol; None where it depends on the neighbours, as of parts of a character.

    Raises:
        VictimError: fewer than two symbols print letters.
    """

    def __init__(self, decode: Decode, symbols: int, special: Collection[int] = ()) -> None:
        letters = [*islice((s for s in range(symbols) if decode([s]).strip().isalnum()), 2)]
        if len(letters) < 2:
            raise VictimError(
                f"the tokenizer prints {len(letters)} of {symbols} symbols as letters: its"
                " vocabulary is of something else than writing, or belongs to another checkpoint"
            )
        frames = [_Frame(decode, *pair) for pair in zip(letters, reversed(letters), strict=True)]
        self.texts = [_agreed([frame.inside(s) for frame in frames]) for s in range(symbols)]
        self._markers = {"", *(self.texts[s] for s in special if s < symbols)} - {" ", None}
        known = [s for s in range(symbols) if self.writes(s) and self.texts[s] is not None]
        self._symbols = {self.texts[s]: s for s in reversed(known)}
        self._longest = max((len(text or "") for text in self._symbols), default=0)

    def writes(self, symbol: int) -> bool:
        """Whether a symbol can be part of a spelling: it prints something, and is no marker.

        A tokenizer may know more symbols than its model has; those are never written.
        """
        return symbol < len(self.texts) and self.texts[symbol] not in self._markers

    @property
    def delimiter(self) -> int | None:
        """The first symbol that prints a space; None: there is none."""
        return self._symbols.get(" ")

    @cached_property
    def letters(self) -> frozenset[str]:
        """Every character that a symbol prints."""
        return frozenset("".join(text or "" for text in self._symbols))

    @property
    def apart(self) -> bool:
        """Whether symbols are printed with spaces between them, as phones are."""
        return all((text or " ").startswith(" ") for text in self._symbols)

    def spelled(self, text: str) -> list[int]:
        """Symbols that print a text, the longest first; none if some of it has no symbol."""
        text, at, found = (" " + text if self.apart else text), 0, []
        while at < len(text):
            sizes = range(min(self._longest, len(text) - at), 0, -1)
            size = next((n for n in sizes if text[at : at + n] in self._symbols), 0)
            if not size:
                return []
            found.append(self._symbols[text[at : at + size]])
            at += size
        return found

    def codes(self) -> Tensor:
        """[V, K] int64: the characters of each symbol, then `NOTHING`; every space as `SPACE`."""
        rows = [
            [_UNLIKE_ANY + symbol] if text is None else [ord(character) for character in text]
            for symbol, text in enumerate(self.texts)
        ]
        return pad_sequence([torch.tensor(row, dtype=torch.int64) for row in rows], True, NOTHING)


class _Frame:
    """A letter on both sides, between which symbols are decoded; and any that may come before."""

    def __init__(self, decode: Decode, letter: int, before: int) -> None:
        self._decode, self._letter = decode, letter
        self._opening = decode([letter])
        self._closing = decode([before, letter]).removeprefix(decode([before]))

    def inside(self, symbol: int) -> str | None:
        """What a symbol prints here; None: it changes the letters, or is a part of a character."""
        if symbol == self._letter:
            return self._closing
        whole = self._decode([self._letter, symbol, self._letter])
        text = whole.removeprefix(self._opening).removesuffix(self._closing)
        if self._opening + text + self._closing != whole or "\ufffd" in text:
            return None
        return "".join(" " if character.isspace() else character for character in text)


def _agreed(texts: list[str | None]) -> str | None:
    """The text, if it is the same in all frames."""
    return texts[0] if len(set(texts)) == 1 else None
