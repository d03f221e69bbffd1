"""Text to a model's symbols and back: what victims ask of a tokenizer."""

from __future__ import annotations

from typing import Any, Protocol

from mondegreen.errors import TargetError


class Vocabulary(Protocol):
    """Writes a target as the symbols that the model itself would write it with."""

    def encode(self, text: str) -> list[int]:
        """Symbols of `text`, without prompt or end.

        Raises:
            TargetError: they cannot express it.
        """

    def decode(self, ids: list[int]) -> str:
        """The text of symbols, special ones left out."""


class PretrainedVocabulary:
    """A tokenizer of transformers as a `Vocabulary`.

    A target must come back from its symbols, but for case and spacing. Characters that the
    tokenizer does not know do not, nor do markers such as `<|endoftext|>`, which are no speech.

    Args:
        tokenizer: of transformers.
        prefix: what the model writes before the first word, as a part of its first symbol; what
            has no such symbol, it writes without.
    """

    def __init__(self, tokenizer: Any, prefix: str = "") -> None:
        self._tokenizer = tokenizer
        self._prefix = prefix
        self._lone_prefix = self._symbols(prefix)

    def encode(self, text: str) -> list[int]:
        """See `Vocabulary.encode`."""
        words = " ".join(text.split())
        ids = self._symbols(self._prefix + words)
        if self._lone_prefix and ids[: len(self._lone_prefix)] == self._lone_prefix:
            ids = ids[len(self._lone_prefix) :]
        if (written := self.decode(ids)).casefold() == words.casefold():
            return ids
        raise TargetError(
            f"the recogniser has no way to write {words!r}, only {written!r}; spell the target in"
            " the characters that it uses"
        )

    def decode(self, ids: list[int]) -> str:
        """See `Vocabulary.decode`."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text.strip()

    def _symbols(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids
