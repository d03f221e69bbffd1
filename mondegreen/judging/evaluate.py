"""How a saved sound does in rooms, and with other recognisers.

Any result of an attack will do, or any recording and a phrase.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from mondegreen.aim import Aim
from mondegreen.air.noises import settled
from mondegreen.air.rooms.bank import RoomBank, Split
from mondegreen.air.rooms.cached import default_bank
from mondegreen.airs import Air, named_air
from mondegreen.audio.pcm import load
from mondegreen.chain.names import is_own
from mondegreen.chain.text import chained, unchained
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.measures.in_rooms import cut_short, quality_in_rooms
from mondegreen.measures.survival import survival, survives
from mondegreen.measures.transfer import Transfer, transfer
from mondegreen.names import EMBEDDED
from mondegreen.plugins import VICTIMS, plugins
from mondegreen.reading import is_file, is_folder
from mondegreen.results.item import Item, is_item, read_item
from mondegreen.results.record import InRooms, QualityInRooms, Record, Survival
from mondegreen.text import given_target
from mondegreen.victims.base import Recogniser
from mondegreen.victims.guard import guarded
from mondegreen.wording import number_of


@dataclass(frozen=True)
class Evaluation:
    """What a recogniser hears of a saved sound in rooms, or as it is."""

    sound: str  # the path given
    victim: str  # who heard
    bank: str | None  # the key of the bank; None: as it is alone, like the next
    air: Air | None  # what happened to the sound
    # target, original: the phrases that shares and word error rates speak of; None: there is none
    target: str | None
    original: str | None
    normaliser: str  # see `mondegreen.text`
    aim: str  # as what it is to be heard, in words: see `mondegreen.aim`
    survival: Survival | None  # the sound in the rooms, and without any
    clean: Survival | None  # the clean clip likewise, where it is known
    quality_in_rooms: QualityInRooms | None  # how audible the change is there, likewise
    alone: Transfer | None  # both without a room, where that is all that was asked for
    # what each of the other recognisers that answered hears, without a room
    transfers: list[Transfer]
    warnings: list[str]  # what stands against believing it

    @property
    def holds(self) -> bool:
        """Whether it is heard as was aimed for: in at least half of the rooms, or as it is."""
        if self.alone is not None:
            return self.alone.sound.matched
        return self.survival is not None and survives(self.survival)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the parts of `survival` stand beside the other fields."""
        data = asdict(self)
        data["air"] = None if self.air is None else self.air.model_dump(mode="json")
        survival, clean, _ = (data.pop(name) for name in ("survival", "clean", "transfers"))
        data["alone"] = None if self.alone is None else self.alone.to_json()
        others = [other.to_json() for other in self.transfers]
        return {**data, **(survival or {}), "clean": clean, "with": others}


