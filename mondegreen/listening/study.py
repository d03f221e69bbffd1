"""The key of a study, what it asks, and what counts as a hit.

The key is what the page does not have: which sound is which. Trials that ask the same of the same
conditions are counted together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mondegreen.errors import MondegreenError
from mondegreen.listening.answers import Answer

KEY: Final = "key.json"
CLEAN: Final = "clean"

Kind = Literal["abx", "noise", "natural", "identical"]
Role = Literal["test", "training", "catch same", "catch obvious"]
Choice = Literal["a", "b", "yes", "no"]

CHOICES: Final[Mapping[Kind, tuple[Choice, Choice]]] = MappingProxyType(
    {"abx": ("a", "b"), "noise": ("yes", "no"), "natural": ("a", "b"), "identical": ("yes", "no")}
)
HEARD: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(  # what is told apart, or judged
    {"abx": ("a", "b"), "noise": ("a",), "natural": ("a", "b"), "identical": ("a", "b")}
)


class FromFile(BaseModel):
    """A part of a JSON file, of exactly its types; what it does not know is let be."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Sound(FromFile):
    """What a blind name stands for; `condition` is "clean", a label, "obvious" or "training"."""

    clip: str
    condition: str


class Trial(FromFile):
    """One question of a form, within which its `id` is unique; `sounds` are blind names."""

    id: str
    kind: Kind
    role: Role
    clip: str
    sounds: Mapping[str, str]
    correct: Choice | None = None


class Study(FromFile):
    """A study as its key tells it.

    Attributes:
        id: 16 hexadecimal digits.
        protocol: X, A or B; or the paper's three questions.
        conditions: labels of what is compared with the clean clips.
        clips: their ids.
        sounds: by blind name.
        forms: what each listener may go through.
    """

    id: str = Field(alias="study", pattern="^[0-9a-f]{16}$")
    protocol: Literal["abx", "paper"]
    conditions: tuple[str, ...]
    clips: tuple[str, ...]
    sounds: Mapping[str, Sound]
    forms: Annotated[tuple[tuple[Trial, ...], ...], Field(min_length=1)]

    def heard(self, trial: Trial) -> tuple[str, ...]:
        """The conditions of the sounds that a trial asks about, in the listener's order."""
        return tuple(self.sounds[trial.sounds[name]].condition for name in HEARD[trial.kind])


def find_key(answers: Sequence[Path]) -> Path:
    """The one key beside or above files and folders of answers.

    Raises:
        MondegreenError: there is none, or there are several.
    """
    for path in answers:
        if not path.exists():
            raise MondegreenError(
                f"{path} is not there. Expected answers, or the folder of a study."
            )
    found = {key for path in answers for key in [_nearest(path)] if key}
    if len(found) == 1:
        return found.pop()
    if found:
        raise MondegreenError(
            f"these answers lie with {len(found)} keys: {', '.join(map(str, sorted(found)))}. One"
            " study is scored at a time; give its answers alone, or name the key by --key."
        )
    raise MondegreenError(
        f"there is no {KEY} beside or above {', '.join(map(str, answers))}. Expected the key that"
        " `mondegreen listen make` wrote; name it by --key."
    )


def _nearest(path: Path) -> Path | None:
    home = path.resolve() if path.is_dir() else path.resolve().parent
    return next((at / KEY for at in (home, home.parent) if (at / KEY).is_file()), None)


def read_study(key: Path) -> Study:
    """Read a key.

    Raises:
        MondegreenError: it is not there, is damaged, or contradicts itself.
    """
    try:
        study = Study.model_validate_json(key.read_bytes())
    except OSError as error:
        raise MondegreenError(
            f"{key} cannot be read ({error.strerror or error}). Expected the {KEY} that `mondegreen"
            " listen make` wrote, in the folder of a study."
        ) from error
    except ValidationError as error:
        raise _damaged(key, first_problem(error)) from error
    for number, form in enumerate(study.forms):
        for trial in form:
            if problem := _contradiction(study, trial):
                raise _damaged(key, f"trial {trial.id} of form {number}: {problem}")
    return study


def first_problem(error: ValidationError) -> str:
    """What is wrong with a file, in a few words: the first of what pydantic found, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _contradiction(study: Study, trial: Trial) -> str | None:
    missing = [name for name in HEARD[trial.kind] if name not in trial.sounds]
    if missing:
        return f"it has no sound {missing[0]}"
    if unknown := [blind for blind in trial.sounds.values() if blind not in study.sounds]:
        return f"no sound is called {unknown[0]}"
    if trial.kind == "abx" and trial.role == "test" and trial.correct is None:
        return "it has no right answer"
    if trial.correct is not None and trial.correct not in CHOICES[trial.kind]:
        return f"its right answer is {trial.correct}, which is no answer of {trial.kind}"
    return None


def _damaged(key: Path, problem: str) -> MondegreenError:
    return MondegreenError(
        f"{key} is not a key that `mondegreen listen make` wrote ({problem}). Take it from where"
        " the study was made, or make the study again by the same command."
    )


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
