"""Whether what a run claims still stands: every saved file read again, and heard again.

Elsewhere, or otherwise: by another process, in another floating type, by another decoder of the
same network, by beam search, in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.audio.batch import pad
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.measures.quality import over_db
from mondegreen.measures.survival import Phrases, survival, survives
from mondegreen.results.folder import item_folders, read_record
from mondegreen.results.heard import Claim
from mondegreen.results.item import Item, read_item
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser, Victim

OnItem = Callable[[int, int], object]  # items heard, and how many there are


def made_on(path: Path) -> str:
    """The recogniser that all items of a folder were made on.

    Raises:
        MondegreenError: there are no items, or none of their records can be read.
        OptionError: there are several; or as `may_be_loaded`.
    """
    names = {str(record.get("victim")) for record in _readable(path)}
    if not names:
        raise MondegreenError(f"{path} has no record that can be read. Say who listens: --victim")
    if len(names) > 1:
        raise OptionError(
            f"{path} has results of several recognisers ({', '.join(sorted(names))}). Say who shall"
            " listen: --victim NAME"
        )
    return may_be_loaded(names.pop(), path)


def bank_of(path: Path) -> str | None:
    """The key of the bank that the items of a folder were proved in; None: they needed none.

    Raises:
        MondegreenError: there are no items.
        OptionError: there were several banks.
    """
    keys = {record.get("bank") for record in _readable(path)} - {None}
    if len(keys) > 1:
        raise OptionError(f"{path} has results of {len(keys)} banks of rooms. Verify each alone.")
    return keys.pop() if keys else None


def recheck(
    path: Path,
    recogniser: Recogniser,
    *,
    bank: RoomBank | None = None,
    batch: int | None = None,
    on_item: OnItem | None = None,
) -> Iterator[Claim]:
    """Hear every item of a run, or of a folder of results, again.

    Args:
        path: the folder.
        recogniser: who listens, through its own pipeline.
        bank: the rooms that methods in rooms were proved in.
        batch: compare the greedy decode of so many at once, in a padded batch, instead.
        on_item: called after each.

    Raises:
        OptionError: what is asked for cannot be done with this recogniser, or these items.
        MondegreenError: there are no items.
    """
    folders = _items(path)
    if batch is not None and not isinstance(recogniser, Victim):
        raise OptionError(f"{recogniser.name} only transcribes; leave out the batch size.")
    at_once, done = batch or 1, 0
    for first in range(0, len(folders), at_once):
        some = folders[first : first + at_once]
        claims = (
            [_alone(some[0], recogniser, bank)] if batch is None else _together(some, recogniser)
        )
        for claim in claims:
            done += 1
            if on_item is not None:
                on_item(done, len(folders))
            yield claim


def _items(path: Path) -> list[Path]:
    found = item_folders(path)
    if not found:
        raise MondegreenError(f"{path} has no results yet. Expected a run, or a folder of results.")
    return found


def _readable(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a folder's items that can be read: a damaged one is told when it is heard."""
    for folder in _items(path):
        with suppress(MondegreenError):
            yield read_record(folder)


def _alone(folder: Path, recogniser: Recogniser, bank: RoomBank | None) -> Claim:
    try:
        item = read_item(folder)
    except MondegreenError as error:
        return _damaged(folder, error)
    _check_rate(item, recogniser)
    if item.record.get("bank") is not None:
        return _in_rooms(folder, item, recogniser, bank)
    heard = recogniser.transcribe(torch.from_numpy(item.adversarial))
    verified = matches(heard, item.record["target"], item.record["normaliser"])
    return _claim(folder, item, heard, verified)


def _in_rooms(folder: Path, item: Item, recogniser: Recogniser, bank: RoomBank | None) -> Claim:
    if bank is None or bank.key != item.record["bank"]:
        raise OptionError(
            f"{folder} was proved in the rooms of another bank than is given. Give that one:"
            " --rooms BANK"
        )
    record = item.record
    phrases = Phrases(record["target"], record["heard_clean"], record["normaliser"])
    (seen,) = survival(recogniser, [item.adversarial], phrases, bank.split("test"))
    whole = seen.rooms.count == len(bank.split("test").rooms)  # else stopped by hand
    if not whole:
        raise KeyboardInterrupt
    heard = recogniser.transcribe(torch.from_numpy(item.adversarial))
    return _claim(folder, item, heard, survives(seen))


def _together(folders: Sequence[Path], victim: Recogniser) -> list[Claim]:
    """The claims of several items, by one pass over a padded batch."""
    assert isinstance(victim, Victim)
    claims: dict[Path, Claim] = {}
    items: dict[Path, Item] = {}
    for folder in folders:
        try:
            items[folder] = read_item(folder)
        except MondegreenError as error:
            claims[folder] = _damaged(folder, error)
    for item in items.values():
        _check_rate(item, victim)
    for (folder, item), verified in zip(items.items(), _matched(items, victim), strict=True):
        if item.record.get("bank") is not None:
            raise OptionError("Results of methods in rooms are heard one by one: no batch size.")
        claims[folder] = _claim(folder, item, None, verified)
    return [claims[folder] for folder in folders]


@torch.no_grad()
def _matched(items: dict[Path, Item], victim: Victim) -> list[bool]:
    if not items:
        return []
    clips = [torch.from_numpy(item.adversarial) for item in items.values()]
    spelled = [str(item.record["spelled"]) for item in items.values()]
    targets = [victim.encode(s, len(clip)) for s, clip in zip(spelled, clips, strict=True)]
    audio, lengths = pad([clip.to(victim.device, victim.dtype) for clip in clips])
    matched: list[bool] = victim.score(audio, lengths, targets).matched.tolist()
    return matched


def _check_rate(item: Item, recogniser: Recogniser) -> None:
    rate = item.record["sample_rate"]
    if rate != recogniser.sample_rate:
        raise OptionError(
            f"The results are of {rate} Hz, the recogniser of {recogniser.sample_rate} Hz. Choose"
            " one of the same rate."
        )


def _claim(folder: Path, item: Item, heard: str | None, verified: bool) -> Claim:
    record, over = item.record, _over(item)
    kept = verified and not over
    claimed = bool(record["verified"])
    return Claim(str(folder), record["id"], record["target"], claimed, heard, kept, over_db=over)


def _over(item: Item) -> float | None:
    """By how much an item's files exceed the bound that its record claims; None: it has none."""
    bound = item.record.get("under_threshold")
    if bound is None:
        return None
    return over_db(item.clean, item.adversarial, item.record["sample_rate"], bound)


def _damaged(folder: Path, error: MondegreenError) -> Claim:
    """What of a damaged item can still be told: a claim that falls."""
    try:
        record = read_record(folder)
    except MondegreenError:
        record = {}
    claimed = record.get("verified") is not False  # where nothing can be read, the worst
    return Claim(
        str(folder), record.get("id"), record.get("target"), claimed, None, False, str(error)
    )
