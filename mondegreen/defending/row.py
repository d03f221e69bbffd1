"""A row of the table of defences: what one costs, and what it does for whom.

Intervals are 95 %: Wilson's for shares of clips; for word error rates, of 2,000 bootstrap samples
of the clips (Efron 1979), which says little where there are few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

import numpy as np

from mondegreen.defending.defence import Defence
from mondegreen.defending.hearing import Heard
from mondegreen.findings import Finding
from mondegreen.judging.detectors import Roc, roc
from mondegreen.report.numbers.statistics import LEVEL, Share
from mondegreen.results.record import Quality, Record
from mondegreen.text import WordErrors, word_errors

RESAMPLES: Final = 2000
Result = Literal["broken", "not broken by this attack at this budget", "not evaluated"]


@dataclass(frozen=True)
class Rate:
    """A word error rate, pooled over clips."""

    clips: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, clips: Sequence[Sequence[WordErrors]]) -> Rate | None:
        """That of the transcripts of clips, one or several of each; None of no clips."""
        if not clips:
            return None
        errors = np.array([sum(one.errors for one in each) for each in clips])
        words = np.array([sum(one.words + one.characters for one in each) for each in clips])
        drawn = np.random.default_rng(0).integers(len(clips), size=(RESAMPLES, len(clips)))
        rates = errors[drawn].sum(1) / np.maximum(words[drawn].sum(1), 1)
        low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(len(clips), float(errors.sum() / max(words.sum(), 1)), float(low), float(high))


@dataclass(frozen=True)
class Cost:
    """What a defence costs where nobody attacks."""

    wer: Rate | None  # of clean clips behind it
    without: Rate | None  # of the same clips without it
    work: float | None  # seconds per second of sound, median over clips


@dataclass(frozen=True)
class Oblivious:
    """What it does against files that were made without it."""

    # of the files that are heard as their target without it, those that still are; of what is
    # random, in more than half of the draws
    heard: Share
    recovered: Rate | None  # word error rate of what is heard of them to what is said


@dataclass(frozen=True)
class Adaptive:
    """What an attack that knows of it comes to."""

    tried: int  # clips of which there is a result; the others could not be attacked
    verified: Share  # of the clips: the file is heard as its target behind the defence
    # of the clips, those that the attack has won: verified, and of what is random heard in more
    # than half of the fresh draws, of a detector no more suspicious than the worst clean clip
    won: Share
    # of what is random: the share of fresh draws in which a verified file is heard as its target,
    # mean over files
    anew: float | None
    first_match: float | None  # gradient passes to the first success, median


@dataclass(frozen=True)
class Price:
    """What the same clips cost the attack more than without the defence: medians over them."""

    clips: int  # verified with it and without
    louder_db: float  # by how much δ is louder
    loudest_db: float  # the same of the clip that costs most
    zimtohrli: float | None  # Zimtohrli MOS lost
    pesq_c2: float | None  # PESQ (Cor. 2) lost


@dataclass(frozen=True)
class Row:
    """All of it, of one defence."""

    defence: str
    kind: str
    source: str
    random: bool
    gradient: str
    passes: int  # of the recogniser in each pass of the attack that knows of it
    result: Result
    why: str  # of the result, in a line
    cost: Cost
    oblivious: Oblivious
    adaptive: Adaptive
    price: Price | None
    # of a detector: clean clips against files made without it, and with it
    detected: Roc | None
    detected_adaptive: Roc | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Evidence:
    """What a row is made of."""

    defence: Defence
    heard: Sequence[Heard]  # of the results without the defence, behind it
    before: Sequence[Record]  # those results
    adaptive: Sequence[Record]  # of the attack that knows of it
    heard_adaptive: Sequence[Heard]  # of those, behind it
    clips: int  # that it was tried on, those that could not be attacked included
    findings: Sequence[Finding]


def row(evidence: Evidence) -> Row:
    """The row of a defence."""
    defence, adaptive = evidence.defence, _adaptive(evidence)
    result, why = _result(adaptive, evidence.findings)
    return Row(
        defence=defence.spec,
        kind=defence.kind,
        source=defence.source,
        random=defence.random,
        gradient=defence.gradient,
        passes=defence.passes,
        result=result,
        why=why,
        cost=_cost(evidence),
        oblivious=_oblivious(evidence.heard),
        adaptive=adaptive,
        price=_price(evidence.before, evidence.adaptive),
        detected=_roc(evidence.heard, evidence.heard),
        detected_adaptive=_roc(evidence.heard, evidence.heard_adaptive),
        findings=tuple(evidence.findings),
    )


def _result(adaptive: Adaptive, findings: Sequence[Finding]) -> tuple[Result, str]:
    """Whether it was broken, which may be said only if no check fires or is left out."""
    won, lost = adaptive.won, adaptive.won.clips - adaptive.tried
    doubts = [f"{one.id}: {one.detail}" for one in findings if one.state != "ok"]
    counts = f"the attack wins on {won.hits} of {won.clips} clips"
    if lost:
        counts += f"; {lost} could not be attacked (see the folder errors of its run)"
    if doubts:
        return "not evaluated", "; ".join([counts, *doubts])
    if 2 * won.hits > won.clips:
        return "broken", counts
    if not adaptive.tried or 2 * (won.hits + lost) > won.clips:
        return "not evaluated", counts
    return "not broken by this attack at this budget", counts


def _cost(evidence: Evidence) -> Cost:
    known = [record for record in evidence.before if record.text is not None]
    return Cost(
        wer=_rate(evidence.heard, lambda one: one.clean),
        without=Rate.of([[word_errors(str(one.text), one.heard_clean)] for one in known]),
        work=median(one.cost for one in evidence.heard) if evidence.heard else None,
    )


def _oblivious(heard: Sequence[Heard]) -> Oblivious:
    files = [one for one in heard if one.verified]
    return Oblivious(
        heard=Share.of(sum(2 * one.share > 1 for one in files), len(files)),
        recovered=_rate(files, lambda one: one.adversarial),
    )


def _rate(heard: Sequence[Heard], texts: Callable[[Heard], Sequence[str]]) -> Rate | None:
    """The word error rate of transcripts of the clips of which it is known what is said."""
    known = [(one.text, texts(one)) for one in heard if one.text is not None]
    return Rate.of([[word_errors(said, text) for text in found] for said, found in known])


def _adaptive(evidence: Evidence) -> Adaptive:
    verified = [record for record in evidence.adaptive if record.verified]
    first = [r.first_match for r in verified if r.first_match is not None]
    files = [one for one in evidence.heard_adaptive if one.verified]
    fresh = [one.share for one in files]
    won = len(verified)
    if evidence.defence.detector is not None:
        worst = max((h.clean_score for h in evidence.heard if h.clean_score is not None), default=0)
        won = sum(one.score is not None and one.score <= worst for one in files)
    elif evidence.defence.random:
        won = sum(2 * share > 1 for share in fresh)
    return Adaptive(
        tried=len(evidence.adaptive),
        won=Share.of(won, evidence.clips),
        verified=Share.of(len(verified), evidence.clips),
        anew=float(np.mean(fresh)) if evidence.defence.random and fresh else None,
        first_match=median(first) if first else None,
    )


def _price(before: Sequence[Record], after: Sequence[Record]) -> Price | None:
    """What the clips that were verified both times cost more."""
    known = {(r.id, r.target): r.quality for r in before if r.verified}
    pairs = [
        (known[r.id, r.target], r.quality)
        for r in after
        if r.verified and (r.id, r.target) in known
    ]
    louder = _lost(pairs, lambda quality: quality.snr_db)
    if not louder:
        return None
    zimtohrli = _lost(pairs, lambda quality: quality.zimtohrli_mos)
    pesq = _lost(pairs, lambda quality: quality.pesq_c2)
    return Price(
        clips=len(louder),
        louder_db=median(louder),
        loudest_db=max(louder),
        zimtohrli=median(zimtohrli) if zimtohrli else None,
        pesq_c2=median(pesq) if pesq else None,
    )


def _lost(
    pairs: Sequence[tuple[Quality, Quality]], value: Callable[[Quality], float | None]
) -> list[float]:
    """What a yardstick has lost from before to after, where it was measured both times."""
    both = ((value(before), value(after)) for before, after in pairs)
    return [before - after for before, after in both if before is not None and after is not None]


def _roc(clean: Sequence[Heard], files: Sequence[Heard]) -> Roc | None:
    """How well a detector tells files from clean clips; None: it is none, or there are none."""
    negatives = [one.clean_score for one in clean if one.clean_score is not None]
    positives = [one.score for one in files if one.score is not None and one.verified]
    return roc(negatives, positives) if negatives and positives else None
