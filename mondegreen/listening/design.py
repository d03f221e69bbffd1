"""The design of a study: its protocol, its trials, and forms that balance clips and treatments.

A form is the sequence of trials of one listener. Clips are dealt into groups; in each form a group
gets another treatment, which is what is asked about a clip: a kind of question about conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from random import Random
from typing import Final, NamedTuple, TypeVar

from mondegreen.errors import MondegreenError
from mondegreen.listening.key import CLEAN, Choice, Kind, Role, Stimulus, Trial

OBVIOUS, TRAINING = "obvious", "training"  # conditions that are degraded on purpose
BASELINE, PROPOSED = "carlini-wagner", "imperceptible"  # the methods of the paper's study
TRIALS_PER_CATCH: Final = 10  # test trials per catch trial of a kind; at least two of each kind
ABX_ARRANGEMENTS: Final = ((0, 0), (1, 1), (0, 1), (1, 0))  # clean is A or B; X is A or B
TRACKS, TRIALS = 4, 40  # of a listener in staircases: clips, and about as many trials in all

T = TypeVar("T")


class Condition(NamedTuple):
    """A method and preset whose clips are compared with the clean ones."""

    label: str
    method: str


class Treatment(NamedTuple):
    """A kind of question about conditions; see `conditions` in `mondegreen.listening`."""

    kind: Kind
    conditions: tuple[str, ...]


class Slot(NamedTuple):
    """A clip in a form, by numbers: its treatment, and the arrangement of its sounds."""

    clip: int
    treatment: int
    arrangement: int


@dataclass(frozen=True)
class Protocol:
    """The questions of a study."""

    treatments: tuple[Treatment, ...]  # of every clip
    arrangements: int  # how many orders the sounds of a treatment have
    same: tuple[Treatment, ...]  # catch trials whose sounds are identical
    obvious: tuple[Treatment, ...]  # catch trials whose difference nobody can miss
    training: tuple[Treatment, ...]  # practice
    most: int = 20  # clips that a listener is tested on, unless the study says otherwise
    trials: int | None = None  # of a form, in tracks of its clips; None: each clip is asked once


@dataclass
class Names:
    """Random file names of the sounds, drawn when first needed; copies sound alike."""

    rng: Random
    of: dict[tuple[Stimulus, int], str] = field(default_factory=dict)

    def __call__(self, clip: str, condition: str, copy: int = 0) -> str:
        """The name of a sound: 16 hexadecimal digits."""
        return self.of.setdefault((Stimulus(clip, condition), copy), self.rng.randbytes(8).hex())


def abx(conditions: Sequence[Condition]) -> Protocol:
    """Each condition against the clean clip: is X the same as A, or the same as B?"""
    return Protocol(
        treatments=tuple(Treatment("abx", (condition.label,)) for condition in conditions),
        arrangements=len(ABX_ARRANGEMENTS),
        same=(Treatment("abx", (CLEAN,)),),
        obvious=(Treatment("abx", (OBVIOUS,)),),
        training=tuple(Treatment("abx", (name,)) for name in (OBVIOUS, TRAINING, CLEAN)),
    )


def paper(conditions: Sequence[Condition]) -> Protocol:
    """The three questions of the paper's study, about its three conditions and their pairs.

    The clean-clean pairs among the `identical` ones are our addition: the answers to them tell how
    much the other answers are worth.

    Raises:
        MondegreenError: the conditions are not those that the paper compares.
    """
    labels = {condition.method: condition.label for condition in conditions}
    if len(conditions) != 2 or labels.keys() != {BASELINE, PROPOSED}:
        raise MondegreenError(
            f"The protocol paper compares one {BASELINE} run with one {PROPOSED} run of the same"
            f" clips, but got: {', '.join(condition.label for condition in conditions)}. Pass one"
            " run of each, or choose --protocol abx."
        )
    baseline, proposed = labels[BASELINE], labels[PROPOSED]
    pairs = ((CLEAN, baseline), (CLEAN, proposed), (baseline, proposed))
    same = Treatment("identical", (CLEAN, CLEAN))
    return Protocol(
        treatments=(
            *(Treatment("noise", (condition,)) for condition in (CLEAN, baseline, proposed)),
            *(Treatment("natural", pair) for pair in pairs),
            *(Treatment("identical", pair) for pair in pairs),
            same,
        ),
        arrangements=2,
        same=(same,),
        obvious=(Treatment("identical", (CLEAN, OBVIOUS)), Treatment("noise", (OBVIOUS,))),
        training=(
            Treatment("noise", (TRAINING,)),
            Treatment("natural", (CLEAN, TRAINING)),
            Treatment("identical", (CLEAN, TRAINING)),
            same,
        ),
    )


def staircase(conditions: Sequence[Condition]) -> Protocol:
    """Each condition beside the clean clip, at levels that adapt: which of A and B was changed?

    X is the clean clip. There are no identical sounds: one of the two is always to be chosen.
    """
    return Protocol(
        treatments=tuple(Treatment("changed", (condition.label,)) for condition in conditions),
        arrangements=2,
        same=(),
        obvious=(Treatment("changed", (OBVIOUS,)),),
        training=tuple(Treatment("changed", (name,)) for name in (OBVIOUS, TRAINING)),
        most=TRACKS,
        trials=TRIALS,
    )


# ---- trials


def ask(treatment: Treatment, clip: str, arrangement: int, role: Role, names: Names) -> Trial:
    """A treatment of a clip as a trial; its id is given to it in its form."""
    sounds: Mapping[str, str]
    correct: Choice | None = None
    if treatment.kind == "abx":
        (condition,) = treatment.conditions
        clean_at, x = ABX_ARRANGEMENTS[arrangement]
        order = (CLEAN, condition) if clean_at == 0 else (condition, CLEAN)
        sounds = _pair(clip, order, names) | {"x": names(clip, order[x], 1)}
        correct = None if condition == CLEAN else ("a", "b")[x]
    elif treatment.kind == "changed":
        (condition,) = treatment.conditions
        order = (condition, CLEAN) if arrangement else (CLEAN, condition)
        sounds = _pair(clip, order, names) | {"x": names(clip, CLEAN, 1)}
        correct = "a" if arrangement else "b"
    elif treatment.kind == "noise":
        (condition,) = treatment.conditions
        sounds = {"a": names(clip, condition)}
        correct = "yes" if condition in (OBVIOUS, TRAINING) else None
    else:
        a, b = treatment.conditions[:: -1 if arrangement else 1]
        sounds = _pair(clip, (a, b), names)
        if treatment.kind == "identical":
            correct = "yes" if a == b else "no"
    return Trial("", treatment.kind, role, clip, treatment.conditions, sounds, correct)


def _pair(clip: str, order: tuple[str, str], names: Names) -> dict[str, str]:
    """A and B; if they are identical, B is a copy, so that their names do not give it away."""
    a, b = order
    return {"a": names(clip, a), "b": names(clip, b, 2 if a == b else 0)}


# ---- forms


def assign(
    clips: int, treatments: int, arrangements: int, most: int, rng: Random
) -> list[list[Slot]]:
    """Assign clips and treatments to forms, each in a random order.

    Over all forms, every clip gets every treatment in every arrangement exactly once; over the
    first `1 / arrangements` of them, every treatment exactly once. A form has at most `most` clips,
    none of them twice, and treatments differ in number by at most one, as do arrangements, in all
    and within a treatment.
    """
    order = rng.sample(range(clips), clips)
    count = -(-clips // most)
    groups = [order[start::count] for start in range(count)]
    rows = [
        _row(group, turn, treatments, arrangements, rng)
        for turn in range(treatments)
        for group in groups
    ]
    forms = [
        [slot._replace(arrangement=(slot.arrangement + by) % arrangements) for slot in row]
        for by in range(arrangements)
        for row in rows
    ]
    return [rng.sample(form, len(form)) for form in forms]


def _row(
    group: Sequence[int], turn: int, treatments: int, arrangements: int, rng: Random
) -> list[Slot]:
    """A row of the Latin square; arrangements are dealt out treatment by treatment."""
    row = sorted(((at + turn) % treatments, clip) for at, clip in enumerate(group))
    first = rng.randrange(arrangements)
    return [Slot(clip, at, (first + n) % arrangements) for n, (at, clip) in enumerate(row)]


def spread(ordinary: Sequence[T], rare: Sequence[T], rng: Random) -> list[T]:
    """Spread rare items over a sequence: one at a random place in each of as many stretches."""
    mixed: list[T] = []
    for at, one in enumerate(rng.sample(rare, len(rare))):
        ends = (len(ordinary) * at // len(rare), len(ordinary) * (at + 1) // len(rare))
        stretch = list(ordinary[slice(*ends)])
        stretch.insert(rng.randint(0, len(stretch)), one)
        mixed += stretch
    return mixed if rare else list(ordinary)


def make_forms(
    protocol: Protocol, clips: Sequence[str], most: int, rng: Random, names: Names
) -> tuple[tuple[Trial, ...], ...]:
    """The forms of a study: training, then tests on at most `most` clips among catch trials."""
    forms = assign(len(clips), len(protocol.treatments), protocol.arrangements, most, rng)
    return tuple(_form(protocol, clips, slots, rng, names) for slots in forms)


def _in_order(
    protocol: Protocol, slots: Sequence[Slot], rng: Random
) -> Iterator[tuple[Slot, int, tuple[int, int] | None]]:
    """The slots of the tests, each with the arrangement of its sounds and its track.

    A condition is a staircase. Its tracks are interleaved, one trial of each at a time in a random
    order, so that nobody can follow one of them.
    """
    if protocol.trials is None:
        yield from ((slot, slot.arrangement, None) for slot in slots)
    else:
        for _ in range(-(-protocol.trials // len(slots))):
            for slot in rng.sample(slots, len(slots)):
                yield slot, rng.randrange(protocol.arrangements), (slot.treatment, slot.clip)


def _form(
    protocol: Protocol, clips: Sequence[str], slots: Sequence[Slot], rng: Random, names: Names
) -> tuple[Trial, ...]:
    tests = [
        replace(
            ask(protocol.treatments[slot.treatment], clips[slot.clip], turn, "test", names),
            track=track,
        )
        for slot, turn, track in _in_order(protocol, slots, rng)
    ]
    each = max(2, round(len(tests) / TRIALS_PER_CATCH))
    asked: list[tuple[Treatment, Role]] = [
        *((treatment, "training") for treatment in protocol.training),
        *((treatment, "catch same") for treatment in islice(cycle(protocol.same), each)),
        *((treatment, "catch obvious") for treatment in islice(cycle(protocol.obvious), each)),
    ]
    tested = {slot.clip for slot in slots}
    others = [clip for at, clip in enumerate(clips) if at not in tested] or list(clips)
    others = rng.sample(others, len(others))
    extra = [
        ask(treatment, clip, rng.randrange(protocol.arrangements), role, names)
        for (treatment, role), clip in zip(asked, cycle(others), strict=False)
    ]
    practice = len(protocol.training)
    caught = extra[practice:]
    if protocol.trials is not None:  # in staircases of their own, so that they are played as saved
        first = len(protocol.treatments)
        caught = [replace(one, track=(at, 0)) for at, one in enumerate(caught, first)]
    form = extra[:practice] + spread(tests, caught, rng)
    return tuple(replace(trial, id=f"t{number:03}") for number, trial in enumerate(form, 1))
