"""The evidence for each check, gathered from an attacked data set: one function per check.

Searches here are without rooms, for methods in rooms too: a search in rooms and its proof take
hours, and the faults in question show without them. Each function takes the subject and a callback
for its progress.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.judging.checks import (
    Count,
    Damage,
    Hunt,
    Leak,
    NotMeasured,
    Repetition,
    Rivalry,
    Sweep,
)
from mondegreen.judging.controls import (
    heard_in,
    largest_gradient,
    leak,
    repetition,
    shaped_noise,
    white_noise,
)
from mondegreen.judging.planted import hunt
from mondegreen.judging.subject import Drawn, Example, Goal, Subject
from mondegreen.judging.sweeps import EPS, in_ball, passes_to_success, unbounded, without_rooms
from mondegreen.measures.transfer import transcribe
from mondegreen.results.item import read_item
from mondegreen.search.presets import Stages, within
from mondegreen.victims.base import Recogniser

OnDone = Callable[[int, int], None]  # how much of it is done, and of how much
Jobs = Sequence[tuple[Drawn, Stages]]
T = TypeVar("T")

PASSES: Final = 200  # enough to attack a clip again, unless its record says otherwise
PIECE: Final = 1.0  # seconds of a clip that something is planted in
NOTHING_VERIFIED: Final = "no clip is verified, so there is nothing to compare noise with"

# ---- from the records alone


def damaged(subject: Subject, on_done: OnDone) -> Damage:
    """Which items cannot be examined."""
    lost = tuple(_each(subject.damaged, on_done))
    return Damage(Count(len(lost), len(lost) + len(subject.items)), lost)


def understood(subject: Subject, on_done: OnDone) -> Count | NotMeasured:
    """How many clean clips are understood, of those whose text is known."""
    known = [
        item.record.understood
        for item in _each(subject.items, on_done)
        if item.record.understood is not None
    ]
    if not known:
        return NotMeasured(
            "what is said in the clips is not known: give the attack their transcripts"
        )
    return Count.count(known)


def lost_in_16_bits(subject: Subject, on_done: OnDone) -> Count | NotMeasured:
    """How many clips matched in the search but not from their files."""
    matched = [
        item
        for item in _each(subject.items, on_done)
        if item.record.first_match is not None and not (item.in_rooms or item.record.interrupted)
    ]
    if not matched:
        return NotMeasured("no search without rooms has matched and run to its end")
    return Count.count(not item.heard_dry for item in matched)


def rooms_in_common(subject: Subject, on_done: OnDone) -> Leak | NotMeasured:
    """What the bank's test rooms share with its other rooms."""
    if not any(item.in_rooms for item in subject.items):
        return NotMeasured("the attack is not in rooms")
    if subject.bank is None:
        return NotMeasured("no bank of rooms was given: give the one that the attack used")
    found = leak(subject.bank)
    on_done(1, 1)
    return found


# ---- from the recogniser, at almost no cost


def gradients(subject: Subject, on_done: OnDone) -> list[float]:
    """The largest |gradient| of each clip that was drawn."""
    return [largest_gradient(subject.victim, clip.case) for clip in _each(subject.drawn, on_done)]


def repetitions(subject: Subject, on_done: OnDone) -> list[Repetition]:
    """Two transcripts and two losses for each clip that was drawn."""
    return [repetition(subject.victim, clip.case) for clip in _each(subject.drawn, on_done)]


def in_white_noise(subject: Subject, on_done: OnDone) -> Count | NotMeasured:
    """How many draws of white noise with δ's energy succeed."""
    if not subject.verified:
        return NotMeasured(NOTHING_VERIFIED)
    return Count.total(
        heard_in(subject.victim, clip.case, white_noise(clip.case, (subject.seed, number)))
        for number, clip in enumerate(_each(subject.verified, on_done))
    )


def in_shaped_noise(subject: Subject, on_done: OnDone) -> Count | NotMeasured:
    """The same for noise shaped like the masking threshold."""
    if not subject.verified:
        return NotMeasured(NOTHING_VERIFIED)
    rate = subject.victim.sample_rate
    return Count.total(
        heard_in(subject.victim, clip.case, shaped_noise(clip.case, rate, (subject.seed, number)))
        for number, clip in enumerate(_each(subject.verified, on_done))
    )


# ---- examples from elsewhere


def rivalries(subject: Subject, on_done: OnDone) -> list[Rivalry] | NotMeasured:
    """Examples made on other recognisers against the run's own, on this recogniser."""
    if not subject.others:
        return NotMeasured("no results on another recogniser were given to compare with")
    own = _any_of((item.goal, item.heard_dry) for item in subject.items)
    common = [item for item in subject.others if item.goal in own]
    if not common:
        return NotMeasured("the results on other recognisers are of other clips or aims")
    theirs: dict[str, list[tuple[Goal, bool]]] = {}
    for item in _each(common, on_done):
        outcome = item.goal, _is_heard(subject.victim, item)
        theirs.setdefault(item.record.victim, []).append(outcome)
    return [_rivalry(maker, outcomes, own) for maker, outcomes in theirs.items()]


