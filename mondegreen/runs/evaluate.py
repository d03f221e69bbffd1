"""How a saved sound does in rooms: any result of an attack, or any recording and a phrase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio import load
from mondegreen.errors import OptionError, TargetError
from mondegreen.evaluation.rooms import InRooms, Phrases, Survival, survival
from mondegreen.rooms.bank import RoomBank
from mondegreen.runs.item import RECORD, WAV, read_item
from mondegreen.text import check_target
from mondegreen.victims.base import Recogniser


@dataclass(frozen=True)
class Evaluation:
    """What a recogniser hears of a saved sound in rooms.

    Attributes:
        sound: the path given.
        victim: who heard.
        bank: the key of the bank.
        target, original: the phrases that shares and word error rates speak of; no original: None.
        normaliser: see `mondegreen.text`.
        survival: the sound in the rooms, and without any.
        clean: the clean clip likewise, where it is known.
        warnings: what stands against believing it.
    """

    sound: str
    victim: str
    bank: str
    target: str
    original: str | None
    normaliser: str
    survival: Survival
    clean: Survival | None
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the parts of `survival` stand beside the other fields."""
        data = asdict(self)
        survival, clean = data.pop("survival"), data.pop("clean")
        return {**data, **survival, "clean": clean}


def evaluate(
    recogniser: Recogniser,
    sound: str | PathLike[str],
    bank: RoomBank,
    *,
    split: str = "test",
    target: str | None = None,
    original: str | None = None,
    exact: bool = False,
    on_room: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Hear a saved sound in every room of a split, and the clean clip in the same rooms.

    Args:
        recogniser: who hears; it need not be the one that was attacked.
        sound: an item folder, its `record.json` or `adversarial.wav`, or any recording.
        bank: rooms at the recogniser's rate.
        split: of the bank; only `test` is new to an attack that had this bank.
        target: the phrase; an item has its own.
        original: what was said; by default, of an item, what was heard in the clean clip.
        exact: compare to the letter; an item attacked so is always compared so.
        on_room: called after each room, with how many of how many are done.

    Raises:
        AudioError, RoomError: a file, or a split, that nothing can be done with.
        TargetError: a recording without a target.
        OptionError: the bank is of another rate.
    """
    if bank.sample_rate != recogniser.sample_rate:
        raise OptionError(
            f"The bank is of {bank.sample_rate} Hz, the recogniser of {recogniser.sample_rate} Hz."
            " Make a bank at that rate."
        )
    rooms = bank.split(split)
    audio, clean, known = _read(Path(sound), recogniser.sample_rate)
    phrases = Phrases(
        target=_target(target or known.get("target")),
        original=original or known.get("heard_clean"),
        normaliser="exact" if exact else known.get("normaliser", "default"),
    )
    sounds = [audio] if clean is None else [audio, clean]
    heard = survival(recogniser, sounds, phrases, rooms, on_room)
    return Evaluation(
        sound=str(sound),
        victim=recogniser.name,
        bank=bank.key,
        target=phrases.target,
        original=phrases.original,
        normaliser=phrases.normaliser,
        survival=heard[0],
        clean=None if clean is None else heard[1],
        warnings=[*_leaks(known, bank, split), *_shortcomings(heard[0].rooms, len(rooms.rooms))],
    )


def _shortcomings(seen: InRooms, wanted: int) -> Iterator[str]:
    if seen.count < wanted:
        yield f"stopped by hand after {seen.count} of {wanted} rooms"
    if seen.distinct < seen.count:
        yield (
            f"the {seen.count} responses come from {seen.distinct} rooms: the interval, which takes"
            " them for independent, is too narrow"
        )


def _leaks(known: Mapping[str, Any], bank: RoomBank, split: str) -> list[str]:
    made_with = known.get("bank")
    if made_with == bank.key and split != "test":
        return [f"the attack has used the rooms of {split!r}: only those of 'test' are new to it"]
    if made_with not in (None, bank.key) and bank.origin.get("kind") == "measured":
        return [
            "the attack had another bank: if it has rooms of the same collection, they may be"
            " among these"
        ]
    return []


def _read(
    path: Path, sample_rate: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, dict[str, Any]]:
    """The sound, the clean clip if it is known, and what the record says, if there is one."""
    in_item = path.is_dir() or path.name == RECORD
    if in_item or (path.name == WAV and (path.parent / RECORD).is_file()):
        item = read_item(path)
        if item.record["sample_rate"] != sample_rate:
            raise OptionError(
                f"{path} is of {item.record['sample_rate']} Hz, the recogniser of {sample_rate} Hz."
                " Choose one of the same rate."
            )
        return item.adversarial, item.clean, dict(item.record)
    return load(path, sample_rate), None, {}


def _target(target: str | None) -> str:
    if target is None:
        raise TargetError(
            "A recording without a record.json beside it has no target. Give one with --target."
        )
    check_target(target)
    return target
