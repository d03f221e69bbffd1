"""Who hears what: forms over which every clip meets every case equally often.

A form is what one listener goes through. Clips are dealt into groups, and a group's clips meet the
cases in a Latin square: in each turn, another. Every turn comes again with other sides, until each
case of a clip has had them all. A listener hears a clip in one case, for who has heard it in
another knows what to listen for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

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
