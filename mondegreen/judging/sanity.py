"""Whether the numbers of a run can be believed: every check, on what the run has left.

Checks of records look at all items; those that cost passes look at a few clips, drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.errors import MondegreenError, first_line
from mondegreen.findings import Finding
from mondegreen.judging import checks, gathering
from mondegreen.judging.checks import Check, NotMeasured
from mondegreen.judging.gathering import Cost, OnDone
from mondegreen.judging.subject import Folder, Subject
from mondegreen.victims.base import Victim

E = TypeVar("E")
OnWork = Callable[[str, int, int], object]  # the check's id, how much of it is done, of how much


def examine(
    folder: Folder,
    victim: Victim,
    bank: RoomBank | None = None,
    transfers: Sequence[Folder] = (),
    sample: int = 3,
    seed: int = 0,
    on_work: OnWork | None = None,
    on_cost: Callable[[Cost], None] | None = None,
    *,
    only: Collection[Check[Any]] = checks.CHECKS,
) -> Iterator[Finding]:
    """Run every check on an attacked data set, the cheapest first, and yield the findings.

    A check that raises an error fires: what cannot be examined should not be believed.

    Args:
        folder: of a run, or of any results of `mondegreen attack`.
        victim: the recogniser that was attacked.
        bank: the bank of rooms, if there was one.
        transfers: folders of results on other recognisers, for the same clips and targets.
        sample: how many clips to draw for the checks that cost passes.
        seed: of the draw and of noise.
        on_work: called with the progress of a check.
        on_cost: called before the first check with what attacking again may cost.
        only: the checks to make.

    Raises:
        OptionError: there are no results that can be read, or they are not of this victim or this
            bank; those of other recognisers are of this one; the sample is less than one clip.
    """
    subject = Subject.of(folder, victim, bank, transfers, sample, seed)
    if on_cost is not None:
        on_cost(gathering.cost(subject))
    return _findings(subject, only, on_work or (lambda *_: None))


def _findings(subject: Subject, only: Collection[Check[Any]], on_work: OnWork) -> Iterator[Finding]:
    for check, gather in GATHERED:
        if check in only:
            yield _found(check, partial(gather, subject, _named(on_work, check.id)))


def _named(on_work: OnWork, check: str) -> OnDone:
    """How far a check has come, with its name."""

    def on_done(done: int, total: int) -> None:
        on_work(check, done, total)

    return on_done


Gather = Callable[[Subject, OnDone], E | NotMeasured]


def _by(check: Check[E], gather: Gather[E]) -> tuple[Check[Any], Gather[Any]]:
    """A check, and how its evidence is gathered."""
    return check, gather


GATHERED: Final = (
    _by(checks.ITEMS_DAMAGED, gathering.damaged),
    _by(checks.CLEAN_NOT_UNDERSTOOD, gathering.understood),
    _by(checks.LOST_IN_16_BITS, gathering.lost_in_16_bits),
    _by(checks.ROOMS_LEAK, gathering.rooms_in_common),
    _by(checks.GRADIENT_ZERO, gathering.gradients),
    _by(checks.GRADIENT_NOT_FINITE, gathering.gradients),
    _by(checks.NOT_DETERMINISTIC, gathering.repetitions),
    _by(checks.NOISE_SUCCEEDS, gathering.in_white_noise),
    _by(checks.SHAPED_NOISE_SUCCEEDS, gathering.in_shaped_noise),
    _by(checks.TRANSFER_WINS, gathering.rivalries),
    _by(checks.PLANTED_NOT_FOUND, gathering.hunts),
    _by(checks.UNBOUNDED_FAILS, gathering.without_bound),
    _by(checks.PASSES_DO_NOT_HELP, gathering.over_passes),
    _by(checks.EPS_DOES_NOT_HELP, gathering.over_eps),
)


def _found(check: Check[Any], gather: Callable[[], Any]) -> Finding:
    try:
        return check.find(gather())
    except Exception as error:  # a user's own victim may raise anything
        return Finding(check.id, check.severity, "fires", f"could not be examined: {_said(error)}")


def _said(error: Exception) -> str:
    first = first_line(error)
    return first if isinstance(error, MondegreenError) else f"{type(error).__name__}: {first}"
