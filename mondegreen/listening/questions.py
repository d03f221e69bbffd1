"""What a study asks, and what counts as a hit: trials that ask the same of the same conditions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from mondegreen.listening.answers import Answer
from mondegreen.listening.study import CLEAN, Kind, Study, Trial

ASKED: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "abx": "Is X A or B?",
        "noise": "Do you hear background noise?",
        "natural": "Which sounds more natural?",
        "identical": "Are these identical?",
    }
)
HIT: Final[Mapping[Kind, str]] = MappingProxyType(  # what is counted
    {"abx": "correct", "noise": "yes", "natural": "chosen", "identical": "yes"}
)
BETWEEN: Final[Mapping[Kind, str]] = MappingProxyType(
    {"abx": " and ", "noise": "", "natural": " rather than ", "identical": " and "}
)


class Question(NamedTuple):
    """What is asked of which conditions, "clean" first and the others in the study's order."""

    kind: Kind
    conditions: tuple[str, ...]

    @property
    def label(self) -> str:
        """The conditions in a few words; in ABX, without the clean clip that they are told from."""
        named = [name for name in self.conditions if self.kind != "abx" or name != CLEAN]
        return BETWEEN[self.kind].join(named) or CLEAN


def question_of(study: Study, trial: Trial) -> Question:
    """What a trial asks."""
    known = [CLEAN, *study.conditions]
    heard = sorted(
        study.heard(trial), key=lambda name: known.index(name) if name in known else len(known)
    )
    return Question(trial.kind, tuple(heard))


def is_hit(study: Study, trial: Trial, answer: Answer) -> bool:
    """Whether an answer is correct (ABX), "yes", or the choice of the question's first condition.

    Of a pair of the same condition it is the choice of the sound that is called A.
    """
    if trial.kind == "abx":
        return answer.answer == trial.correct
    if trial.kind == "natural":
        chosen = study.heard(trial)["ab".index(answer.answer)]
        first = question_of(study, trial).conditions[0]
        same = len(set(study.heard(trial))) == 1
        return answer.answer == "a" if same else chosen == first
    return answer.answer == "yes"
