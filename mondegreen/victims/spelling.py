"""Text to a model's symbols and back, in the case and letters that a checkpoint writes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from mondegreen.errors import TargetError
from mondegreen.text import APOSTROPHES, folded, is_punctuation, lower_case, words_only
from mondegreen.victims.printed import Printed


def spell(tokenizer: Any, printed: Printed, target: str) -> list[int]:
    """Symbols of the first spelling of `target` that is printed as these words.

    The ways are those of `ways`: many recognisers write one case only, and only words. The
    tokenizer spells as the model was taught; where it does not know its own letters, what they
    print does.

    Raises:
        TargetError: no spelling works; names the characters that are missing.
    """
    words = words_only(target)
    for written in dict.fromkeys(ways(target, turkic=not printed.letters.isdisjoint("ıİ"))):
        for symbols in (_symbols(tokenizer, written), printed.spelled(written)):
            if symbols and all(map(printed.writes, symbols)):
                read = tokenizer.decode(symbols, group_tokens=False)
                if words_only(read) == words:
                    return symbols
    raise TargetError(_unspelled(tokenizer, printed, target))


def letters_only(text: str) -> str:
    """Lower case, single spaces, typewriter apostrophes; other punctuation splits words."""
    kept = (_plain(character) for character in lower_case(unicodedata.normalize("NFKC", text)))
    return " ".join("".join(kept).split())


def _plain(character: str) -> str:
    if character in APOSTROPHES:
        return "'"
    return " " if is_punctuation(character) else character


def ways(target: str, turkic: bool = False) -> Iterator[str]:
    """As given, in upper case, in lower case; then each without punctuation but '; then as words.

    In `turkic` writing the capital of "i" is "İ", and "I" is that of "ı".
    """
    letters = letters_only(target.replace("I", "ı") if turkic else target)
    for text in (target, letters, words_only(target)):
        yield text
        if turkic:
            yield text.replace("i", "İ").replace("ı", "I").upper()
            yield lower_case(text.replace("I", "ı"))
        yield from (text.upper(), lower_case(text))


def _symbols(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _unspelled(tokenizer: Any, printed: Printed, target: str) -> str:
    """Why a target has no spelling, and what has one."""
    message = f"the recogniser cannot spell {target!r}"
    if printed.apart:
        written = (text for s, text in enumerate(printed.texts) if printed.writes(s) and text)
        shown = " ".join(islice(map(str.strip, written), 12))
        return (
            f"{message}: it writes sounds, not letters, with spaces between; give the target in"
            f" its symbols, such as {shown}"
        )
    strange = [c for c in sorted(set(letters_only(target))) if not _known(tokenizer, printed, c)]
    which = f"; it has no symbol for {', '.join(map(repr, strange))}" if strange else ""
    return f"{message}{which}; choose a target in its letters"


def _known(tokenizer: Any, printed: Printed, letter: str) -> bool:
    """Whether a character of `letters_only` can be written, or need not be."""
    if letter in "' ":
        return True
    cases = {letter, letter.upper(), lower_case(letter)}
    return any(
        not printed.letters.isdisjoint(case)
        or ((symbols := _symbols(tokenizer, case)) and tokenizer.unk_token_id not in symbols)
        for case in cases
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
        if folded(written := self.decode(ids)) == folded(words):
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
