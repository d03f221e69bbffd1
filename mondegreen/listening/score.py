"""What a listening test came to: for each condition, each clip and each listener.

Shares are 0 to 1, intervals 95 %; what nobody was asked is None. Every figure over listeners is the
mean of theirs, see `mondegreen.listening.detection`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.listening.answers import Caught, Judged, Session, judge, one_each
from mondegreen.listening.detection import (
    Hearing,
    Interval,
    beyond_guessing,
    d_prime,
    hearing,
    interval,
)
from mondegreen.listening.study import ASKED, Question, Study, is_hit, question_of
from mondegreen.report.numbers.summary_text import one_line


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
    """d’ at a share correct and at the ends of its interval; None: boundless, or not known."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Result:
    """What a question came to.

    Attributes:
        question: what was asked of which conditions.
        rate: of answers that are hits, see `is_hit`.
        pooled: Clopper's and Pearson's interval of all answers, as if they were independent, which
            is too narrow where listeners differ; None: there are none.
        hearing: the share of listeners that can tell; None: not asked in ABX, or of nobody.
        d_prime: the same on the scale of signal detection.
        claimed: of answers with which a difference was claimed; None as above.
        telling: how many of these listeners are right too often to have guessed, all of them
            looked at together; None as above.
    """

    question: Question
    rate: Rate
    pooled: Interval | None
    hearing: Hearing | None
    d_prime: Sensitivity | None
    claimed: Rate | None
    telling: int | None


@dataclass(frozen=True)
class OfClip:
    """The answers about one clip; each listener's are one observation."""

    question: Question
    clip: str
    rate: Rate


@dataclass(frozen=True)
class OfListener:
    """One listener's answers, taken as independent of each other."""

    question: Question
    rate: Rate


@dataclass(frozen=True)
class Listener:
    """A listener, how he did in the catch trials, and in each question; `seconds` is the median."""

    name: str
    form: int
    caught: Caught
    headphones: bool | None
    reasons: tuple[str, ...]  # why he is left out
    seconds: float | None
    rates: tuple[OfListener, ...]


@dataclass(frozen=True)
class Score:
    """What a listening test came to.

    Attributes:
        study: what was asked.
        results: of the listeners who count.
        everybody: the same with nobody left out; each listener still counts once.
        clips: of the listeners who count.
        listeners: all of them.
        repeated: sessions that repeat a listener, by name and form.
    """

    study: Study
    results: tuple[Result, ...]
    everybody: tuple[Result, ...]
    clips: tuple[OfClip, ...]
    listeners: tuple[Listener, ...]
    repeated: tuple[tuple[str, int], ...]

    @property
    def counted(self) -> int:
        """Listeners who count."""
        return sum(not listener.reasons for listener in self.listeners)


TOLD: Final = 10  # listeners whom an error names


class _Given(NamedTuple):
    """An answer to a trial that is scored."""

    question: Question
    clip: str
    listener: int
    number: int
    hit: bool
    claimed: bool


def score(study: Study, sessions: Sequence[Session]) -> Score:
    """Score the answers to a study.

    Raises:
        MondegreenError: no listener counts.
    """
    chosen, repeated = one_each(sessions, study)
    judged = [judge(session, study) for session in chosen]
    given = {number: _given(study, number, j.session) for number, j in enumerate(judged)}
    counted = [answer for n, j in enumerate(judged) if not j.reasons for answer in given[n]]
    if not counted:
        raise _nobody(judged)
    everybody = [answer for answers in given.values() for answer in answers]
    questions = _questions(study)
    return Score(
        study=study,
        results=tuple(_result(question, counted) for question in questions),
        everybody=tuple(_result(question, everybody) for question in questions),
        clips=tuple(_clips(questions, study, counted)),
        listeners=tuple(_listener(j, questions, given[n]) for n, j in enumerate(judged)),
        repeated=tuple((session.listener, session.form) for session in repeated),
    )


def _questions(study: Study) -> list[Question]:
    """What is scored, by kind and in the order of the conditions."""
    found = {question_of(study, t) for form in study.forms for t in form if t.role == "test"}
    places = {name: place for place, name in enumerate(study.conditions)}
    kinds = list(ASKED)
    return sorted(
        found, key=lambda q: (kinds.index(q.kind), [places.get(name, -1) for name in q.conditions])
    )


