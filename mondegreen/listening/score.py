"""The score of a listening test: for each question, each clip and each listener.

Shares are 0 to 1, and intervals 95 %; None means that nobody was asked. Every figure over listeners
is the mean of theirs, see `mondegreen.listening.detection`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.listening.answers import Judged, Session, judge, one_each
from mondegreen.listening.detection import (
    HearingShare,
    Interval,
    beyond_guessing,
    d_prime,
    hearing,
    interval,
)
from mondegreen.listening.key import KINDS, Question, StudyKey

NAMED: Final = 10  # listeners whom an error names


@dataclass(frozen=True)
class Rate:
    """Hits of answers, and the mean of the listeners' shares with its interval."""

    hits: int
    answers: int
    listeners: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Sensitivity:
    """d’ at a share correct and at the ends of its interval; None: unbounded, or unknown."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class QuestionScore:
    """The answers to a question; what comes after `pooled` is for ABX alone.

    Attributes:
        question: the kind of question, and the conditions.
        rate: of answers that are hits, see `StudyKey.is_hit`.
        pooled: Clopper-Pearson interval of all answers, as if they were independent; too narrow
            where listeners differ.
        hearing: the share of listeners who can tell the condition from the clean clip.
        d_prime: the same as a sensitivity.
        claimed: of answers that claim to hear a difference.
        telling: how many of these listeners are right too often to have guessed, with correction
            for testing all of them.
    """

    question: Question
    rate: Rate
    pooled: Interval | None
    hearing: HearingShare | None = None
    d_prime: Sensitivity | None = None
    claimed: Rate | None = None
    telling: int | None = None


@dataclass(frozen=True)
class Listener(Judged):
    """A listener, and their rates, in which each of their answers is an observation."""

    rates: Mapping[Question, Rate]

    @property
    def seconds(self) -> float | None:
        """The median time that an answer took."""
        seconds = [a.seconds for a in self.session.answers if a.seconds is not None]
        return median(seconds) if seconds else None


@dataclass(frozen=True)
class StudyScore:
    """The score of a listening test.

    Attributes:
        key: of the study.
        results: by question, of the listeners who count.
        everybody: the same with nobody excluded; each listener still counts once.
        clips: by question and clip, of the listeners who count.
        listeners: all of them.
        repeated: the further sessions of listeners.
    """

    key: StudyKey
    results: tuple[QuestionScore, ...]
    everybody: tuple[QuestionScore, ...]
    clips: Mapping[tuple[Question, str], Rate]
    listeners: tuple[Listener, ...]
    repeated: tuple[Session, ...]

    @property
    def excluded(self) -> list[Listener]:
        """Listeners who do not count."""
        return [listener for listener in self.listeners if listener.reasons]

    @property
    def counted(self) -> int:
        """How many listeners count."""
        return len(self.listeners) - len(self.excluded)


class _Scored(NamedTuple):
    """The answer to a test trial."""

    question: Question
    clip: str
    listener: int
    trial: str
    hit: bool
    claimed: bool


def score(key: StudyKey, sessions: Sequence[Session]) -> StudyScore:
    """Score the answers to a study.

    Raises:
        MondegreenError: no listener counts.
    """
    chosen, repeated = one_each(sessions, key)
    judged = [judge(session, key) for session in chosen]
    scored = [_scored(key, number, session) for number, session in enumerate(chosen)]
    everybody = [answer for theirs in scored for answer in theirs]
    counted = [answer for answer in everybody if not judged[answer.listener].reasons]
    if not counted:
        raise _nobody(judged)
    questions = _questions(key)
    return StudyScore(
        key=key,
        results=tuple(_of_question(question, counted) for question in questions),
        everybody=tuple(_of_question(question, everybody) for question in questions),
        clips=_by_clip(questions, key, counted),
        listeners=tuple(
            Listener(one.session, one.caught, one.reasons, _of_listener(questions, theirs))
            for one, theirs in zip(judged, scored, strict=True)
        ),
        repeated=tuple(repeated),
    )


def _questions(key: StudyKey) -> list[Question]:
    """The questions of test trials, by kind and in the order of the conditions."""
    found = {key.question(t) for form in key.forms for t in form if t.role == "test"}
    places = {name: place for place, name in enumerate(key.conditions)}
    kinds = list(KINDS)
    return sorted(
        found, key=lambda q: (kinds.index(q.kind), [places.get(name, -1) for name in q.conditions])
    )


def _scored(key: StudyKey, listener: int, session: Session) -> list[_Scored]:
    return [
        _Scored(
            question=key.question(trial),
            clip=trial.clip,
            listener=listener,
            trial=trial.id,
            hit=key.is_hit(trial, answer.answer),
            claimed=bool(answer.heard_difference),
        )
        for trial in key.forms[session.form]
        if trial.role == "test" and (answer := session.by_trial.get(trial.id))
    ]


def _of_question(question: Question, scored: Iterable[_Scored]) -> QuestionScore:
    answers = [answer for answer in scored if answer.question == question]
    rate = _rate(answers)
    pooled = interval([float(answer.hit) for answer in answers]) if answers else None
    if question.kind != "abx" or not answers:
        return QuestionScore(question, rate, pooled)
    ends = (None if at is None else d_prime(at) for at in (rate.share, rate.low, rate.high))
    theirs = _hits(answers, lambda a: a.listener, lambda a: a.hit)
    return QuestionScore(
        question,
        rate,
        pooled,
        hearing=hearing(list(map(fmean, theirs))),
        d_prime=Sensitivity(*ends),
        claimed=_rate(answers, hit=lambda a: a.claimed),
        telling=beyond_guessing([(sum(hits), len(hits)) for hits in theirs]),
    )


def _by_clip(
    questions: Iterable[Question], key: StudyKey, scored: Iterable[_Scored]
) -> dict[tuple[Question, str], Rate]:
    about: defaultdict[tuple[Question, str], list[_Scored]] = defaultdict(list)
    for answer in scored:
        about[answer.question, answer.clip].append(answer)
    clips = dict.fromkeys([*key.clips, *(clip for _, clip in about)])
    pairs = ((question, clip) for question in questions for clip in clips)
    return {pair: _rate(about[pair]) for pair in pairs if pair in about}


def _of_listener(questions: Iterable[Question], scored: Sequence[_Scored]) -> dict[Question, Rate]:
    return {
        question: _rate([a for a in scored if a.question == question], unit=lambda a: a.trial)
        for question in questions
    }


def _rate(
    scored: Sequence[_Scored],
    unit: Callable[[_Scored], Hashable] = lambda answer: answer.listener,
    hit: Callable[[_Scored], bool] = lambda answer: answer.hit,
) -> Rate:
    """The rate of hits; answers with the same `unit` are one observation."""
    if not scored:
        return Rate(0, 0, 0, None, None, None)
    hits, listeners = sum(map(hit, scored)), len({answer.listener for answer in scored})
    shares = list(map(fmean, _hits(scored, unit, hit)))
    return Rate(hits, len(scored), listeners, fmean(shares), *interval(shares))


def _hits(
    scored: Iterable[_Scored],
    unit: Callable[[_Scored], Hashable],
    hit: Callable[[_Scored], bool],
) -> list[list[bool]]:
    """Which answers of each unit are hits."""
    units: defaultdict[Hashable, list[bool]] = defaultdict(list)
    for answer in scored:
        units[unit(answer)].append(hit(answer))
    return list(units.values())


def _nobody(judged: Sequence[Judged]) -> MondegreenError:
    """The error that no listener counts, and why."""
    excluded = [f"{one.session.name} ({', '.join(one.reasons)})" for one in judged if one.reasons]
    more = [f"and {len(excluded) - NAMED} more"] if len(excluded) > NAMED else []
    why = "; ".join([*excluded[:NAMED], *more]) or "no test trial was answered"
    return MondegreenError(
        f"nothing is left to score: none of {len(judged)} listeners counts: {why}."
        " docs/listening.md explains the rule. Ask more listeners; for those without headphones,"
        " make the study with --no-headphones."
    )
