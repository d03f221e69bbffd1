"""A score as plain data, for programs: one object, in which what is not known is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mondegreen.listening.claims import claims, notes
from mondegreen.listening.exclusion import RULE
from mondegreen.listening.questions import HIT, Question
from mondegreen.listening.score import Listener, Result, Score
from mondegreen.report.statistics import LEVEL


def to_json(score: Score) -> dict[str, Any]:
    """All of a score; `results` are of those who count, `everybody` with nobody left out."""
    return {
        "study": score.study.id,
        "protocol": score.study.protocol,
        "level": LEVEL,
        "rule": " ".join(RULE),
        "notes": list(notes(score)),
        "listeners": len(score.listeners),
        "counted": score.counted,
        "left_out": [
            {"listener": who.name, "form": who.form, "reasons": list(who.reasons)}
            for who in score.listeners
            if who.reasons
        ],
        "repeated": [{"listener": name, "form": form} for name, form in score.repeated],
        "claims": [asdict(found) for found in claims(score)],
        "results": [_result(found) for found in score.results],
        "everybody": [_result(found) for found in score.everybody],
        "by_clip": [
            {"clip": of.clip, **_question(of.question), **asdict(of.rate)} for of in score.clips
        ],
        "by_listener": _by_listener(score.listeners),
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "conditions": list(question.conditions),
        "label": question.label,
        "hit": HIT[question.kind],
    }


def _result(result: Result) -> dict[str, Any]:
    told = asdict(result)
    del told["question"]
    told["pooled"] = result.pooled._asdict() if result.pooled else None
    return {**_question(result.question), **told.pop("rate"), **told}


def _by_listener(listeners: Sequence[Listener]) -> list[dict[str, Any]]:
    return [
        {
            "listener": who.name,
            "form": who.form,
            "counts": not who.reasons,
            "headphones": who.headphones,
            "seconds": who.seconds,
            **asdict(who.caught),
            "rates": [{**_question(of.question), **asdict(of.rate)} for of in who.rates],
        }
        for who in listeners
    ]
