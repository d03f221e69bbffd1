"""Text to a model's symbols and back, in the case and letters that a checkpoint writes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Protocol

from mondegreen.errors import TargetError
from mondegreen.text import APOSTROPHES, is_punctuation, words_only


def spell(tokenizer: Any, target: str) -> list[int]:
    """Symbols of the first spelling of `target` that the tokenizer knows completely.

    As given, in upper case, in lower case; then each without punctuation except apostrophes: many
    recognisers write one case only, and only words.

    Raises:
        TargetError: no spelling works; names the characters that are missing.
    """
    for written in ways(target):
        symbols = _symbols(tokenizer, written)
        if _reads_back(tokenizer, symbols, target):
            return symbols
    letters = {character for character in words_only(target) if character.strip()}
    strange = sorted(letter for letter in letters if not _known(tokenizer, letter))
    which = f"; it has no symbol for {', '.join(map(repr, strange))}" if strange else ""
    raise TargetError(
        f"the recogniser cannot spell {target!r}{which}; choose a target in its letters"
    )


def letters_only(text: str) -> str:
    """Lower case, single spaces, typewriter apostrophes; other punctuation splits words."""
    kept = (_plain(character) for character in unicodedata.normalize("NFKC", text).lower())
    return " ".join("".join(kept).split())


def _plain(character: str) -> str:
    if character in APOSTROPHES:
        return "'"
    return " " if is_punctuation(character) else character


def ways(target: str) -> Iterator[str]:
    """As given, in upper case, in lower case; then each without all punctuation but '."""
    for text in (target, letters_only(target)):
        yield from (text, text.upper(), text.lower())


def _symbols(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _reads_back(tokenizer: Any, symbols: list[int], target: str) -> bool:
    if not symbols or set(symbols) & set(tokenizer.all_special_ids) - {delimiter(tokenizer)}:
        return False
    read = tokenizer.decode(symbols, group_tokens=False)
    return words_only(read) == words_only(target)


def delimiter(tokenizer: Any) -> int | None:
    """The symbol between words, if there is one."""
    found: int | None = getattr(tokenizer, "word_delimiter_token_id", None)
    return found


def _known(tokenizer: Any, letter: str) -> bool:
    return any(
        (symbols := _symbols(tokenizer, case)) and tokenizer.unk_token_id not in symbols
        for case in (letter, letter.upper())
    )


class Vocabulary(Protocol):
    """The symbols that the model itself would write a text with."""

    def encode(self, text: str) -> list[int]:
        """Symbols of `text`, without prompt or end; `TargetError` if there are none."""

    def decode(self, ids: list[int]) -> str:
        """The text of symbols, without special ones."""


class PretrainedVocabulary:
    """A tokenizer of transformers as a `Vocabulary`.

    A target must come back from its symbols, except for case and spacing. Characters that the
    tokenizer does not know do not come back, nor do markers such as `<|endoftext|>`, which are not
    speech.

    Args:
        tokenizer: of transformers.
        prefix: what the model writes before the first word, as part of its first symbol; if that
            has no such symbol, the prefix is left out.
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
            f"the recogniser cannot write {words!r}, only {written!r}; spell the target in the"
            " characters that it uses"
        )

    def decode(self, ids: list[int]) -> str:
        """See `Vocabulary.decode`."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text.strip()

    def _symbols(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids
