"""What the saved file proves: it is read back, and the recogniser transcribes it.

For methods in rooms, which of the successes is saved is chosen first, in rooms kept for that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.air.rooms.bank import RoomBank, Split
from mondegreen.attacks.clip import Clip
from mondegreen.attacks.options import Options
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import load, save
from mondegreen.measures.quality import over_db
from mondegreen.measures.survival import Phrases, heard_share, survival, survives
from mondegreen.results.record import Survival
from mondegreen.search.trajectory import Candidate, Trajectory
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser, Victim


@dataclass(frozen=True)
class Proof:
    """What a recogniser makes of a file.

    Attributes:
        heard: its transcript, through its own pipeline.
        verified: the transcript is the target, under the declared normaliser.
    """

    heard: str
    verified: bool


def verify(
    path: str | PathLike[str], recogniser: Recogniser, target: str, normaliser: str = "default"
) -> Proof:
    """Read a file and compare what the recogniser hears with the target.

    Raises:
        AudioError: the file cannot be read; see `mondegreen.audio.pcm.load`.
        OptionError: there is no normaliser of that name.
    """
    audio = load(path, recogniser.sample_rate)
    heard = recogniser.transcribe(torch.from_numpy(audio))
    return Proof(heard=heard, verified=matches(heard, target, normaliser))


OnRoom = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


@dataclass(frozen=True)
class Proven:
    """What is saved of a search, and what it proves.

    Attributes:
        candidate: the success; None: nothing matched, and the last iterate is shown.
        adversarial: [T] float32, as read back from a 16-bit file.
        heard: what the victim hears in that file; empty if that was stopped by hand.
        verified: see `mondegreen.results.record.Record`.
        over_db: by how much the file exceeds the bound that was asked; None: none was.
        survival: how the file does in the test rooms; None: a method without rooms.
        clean: how the clean clip does in them.
        stopped: what a stop by hand has cut short; None: nothing.
    """

    candidate: Candidate | None
    adversarial: NDArray[np.float32]
    heard: str
    verified: bool
    over_db: float | None = None
    survival: Survival | None = None
    clean: Survival | None = None
    stopped: str | None = None


def prove(
    victim: Victim, clip: Clip, trajectory: Trajectory, options: Options, on_room: OnRoom
) -> Proven:
    """Prove the best success of a clip from its file; without one, show the last iterate.

    Ctrl-C before there is anything to say keeps the latest success, unproved.
    """
    try:
        if options.rooms is not None:
            return _prove_in_rooms(victim, clip, trajectory, options, options.rooms, on_room)
        return _prove_dry(victim, clip, trajectory, options)
    except KeyboardInterrupt:
        latest = trajectory.candidates[-1] if trajectory.candidates else None
        return _unproved(clip, trajectory, latest)


def _unproved(clip: Clip, trajectory: Trajectory, candidate: Candidate | None) -> Proven:
    delta = trajectory.delta if candidate is None else candidate.delta
    adversarial = quantise(clip.clean + delta.to(clip.clean)).numpy()
    stopped = "the proof was stopped by hand before it had begun: nothing was heard"
    return Proven(candidate, adversarial, heard="", verified=False, stopped=stopped)


def _prove_dry(victim: Victim, clip: Clip, trajectory: Trajectory, options: Options) -> Proven:
    if not trajectory.candidates:
        return _proven(victim, clip, None, trajectory.delta, options)
    outcomes = []
    for candidate in (*reversed(trajectory.candidates), *reversed(trajectory.milestones)):
        proof = _proven(victim, clip, candidate, candidate.delta, options)
        if proof.verified:
            return proof
        outcomes.append(proof)
    target, normaliser = clip.target, options.normaliser
    return next((one for one in outcomes if matches(one.heard, target, normaliser)), outcomes[0])


def _proven(
    victim: Victim, clip: Clip, candidate: Candidate | None, delta: Tensor, options: Options
) -> Proven:
    """What the file of a perturbation proves: it is heard, and keeps the bound if one was asked."""
    adversarial, heard, verified = _from_file(victim, clip, delta, options.normaliser)
    if options.under_threshold is None:
        return Proven(candidate, adversarial, heard, verified)
    clean = clip.clean.numpy()
    over = over_db(clean, adversarial, victim.sample_rate, options.under_threshold)
    return Proven(candidate, adversarial, heard, verified and over == 0, over)


def _prove_in_rooms(
    victim: Victim,
    clip: Clip,
    trajectory: Trajectory,
    options: Options,
    bank: RoomBank,
    on_room: OnRoom,
) -> Proven:
    """Choose on `validate`, prove in `test`; the clean clip in the same rooms is the control."""
    candidate, stopped = _most_heard(victim, clip, trajectory, bank, on_room)
    delta = trajectory.delta if candidate is None else candidate.delta
    phrases, test = Phrases(clip.target, clip.heard, options.normaliser), bank.split("test")
    try:
        adversarial, heard, _ = _from_file(victim, clip, delta, options.normaliser)
        sounds = [adversarial, clip.clean.numpy()]
        proof, control = survival(victim, sounds, phrases, test, partial(on_room, "proving"))
    except KeyboardInterrupt:
        return _unproved(clip, trajectory, candidate)
    done = proof.rooms.count
    if done < len(test.rooms):
        stopped = _cut_short(done, test)
    verified = survives(proof) and done == len(test.rooms)
    return Proven(candidate, adversarial, heard, verified, None, proof, control, stopped)


def _cut_short(done: int, test: Split) -> str:
    return (
        f"the proof was stopped by hand after {done} of {len(test.rooms)} rooms, which proves"
        " nothing: use `mondegreen evaluate` on the result to prove it"
    )


def _most_heard(
    victim: Victim, clip: Clip, trajectory: Trajectory, bank: RoomBank, on_room: OnRoom
) -> tuple[Candidate | None, str | None]:
    """Of the successes of the last stage that had any, the one that most `validate` rooms hear.

    Ctrl-C ends the choosing: the best so far is taken, or the latest, and the second value says so.
    """
    if not trajectory.candidates:
        return None, None
    last = trajectory.candidates[-1]
    best_first = [c for c in reversed(trajectory.candidates) if c.stage == last.stage]
    shares: list[float] = []
    try:
        for candidate in best_first if len(best_first) > 1 else ():
            sound = quantise(clip.clean.to(candidate.delta) + candidate.delta)
            shares.append(heard_share(victim, sound, clip.tokens, bank.split("validate")))
            on_room("choosing", len(shares), len(best_first))
    except KeyboardInterrupt:
        stopped = f"the choice was stopped by hand: made from {len(shares)} of {len(best_first)}"
        return best_first[_first_of_the_largest(shares)], stopped
    return best_first[_first_of_the_largest(shares)], None


def _first_of_the_largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__, default=0)


def _from_file(
    victim: Victim, clip: Clip, delta: Tensor, normaliser: str
) -> tuple[NDArray[np.float32], str, bool]:
    """Write x + δ, read it back, and hear it: samples, transcript, and whether it is the target."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adversarial.wav"
        save(path, (clip.clean.to(delta.dtype) + delta.cpu()).numpy(), victim.sample_rate)
        proof = verify(path, victim, clip.target, normaliser)
        return load(path, victim.sample_rate), proof.heard, proof.verified