def evaluate(
    recogniser: Recogniser,
    sound: str | PathLike[str],
    bank: RoomBank | None = None,
    *,
    air: Air | str | Path | None = None,
    in_rooms: bool = True,
    split: str = "test",
    target: str | None = None,
    original: str | None = None,
    exact: bool = False,
    others: Sequence[Recogniser] = (),
    on_room: Callable[[int, int], None] | None = None,
    on_measured: Callable[[int, int], object] = lambda *_: None,
    on_other: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Hear a saved sound in every room of a split or as it is, and the clean clip likewise.

    Of an item, then measure in some of the rooms how audible the change is, unless the listening
    was interrupted. Other recognisers then hear both without a room; one that fails is named in the
    warnings, and Ctrl-C leaves those out that remain.

    Args:
        recogniser: who hears; it need not be the one that was attacked.
        sound: an item folder, its `record.json` or `adversarial.wav`, or any recording.
        bank: rooms at the recogniser's rate; None: the default bank of the air.
        air: what happens to the sound, or its name or file (see `named_air`); None: of an item what
            it was attacked in, else `paper`.
        in_rooms: False: hear it only as it is, without a bank.
        split: of the bank; only `test` is new to an attack that had this bank.
        target: the phrase; an item has its own, or another aim.
        original: what was said; by default, of an item, what was heard in the clean clip.
        exact: compare to the letter; an item attacked so is always compared so.
        others: further recognisers, each of any rate.
        on_room: called after each room, with how many of how many are done.
        on_measured: called after each room in which the change was measured, likewise.
        on_other: called after each other recogniser likewise.

    Raises:
        AudioError, RoomError: a file, or a split, that nothing can be done with.
        TargetError: a recording without a target.
        OptionError: the bank is of another rate.
        VictimError: the recogniser's own code fails, or one of them is none.
    """
    recogniser, others = guarded(recogniser), [guarded(other) for other in others]
    rate = recogniser.sample_rate
    item = _read(Path(sound), rate)
    known = None if item is None else item.record
    if item is None:
        audio, clean = load(sound, rate), None
    else:
        audio, clean = item.as_heard(item.adversarial), item.as_heard(item.clean)
    happens = settled(air_for(known, air), rate) if in_rooms else None
    if happens is not None and bank is None:
        bank = default_bank(rate, preset=happens.rooms)
    bank = bank if in_rooms else None
    if bank is not None and bank.sample_rate != rate:
        raise OptionError(
            f"The bank is of {bank.sample_rate} Hz, the recogniser of {rate} Hz. Make a bank at"
            " that rate."
        )
    rooms = None if bank is None else bank.split(split)
    aim = _aim(known, target, original, exact)
    sounds = [audio] if clean is None else [audio, clean]
    heard = [] if rooms is None else survival(recogniser, sounds, aim, rooms, on_room, happens)
    hear_with = partial(transfer, sound=audio, clean=clean, sample_rate=rate, aim=aim)
    whole = rooms is not None and heard[0].rooms.count == len(rooms.rooms)
    measured = _measured(item, rooms, on_measured) if item and rooms and whole else None
    alone = hear_with(recogniser) if rooms is None else None
    transfers, failures = _each(others, hear_with, on_other)
    return Evaluation(
        sound=str(sound),
        victim=recogniser.name,
        bank=None if bank is None else bank.key,
        air=happens,
        target=aim.target,
        original=aim.original,
        normaliser=aim.normaliser,
        aim=aim.words,
        survival=heard[0] if heard else None,
        clean=heard[1] if len(heard) > 1 else None,
        quality_in_rooms=measured,
        alone=alone,
        transfers=transfers,
        warnings=[
            *(_leaks(known, bank, split) if bank is not None else ()),
            *(_shortcomings(heard[0].rooms, len(rooms.rooms)) if rooms is not None else ()),
            *(cut_short(measured, rooms) if rooms and whole and clean is not None else ()),
            *failures,
        ],
    )


def _aim(known: Record | None, target: str | None, original: str | None, exact: bool) -> Aim:
    """What is asked of the sound; raises TargetError for a recording without a target."""
    if known is not None and target is None:
        aim = known.aim
        by = "exact" if exact and aim.target is not None else aim.normaliser
        return replace(aim, original=original or aim.original, normaliser=by)
    by = "exact" if exact or (known and known.options.exact) else "default"
    return Aim(given_target(target), original or (known.heard_clean if known else None), by)


def air_for(known: Record | None, air: Air | str | Path | None) -> Air:
    """The air that is asked for, or the one that a result was made in."""
    if air is None and known is not None and known.air is not None:
        return known.air
    return named_air(air)


def recorded_air(sound: str | PathLike[str]) -> Air | None:
    """The air of an item's record; None for any other recording, and for methods without rooms.

    Raises:
        AudioError, MondegreenError: as `attacked`.
    """
    return read_item(sound).record.air if is_item(Path(sound)) else None


def attacked(sound: str | PathLike[str]) -> str | None:
    """The name of the recogniser that an item was made on; None for any other recording.

    Raises:
        AudioError: there is nothing of that name.
        MondegreenError: the item is not whole.
        OptionError: as `may_be_loaded`.
    """
    if not is_item(Path(sound)):
        return None
    return may_be_loaded(read_item(sound).record.victim, sound)


def may_be_loaded(name: str, source: str | PathLike[str]) -> str:
    """A recogniser's name from a record, if a record alone may have it loaded.

    Raises:
        OptionError: the name stands for code to run, or for something to fetch; a file, which may
            be anybody's, does not decide that.
    """
    links, recogniser = unchained(name)
    own = any(map(is_own, links))
    stored = is_folder(recogniser) or is_file(recogniser)
    if not own and (recogniser in (*EMBEDDED, *plugins(VICTIMS)) or stored):
        return name
    if not own and Path(recogniser).is_absolute():
        raise OptionError(
            f"{source} was made on the checkpoint {recogniser}, which is not there. Say where it"
            f" is: --victim {shlex.quote(chained(links, 'PATH'))}"
        )
    raise OptionError(
        f"{source} was made on {name}. A record alone may not run code or fetch models; if you"
        f" trust it, name the recogniser yourself, as you did for the attack: --victim"
        f" {shlex.quote(name) if own or '/' in name or ':' in name else 'NAME'}"
    )


def _each(
    others: Sequence[Recogniser],
    hear_with: Callable[[Recogniser], Transfer],
    on_other: Callable[[int, int], None] | None,
) -> tuple[list[Transfer], list[str]]:
    """What others hear, and what kept some from it: what was heard in rooms is worth keeping."""
    transfers, failures = [], []
    try:
        for done, other in enumerate(others, 1):
            try:
                transfers.append(hear_with(other))
            except MondegreenError as error:
                failures.append(f"{other.name} has not heard it: {error}")
            if on_other is not None:
                on_other(done, len(others))
    except KeyboardInterrupt:
        done = len(transfers)
        failures.append(f"interrupted after {done} of {number_of(len(others), 'recogniser')}")
    return transfers, failures


def _measured(
    item: Item, rooms: Split, on_room: Callable[[int, int], object]
) -> QualityInRooms | None:
    """How audible the change is in the rooms, of a passage alone; None: interrupted at once."""
    what = item.clean, item.adversarial, item.record.sample_rate
    with suppress(KeyboardInterrupt):
        return quality_in_rooms(*what, rooms, on_room)
    return None


def _shortcomings(seen: InRooms, wanted: int) -> Iterator[str]:
    if seen.count < wanted:
        yield f"interrupted after {seen.count} of {number_of(wanted, 'room')}"
    if seen.distinct < seen.count:
        yield (
            f"the {seen.count} responses come from {number_of(seen.distinct, 'room')}: the"
            " interval, which takes them for independent, is too narrow"
        )


def _leaks(known: Record | None, bank: RoomBank, split: str) -> list[str]:
    made_with = known.bank if known else None
    if made_with == bank.key and split != "test":
        return [f"the attack has used the rooms of {split!r}: only those of 'test' are new to it"]
    if made_with not in (None, bank.key) and bank.origin.get("kind") == "measured":
        return [
            "the attack had another bank: if it has rooms of the same collection, they may be"
            " among these"
        ]
    return []


def _read(path: Path, sample_rate: int) -> Item | None:
    """An item; None: it is any other recording."""
    if not is_item(path):
        return None
    item = read_item(path)
    if item.record.sample_rate != sample_rate:
        raise OptionError(
            f"{path} is of {item.record.sample_rate} Hz, the recogniser of {sample_rate} Hz."
            " Choose one of the same rate."
        )
    return item
