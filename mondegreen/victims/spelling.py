"""A target phrase in the symbols of a checkpoint's own tokenizer, whatever case that writes in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from mondegreen.errors import TargetError
from mondegreen.text import APOSTROPHES, words_only


def spell(tokenizer: Any, target: str) -> list[int]:
    """Symbols of the first way of writing `target` that the tokenizer knows throughout.

    As given, in capitals, in small letters; then each without punctuation other than apostrophes:
    many recognisers write one case only, and words alone.

    Raises:
        TargetError: no way of writing it can be spelled; says which characters cannot.
    """
    for written in ways(target):
        symbols = _symbols(tokenizer, written)
        if _reads_back(tokenizer, symbols, target):
            return symbols
    letters = {character for character in words_only(target) if character.strip()}
    strange = sorted(letter for letter in letters if not _known(tokenizer, letter))
    which = f"; it has no symbol for {', '.join(map(repr, strange))}" if strange else ""
    raise TargetError(
        f"the recogniser cannot spell {target!r}{which}; choose a target in the letters that it"
        " writes"
    )


def letters_only(text: str) -> str:
    """Small letters, single spaces, and typewriter apostrophes; other punctuation parts words."""
    kept = (_plain(character) for character in unicodedata.normalize("NFKC", text).lower())
    return " ".join("".join(kept).split())


def _plain(character: str) -> str:
    if character in APOSTROPHES:
        return "'"
    return " " if unicodedata.category(character).startswith("P") else character


def ways(target: str) -> Iterator[str]:
    """As given, in capitals, in small letters; then each without all punctuation but '."""
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
    """The symbol between words, where there is one."""
    found: int | None = getattr(tokenizer, "word_delimiter_token_id", None)
    return found


def _known(tokenizer: Any, letter: str) -> bool:
    return any(
        (symbols := _symbols(tokenizer, case)) and tokenizer.unk_token_id not in symbols
        for case in (letter, letter.upper())
    )
