"""Whether what a run claims still holds: every saved file read again, and transcribed again.

Elsewhere, or otherwise: by another process, in another floating type, by another decoder of the
same network, by beam search, in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mondegreen.air.noises import settled
from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.cached import named_bank
from mondegreen.airs import Air
from mondegreen.attacks.proof import bound_excess
from mondegreen.audio.batch import pad
from mondegreen.errors import MondegreenError, OptionError, VictimError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.measures.survival import survival, survives
from mondegreen.psychoacoustics.surroundings import Surroundings
from mondegreen.results.folder import WAV, items_in, kept_bank
from mondegreen.results.heard import Claim
from mondegreen.results.item import Item, read_item, read_record
from mondegreen.results.record import Record
from mondegreen.victims.base import Recogniser, Victim

Check = Callable[[Record], None]  # raises OptionError for an item that cannot be heard so
OnItem = Callable[[int, int], object]  # items heard, and how many there are


def made_on(path: Path) -> str:
    """The recogniser that all items of a folder were made on.

    Raises:
        MondegreenError: there are no items, or none of their records can be read.
        OptionError: there are several; or as `may_be_loaded`.
    """
    names = {record.victim for record in _readable(path)}
    if not names:
        raise MondegreenError(f"{path} has no record that can be read. Name a recogniser: --victim")
    if len(names) > 1:
        raise OptionError(
            f"{path} has results of several recognisers ({', '.join(sorted(names))}). Name the one"
            " to listen with: --victim NAME"
        )
    return may_be_loaded(names.pop(), path)


def bank_of(path: Path, rooms: str | None, sample_rate: int) -> RoomBank | None:
    """The bank that the items of a folder were proved in; None: they needed none.

    Args:
        path: the folder of a run or of results.
        rooms: the bank's file or name; None: the one that is kept beside the results.
        sample_rate: in Hz.

    Raises:
        MondegreenError: there are no items.
        OptionError: there were several banks, or the one that was used is not there.
        RoomError: it cannot be read.
    """
    airs = {record.bank: record.air or Air() for record in _readable(path)}
    every = airs.keys()
    keys, kept = every - {None}, kept_bank(path)
    if not keys:
        return None
    if len(keys) > 1 and not (rooms or kept):
        raise OptionError(f"{path} has results of {len(keys)} banks of rooms. Verify each alone.")
    if None in every and not (rooms or kept):
        return None  # one record alone may not have a bank made
    bank = named_bank(
        rooms or (str(kept) if kept else None), sample_rate, preset=airs[next(iter(keys))].rooms
    )
    if bank.key not in keys:
        source = rooms or kept or "the default bank"
        raise OptionError(
            f"{path} was proved in another bank of rooms than {source}. Name the bank that was"
            " used: --rooms BANK"
        )
    return bank


def recheck(
    path: Path,
    recogniser: Recogniser,
    *,
    bank: RoomBank | None = None,
    batch: int | None = None,
    on_item: OnItem | None = None,
) -> Iterator[Claim]:
    """Transcribe every item of a run, or of a folder of results, again.

    Args:
        path: the folder.
        recogniser: who listens, through its own pipeline.
        bank: the rooms that methods in rooms were proved in; see `bank_of`.
        batch: compare this many greedy decodes at once, in a padded batch, instead.
        on_item: called after each.

    Raises:
        OptionError: what is asked for cannot be done with this recogniser, or these items.
        MondegreenError: there are no items.
    """
    folders = items_in(path)
    check = partial(_check_way, recogniser=recogniser, bank=bank, batch=batch)
    _check_any(_readable(path), check)
    claims: Iterator[Claim]
    if batch is None:
        each = partial(_alone, recogniser=recogniser, bank=bank, check=check)
        claims = (claim for folder in folders for claim in [each(folder)])
    else:
        claims = _in_batches(folders, recogniser, batch, check)
    for done, claim in enumerate(claims, 1):
        if on_item is not None:
            on_item(done, len(folders))
        yield claim


def _readable(path: Path) -> Iterator[Record]:
    """The records of a folder's items that can be read: damaged ones are reported when heard."""
    for folder in items_in(path):
        with suppress(MondegreenError):
            yield read_record(folder)


def _alone(folder: Path, recogniser: Recogniser, bank: RoomBank | None, check: Check) -> Claim:
    try:
        item = read_item(folder)
        check(item.record)
        record, sound = item.record, item.as_heard(item.adversarial)
        transcript = recogniser.transcribe(torch.from_numpy(sound))
        if bank is not None and record.bank is not None:
            verified = _survives(item, recogniser, bank)
        else:
            verified = record.aim.met(transcript)
        return _claim(folder, item, transcript, verified)
    except VictimError:  # that is not the item's fault, and will be so for the others
        raise
    except MondegreenError as error:
        return _damaged(folder, error)


