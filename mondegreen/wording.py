"""Words of messages."""

from __future__ import annotations


def how_many(count: int, thing: str, things: str | None = None) -> str:
    """How many there are of something; `things` is its plural, where that is not with an s.

    >>> how_many(1, "clip"), how_many(0, "clip"), how_many(1200, "pass", "passes")
    ('1 clip', '0 clips', '1,200 passes')
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"
