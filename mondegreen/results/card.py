"""The card of a suite: how hard a recogniser is to fool, as one file that others can compare with.

It holds the price of every clip, so that a gate can judge it and a curve be drawn from it, without
the run that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from mondegreen.errors import MondegreenError
from mondegreen.files import as_json, key_of, write_whole
from mondegreen.reading import is_file
from mondegreen.results.folder import read_object
from mondegreen.results.record import Count, typed
from mondegreen.wording import By

FORMAT: Final = 1
HASH: Final = "sha256"  # of all else that the file holds, so that a change by hand is noticed
Cost = float | Literal["beyond", "unknown"]  # beyond all prices seen; unknown: too few clips to say


@dataclass(frozen=True)
class SuiteName:
    """Which suite it was, and of which clips, targets and options it consists."""

    name: str
    version: int
    key: str  # the hash of all that


@dataclass(frozen=True)
class MishearScore:
    """The price at which half of the clips are attackable; see `mondegreen.suites.score`."""

    by: By
    at: Cost
    # the ends of its 95 % interval
    least_audible: Cost
    most_audible: Cost


@dataclass(frozen=True)
class Model:
    """The recogniser, as a run knows it."""

    name: str  # pinned to a revision where it has one
    weights: str  # their hash
    sample_rate: int  # Hz


@dataclass(frozen=True)
class CardClip:
    """A clip, and what it took to make the recogniser mishear it."""

    id: str
    target: str
    sha256: str | None  # of the recording
    heard: bool | None  # as the target, at some price; None: not attacked to the end
    prices: Mapping[By, float | None]  # the lowest of each yardstick; None: it was not measured


@dataclass(frozen=True)
class Spent:
    """What it cost."""

    passes: Count  # gradient passes
    hours: float  # of searching, added up over the workers
    machine: str


@dataclass(frozen=True)
class Card:
    """What one recogniser scored in one suite."""

    suite: SuiteName
    score: MishearScore
    model: Model
    clips: tuple[CardClip, ...]
    # clips that the recogniser transcribed well before the attack, and those whose words are known
    understood: Count
    texts: Count
    how: Mapping[str, Any]  # the options, the stages, the bank of rooms and the air
    doubt: str | None  # why its numbers cannot be believed; None: the sanity checks found nothing
    spent: Spent
    made: str  # the date, and with it
    versions: Mapping[str, str]  # those of the packages, and
    revision: str | None  # the commit of mondegreen; None: it was installed
    format: int = field(default=FORMAT)


def write_card(card: Card, path: Path) -> None:
    """Write a card with its hash.

    Raises:
        StorageError: it cannot be written.
    """
    data = asdict(card)
    write_whole(path, as_json(data | {HASH: key_of(data)}))


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        MondegreenError: it is none, of another version of mondegreen, or was edited.
    """
    if not is_file(path):
        raise MondegreenError(
            f"{path} does not exist, or is not a file. Expected a card.json that `mondegreen suite"
            " run` wrote."
        )
    data = read_object(path)
    known = data.pop(HASH, None)
    if data.get("format") != FORMAT:
        raise MondegreenError(
            f"{path} is not a card that this version of mondegreen reads (format"
            f" {data.get('format')!s:.60}, expected {FORMAT}). Expected a card.json that"
            " `mondegreen suite run` wrote."
        )
    if known != key_of(data):
        raise MondegreenError(
            f"{path} was changed after mondegreen wrote it: what it holds does not have its hash."
            " Use the original, or run the suite again."
        )
    try:
        card = typed(Card, data)
    except MondegreenError as error:
        raise MondegreenError(f"{path} is not a card: {error}") from None
    ids = {clip.id for clip in card.clips}
    if len(ids) < len(card.clips):
        raise MondegreenError(
            f"{path} has {len(card.clips)} clips, {len(ids)} with an id of their own, which"
            " mondegreen does not write. Run the suite again."
        )
    return card
