"""Is this evaluation believable? One judgement for each known sign that it is not.

A recogniser that seems robust may only have been attacked badly, and one that seems weak may fall
to anything. Each check knows one sign of that. It judges, and measures nothing: the numbers
come from `controls`, `sweeps`, `planted` and `gathering`. `docs/checks.md` says of every check when
it fires, why that matters, and what to do.

References: Athalye, Carlini and Wagner 2018 (gradients that are hidden); Carlini et al. 2019 (a
checklist); Croce and Hein 2020 (the flags of AutoAttack); Pintor et al. 2022 (signs of attacks that
fail); Zimmermann et al. 2022 (active tests).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from mondegreen.findings import Finding
from mondegreen.victims.near import SAME


@dataclass(frozen=True)
class NotMeasured:
    """No evidence; why, and what to do to get some."""

    why: str


@dataclass(frozen=True)
class Count:
    """This many, of that many."""

    hits: int
    of: int

    @classmethod
    def count(cls, outcomes: Iterable[bool]) -> Count:
        """How many of the outcomes are true."""
        seen = list(outcomes)
        return cls(sum(seen), len(seen))

    @classmethod
    def total(cls, tallies: Iterable[Count]) -> Count:
        """Several counts as one."""
        seen = list(tallies)
        return cls(sum(tally.hits for tally in seen), sum(tally.of for tally in seen))

    @property
    def share(self) -> float:
        """The share, 0 to 1; 0 of 0 is 0."""
        return self.hits / max(self.of, 1)

    def __str__(self) -> str:
        return f"{self.hits} of {self.of}"


@dataclass(frozen=True)
class Damage:
    """What cannot be examined, because it is not what was saved."""

    items: Count  # damaged ones, of all
    names: tuple[str, ...]  # of their folders


@dataclass(frozen=True)
class Repetition:
    """Two transcripts and two losses of one sound."""

    heard: tuple[str, str]  # the transcripts
    loss: tuple[float, float]  # in nats

    @property
    def same_words(self) -> bool:
        """Whether the transcripts are equal, to the letter."""
        return self.heard[0] == self.heard[1]

    @property
    def same_loss(self) -> bool:
        """Whether the losses are equal but for rounding."""
        return math.isclose(*self.loss, rel_tol=SAME, abs_tol=SAME)


@dataclass(frozen=True)
class Sweep:
    """How many clips an attack succeeds on, at rising limits."""

    unit: str  # of the levels
    levels: tuple[int, ...]  # the limits, rising
    hits: tuple[int, ...]  # the clips it succeeded on, level by level
    clips: int  # of how many


@dataclass(frozen=True)
class Leak:
    """What a bank's test split has in common with the splits that an attack uses."""

    responses: Count  # its impulse responses that are among theirs, sample for sample
    rooms: tuple[str, ...]  # its rooms that are among theirs


@dataclass(frozen=True)
class Rivalry:
    """Examples made on another recogniser against a run's own, on the same clips and aims."""

    maker: str  # the recogniser that the others were made on
    transferred: Count  # of theirs, those that succeed on the run's recogniser
    own: Count  # the same of the run's


@dataclass(frozen=True)
class Hunt:
    """Whether one stage of an attack found a planted vulnerability."""

    stage: str  # its name
    minimises: bool  # it is meant to find the smallest norm
    norm: float | None  # ‖δ‖∞ of what it found; None: nothing
    least: float  # the smallest ‖δ‖∞ that is heard as the target

    @property
    def excess(self) -> float:
        """The norm in units of the least; infinite where nothing was found."""
        return math.inf if self.norm is None else self.norm / self.least


Verdict = tuple[bool, str]  # whether the check fires, and what was measured
E = TypeVar("E")

NAMED: Final = 10  # damaged items that a finding names
LOOSE: Final = 2.0  # times the least norm that a stage which minimises it may end at


@dataclass(frozen=True)
class Check(Generic[E]):
    """A sign that an evaluation should not be believed."""

    id: str  # its name in findings and in `docs/checks.md`
    severity: Literal["error", "warning"]  # see `Finding`
    title: str  # the fault, in one line
    judge: Callable[[E], Verdict]  # whether the evidence shows the fault, and the evidence in words

    def find(self, evidence: E | NotMeasured) -> Finding:
        """Judge evidence, or say why there is none."""
        if isinstance(evidence, NotMeasured):
            return Finding(self.id, self.severity, "skipped", evidence.why)
        fires, detail = self.judge(evidence)
        return Finding(self.id, self.severity, "fires" if fires else "ok", detail)


# ---- the recogniser


def gradient_is_zero(largest: Sequence[float]) -> Verdict:
    """Judge the largest |gradient| of each clip, at δ = 0."""
    zero = Count.count(size == 0 for size in largest)
    return zero.hits > 0, f"the loss has no gradient at all in {zero} clips"


def gradient_is_not_finite(largest: Sequence[float]) -> Verdict:
    """Judge the largest |gradient| of each clip, at δ = 0; NaN or infinite if any sample's is."""
    broken = Count.count(not math.isfinite(size) for size in largest)
    return broken.hits > 0, f"the gradient has NaN or infinite samples in {broken} clips"


def is_not_deterministic(repetitions: Sequence[Repetition]) -> Verdict:
    """Judge what was made of each sound the first and the second time."""
    words = Count.count(not repetition.same_words for repetition in repetitions)
    losses = Count.count(not repetition.same_loss for repetition in repetitions)
    detail = f"run twice, {words} sounds get another transcript and {losses.hits} another loss"
    return words.hits + losses.hits > 0, detail


