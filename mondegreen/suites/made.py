"""The card of a suite's run: made from its records, its manifest and what its checks found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mondegreen.errors import MondegreenError
from mondegreen.gating.tested import read_tested
from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.results.card import Card, CardClip, Model, Spent
from mondegreen.results.folder import MANIFEST, SUITE, read_object
from mondegreen.results.prices import YARDSTICKS, lowest
from mondegreen.results.record import Count, typed
from mondegreen.suites.score import mishear_score
from mondegreen.suites.suite import read_suite
from mondegreen.wording import number_of


@dataclass(frozen=True)
class _Call:
    """What one call of a run ran on."""

    at: str
    devices: tuple[str, ...]
    processors: Count
    platform: str
    packages: Mapping[str, str]
    revision: str | None


@dataclass(frozen=True)
class _Manifest:
    """What a card needs of a run's manifest."""

    victim: Model
    calls: tuple[_Call, ...]


def card_of(folder: Path) -> Card:
    """The card of a finished run of a suite.

    Raises:
        MondegreenError: clips remain to be attacked, or the folder is not what mondegreen wrote.
        OptionError: as `mondegreen.gating.tested.read_tested`.
    """
    suite = read_suite(folder / SUITE)
    found = list(entries(folder))
    if left := sum(one.status == "pending" for one in found):
        raise MondegreenError(
            f"{number_of(left, 'clip')} of {len(found)} in {folder} remain to be attacked; run the"
            " same command again."
        )
    ran = typed(_Manifest, read_object(folder / MANIFEST))
    tested = read_tested(folder, YARDSTICKS[suite.by])
    records = [one.record for one in found if one.record is not None]
    last = ran.calls[-1]
    return Card(
        suite=suite.identity,
        score=mishear_score(tested.clips),
        model=ran.victim,
        clips=tuple(_clip(one, tested.recordings) for one in found),
        understood=sum(one.understood is True for one in records),
        texts=sum(one.understood is not None for one in records),
        how=tested.how,
        doubt=tested.doubt,
        spent=Spent(
            passes=sum(one.passes for one in records),
            hours=round(sum(one.seconds for one in records) / 3600, 2),
            machine=f"{', '.join(last.devices)}; {last.processors} processors; {last.platform}",
        ),
        made=last.at,
        versions=last.packages,
        revision=last.revision,
    )


def _clip(entry: Entry, recordings: Mapping[str, str]) -> CardClip:
    name, target = entry.cells["id"], entry.cells["target"]
    if entry.record is None:
        return CardClip(name, target, recordings.get(name), None, {})
    by = {name: lowest(entry.record, one) for name, one in YARDSTICKS.items()}
    heard = any(one.succeeded for one in by.values())
    prices = {name: one.price for name, one in by.items()} if heard else {}
    return CardClip(name, target, recordings.get(name), heard, prices)
