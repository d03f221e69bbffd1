"""What `mondegreen verify` heard in the items of a folder, kept beside them: `heard/NAME.json`.

A file for each way of listening: a recogniser, its beams, its floating type, its batches. Needs no
torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import key_of, write_whole
from mondegreen.results.folder import HEARD, WAV, read_object, read_record

Kinds: TypeAlias = Mapping[str, tuple[type, ...]]

NONE: Final = type(None)
LISTENING: Final[Kinds] = {
    "listener": (str,),
    "beams": (int,),
    "dtype": (str,),
    "batch": (int, NONE),
}
HEARD_IN: Final[Kinds] = {
    "item": (str,),
    "file": (str, NONE),
    "claimed": (bool,),
    "heard": (str, NONE),
    "verified": (bool,),
    "problem": (str, NONE),
}
LONGEST: Final = 60  # characters of a listener that the name of its file keeps


@dataclass(frozen=True)
class Claim:
    """What an item claims, and what is heard in it now.

    Attributes:
        item: its folder.
        id: of the clip; None: the item is damaged.
        target: the phrase; None likewise.
        claimed: its record says that it is verified.
        heard: the transcript now; None: only compared with the target, or not heard at all.
        verified: it is the target now; for methods in rooms: in at least half of the test rooms.
            Where the record claims a bound above the masking threshold, the file also keeps it.
        problem: why it could not be heard; None: it was.
        over_db: by how much the file exceeds that bound; None: it claims none.
    """

    item: str
    id: str | None
    target: str | None
    claimed: bool
    heard: str | None
    verified: bool
    problem: str | None = None
    over_db: float | None = None

    @property
    def stands(self) -> bool:
        """Whether a claim was made, and holds."""
        return self.claimed and self.verified

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"stands": self.stands}


@dataclass(frozen=True)
class Listening:
    """A way of listening.

    Attributes:
        listener: the recogniser, as it was named.
        beams: hypotheses that its decoder keeps; 1 is greedy decoding.
        dtype: of weights and audio.
        batch: greedy decodes that were compared at once; None: items were heard one by one.
    """

    listener: str
    beams: int
    dtype: str
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


class Heard(NamedTuple):
    """What was heard in an item; see `mondegreen.judging.verify.Claim`.

    Attributes:
        item: the name of its folder.
        file: the SHA-256 of its audio then; None: its record does not tell.
        claimed: its record said that it is verified.
        heard: the transcript; None: only compared with the target, or not heard at all.
        verified: it was the target; for methods in rooms: in at least half of the test rooms.
        problem: why it could not be heard; None: it was.
    """

    item: str
    file: str | None
    claimed: bool
    heard: str | None
    verified: bool
    problem: str | None


@dataclass(frozen=True)
class Hearings:
    """What was heard in the items of a folder, in one way of listening.

    Attributes:
        how: the way of listening.
        whole: all items were heard; else it was stopped by hand.
        items: how many there were.
        heard: item by item.
    """

    how: Listening
    whole: bool
    items: int
    heard: tuple[Heard, ...]

    def of(self, item: str, record: Mapping[str, Any]) -> Heard | None:
        """What was heard in an item; None: it was not heard, or its file was another then.

        Args:
            item: the name of its folder.
            record: its record, as it is now.
        """
        file = _audio(record)
        found = (one for one in self.heard if one.item == item and one.file == file is not None)
        return next(found, None)


def keep_hearings(folder: Path, how: Listening, claims: Sequence[Claim], items: int) -> Path:
    """Write what was heard into the folder, in place of what the same listening left before.

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
    whole = len(claims) == items
    kept = {**asdict(how), "whole": whole, "items": items, "claims": [*map(_kept, claims)]}
    write_whole(path, (json.dumps(kept, indent=1) + "\n").encode())
    return path


def _kept(claim: Claim) -> dict[str, Any]:
    """A claim, and which file it speaks of."""
    folder = Path(claim.item).resolve()
    try:
        file = _audio(read_record(folder))
    except MondegreenError:
        file = None
    return {**claim.to_json(), "item": folder.name, "file": file}


def _audio(record: Mapping[str, Any]) -> str | None:
    files = record.get("files")
    return files.get(WAV) if isinstance(files, Mapping) else None


def read_hearings(folder: Path) -> list[Hearings]:
    """What was heard in a folder, by the names of the files; damaged ones are passed over."""
    found = (_read(path) for path in sorted((folder / HEARD).glob("[!.]*.json")))
    return [hearings for hearings in found if hearings is not None]


def _read(path: Path) -> Hearings | None:
    try:
        kept = read_object(path)
        how = Listening(*_checked(kept, LISTENING))
        heard = tuple(Heard(*_checked(claim, HEARD_IN)) for claim in kept["claims"])
        whole, items = _checked(kept, {"whole": (bool,), "items": (int,)})
        return Hearings(how, whole, items, heard)
    except (MondegreenError, KeyError, TypeError):
        return None


def _checked(kept: Mapping[str, Any], kinds: Kinds) -> list[Any]:
    """The values of these names, in their order; refuses what is not there or of another kind."""
    if any(type(kept[name]) not in kind for name, kind in kinds.items()):
        raise TypeError(f"expected {kinds}")
    return [_sound(kept[name]) for name in kinds]


def _sound(value: Any) -> Any:
    # half of a surrogate pair can be written in JSON, but not in UTF-8
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
