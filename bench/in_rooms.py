"""Results of methods in rooms, proved in unseen rooms, and how audible they are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

from bench.quality import score_sound, settings_of
from bench.results import Row
from bench.subjects import Subject
from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.proof import prove
from mondegreen.attacks.setup import Setup
from mondegreen.measures.in_rooms import quality_in_rooms
from mondegreen.search.presets import stages_for
from mondegreen.victims import Victim

PAPER_BUDGET = 1000  # gradient passes, each in one room; fast has its own


def measured(
    victim: Victim, subject: Subject, setup: Setup, air: str, known: Callable[[Row], bool]
) -> Iterator[Row]:
    """A clip's row, if it is not known yet: the saved file in every test room, and without one."""
    assert setup.rooms is not None, "a method in rooms has a bank"
    options = setup.options
    head: Row = {
        "victim": victim.name,
        "method": options.method,
        "preset": options.preset,
        "clip": subject.clip,
        "air": air,
        "budget": sum(stage.passes for stage in stages_for(options)),
        "target": subject.target,
        "settings": settings_of(stages_for(options), f"{subject.target}, {setup.rooms.key}"),
    }
    if known(head):
        return
    (clip,) = prepare(victim, [subject.path], [subject.target], options)
    attack = Attack(victim, [clip], setup)
    for _ in attack.run():
        pass
    (trajectory,) = attack.search.trajectories
    proven = prove(victim, clip, trajectory, setup, lambda *_: None)
    assert proven.survival is not None, "a method in rooms is proved in rooms"
    assert proven.clean is not None, "and so is its clean clip"
    rooms = proven.survival.rooms
    clean = clip.clean.numpy()
    seen = quality_in_rooms(
        clean, proven.adversarial, victim.sample_rate, setup.rooms.split("test")
    )
    yield {
        **head,
        "passes": trajectory.passes,
        "looks": trajectory.looks,
        "first_match": trajectory.first_match,
        "found_at": proven.candidate.passes if proven.candidate else None,
        "rooms": rooms.count,
        "heard_in": rooms.heard,
        "heard_low": rooms.heard_low,
        "heard_high": rooms.heard_high,
        "wer_target": rooms.wer_target,
        "clean_heard_in": proven.clean.rooms.heard,
        "seconds": attack.seconds,
        "in_rooms": asdict(seen),
        **score_sound(victim, clean, proven.adversarial, clip.target),
    }
