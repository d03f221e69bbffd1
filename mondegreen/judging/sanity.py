"""Whether the numbers of a run can be believed: every check, asked of what a run has left.

Checks of records look at all items; those that cost passes look at a few clips, drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.errors import MondegreenError
from mondegreen.findings import Finding
from mondegreen.judging import checks, gathering
from mondegreen.judging.checks import Check, NotMeasured
from mondegreen.judging.gathering import Cost, OnDone
from mondegreen.judging.subject import Folder, Subject
from mondegreen.victims.base import Victim

OnWork = Callable[[str, int, int], None]  # the check's id, how much of it is done, of how much
E = TypeVar("E")


def examine(
    folder: Folder,
    victim: Victim,
    bank: RoomBank | None = None,
    transfers: Sequence[Folder] = (),
    sample: int = 3,
    seed: int = 0,
    on_work: OnWork | None = None,
    on_cost: Callable[[Cost], None] | None = None,
) -> Iterator[Finding]:
    """Ask every check of an attacked data set; the findings come one by one, the cheapest first.

    A check that raises fires: what cannot be looked into is not to be believed. Ctrl-C ends the
    iteration; what was found before it is with the caller.

    Args:
        folder: of a run, or of any results of `mondegreen attack`.
        victim: the recogniser that was attacked.
        bank: the bank of rooms that it was attacked in, if it was.
        transfers: folders of results on other recognisers, for the same clips and targets.
        sample: how many clips to draw for what costs passes.
        seed: of everything random.
        on_work: told how far a check is.
        on_cost: told before the first check what attacking over again may cost.

    Raises:
        OptionError: there are no results, or they are not of this victim or this bank; those of
            other recognisers are of this one; the sample is less than one clip.
        MondegreenError: an item is damaged.
        TargetError: the victim cannot spell a target that it was attacked with.
    """
    subject = Subject.of(folder, victim, bank, transfers, sample, seed)
    if on_cost is not None:
        on_cost(gathering.cost(subject))
    return _findings(subject, on_work or (lambda *_: None))


def _findings(subject: Subject, on_work: OnWork) -> Iterator[Finding]:
    def find(check: Check[E], gather: Callable[[Subject, OnDone], E | NotMeasured]) -> Finding:
        return _found(check, partial(gather, subject, partial(on_work, check.id)))

    yield find(checks.CLEAN_NOT_UNDERSTOOD, gathering.understood)
    yield find(checks.LOST_IN_16_BITS, gathering.lost_in_16_bits)
    yield find(checks.ROOMS_LEAK, gathering.rooms_in_common)
    yield find(checks.GRADIENT_ZERO, gathering.gradients)
    yield find(checks.GRADIENT_NOT_FINITE, gathering.gradients)
    yield find(checks.NOT_DETERMINISTIC, gathering.repetitions)
    yield find(checks.NOISE_SUCCEEDS, gathering.in_white_noise)
    yield find(checks.SHAPED_NOISE_SUCCEEDS, gathering.in_shaped_noise)
    yield find(checks.TRANSFER_WINS, gathering.rivalries)
    yield find(checks.PLANTED_NOT_FOUND, gathering.hunts)
    yield find(checks.UNBOUNDED_FAILS, gathering.without_bound)
    yield find(checks.PASSES_DO_NOT_HELP, gathering.over_passes)
    yield find(checks.EPS_DOES_NOT_HELP, gathering.over_eps)


def _found(check: Check[E], gather: Callable[[], E | NotMeasured]) -> Finding:
    try:
        return check.find(gather())
    except Exception as error:  # a victim of somebody's own may raise anything at all
        return Finding(
            check.id, check.severity, "fires", f"could not be looked into: {_said(error)}"
        )


def _said(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, MondegreenError) else f"{type(error).__name__}: {first}"
