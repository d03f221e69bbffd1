"""What the gate knows of a run: its prices, how it was attacked, and whether it can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mondegreen.aim import Aim
from mondegreen.errors import MondegreenError, OptionError, StorageError
from mondegreen.files import differences
from mondegreen.reading import is_file
from mondegreen.report.numbers.prices import PricedClip, PricedClips, priced
from mondegreen.report.numbers.sources import gather
from mondegreen.results.card import Card, read_card
from mondegreen.results.folder import is_run, read_clip_list
from mondegreen.results.prices import Yardstick
from mondegreen.results.record import Record
from mondegreen.results.sanity import Sanity, read_findings
from mondegreen.text import words_only
from mondegreen.wording import number_of


@dataclass(frozen=True)
class Tested:
    """A recogniser that was attacked on some clips."""

    clips: PricedClips
    targets: Mapping[str, str]  # of each clip whose price is known or not measured, by its id
    how: Mapping[str, Any]  # the options, the stages and the bank of rooms
    recordings: Mapping[str, str]  # their SHA-256 by the clips' ids
    doubt: str | None  # why there are no numbers that can be believed; None: they can be
    texts: int  # clips of which it is known what is said, and so whether they are understood


def read_tested(run: Path, by: Yardstick) -> Tested:
    """Read a run, or its card; of one that cannot be judged, that it is in doubt, and why.

    Raises:
        StorageError: the system is at fault.
    """
    try:
        return tested_card(read_card(run), by) if is_file(run) else _read(run, by)
    except StorageError:
        raise
    except MondegreenError as error:
        return Tested(PricedClips(str(run), by, ()), {}, {}, {}, str(error), 0)


def tested_card(card: Card, by: Yardstick) -> Tested:
    """What a card says."""
    clips: list[PricedClip] = []
    missing: list[str] = []
    unfinished: list[str] = []
    for one in card.clips:
        price = one.prices.get(by.name)
        if one.heard is None:
            unfinished.append(one.id)
        elif one.heard and price is None:
            missing.append(one.id)
        else:
            clips.append(PricedClip(one.id, Aim(one.target, None).words, None, price))
    label = f"{card.model.name} in {card.suite.name}"
    return Tested(
        PricedClips(label, by, tuple(clips), tuple(missing), tuple(unfinished)),
        {one.id: words_only(one.target) for one in card.clips if one.heard is not None},
        card.how,
        {one.id: one.sha256 for one in card.clips if one.sha256 is not None},
        card.doubt,
        card.texts,
    )


def _read(run: Path, by: Yardstick) -> Tested:
    """Read a run.

    Raises:
        MondegreenError: there are no results, or no price by this yardstick.
        OptionError: they are of several recognisers, methods or presets, clips have no names of
            their own or are copies of others, or they were not all attacked alike.
    """
    gathered = gather([[run]])
    if len(gathered.parts) > 1:
        labels = ", ".join(part.label for part in gathered.parts)
        raise OptionError(
            f"{run} holds results of several kinds ({labels}), and a gate judges one. Name the"
            " folder of a run."
        )
    (part,) = gathered.parts
    clips = priced(part.label, part.entries, by)
    found = [entry.record for entry in part.entries if entry.record is not None]
    _check_copies(run, found)
    return Tested(
        clips,
        _targets(run, found),
        _how(run, found),
        dict(_recordings(run)),
        doubt(read_findings(run)),
        sum(one.understood is not None for one in found),
    )


def _targets(run: Path, found: Iterable[Record]) -> Mapping[str, str]:
    twice = [name for name, count in Counter(one.id for one in found).items() if count > 1]
    if twice:
        raise OptionError(
            f"{run} holds clip {twice[0]} more than once. A share of clips counts each once: give"
            " every clip an id of its own."
        )
    return {one.id: words_only(one.target or "") for one in found}


def _check_copies(run: Path, found: Iterable[Record]) -> None:
    """Refuse a clip that is there twice: the gate takes clips for a sample of independent ones."""
    first: dict[str, str] = {}
    for one in found:
        if one.clip_sha256 is not None and first.setdefault(one.clip_sha256, one.id) != one.id:
            raise OptionError(
                f"{one.id} in {run} is a copy of {first[one.clip_sha256]}: the same samples with"
                " the same target. Clips count as independent of each other: leave the copies out,"
                " and run the others again."
            )


def _how(run: Path, found: Iterable[Record]) -> Mapping[str, Any]:
    ways = [
        {
            **one.options.model_dump(exclude_defaults=True),
            "stages": one.stages,
            "bank": one.bank,
            "air": one.air and one.air.model_dump(mode="json"),
        }
        for one in found
    ]
    for way in ways[1:]:
        if different := next(differences(ways[0], way), None):
            raise OptionError(
                f"The clips of {run} were not attacked alike: of one of them {different}. Expected"
                " the folder of one run."
            )
    return ways[0]


def _recordings(run: Path) -> Iterator[tuple[str, str]]:
    if is_run(run):
        for clip in read_clip_list(run):
            if isinstance(name := clip.get("id"), str) and isinstance(
                known := clip.get("sha256"), str
            ):
                yield name, known


def doubt(kept: Sanity | None) -> str | None:
    """Why the checks of a run do not let its numbers be believed; None: they do."""
    if kept is None:
        return (
            "its sanity checks were not run, or not on the results that it has now; run"
            " mondegreen sanity RUN"
        )
    fired = [one.id for one in kept.findings if (one.severity, one.state) == ("error", "fires")]
    return f"a sanity check fires: {', '.join(fired)}" if fired else None


def incomparable(now: Tested, before: Tested) -> str | None:
    """Why two runs cannot be compared clip by clip; None: they can.

    Recognisers may differ, in anything: they are what is compared.
    """
    if different := next(differences(before.how, now.how), None):
        return f"they were not attacked alike: {different}"
    ids = [{*one.targets, *one.clips.unfinished} for one in (now, before)]
    if other := ids[0] ^ ids[1]:
        return f"{number_of(len(other), 'clip')} in only one of them, such as {min(other)}"
    for what, new, old in (
        ("target", now.targets, before.targets),
        ("recording", now.recordings, before.recordings),
    ):
        if other := {name for name in new.keys() & old.keys() if new[name] != old[name]}:
            return f"{number_of(len(other), 'clip')} with another {what}, such as {min(other)}"
    return None
