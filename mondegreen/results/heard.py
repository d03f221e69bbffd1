"""What `mondegreen verify` heard in the items of a folder, kept beside them: `heard/NAME.json`.

A file for each way of listening: a recogniser, its beams, its floating type, its batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import as_json, key_of, write_whole
from mondegreen.reading import in_full
from mondegreen.results.folder import HEARD, WAV, read_object
from mondegreen.results.record import Record, typed

LONGEST: Final = 60  # characters of a listener that the name of its file keeps


@dataclass(frozen=True)
class Listening:
    """A way of listening."""

    listener: str  # the recogniser, as it was named
    beams: int  # hypotheses that its decoder keeps; 1 is greedy decoding
    dtype: str  # of weights and audio
    # greedy decodes that were compared at once; None: items were transcribed one by one
    batch: int | None

    @property
    def label(self) -> str:
        """The recogniser, and what else is not as usual."""
        beams = "" if self.beams == 1 else f"{self.beams} beams"
        dtype = "" if self.dtype == "float32" else self.dtype
        batch = "" if self.batch is None else f"batches of {self.batch}"
        return ", ".join(filter(None, (self.listener, beams, dtype, batch)))

    @property
    def file(self) -> str:
        """The name of its file, which no other way has, whatever the listener is called."""
        plain = re.sub(r"[^A-Za-z0-9]+", "-", self.listener).strip("-")[:LONGEST]
        return f"{plain or 'listener'}-{key_of(asdict(self))[:12]}.json"


@dataclass(frozen=True)
class Claim:
    """What an item claims, and what is heard in it now."""

    item: str  # its folder; on disk, the name of that
    file: str | None  # the SHA-256 of its audio; None: its record cannot be read
    id: str | None  # of the clip; None likewise, like the target
    target: str | None  # the phrase
    claimed: bool  # its record says that it is verified
    # of the file now; None: only compared with the target, or not heard at all
    transcript: str | None
    # it is the target now; for methods in rooms: in at least half of the test rooms. Where the
    # record has a bound, the file also keeps it.
    verified: bool
    problem: str | None = None  # why it could not be heard; None: it was
    over_db: float | None = None  # by how much the file breaks its bound; None: it has none

    @property
    def confirmed(self) -> bool:
        """Whether a claim was made, and holds."""
        return self.claimed and self.verified

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"confirmed": self.confirmed}


@dataclass(frozen=True)
class Hearings:
    """What was heard in the items of a folder, in one way of listening."""

    how: Listening  # the way of listening
    whole: bool  # all items were heard; else it was interrupted
    items: int  # how many there were
    claims: tuple[Claim, ...]  # item by item

    def of(self, item: str, record: Record) -> Claim | None:
        """What was heard in an item; None: it was not heard, or its file was another then.

        Args:
            item: the name of its folder.
            record: its record, as it is now.
        """
        file = record.files.get(WAV)
        found = (one for one in self.claims if one.item == item and one.file == file is not None)
        return next(found, None)


def keep_hearings(folder: Path, how: Listening, claims: Sequence[Claim], items: int) -> Path:
    """Write what was heard into the folder, in place of what the same listening left before.

    Of the items that an interrupted one did not come to, what was heard before stays.

    Args:
        folder: the run, the folder of items, or the item.
        how: the way of listening.
        claims: one for each item that was heard.
        items: how many there are.

    Raises:
        StorageError: it cannot be written.
    """
    path = folder / HEARD / how.file
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path.parent} could not be made: {error.strerror or error}. What was heard is kept"
            " in a folder that can be written to."
        ) from error
    named = tuple(replace(claim, item=in_full(claim.item).name) for claim in claims)
    whole = len(claims) == items
    earlier = () if whole else _not_among(named, path)
    write_whole(path, as_json(asdict(Hearings(how, whole, items, (*named, *earlier)))))
    return path


def _not_among(claims: Sequence[Claim], path: Path) -> tuple[Claim, ...]:
    """What an earlier listening left of other items."""
    heard = {claim.item for claim in claims}
    with suppress(MondegreenError):
        before = typed(Hearings, read_object(path)).claims
        return tuple(claim for claim in before if claim.item not in heard)
    return ()


def read_hearings(folder: Path) -> Iterator[Hearings]:
    """What was heard in a folder, by the names of the files; damaged ones are passed over."""
    for path in sorted((folder / HEARD).glob("[!.]*.json")):
        with suppress(MondegreenError):
            yield typed(Hearings, read_object(path))