def _rivalry(maker: str, theirs: Iterable[tuple[Goal, bool]], own: Mapping[Goal, bool]) -> Rivalry:
    heard = _any_of(theirs)
    return Rivalry(maker, Count.count(heard.values()), Count.count(own[goal] for goal in heard))


def _any_of(outcomes: Iterable[tuple[Goal, bool]]) -> dict[Goal, bool]:
    """By clip and target, whether any of its examples has succeeded."""
    found: dict[Goal, bool] = {}
    for goal, success in outcomes:
        found[goal] = found.get(goal, False) or success
    return found


def _is_heard(recogniser: Recogniser, example: Example) -> bool:
    record = example.record
    item = read_item(example.folder)
    sound = item.as_heard(item.adversarial)
    return transcribe(recogniser, sound, record.sample_rate, record.aim).matched


# ---- the attack, run again


@dataclass(frozen=True)
class Cost:
    """What attacking again may cost."""

    checks: int  # how many of them attack again
    clips: int  # how many are attacked
    passes: int  # gradient passes at most: a search ends when it succeeds


def cost(subject: Subject) -> Cost:
    """What the checks that attack again may cost, before they begin."""
    jobs = [_jobs_unbounded(subject), _jobs_in_passes(subject), _jobs_in_eps(subject)]
    return Cost(len(jobs), len(subject.drawn), sum(map(sum, map(_costs, jobs))))


def hunts(subject: Subject, on_done: OnDone) -> list[Hunt]:
    """What the attack finds of planted vulnerabilities, with as many passes as it was given."""
    rate = subject.victim.sample_rate
    found = []
    for number, clip in enumerate(_each(subject.drawn, on_done)):
        piece = clip.case.clean[: int(PIECE * rate)]
        stages = within(without_rooms(clip.stages), subject.longest)
        found += hunt(piece, rate, stages, subject.seed + number)
    return found


def without_bound(subject: Subject, on_done: OnDone) -> Count:
    """On how many clips an attack without a bound succeeds."""
    needed = _attacked(subject, _jobs_unbounded(subject), on_done)
    return Count.count(passes is not None for passes in needed)


def _jobs_unbounded(subject: Subject) -> Jobs:
    return [(clip, (unbounded(),)) for clip in subject.drawn]


def over_passes(subject: Subject, on_done: OnDone) -> Sweep | NotMeasured:
    """On how many clips the attack succeeds within one pass, a quarter of its passes, and all."""
    most = _most_passes(subject)
    if most == 1:
        return NotMeasured("the attack took only one pass: give it more")
    levels = tuple(sorted({1, max(1, most // 4), most}))
    needed = [
        passes or math.inf for passes in _attacked(subject, _jobs_in_passes(subject), on_done)
    ]
    hits = tuple(sum(passes <= level for passes in needed) for level in levels)
    return Sweep("passes", levels, hits, len(needed))


def _most_passes(subject: Subject) -> int:
    enough = [clip.record.first_match or 0 for clip in subject.drawn]
    return min(subject.longest, max(PASSES, *enough))


def _jobs_in_passes(subject: Subject) -> Jobs:
    most = _most_passes(subject)
    return [(clip, within(without_rooms(clip.stages), most)) for clip in subject.drawn]


def over_eps(subject: Subject, on_done: OnDone) -> Sweep:
    """On how many clips an attack within ‖δ‖∞ ≤ ε succeeds, for a few ε."""
    needed, clips = _attacked(subject, _jobs_in_eps(subject), on_done), len(subject.drawn)
    rows = [needed[first : first + clips] for first in range(0, len(needed), clips)]
    hits = tuple(sum(passes is not None for passes in row) for row in rows)
    return Sweep(f"/ {FULL_SCALE}", EPS, hits, clips)


def _jobs_in_eps(subject: Subject) -> Jobs:
    return [(clip, (in_ball(eps / FULL_SCALE),)) for eps in EPS for clip in subject.drawn]


def _attacked(subject: Subject, jobs: Jobs, on_done: OnDone) -> list[int | None]:
    """Attack clips in the given stages; the passes that each needed, None for a failure."""
    costs = _costs(jobs)
    needed, spent = [], 0
    for (clip, stages), cost in zip(jobs, costs, strict=True):
        report = partial(_report, on_done, spent, sum(costs))
        needed.append(passes_to_success(subject.victim, clip.case, stages, report))
        spent += cost
        on_done(spent, sum(costs))
    return needed


def _costs(jobs: Jobs) -> list[int]:
    """The gradient passes of each at most."""
    return [sum(stage.passes for stage in stages) for _, stages in jobs]


def _report(on_done: OnDone, before: int, total: int, passes: int) -> None:
    on_done(before + passes, total)


def _each(things: Sequence[T], on_done: OnDone) -> Iterator[T]:
    """The things one by one, reporting how many are done."""
    for done, thing in enumerate(things):
        on_done(done, len(things))
        yield thing
    on_done(len(things), len(things))
