"""Attacks of a few clips over again, with more and less of what an attack may spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mondegreen.audio.context import ALONE
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.judging.controls import Case
from mondegreen.search.loop import Search
from mondegreen.search.presets import Stages
from mondegreen.search.stage import Decay, Elastic, Expectation, Stage
from mondegreen.victims.away import aimed
from mondegreen.victims.base import Victim

EPS: Final = (1, 200, 2000)  # of FULL_SCALE; a file holds nothing less, the paper nothing more
EPS_PASSES: Final = 100  # within each; targets of 15 words were heard after 12 to 93
UNBOUNDED_PASSES: Final = 300


def passes_to_success(
    victim: Victim, case: Case, stages: Stages, on_pass: Callable[[int], None]
) -> int | None:
    """Attack a clip until its file would be heard as was aimed for.

    Args:
        victim: who is attacked.
        case: the clip and the aim.
        stages: how.
        on_pass: called after every step, with the gradient passes spent so far.

    Returns:
        The gradient passes that it took; None: the stages ended first.
    """
    clean = case.clean.to(victim.device, victim.dtype)
    threshold = case.threshold(clean, victim.sample_rate)
    contexts = None if case.context is ALONE else [case.context]
    search = Search(
        aimed(victim, case.options), [clean], [case.tokens], threshold, contexts=contexts
    )
    for progress in search.run(stages):
        (trajectory,) = search.trajectories
        on_pass(trajectory.passes)
        if progress.matched[0] and case.succeeds(victim, trajectory.candidates[-1].delta):
            return trajectory.passes
    return None


def without_rooms(stages: Stages) -> Stages:
    """The stages as they are where nothing random happens to the sound."""
    return tuple(replace(stage, over=Expectation()) for stage in stages)


def in_ball(eps: float) -> Stage:
    """A search within ‖δ‖∞ ≤ ε, in full scale; the ball stays as it is."""
    return Stage(
        "within a ball",
        steps=EPS_PASSES,
        rate=Decay(eps / 4, eps / 40),
        sign=True,
        bound=Elastic(eps, shrink=1.0, grow=1.0),
    )


def unbounded() -> Stage:
    """A search that may change the clip into anything that a 16-bit file holds."""
    return Stage(
        "without a bound",
        steps=UNBOUNDED_PASSES,
        rate=Decay(500 / FULL_SCALE, 50 / FULL_SCALE),
        sign=True,
    )