def _survives(item: Item, recogniser: Recogniser, bank: RoomBank) -> bool:
    record = item.record
    test = bank.split("test")
    air = settled(record.air or Air(), record.sample_rate)
    (seen,) = survival(recogniser, [item.adversarial], record.aim, test, air=air)
    if seen.rooms.count != len(test.rooms):
        raise KeyboardInterrupt  # which `survival` has taken for an end
    return survives(seen)


def _in_batches(
    folders: Sequence[Path], victim: Recogniser, batch: int, check: Check
) -> Iterator[Claim]:
    if not isinstance(victim, Victim):
        raise OptionError(
            f"{victim.name} only transcribes, so it cannot score batches: leave out --batch."
        )
    for first in range(0, len(folders), batch):
        yield from _together(folders[first : first + batch], victim, check)


def _together(folders: Sequence[Path], victim: Victim, check: Check) -> list[Claim]:
    """The claims of several items, by one pass over a padded batch."""
    claims: dict[Path, Claim] = {}
    items: dict[Path, Item] = {}
    targets: list[Tensor] = []
    for folder in folders:
        try:
            item = read_item(folder)
            check(item.record)
            targets.append(victim.encode(item.record.spelled, len(item.adversarial)))
            items[folder] = item
        except VictimError:
            raise
        except MondegreenError as error:
            claims[folder] = _damaged(folder, error)
    matched = _matched(list(items.values()), targets, victim)
    for (folder, item), verified in zip(items.items(), matched, strict=True):
        claims[folder] = _claim(folder, item, None, verified)
    return [claims[folder] for folder in folders]


@torch.no_grad()
def _matched(items: Sequence[Item], targets: list[Tensor], victim: Victim) -> list[bool]:
    if not items:
        return []
    clips = [torch.from_numpy(item.adversarial) for item in items]
    audio, lengths = pad([clip.to(victim.device, victim.dtype) for clip in clips])
    matched: list[bool] = victim.score(audio, lengths, targets).matched.tolist()
    return matched


def _check_any(items: Iterator[Record], check: Callable[[Record], None]) -> None:
    """Refuse what can be done with no item at all; else those that it cannot be done with say so.

    Raises:
        OptionError: of the first item, if all of them have one.
    """
    refused: list[OptionError] = []
    for record in items:
        try:
            return check(record)
        except OptionError as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return None


def _check_way(
    record: Record, recogniser: Recogniser, bank: RoomBank | None, batch: int | None
) -> None:
    """Refuse an item that cannot be heard in this way."""
    if record.sample_rate != recogniser.sample_rate:
        raise OptionError(
            f"The results are of {record.sample_rate} Hz, the recogniser of"
            f" {recogniser.sample_rate} Hz. Choose one of the same rate."
        )
    if batch is not None and record.options.untargeted:
        raise OptionError("Untargeted results are transcribed one by one: leave out --batch.")
    if batch is not None and record.replaced is not None:
        raise OptionError("Passages in context are transcribed one by one: leave out --batch.")
    if record.bank is None:
        return
    if batch is not None:
        raise OptionError("Results of methods in rooms are heard one by one: leave out --batch.")
    if bank is None or bank.key != record.bank:
        raise OptionError(
            f"{record.id} was proved in the rooms of another bank. Name that one: --rooms BANK"
        )


def _claim(folder: Path, item: Item, transcript: str | None, verified: bool) -> Claim:
    record = item.record
    excerpt = None if record.options.bound is None else item.excerpt()
    around = None if excerpt is None else Surroundings.of(excerpt, record.sample_rate)
    over = bound_excess(item.clean, item.adversarial, record.sample_rate, record.options, around)
    return Claim(
        item=str(folder),
        file=record.files[WAV],
        id=record.id,
        target=record.target,
        claimed=record.verified,
        transcript=transcript,
        verified=verified and not over,
        over_db=over,
    )


def _damaged(folder: Path, error: MondegreenError) -> Claim:
    """What can still be said of a damaged item: its claim, if it made one, does not hold."""
    record = None
    with suppress(MondegreenError):
        record = read_record(folder)
    return Claim(
        item=str(folder),
        file=record.files.get(WAV) if record else None,
        id=record.id if record else None,
        target=record.target if record else None,
        claimed=record.verified if record else True,  # where nothing can be read, the worst
        transcript=None,
        verified=False,
        problem=str(error),
    )
