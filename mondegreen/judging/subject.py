"""An attacked data set, read back to be checked: all of its records, and a few of its clips."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.audio.context import ALONE, Context
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.judging.controls import Case
from mondegreen.options import Options
from mondegreen.psychoacoustics.surroundings import Surroundings
from mondegreen.results.folder import item_folders
from mondegreen.results.item import Item, read_item
from mondegreen.results.record import Record
from mondegreen.search.presets import Stages, stages_for
from mondegreen.victims.away import symbols
from mondegreen.victims.base import Victim
from mondegreen.victims.guard import attackable

Folder = str | PathLike[str]
Goal = tuple[str, str]  # the clip's id and, in words, as what it is to be heard


@dataclass(frozen=True)
class Example:
    """An item folder and its record."""

    folder: Path
    record: Record

    @property
    def in_rooms(self) -> bool:
        """Whether its method works in rooms."""
        return self.record.options.in_rooms

    @property
    def goal(self) -> Goal:
        """The clip, and what it should be heard as."""
        return self.record.id, self.record.aim.words

    @property
    def heard_dry(self) -> bool:
        """Whether the saved file is transcribed as was aimed for, without a room."""
        return self.record.reached


@dataclass(frozen=True)
class Drawn:
    """An item that was drawn, with its clip."""

    record: Record
    case: Case

    @property
    def stages(self) -> Stages:
        """Those of its method and preset, for methods in rooms without any."""
        return stages_for(
            Options(method=self.record.options.method, preset=self.record.options.preset)
        )


@dataclass(frozen=True)
class Subject:
    """What is checked, and with what."""

    victim: Victim  # the recogniser that was attacked
    items: Sequence[Example]  # all results that are whole
    damaged: Sequence[str]  # the names of the others
    drawn: Sequence[Drawn]  # a random sample of them
    verified: Sequence[Drawn]  # a random sample of those that are verified
    bank: RoomBank | None  # the bank of rooms; None: none was used, or given
    others: Sequence[Example]  # results on other recognisers
    seed: int  # of the draws

    @classmethod
    def of(
        cls,
        folder: Folder,
        victim: Victim,
        bank: RoomBank | None,
        transfers: Sequence[Folder],
        sample: int,
        seed: int,
    ) -> Subject:
        """Read what is needed; arguments and errors as `mondegreen.judging.sanity.examine`."""
        if sample < 1:
            raise OptionError(f"Got a sample of {sample} clips, expected at least 1.")
        items, damaged = _read(folder, lambda item: _check_spelling(victim, item))
        _check_victim(victim, items)
        _check_bank(bank, items)
        verified = [item for item in items if item.record.verified]
        return cls(
            victim=victim,
            items=items,
            damaged=damaged,
            drawn=_draw(victim, items, sample, seed),
            verified=_draw(victim, verified, sample, seed),
            bank=bank,
            others=_others(victim, transfers),
            seed=seed,
        )

    @property
    def longest(self) -> int:
        """The most gradient passes that any search has taken."""
        return max(item.record.passes for item in self.items)


def _read(
    folder: Folder, check: Callable[[Item], object] = lambda _: None
) -> tuple[list[Example], list[str]]:
    """The items of a folder, and the names of those that are damaged."""
    found, damaged, why = [], [], ""
    for path in item_folders(folder):
        try:
            item = read_item(path)
            check(item)
            found.append(Example(path, item.record))
        except MondegreenError as error:
            damaged.append(path.name)
            why = why or str(error)
    if not found:
        if damaged:
            raise OptionError(f"{folder} holds no result that is whole; the first: {why}")
        raise OptionError(
            f"{folder} holds no results. Expected the folder of a run that has attacked a clip, or"
            " of what `mondegreen attack` wrote."
        )
    return found, damaged


def _check_spelling(victim: Victim, item: Item) -> None:
    """Refuse an item of this recogniser whose phrase it cannot write."""
    if item.record.victim == victim.name:
        _symbols(victim, item)


def _check_victim(victim: Victim, items: Sequence[Example]) -> None:
    for item in items:
        if item.record.victim != victim.name:
            raise OptionError(
                f"{item.folder} was made on {item.record.victim}, and the recogniser given is"
                f" {victim.name}. Give the one that was attacked."
            )


def _check_bank(bank: RoomBank | None, items: Sequence[Example]) -> None:
    used = {item.record.bank for item in items if item.record.bank}
    if bank is not None and used - {bank.key}:
        raise OptionError(
            f"The attack was in rooms of the bank {', '.join(sorted(used))}, and the bank given is"
            f" {bank.key}. Give the one that was used."
        )


def _others(victim: Victim, transfers: Sequence[Folder]) -> list[Example]:
    others = [item for folder in transfers for item in _read(folder)[0]]
    for item in others:
        if item.record.victim == victim.name:
            raise OptionError(
                f"{item.folder} was made on {victim.name}, the recogniser that is examined. To see"
                " what transfers, give results on another one."
            )
    return others


def _draw(victim: Victim, items: Sequence[Example], count: int, seed: int) -> list[Drawn]:
    """A random choice of items, in their order; all, if there are no more than `count`."""
    chosen = random.Random(seed).sample(range(len(items)), min(count, len(items)))
    return [_drawn(victim, items[place]) for place in sorted(chosen)]


def _drawn(victim: Victim, example: Example) -> Drawn:
    item, record = read_item(example.folder), example.record
    clean, delta = torch.from_numpy(item.clean), torch.from_numpy(item.delta)
    excerpt = item.excerpt()
    loudest = 0.0 if excerpt is None else Surroundings.of(excerpt, victim.sample_rate).loudest
    context = ALONE if excerpt is None or record.replaced is None else Context.of(excerpt)
    what = clean, delta, record.aim, _symbols(victim, item), record.options, loudest, context
    return Drawn(record, Case(*what))


def _symbols(victim: Victim, item: Item) -> Tensor:
    """What the attack scored a clip against."""
    record = item.record
    if record.replaced is not None:
        heard = torch.from_numpy(item.as_heard(item.clean))
        return attackable(victim).encode_long(record.spelled, heard)
    return symbols(victim, record.spelled, record.aim, len(item.clean))
