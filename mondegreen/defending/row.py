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
from mondegreen.text import WordErrors, matches, word_errors

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
    verified: Share  # of the clips
    # of what is random: the share of fresh draws in which a verified file is heard as its target,
    # mean over files
    anew: float | None
    first_match: float | None  # gradient passes to the first success, median


@dataclass(frozen=True)
class Price:
    """What the same clips cost the attack more than without the defence: medians, and the least."""

    clips: int  # verified with it and without
    louder_db: float  # by how much δ is louder
    loudest_db: float  # at most: the clip that costs most
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
    """Whether it was broken, which may be said only if no check fires."""
    if not adaptive.tried:
        return "not evaluated", "no clip could be attacked: see the folder errors of its run"
    fired = [one for one in findings if one.state == "fires"]
    if fired:
        return "not evaluated", "; ".join(f"{one.id}: {one.detail}" for one in fired)
    share = adaptive.verified
    counts = f"{share.hits} of {share.clips} clips"
    if share.clips and 2 * share.hits > share.clips:
        return "broken", f"{counts} are heard as their target"
    return "not broken by this attack at this budget", f"{counts} are heard as their target"


def _cost(evidence: Evidence) -> Cost:
    said = {record.id: record.text or record.heard_clean for record in evidence.before}
    return Cost(
        wer=Rate.of([[word_errors(one.text, t) for t in one.clean] for one in evidence.heard]),
        without=Rate.of([[word_errors(said[r.id], r.heard_clean)] for r in evidence.before]),
        work=median(one.cost for one in evidence.heard) if evidence.heard else None,
    )


def _oblivious(heard: Sequence[Heard]) -> Oblivious:
    files = [one for one in heard if one.verified]
    return Oblivious(
        heard=Share.of(sum(2 * _share(one) > 1 for one in files), len(files)),
        recovered=Rate.of([[word_errors(one.text, t) for t in one.adversarial] for one in files]),
    )


def _share(one: Heard) -> float:
    """The share of draws in which a file is heard as its target."""
    heard = [matches(text, one.target, one.normaliser) for text in one.adversarial]
    return sum(heard) / len(heard)


def _adaptive(evidence: Evidence) -> Adaptive:
    verified = [record for record in evidence.adaptive if record.verified]
    first = [r.first_match for r in verified if r.first_match is not None]
    fresh = [_share(one) for one in evidence.heard_adaptive if one.verified]
    return Adaptive(
        tried=len(evidence.adaptive),
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
