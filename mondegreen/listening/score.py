"""The score of a listening test: for each question, each clip and each listener.

Shares are 0 to 1, and intervals 95 %; None means that nobody was asked. Every figure over listeners
is the mean of theirs, see `mondegreen.listening.detection`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.listening import detection
from mondegreen.listening.answers import Judged, Session, judge, one_each
from mondegreen.listening.detection import HearingShare, Interval
from mondegreen.listening.key import KINDS, Question, StudyKey
from mondegreen.listening.staircase import Answer, Threshold, of_clip, of_listener, over_listeners

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
    """The answers to a question; what comes after `pooled` is for staircases or for ABX alone."""

    question: Question
    rate: Rate  # of answers that are hits, see `StudyKey.is_hit`
    pooled: Interval | None  # Clopper-Pearson, as if all answers were independent
    threshold: Threshold | None = None  # of listeners like these
    hearing: HearingShare | None = None  # of listeners who can tell it from the clean clip
    d_prime: Sensitivity | None = None
    claimed: Rate | None = None  # of answers that claim to hear a difference
    telling: int | None = None  # listeners who are right too often to have guessed


@dataclass(frozen=True)
class Listener(Judged):
    """A listener, and their rates, in which each of their answers is an observation."""

    rates: Mapping[Question, Rate]
    thresholds: Mapping[Question, Threshold]  # of staircases

    @property
    def seconds(self) -> float | None:
        """The median time that an answer took."""
        seconds = [a.seconds for a in self.session.answers if a.seconds is not None]
        return median(seconds) if seconds else None


@dataclass(frozen=True)
class StudyScore:
    """The score of a listening test."""

    key: StudyKey
    results: tuple[QuestionScore, ...]  # of the listeners who count
    everybody: tuple[QuestionScore, ...]  # with nobody excluded; each listener still counts once
    clips: Mapping[tuple[Question, str], Rate]  # of the listeners who count
    thresholds: Mapping[tuple[Question, str], Threshold]  # the same, of staircases
    listeners: tuple[Listener, ...]
    repeated: tuple[Session, ...]  # further sessions of the same listeners

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
    hit: bool
    claimed: bool
    level: float | None


ByListener = Sequence[Sequence[_Scored]]


def score(key: StudyKey, sessions: Sequence[Session]) -> StudyScore:
    """Score the answers to a study.

    Raises:
        MondegreenError: no listener counts.
    """
    chosen, repeated = one_each(sessions, key)
    judged = [judge(session, key) for session in chosen]
    everybody = [_scored(key, session) for session in chosen]
    counted = [theirs for one, theirs in zip(judged, everybody, strict=True) if not one.reasons]
    if not any(counted):
        raise _nobody(judged)
    questions = _questions(key)
    return StudyScore(
        key=key,
        results=tuple(_result(question, counted) for question in questions),
        everybody=tuple(_result(question, everybody) for question in questions),
        clips={
            (question, clip): _rate(_hits(answers))
            for question in questions
            for clip in key.clips
            if (answers := _select(counted, question, clip))
        },
        thresholds={
            (question, clip): threshold
            for question in questions
            for clip in key.clips
            if (threshold := _of_clip(_select(counted, question), clip))
        },
        listeners=tuple(
            Listener(
                one.session,
                one.caught,
                one.reasons,
                _own_rates(questions, theirs),
                _own_thresholds(questions, theirs),
            )
            for one, theirs in zip(judged, everybody, strict=True)
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


def _scored(key: StudyKey, session: Session) -> list[_Scored]:
    return [
        _Scored(
            key.question(trial),
            trial.clip,
            hit=key.is_hit(trial, answer.answer),
            claimed=bool(answer.heard_difference),
            level=answer.level,
        )
        for trial in key.forms[session.form]
        if trial.role == "test" and (answer := session.by_trial.get(trial.id))
    ]


def _select(scored: ByListener, question: Question, clip: str | None = None) -> ByListener:
    """The answers to a question, about one clip or all, by listeners who gave any."""
    answers = (
        [one for one in theirs if one.question == question and clip in (None, one.clip)]
        for theirs in scored
    )
    return [theirs for theirs in answers if theirs]


def _hits(scored: ByListener) -> list[list[bool]]:
    return [[answer.hit for answer in theirs] for theirs in scored]


def _rate(units: Sequence[Sequence[bool]]) -> Rate:
    """The rate of hits, given in units of which each is one observation."""
    if not units:
        return Rate(0, 0, 0, None, None, None)
    shares = list(map(fmean, units))
    hits, answers = sum(map(sum, units)), sum(map(len, units))
    return Rate(hits, answers, len(units), fmean(shares), *detection.interval(shares))


def _result(question: Question, scored: ByListener) -> QuestionScore:
    answers = _select(scored, question)
    hits = _hits(answers)
    rate = _rate(hits)
    if not answers:
        return QuestionScore(question, rate, None)
    pooled = detection.interval([float(hit) for theirs in hits for hit in theirs])
    if question.kind == "changed":
        return QuestionScore(question, rate, pooled, over_listeners(_thresholds(answers)))
    if question.kind != "abx":
        return QuestionScore(question, rate, pooled)
    ends = (
        None if at is None else detection.d_prime(at) for at in (rate.share, rate.low, rate.high)
    )
    return QuestionScore(
        question,
        rate,
        pooled,
        hearing=detection.hearing(list(map(fmean, hits))),
        d_prime=Sensitivity(*ends),
        claimed=_rate([[answer.claimed for answer in theirs] for theirs in answers]),
        telling=detection.beyond_guessing([(sum(theirs), len(theirs)) for theirs in hits]),
    )


def _own_rates(questions: Sequence[Question], scored: Sequence[_Scored]) -> dict[Question, Rate]:
    """The rates of one listener, each of whose answers is one observation."""
    rates = {q: _rate([[one.hit] for one in scored if one.question == q]) for q in questions}
    return {q: replace(rate, listeners=min(1, rate.listeners)) for q, rate in rates.items()}


# ---- staircases


def _tracks(scored: Sequence[_Scored]) -> dict[str, list[Answer]]:
    """The answers of one listener to one question, by clip."""
    tracks: dict[str, list[Answer]] = {}
    for one in scored:
        if one.level is not None:
            tracks.setdefault(one.clip, []).append(Answer(one.level, one.hit))
    return tracks


def _thresholds(scored: ByListener) -> list[Threshold]:
    return [of_listener([*_tracks(theirs).values()]) for theirs in scored]


def _own_thresholds(
    questions: Sequence[Question], scored: Sequence[_Scored]
) -> dict[Question, Threshold]:
    of = {q: _tracks([one for one in scored if one.question == q]) for q in questions}
    return {q: of_listener([*tracks.values()]) for q, tracks in of.items() if tracks}


def _of_clip(scored: ByListener, clip: str) -> Threshold | None:
    """The threshold of a clip, from listeners who have one; None if nobody of them had the clip."""
    having = [
        (by[clip], [track for other, track in by.items() if other != clip])
        for by in map(_tracks, scored)
        if clip in by and of_listener([*by.values()]).db is not None
    ]
    return of_clip(having) if having else None


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
