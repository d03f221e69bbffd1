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

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.cached import named_bank
from mondegreen.attacks.proof import bound_excess
from mondegreen.audio.batch import pad
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.measures.survival import Phrases, survival, survives
from mondegreen.results.folder import WAV, item_folders, kept_bank
from mondegreen.results.heard import Claim
from mondegreen.results.item import Item, read_item, read_record
from mondegreen.results.record import Record
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser, Victim

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
    keys = {record.bank for record in _readable(path)} - {None}
    if not keys:
        return None
    if len(keys) > 1:
        raise OptionError(f"{path} has results of {len(keys)} banks of rooms. Verify each alone.")
    kept = kept_bank(path)
    bank = named_bank(rooms or (str(kept) if kept else None), sample_rate)
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
    folders = _items(path)
    claims: Iterator[Claim]
    if batch is None:
        each = partial(_alone, recogniser=recogniser, bank=bank)
        claims = (claim for folder in folders for claim in [each(folder)])
    else:
        claims = _in_batches(folders, recogniser, batch)
    for done, claim in enumerate(claims, 1):
        if on_item is not None:
            on_item(done, len(folders))
        yield claim


def _items(path: Path) -> list[Path]:
    found = item_folders(path)
    if not found:
        raise MondegreenError(f"{path} has no results yet. Expected a run, or a folder of results.")
    return found


def _readable(path: Path) -> Iterator[Record]:
    """The records of a folder's items that can be read: damaged ones are reported when heard."""
    for folder in _items(path):
        with suppress(MondegreenError):
            yield read_record(folder)


def _alone(folder: Path, recogniser: Recogniser, bank: RoomBank | None) -> Claim:
    try:
        item = read_item(folder)
    except MondegreenError as error:
        return _damaged(folder, error)
    _check_rate(item, recogniser)
    record, sound = item.record, torch.from_numpy(item.adversarial)
    if record.bank is not None:
        verified = _survives(item, recogniser, bank)
        return _claim(folder, item, recogniser.transcribe(sound), verified)
    transcript = recogniser.transcribe(sound)
    verified = matches(transcript, record.target, record.options.normaliser)
    return _claim(folder, item, transcript, verified)


def _survives(item: Item, recogniser: Recogniser, bank: RoomBank | None) -> bool:
    record = item.record
    if bank is None or bank.key != record.bank:
        raise OptionError(
            f"{record.id} was proved in the rooms of another bank. Name that one: --rooms BANK"
        )
    phrases = Phrases(record.target, record.heard_clean, record.options.normaliser)
    test = bank.split("test")
    (seen,) = survival(recogniser, [item.adversarial], phrases, test)
    if seen.rooms.count != len(test.rooms):
        raise KeyboardInterrupt  # which `survival` has taken for an end
    return survives(seen)


def _in_batches(folders: Sequence[Path], victim: Recogniser, batch: int) -> Iterator[Claim]:
    if not isinstance(victim, Victim):
        raise OptionError(f"{victim.name} only transcribes; leave out the batch size.")
    for first in range(0, len(folders), batch):
        yield from _together(folders[first : first + batch], victim)


def _together(folders: Sequence[Path], victim: Victim) -> list[Claim]:
    """The claims of several items, by one pass over a padded batch."""
    claims: dict[Path, Claim] = {}
    items: dict[Path, Item] = {}
    for folder in folders:
        try:
            items[folder] = read_item(folder)
        except MondegreenError as error:
            claims[folder] = _damaged(folder, error)
    for item in items.values():
        _check_rate(item, victim)
        if item.record.bank is not None:
            raise OptionError("Results of methods in rooms are heard one by one: no batch size.")
    for (folder, item), verified in zip(items.items(), _matched(items, victim), strict=True):
        claims[folder] = _claim(folder, item, None, verified)
    return [claims[folder] for folder in folders]


@torch.no_grad()
def _matched(items: dict[Path, Item], victim: Victim) -> list[bool]:
    if not items:
        return []
    clips = [torch.from_numpy(item.adversarial) for item in items.values()]
    spelled = [item.record.spelled for item in items.values()]
    targets = [victim.encode(s, len(clip)) for s, clip in zip(spelled, clips, strict=True)]
    audio, lengths = pad([clip.to(victim.device, victim.dtype) for clip in clips])
    matched: list[bool] = victim.score(audio, lengths, targets).matched.tolist()
    return matched


def _check_rate(item: Item, recogniser: Recogniser) -> None:
    rate = item.record.sample_rate
    if rate != recogniser.sample_rate:
        raise OptionError(
            f"The results are of {rate} Hz, the recogniser of {recogniser.sample_rate} Hz. Choose"
            " one of the same rate."
        )


def _claim(folder: Path, item: Item, transcript: str | None, verified: bool) -> Claim:
    record = item.record
    over = bound_excess(item.clean, item.adversarial, record.sample_rate, record.options)
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
