"""The key of a study: what each sound is, what each form asks, and what counts as a hit.

The page that listeners get does not contain the key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from mondegreen.errors import MondegreenError, reason
from mondegreen.reading import in_full, is_file, is_folder, is_there, read_bytes
from mondegreen.report.numbers.summary_text import one_line

KEY: Final = "key.json"
CLEAN: Final = "clean"

Kind = Literal["abx", "noise", "natural", "identical", "changed"]
Role = Literal["test", "training", "catch same", "catch obvious"]
Choice = Literal["a", "b", "yes", "no"]
ProtocolName = Literal["abx", "paper", "staircase"]


class KindOfQuestion(NamedTuple):
    """A kind of question: its wording, its answers, and the sounds that it is about."""

    wording: str
    choices: tuple[Choice, Choice]
    sounds: str  # by the letters that the listener sees
    hit: str  # what is counted, in a word
    joiner: str  # between the conditions in a label


KINDS: Final[Mapping[Kind, KindOfQuestion]] = MappingProxyType(
    {
        "abx": KindOfQuestion("Is X A or B?", ("a", "b"), "ab", "correct", " and "),
        "noise": KindOfQuestion("Do you hear background noise?", ("yes", "no"), "a", "yes", ""),
        "natural": KindOfQuestion(
            "Which sounds more natural?", ("a", "b"), "ab", "chosen", " rather than "
        ),
        "identical": KindOfQuestion("Are these identical?", ("yes", "no"), "ab", "yes", " and "),
        "changed": KindOfQuestion("Which was changed?", ("a", "b"), "ab", "correct", " and "),
    }
)


class Question(NamedTuple):
    """A kind of question about conditions, "clean" first and the others in the study's order."""

    kind: Kind
    conditions: tuple[str, ...]

    @property
    def label(self) -> str:
        """The conditions in a few words; without "clean" where that is always one of them."""
        named = [name for name in self.conditions if not self.is_of_one or name != CLEAN]
        return KINDS[self.kind].joiner.join(named) or CLEAN

    @property
    def title(self) -> str:
        """The label, with the kind of question where a study has several."""
        return self.label if self.is_of_one else f"{self.kind}: {self.label}"

    @property
    def is_of_one(self) -> bool:
        """Whether it compares one condition with the clean clip."""
        return KINDS[self.kind].hit == "correct"


@dataclass(frozen=True)
class Stimulus:
    """A clip in a condition: "clean", a label of the study, "obvious" or "training"."""

    clip: str
    condition: str


@dataclass(frozen=True)
class Trial:
    """One question of a form; see `mondegreen.listening` for the fields."""

    id: str
    kind: Kind
    role: Role
    clip: str
    conditions: tuple[str, ...]
    sounds: Mapping[str, str]
    correct: Choice | None
    track: tuple[int, int] | None = None

    def for_page(self) -> dict[str, Any]:
        """The trial as listeners get it: without what would give it away, except in training."""
        shown = {"id": self.id, "kind": self.kind, "sounds": self.sounds}
        track = {} if self.track is None else {"track": self.track}
        training = {"training": {"correct": self.correct}} if self.role == "training" else {}
        return shown | track | training


