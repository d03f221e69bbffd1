"""Words of messages."""

from __future__ import annotations

from typing import Literal

By = Literal["excess", "margin", "snr", "pesq", "zimtohrli"]  # what prices are taken by


def number_of(count: int, thing: str, things: str | None = None) -> str:
    """How many there are of something; `things` is its plural, where that is not with an s.

    >>> number_of(1, "clip"), number_of(0, "clip"), number_of(1200, "pass", "passes")
    ('1 clip', '0 clips', '1,200 passes')
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"