def _given(study: Study, listener: int, session: Session) -> list[_Given]:
    return [
        _Given(
            question=question_of(study, trial),
            clip=trial.clip,
            listener=listener,
            number=number,
            hit=is_hit(study, trial, session.answers[trial.id]),
            claimed=bool(session.answers[trial.id].heard_difference),
        )
        for number, trial in enumerate(study.forms[session.form])
        if trial.role == "test" and trial.id in session.answers
    ]


def _result(question: Question, given: Iterable[_Given]) -> Result:
    answers = [answer for answer in given if answer.question == question]
    rate = _rate(answers)
    pooled = interval([float(answer.hit) for answer in answers]) if answers else None
    if question.kind != "abx" or not answers:
        return Result(question, rate, pooled, None, None, None, None)
    ends = (None if at is None else d_prime(at) for at in (rate.share, rate.low, rate.high))
    theirs = _hits(answers, lambda a: a.listener, lambda a: a.hit)
    return Result(
        question,
        rate,
        pooled,
        hearing(list(map(fmean, theirs))),
        Sensitivity(*ends),
        claimed=_rate(answers, hit=lambda a: a.claimed),
        telling=beyond_guessing([(sum(hits), len(hits)) for hits in theirs]),
    )


def _clips(
    questions: Iterable[Question], study: Study, given: Iterable[_Given]
) -> Iterable[OfClip]:
    places = {clip: place for place, clip in enumerate(study.clips)}
    about: defaultdict[tuple[Question, str], list[_Given]] = defaultdict(list)
    for answer in given:
        about[answer.question, answer.clip].append(answer)
    for question in questions:
        clips = (clip for asked, clip in about if asked == question)
        for clip in sorted(clips, key=lambda name: places.get(name, -1)):
            yield OfClip(question, clip, _rate(about[question, clip]))


def _listener(judged: Judged, questions: Iterable[Question], given: Sequence[_Given]) -> Listener:
    session = judged.session
    theirs = ((q, [answer for answer in given if answer.question == q]) for q in questions)
    seconds = [a.seconds for a in session.answers.values() if a.seconds is not None]
    return Listener(
        name=session.listener,
        form=session.form,
        caught=judged.caught,
        headphones=session.headphones,
        reasons=judged.reasons,
        seconds=median(seconds) if seconds else None,
        rates=tuple(OfListener(q, _rate(of, unit=lambda a: a.number)) for q, of in theirs),
    )


def _rate(
    given: Sequence[_Given],
    unit: Callable[[_Given], Hashable] = lambda answer: answer.listener,
    hit: Callable[[_Given], bool] = lambda answer: answer.hit,
) -> Rate:
    """The rate of hits; the answers that `unit` makes one are one observation."""
    hits, listeners = sum(map(hit, given)), len({answer.listener for answer in given})
    if not given:
        return Rate(0, 0, 0, None, None, None)
    shares = list(map(fmean, _hits(given, unit, hit)))
    return Rate(hits, len(given), listeners, fmean(shares), *interval(shares))


def _hits(
    given: Iterable[_Given],
    unit: Callable[[_Given], Hashable],
    hit: Callable[[_Given], bool],
) -> list[list[bool]]:
    """Which answers of each unit are hits."""
    units: defaultdict[Hashable, list[bool]] = defaultdict(list)
    for answer in given:
        units[unit(answer)].append(hit(answer))
    return list(units.values())


def _nobody(judged: Sequence[Judged]) -> MondegreenError:
    """That no listener counts, and why."""
    left_out = [j for j in judged if j.reasons]
    told = [
        f"{one_line(j.session.listener) or '(no name)'} ({', '.join(j.reasons)})"
        for j in left_out[:TOLD]
    ]
    more = [f"and {len(left_out) - TOLD} more"] if len(left_out) > TOLD else []
    why = "; ".join([*told, *more]) or "no trial that is scored was answered"
    return MondegreenError(
        f"nothing is left to score: of {len(judged)} listeners none counts: {why}. The rule stands"
        " in docs/listening.md. Ask more listeners; for those without headphones, make the study"
        " with --no-headphones."
    )
