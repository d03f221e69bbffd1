"""Whisper's vocabulary: byte pairs by number, then markers in an order that all of them share.

A file holds the byte pairs alone. Which pairs merge, and in which order, follows from the numbers:
two neighbours become one where that is in the vocabulary, the lowest number first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

END: Final = "<|endoftext|>"
START: Final = "<|startoftranscript|>"
PLAIN: Final = "<|notimestamps|>"
TASKS: Final = ("translate", "transcribe")
MULTILINGUAL: Final = 51_865  # symbols; English-only models have one less
_STAMPS: Final = 1_501  # every 0.02 s of 30 s
_LONGEST: Final = 256  # characters of a symbol; the longest have half as many


def byte_level(pieces: Iterable[bytes]) -> list[str]:
    """Pieces in the alphabet of byte pairs, which has a printable character for every byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters: dict[int, str] = bytes_to_unicode()  # type: ignore[no-untyped-call]
    return ["".join(letters[byte] for byte in piece) for piece in pieces]


def with_markers(pieces: Sequence[str], symbols: int) -> list[str]:
    """The whole vocabulary of so many symbols, from the pieces that it begins with.

    Raises:
        ValueError: the rest is not what is left for the markers of 99 or 100 languages.
    """
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    pieces = list(takewhile(lambda piece: piece != END, pieces))
    before = [END, START]
    after = [*TASKS, "startoflm", "startofprev", "nospeech", "notimestamps"]
    after += [f"{0.02 * place:.2f}" for place in range(_STAMPS)]
    languages = symbols - len(pieces) - len(before) - len(after)
    if languages not in (len(LANGUAGES) - 1, len(LANGUAGES)):
        raise ValueError(
            f"its vocabulary has {len(pieces):,} pieces, but its weights have {symbols:,} symbols:"
            " they belong to different models"
        )
    names = [*list(LANGUAGES)[:languages], *after]
    return [*pieces, *before, *(f"<|{name}|>" for name in names)]


def numbers(tokens: Sequence[str]) -> dict[str, int]:
    """The number of every symbol of a whole vocabulary.

    Raises:
        ValueError: a marker is missing, or something is there twice or very long.
    """
    found = {token: number for number, token in enumerate(tokens)}
    if missing := [name for name in (END, START, PLAIN) if name not in found]:
        raise ValueError(f"its vocabulary has no {missing[0]}, as every Whisper's has")
    if longest := next((token for token in tokens if len(token) > _LONGEST), None):
        raise ValueError(f"its vocabulary has a symbol of {len(longest):,} characters")
    if len(found) != len(tokens):
        raise ValueError(f"its vocabulary of {len(tokens):,} symbols has some of them twice")
    return found


def languages(ids: Mapping[str, int]) -> dict[str, int]:
    """The markers of languages, which stand between the start and the tasks, and their numbers."""
    between = range(ids[START] + 1, ids[f"<|{TASKS[0]}|>"])
    return {token: number for token, number in ids.items() if number in between}


def tokenizer(ids: Mapping[str, int]) -> Any:
    """Transformers' tokenizer of the `numbers` of a vocabulary."""
    from transformers import WhisperTokenizer

    tokens, end, plain = list(ids), ids[END], ids[PLAIN]
    pieces = {piece: ids[piece] for piece in tokens[: end + 1]}
    halves = (
        (piece[:place], piece[place:]) for piece in tokens[:end] for place in range(1, len(piece))
    )
    merges = [(left, right) for left, right in halves if left in pieces and right in pieces]
    made = WhisperTokenizer(pieces, merges)
    made.add_special_tokens({"additional_special_tokens": tokens[end + 1 : plain + 1]})
    made.add_tokens(tokens[plain + 1 :])
    return made
