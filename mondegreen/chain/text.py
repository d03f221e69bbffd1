"""Chains as text: `telephone > opus:24 > moonshine-tiny`, in which sound goes from left to right.

Kept apart from what the names stand for, which needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mondegreen.errors import VictimError
from mondegreen.names import check_link, check_recogniser
from mondegreen.reading import is_file, is_folder

BEFORE: Final = ">"  # between what a sound goes through, and what it comes to next


def chained(links: Sequence[str], recogniser: str) -> str:
    """The name of a recogniser behind links, or whole chains, of which the first comes first.

    >>> chained(["telephone", "opus:24>pcm:8"], "moonshine-tiny")
    'telephone > opus:24 > pcm:8 > moonshine-tiny'
    """
    before, recogniser = unchained(recogniser)
    parts = [part.strip() for one in (*links, *before) for part in one.split(BEFORE)]
    return f" {BEFORE} ".join([*parts, recogniser])


def unchained(name: str) -> tuple[list[str], str]:
    """The links of a name, and the recogniser behind them.

    A folder or a file may be called as it likes.

    >>> unchained("telephone > moonshine-tiny")
    (['telephone'], 'moonshine-tiny')
    """
    links: list[str] = []
    while BEFORE in name and not (is_folder(name) or is_file(name)):
        first, _, name = (part.strip() for part in name.partition(BEFORE))
        links.append(first)
    return links, name


def check_chain(name: str) -> None:
    """Check the names of all links, and of the recogniser behind them.

    Raises:
        OptionError: there is no such link.
        VictimError: there is no such recogniser.
    """
    links, recogniser = unchained(name)
    for one in links:
        check_link(one)
    if not recogniser:
        raise VictimError("A chain ends with a recogniser, such as: telephone > moonshine-tiny")
    check_recogniser(recogniser)