@dataclass(frozen=True, kw_only=True)
class StudyKey:
    """A study as `key.json` describes it; see `mondegreen.listening` for the fields."""

    schema: Literal[1] = 1
    study: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    protocol: ProtocolName
    seed: int
    versions: Mapping[str, str]
    conditions: tuple[str, ...]
    clips: tuple[str, ...]
    sounds: Mapping[str, Stimulus]
    forms: Annotated[tuple[tuple[Trial, ...], ...], Field(min_length=1)]

    def to_json(self) -> dict[str, Any]:
        """The key as plain data."""
        return asdict(self)

    def compared(self, trial: Trial) -> tuple[str, ...]:
        """The conditions that a trial is about, in the order of the listener's letters."""
        return tuple(
            self.sounds[trial.sounds[letter]].condition for letter in KINDS[trial.kind].sounds
        )

    def question(self, trial: Trial) -> Question:
        """The question that a trial asks; trials that ask the same are counted together."""
        place = {name: at for at, name in enumerate((CLEAN, *self.conditions))}
        by_place = sorted(self.compared(trial), key=lambda name: place.get(name, len(place)))
        return Question(trial.kind, tuple(by_place))

    def is_hit(self, trial: Trial, choice: Choice) -> bool:
        """Whether an answer is correct, "yes", or prefers the question's first condition.

        If both sounds have the same condition, preferring A is a hit.
        """
        if KINDS[trial.kind].hit == "correct":
            return choice == trial.correct
        if trial.kind == "natural":
            a, b = self.compared(trial)
            first = self.question(trial).conditions[0]
            return choice == ("b" if b == first != a else "a")
        return choice == "yes"


def find_key(answers: Sequence[Path]) -> Path:
    """Find the one key that lies beside or above files and folders of answers.

    Raises:
        MondegreenError: there is none, or there are several.
    """
    for path in answers:
        if not is_there(path):
            raise MondegreenError(f"{path} does not exist. Expected answers, or a study's folder.")
    folders = {in_full(path) if is_folder(path) else in_full(path).parent for path in answers}
    places = ((folder / KEY, folder.parent / KEY) for folder in folders)
    found = {key for pair in places for key in [*filter(is_file, pair)][:1]}  # the nearest
    if not found:
        raise MondegreenError(
            f"there is no {KEY} beside or above {', '.join(map(str, answers))}. Expected the key"
            " that `mondegreen listen make` wrote; pass its path with --key."
        )
    if len(found) > 1:
        raise MondegreenError(
            f"these answers belong to {len(found)} keys: {', '.join(map(str, sorted(found)))}."
            " Score one study at a time, or choose the key with --key."
        )
    return found.pop()


def read_key(path: Path) -> StudyKey:
    """Read a key.

    Raises:
        MondegreenError: it does not exist, is damaged, or contradicts itself.
    """
    try:
        key = _KEY.validate_json(read_bytes(path), strict=True)
        _check(key)
    except OSError as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected the {KEY} that `mondegreen listen"
            " make` wrote into the study's folder."
        ) from error
    except ValueError as error:
        raise MondegreenError(
            f"{path} is not a key that `mondegreen listen make` wrote ({problem(error)}). Copy it"
            " again from the study's folder, or run the same command again to make the study anew."
        ) from error
    return key


def problem(error: Exception) -> str:
    """What is wrong with a file, on one line: the first error that pydantic found, and where."""
    if not isinstance(error, ValidationError):
        return one_line(reason(error))
    first = error.errors(include_url=False, include_input=False)[0]
    return one_line(": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"]))))


_KEY: Final = TypeAdapter(StudyKey)


def _check(key: StudyKey) -> None:
    for number, form in enumerate(key.forms):
        for trial in form:
            if wrong := _contradiction(key, trial):
                raise ValueError(f"trial {trial.id} of form {number}: {wrong}")


def _contradiction(key: StudyKey, trial: Trial) -> str | None:
    kind = KINDS[trial.kind]
    if missing := [letter for letter in kind.sounds if letter not in trial.sounds]:
        return f"it has no sound {missing[0]}"
    if unknown := [name for name in trial.sounds.values() if name not in key.sounds]:
        return f"there is no sound {unknown[0]}"
    if trial.clip not in key.clips:
        return f"there is no clip {trial.clip}"
    if kind.hit == "correct" and trial.role == "test" and trial.correct is None:
        return "it has no correct answer"
    if trial.kind == "changed" and trial.role == "test" and trial.track is None:
        return "it has no track"
    if trial.correct not in (None, *kind.choices):
        return f"its correct answer is {trial.correct}, which {trial.kind} trials do not have"
    return None