def clean_is_not_understood(understood: Count) -> Verdict:
    """Judge how many clean clips the recogniser understands, of those where that is known."""
    detail = f"{understood} clean clips are understood ({understood.share:.0%})"
    return understood.hits < understood.of, detail


# ---- the items


def are_damaged(damage: Damage) -> Verdict:
    """Judge how many items are not what was saved."""
    detail = f"{damage.items} items are damaged, and left out of what follows"
    if damage.names:
        more = [f"{len(damage.names) - NAMED} more"] if len(damage.names) > NAMED else []
        detail += f": {', '.join([*damage.names[:NAMED], *more])}"
    return damage.items.hits > 0, detail


# ---- the successes


def is_lost_in_16_bits(lost: Count) -> Verdict:
    """Judge how many of the clips that matched in the search are not heard from their files."""
    return lost.hits > 0, f"{lost} clips that matched in the search do not match from their files"


def noise_succeeds(heard: Count) -> Verdict:
    """Judge how many draws of random noise do what the attack's δ is to do, in its place.

    One is too many: a phrase of some words has next to no chance of being heard in random noise,
    and where what is said is to be lost, noise that loses it shows that any change would have.
    """
    return heard.hits > 0, f"{heard} draws of random noise succeed"


def is_beaten_by_transfer(rivalries: Sequence[Rivalry]) -> Verdict:
    """Judge examples of other recognisers against the run's own."""
    beaten = any(rival.transferred.share > rival.own.share for rival in rivalries)
    detail = "; ".join(
        f"made on {rival.maker}: {rival.transferred} succeed, of the run's own {rival.own}"
        for rival in rivalries
    )
    return beaten, detail


def rooms_leak(leak: Leak) -> Verdict:
    """Judge what the test rooms share with the rooms that were searched and chosen in."""
    detail = f"{leak.responses} test responses are also in the splits that the attack uses"
    if leak.rooms:
        detail += f", and so are the rooms {', '.join(leak.rooms)}"
    return leak.responses.hits > 0 or bool(leak.rooms), detail


# ---- the attack


def does_not_grow(sweep: Sweep) -> Verdict:
    """Judge whether the most that was allowed gives more successes than the least."""
    detail = (
        f"the attack succeeds on {_listed(sweep.hits)} of {sweep.clips} clips"
        f" at {_listed(sweep.levels)} {sweep.unit}"
    )
    return sweep.hits[-1] <= sweep.hits[0], detail


def unbounded_fails(heard: Count) -> Verdict:
    """Judge how many clips an attack without a bound succeeds on."""
    return heard.hits < heard.of, f"without a bound, the attack succeeds on {heard} clips"


def planted_is_not_found(hunts: Sequence[Hunt]) -> Verdict:
    """Judge what the stages found of vulnerabilities that were planted for them."""
    found = Count.count(hunt.norm is not None for hunt in hunts)
    detail = f"what was planted was found in {found} searches of a stage"
    excess = max((hunt.excess for hunt in hunts if hunt.minimises), default=0.0)
    if 0 < excess < math.inf:
        detail += f"; where the norm is minimised, within {excess:.2f} times the least"
    return found.hits < found.of or excess > LOOSE, detail


def _listed(values: Iterable[object]) -> str:
    """1, 2 and 3."""
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


# ---- all of them, the cheapest first

CHECKS: Final[tuple[Check[Any], ...]] = (
    ITEMS_DAMAGED := Check(
        "items-damaged", "error", "some items are not what was saved", are_damaged
    ),
    CLEAN_NOT_UNDERSTOOD := Check(
        "clean-not-understood",
        "warning",
        "some clean clips are not understood to begin with",
        clean_is_not_understood,
    ),
    LOST_IN_16_BITS := Check(
        "lost-in-16-bits",
        "warning",
        "successes of the search are lost in the saved file",
        is_lost_in_16_bits,
    ),
    ROOMS_LEAK := Check(
        "rooms-leak", "error", "rooms of the attack are also tested in", rooms_leak
    ),
    GRADIENT_ZERO := Check(
        "gradient-zero", "error", "the gradient that the attack follows is zero", gradient_is_zero
    ),
    GRADIENT_NOT_FINITE := Check(
        "gradient-not-finite",
        "error",
        "the gradient that the attack follows is NaN or infinite",
        gradient_is_not_finite,
    ),
    NOT_DETERMINISTIC := Check(
        "not-deterministic",
        "error",
        "the recogniser transcribes the same sound differently",
        is_not_deterministic,
    ),
    NOISE_SUCCEEDS := Check(
        "noise-succeeds", "error", "random noise of the same energy does as well", noise_succeeds
    ),
    SHAPED_NOISE_SUCCEEDS := Check(
        "shaped-noise-succeeds",
        "error",
        "random noise of the same energy, shaped like the masking threshold, does as well",
        noise_succeeds,
    ),
    TRANSFER_WINS := Check(
        "transfer-wins",
        "error",
        "examples made on another recogniser do better than the run's own",
        is_beaten_by_transfer,
    ),
    PLANTED_NOT_FOUND := Check(
        "planted-not-found",
        "error",
        "the attack misses a vulnerability that is known to be there",
        planted_is_not_found,
    ),
    UNBOUNDED_FAILS := Check(
        "unbounded-fails", "error", "an attack that may do anything fails", unbounded_fails
    ),
    PASSES_DO_NOT_HELP := Check(
        "passes-do-not-help", "warning", "success does not grow with passes", does_not_grow
    ),
    EPS_DOES_NOT_HELP := Check(
        "eps-does-not-help", "warning", "success does not grow with ε", does_not_grow
    ),
)
