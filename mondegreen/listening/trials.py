"""Who is asked what: trials, and forms in which every clip meets every case equally often.

A form is what one listener goes through. Clips are dealt into groups, and a group meets another
case in each form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from mondegreen.errors import MondegreenError
from mondegreen.listening.study import CLEAN, Kind, Role

Item = TypeVar("Item")


@dataclass(frozen=True)
class Place:
    """A clip in a form.

    Attributes:
        clip: which clip.
        case: what is asked of it: which condition, or which pair of them.
        side: which of several arrangements of its sounds.
    """

    clip: int
    case: int
    side: int


def assign(clips: int, cases: int, sides: int, most: int, rng: Random) -> list[list[Place]]:
    """All forms, each in a random order.

    Over all of them, every clip meets every case with every side exactly once; over the first
    `1 / sides` of them, every clip meets every case exactly once. Within a form no clip comes
    twice, and the numbers of any two cases differ by one at most, as do those of any two sides,
    in all and within a case.

    Args:
        clips: how many there are.
        cases: likewise, for each clip.
        sides: likewise, for each case.
        most: clips that a form may have.
        rng: draws groups, sides and order.
    """
    order = rng.sample(range(clips), clips)
    count = -(-clips // most)
    groups = [order[start::count] for start in range(count)]
    squares = [_turn(group, turn, cases, sides, rng) for turn in range(cases) for group in groups]
    forms = [
        [replace(place, side=(place.side + by) % sides) for place in square]
        for by in range(sides)
        for square in squares
    ]
    return [rng.sample(form, len(form)) for form in forms]


def _turn(group: Sequence[int], turn: int, cases: int, sides: int, rng: Random) -> list[Place]:
    """A row of the Latin square, its sides dealt out case by case."""
    row = [((at + turn) % cases, clip) for at, clip in enumerate(group)]
    first = rng.randrange(sides)
    return [Place(clip, case, (first + at) % sides) for at, (case, clip) in enumerate(sorted(row))]


def spread(ordinary: Sequence[Item], rare: Sequence[Item], rng: Random) -> list[Item]:
    """Put what is rare among the ordinary: one in each of as many stretches, which one is drawn."""
    mixed: list[Item] = []
    for at, one in enumerate(rng.sample(rare, len(rare))):
        ends = (len(ordinary) * at // len(rare), len(ordinary) * (at + 1) // len(rare))
        stretch = list(ordinary[slice(*ends)])
        stretch.insert(rng.randint(0, len(stretch)), one)
        mixed += stretch
    return mixed if rare else list(ordinary)


OBVIOUS, TRAINING = "obvious", "training"  # conditions that are worse on purpose
BASELINE, PROPOSED = "carlini-wagner", "imperceptible"  # methods that the paper's study compares
MORE_THAN: Final = 10  # test trials for each catch trial of a kind, of which there are two at least


class Condition(NamedTuple):
    """What is compared with the clean clips."""

    label: str
    method: str


class Case(NamedTuple):
    """A question about a clip; see the `conditions` of a trial in `mondegreen.listening`."""

    kind: Kind
    conditions: tuple[str, ...]


class Version(NamedTuple):
    """A clip in a condition; copies of it sound alike and bear different names."""

    clip: str
    condition: str
    copy: int


@dataclass(frozen=True)
class Protocol:
    """What is asked in a study.

    Attributes:
        cases: what is asked of every clip.
        sides: arrangements of the sounds of a case.
        same: cases whose sounds are the same, by which listeners are judged.
        obvious: cases whose sounds nobody can take for the same, likewise.
        training: cases that listeners practise on.
    """

    cases: tuple[Case, ...]
    sides: int
    same: tuple[Case, ...]
    obvious: tuple[Case, ...]
    training: tuple[Case, ...]


@dataclass(frozen=True)
class Trial:
    """One question to one listener; see `mondegreen.listening`."""

    kind: Kind
    role: Role
    clip: str
    conditions: tuple[str, ...]
    sounds: dict[str, str]
    correct: str | None

    def to_json(self, number: int) -> dict[str, Any]:
        """As the key has it."""
        return {"id": _id(number), **asdict(self)}

    def to_page(self, number: int) -> dict[str, Any]:
        """As listeners get it: without what would tell, but for training."""
        seen = {"id": _id(number), "kind": self.kind, "sounds": self.sounds}
        return seen | ({"training": {"correct": self.correct}} if self.role == "training" else {})


def _id(number: int) -> str:
    return f"t{number:03}"


@dataclass
class Names:
    """Blind names, drawn as sounds come up."""

    rng: Random
    of: dict[Version, str] = field(default_factory=dict)

    def __call__(self, clip: str, condition: str, copy: int = 0) -> str:
        """The name of a sound."""
        return self.of.setdefault(Version(clip, condition, copy), self.rng.randbytes(8).hex())


def abx(conditions: Sequence[Condition]) -> Protocol:
    """Each condition against the clean clip: is X the same as A, or the same as B?"""
    return Protocol(
        cases=tuple(Case("abx", (condition.label,)) for condition in conditions),
        sides=len(ARRANGEMENTS),
        same=(Case("abx", (CLEAN,)),),
        obvious=(Case("abx", (OBVIOUS,)),),
        training=tuple(Case("abx", (condition,)) for condition in (OBVIOUS, TRAINING, CLEAN)),
    )


def paper(conditions: Sequence[Condition]) -> Protocol:
    """The three questions of the paper's study, over its three conditions and their pairs.

    Clean-clean pairs among the `identical` ones are our addition: what is answered to those tells
    what the answers to the others are worth.

    Raises:
        MondegreenError: the conditions are not what the paper compares.
    """
    baseline, proposed = (_only(conditions, method) for method in (BASELINE, PROPOSED))
    pairs = ((CLEAN, baseline), (CLEAN, proposed), (baseline, proposed))
    same, obvious = Case("identical", (CLEAN, CLEAN)), Case("identical", (CLEAN, OBVIOUS))
    return Protocol(
        cases=(
            *(Case("noise", (condition,)) for condition in (CLEAN, baseline, proposed)),
            *(Case("natural", pair) for pair in pairs),
            *(Case("identical", pair) for pair in pairs),
            same,
        ),
        sides=2,
        same=(same,),
        obvious=(obvious, Case("noise", (OBVIOUS,))),
        training=(
            Case("noise", (TRAINING,)),
            Case("natural", (CLEAN, TRAINING)),
            Case("identical", (CLEAN, TRAINING)),
            same,
        ),
    )


def _only(conditions: Sequence[Condition], method: str) -> str:
    found = [condition.label for condition in conditions if condition.method == method]
    if len(found) != 1 or len(conditions) != 2:
        given = ", ".join(condition.label for condition in conditions)
        raise MondegreenError(
            f"The protocol paper compares one {BASELINE} run with one {PROPOSED} run of the same"
            f" clips; these are of: {given}. Name one of each, or choose --protocol abx."
        )
    return found[0]


# ---- from cases to trials

ARRANGEMENTS: Final = ((0, 0), (1, 1), (0, 1), (1, 0))  # the clean clip is A or B; X is A or B


def ask(case: Case, clip: str, side: int, role: Role, names: Names) -> Trial:
    """A case of a clip as a trial."""
    build = {"abx": _abx, "noise": _noise}.get(case.kind, _pair)
    sounds, correct = build(case, clip, side, names)
    return Trial(case.kind, role, clip, case.conditions, sounds, correct)


def _abx(case: Case, clip: str, side: int, names: Names) -> tuple[dict[str, str], str | None]:
    (condition,) = case.conditions
    clean_at, x = ARRANGEMENTS[side]
    shown = (CLEAN, condition) if clean_at == 0 else (condition, CLEAN)
    sounds = _two(clip, shown, names) | {"x": names(clip, shown[x], 1)}
    return sounds, None if condition == CLEAN else "ab"[x]


def _noise(case: Case, clip: str, side: int, names: Names) -> tuple[dict[str, str], str | None]:
    del side  # there is but one sound
    (condition,) = case.conditions
    known = condition in (OBVIOUS, TRAINING)
    return {"a": names(clip, condition)}, "yes" if known else None


def _pair(case: Case, clip: str, side: int, names: Names) -> tuple[dict[str, str], str | None]:
    shown = case.conditions if side == 0 else case.conditions[::-1]
    same = "yes" if shown[0] == shown[1] else "no"
    return _two(clip, shown, names), same if case.kind == "identical" else None


def _two(clip: str, shown: Sequence[str], names: Names) -> dict[str, str]:
    """A and B; if they are the same, the names must not tell."""
    a, b = shown
    return {"a": names(clip, a), "b": names(clip, b, 2 if a == b else 0)}


# ---- from trials to forms


def make_forms(
    protocol: Protocol, clips: Sequence[str], most: int, rng: Random, names: Names
) -> list[list[Trial]]:
    """What each listener goes through: training, then the test with catch trials spread over it.

    Args:
        protocol: what is asked.
        clips: ids.
        most: clips that a listener is tested on.
        rng: draws all that is random but the names.
        names: of the sounds.
    """
    forms = assign(len(clips), len(protocol.cases), protocol.sides, most, rng)
    return [_form(protocol, clips, places, rng, names) for places in forms]


def _form(
    protocol: Protocol, clips: Sequence[str], places: Sequence[Place], rng: Random, names: Names
) -> list[Trial]:
    tests = [
        ask(protocol.cases[place.case], clips[place.clip], place.side, "test", names)
        for place in places
    ]
    each = max(2, round(len(tests) / MORE_THAN))
    others = _others(clips, places, 2 * each + len(protocol.training), rng)
    asked: list[tuple[Case, Role]] = [
        *((case, "training") for case in protocol.training),
        *((protocol.same[at % len(protocol.same)], "catch same") for at in range(each)),
        *((protocol.obvious[at % len(protocol.obvious)], "catch obvious") for at in range(each)),
    ]
    extra = [
        ask(case, clip, rng.randrange(protocol.sides), role, names)
        for (case, role), clip in zip(asked, others, strict=True)
    ]
    training, catches = extra[: len(protocol.training)], extra[len(protocol.training) :]
    return training + spread(tests, catches, rng)


def _others(clips: Sequence[str], places: Sequence[Place], count: int, rng: Random) -> list[str]:
    """Clips for training and catch trials: if there are others, none that the form tests."""
    tested = {place.clip for place in places}
    free = [clip for at, clip in enumerate(clips) if at not in tested] or list(clips)
    shuffled = rng.sample(free, len(free))
    return [shuffled[at % len(shuffled)] for at in range(count)]
