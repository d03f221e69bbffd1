"""Whose answers count: a rule that was written before any answers were.

It looks only at what has a known answer, never at the trials that are scored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mondegreen.listening.answers import Answer, Session
from mondegreen.listening.study import Study, Trial

OBVIOUS_RIGHT: Final = 3 / 4  # of the obvious trials, at least
SAME_HEARD: Final = 1 / 2  # of the identical pairs, at most
RULE: Final = (
    "One session of a listener counts: the first that is complete, in the order of their start.",
    "Left out is who did not answer every trial of the form (training aside),",
    "who was right in fewer than three of four trials with an obvious difference,",
    "who claimed a difference in more than half of the identical pairs,",
    "or who did not pass the headphone check, where it was made.",
)


@dataclass(frozen=True)
class Caught:
    """How a listener did in the catch trials that he answered: `right` of `of`."""

    obvious_right: int
    obvious_of: int
    same_right: int
    same_of: int


@dataclass(frozen=True)
class Judged:
    """A session, and why it is left out; it counts where there is no reason."""

    session: Session
    caught: Caught
    reasons: tuple[str, ...]


def one_each(sessions: Iterable[Session], study: Study) -> tuple[list[Session], list[Session]]:
    """The sessions that stand for their listeners, and those that repeat one.

    Listeners are the same who call themselves the same. Who gives no name is always another.
    """
    by_listener: defaultdict[object, list[Session]] = defaultdict(list)
    for session in sessions:
        by_listener[session.listener or (session.source, session.form)].append(session)
    chosen, repeated = [], []
    for theirs in by_listener.values():
        first, *others = sorted(theirs, key=lambda session: _order(session, study))
        chosen.append(first)
        repeated += others
    return chosen, repeated


def judge(session: Session, study: Study) -> Judged:
    """Whether a session counts."""
    caught = _caught(session, study)
    return Judged(session, caught, tuple(_reasons(session, study, caught)))


def _order(session: Session, study: Study) -> tuple[bool, bool, str]:
    return bool(_unanswered(session, study)), session.started is None, session.started or ""


def _unanswered(session: Session, study: Study) -> list[Trial]:
    form = study.forms[session.form]
    return [t for t in form if t.role != "training" and t.id not in session.answers]


def _reasons(session: Session, study: Study, caught: Caught) -> Iterator[str]:
    if missing := len(_unanswered(session, study)):
        asked = sum(trial.role != "training" for trial in study.forms[session.form])
        yield f"incomplete: {asked - missing} of {asked} trials answered"
    if caught.obvious_right < OBVIOUS_RIGHT * caught.obvious_of:
        yield f"right in {caught.obvious_right} of {caught.obvious_of} obvious trials"
    heard = caught.same_of - caught.same_right
    if heard > SAME_HEARD * caught.same_of:
        yield f"claimed a difference in {heard} of {caught.same_of} identical pairs"
    if session.headphones is False:
        yield "did not pass the headphone check"


def _caught(session: Session, study: Study) -> Caught:
    seen: dict[str, list[bool]] = {"catch obvious": [], "catch same": []}
    for trial in study.forms[session.form]:
        answer = session.answers.get(trial.id)
        if trial.role in seen and answer is not None:
            seen[trial.role] += _right(trial, answer)
    obvious, same = seen.values()
    return Caught(sum(obvious), len(obvious), sum(same), len(same))


def _right(trial: Trial, answer: Answer) -> Sequence[bool]:
    """Whether a catch trial was answered as it had to be; nothing where no answer is wrong."""
    if trial.role == "catch same" and trial.kind == "abx":
        return [not answer.heard_difference]  # which of the two it is cannot be told
    return [] if trial.correct is None else [answer.answer == trial.correct]
