"""What the saved file proves: it is read back, and the recogniser transcribes it.

For methods in rooms, which of the successes is saved is chosen first, in rooms kept for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.aim import Aim
from mondegreen.attacks.clip import Clip
from mondegreen.attacks.result import OnRoom
from mondegreen.attacks.setup import Setup
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import FULL_SCALE, MAX_SECONDS, load, written
from mondegreen.measures.quality import over_db, snr_db
from mondegreen.measures.survival import heard_share, survival, survives
from mondegreen.options import Options
from mondegreen.psychoacoustics.surroundings import Surroundings
from mondegreen.results.record import Survival
from mondegreen.search.trajectory import Candidate, Trajectory
from mondegreen.victims.base import Recogniser, Victim
from mondegreen.victims.guard import guarded


@dataclass(frozen=True)
class Proof:
    """A file's transcript, compared with what was aimed for."""

    transcript: str  # of the file, by the recogniser's own pipeline
    matched: bool  # it is what was aimed for


def verify(
    path: str | PathLike[str], recogniser: Recogniser, target: str, normaliser: str = "default"
) -> Proof:
    """Read a file, transcribe it, and compare the transcript with the target.

    Raises:
        AudioError: the file cannot be read; see `mondegreen.audio.pcm.load`.
        OptionError: there is no normaliser of that name.
        VictimError: the recogniser's own code fails, or it is none.
    """
    recogniser = guarded(recogniser)
    aim = Aim(target, None, normaliser)
    return _heard(recogniser, torch.from_numpy(load(path, recogniser.sample_rate)), aim)


def _heard(recogniser: Recogniser, audio: Tensor, aim: Aim) -> Proof:
    transcript = recogniser.transcribe(audio)
    return Proof(transcript, matched=aim.met(transcript))


@dataclass(frozen=True)
class Proven:
    """What is saved of a search, and what it proves."""

    candidate: Candidate | None  # the success; None: nothing matched, and the last iterate is shown
    adversarial: NDArray[np.float32]  # [T] float32, as read back from a 16-bit file
    transcript: str  # of that file; empty if the proof was interrupted
    verified: bool  # see `mondegreen.results.record.Record`
    # by how much the file breaks the bound asked for; None: there is none
    excess_db: float | None = None
    # how the file does in the test rooms; None: a method without rooms
    survival: Survival | None = None
    clean: Survival | None = None  # how the clean clip does in them
    stopped: str | None = None  # what an interruption has cut short; None: nothing


def prove(
    victim: Victim, clip: Clip, trajectory: Trajectory, setup: Setup, on_room: OnRoom
) -> Proven:
    """Prove the best success of a clip from its file; without one, show the last iterate.

    Ctrl-C before there is anything to say keeps the latest success, unproved.
    """
    try:
        if setup.rooms is not None:
            proven = _prove_in_rooms(victim, clip, trajectory, setup, on_room)
        else:
            proven = _prove_dry(victim, clip, trajectory, setup.options)
    except KeyboardInterrupt:
        return unproved(clip, trajectory, INTERRUPTED)
    transcribed = bool(proven.transcript) or proven.stopped is None
    heard = proven.verified or (transcribed and clip.aim.met(proven.transcript))
    if heard and proven.candidate is None:  # no step has scored it: the search ended with it
        return replace(proven, candidate=trajectory.last)
    return proven


INTERRUPTED = "the proof was interrupted before it had begun: the file was never transcribed"


def unproved(
    clip: Clip, trajectory: Trajectory, why: str, candidate: Candidate | None = None
) -> Proven:
    """A success that nothing proves: one that was chosen, or the latest, or the last iterate."""
    if candidate is None and trajectory.candidates:
        candidate = trajectory.candidates[-1]
    delta = trajectory.delta if candidate is None else candidate.delta
    adversarial = quantise(clip.clean + delta.to(clip.clean)).numpy()
    return Proven(candidate, adversarial, transcript="", verified=False, stopped=why)


def _prove_dry(victim: Victim, clip: Clip, trajectory: Trajectory, options: Options) -> Proven:
    if not trajectory.candidates:
        return _proven(victim, clip, None, trajectory.delta, options)
    outcomes = []
    for candidate in (*reversed(trajectory.candidates), *reversed(trajectory.milestones)):
        proven = _proven(victim, clip, candidate, candidate.delta, options)
        if proven.verified:
            return proven
        outcomes.append(proven)
    return next((one for one in outcomes if clip.aim.met(one.transcript)), outcomes[0])


def _proven(
    victim: Victim, clip: Clip, candidate: Candidate | None, delta: Tensor, options: Options
) -> Proven:
    """What a perturbation's file proves: the aim is met, and the bound kept if there is one."""
    adversarial, proof = from_file(victim, clip, delta)
    rate = victim.sample_rate
    excess = bound_excess(clip.clean.numpy(), adversarial, rate, options, clip.around)
    kept = proof.matched and not excess
    return Proven(candidate, adversarial, proof.transcript, kept, excess)


def bound_excess(
    clean: NDArray[np.float32],
    adversarial: NDArray[np.float32],
    rate: int,
    options: Options,
    around: Surroundings | None = None,
) -> float | None:
    """By how many dB a file breaks the bound of its options; None: they have none.

    It is on the excess over the masking threshold, or on the signal-to-noise ratio.
    """
    if options.snr is not None:
        reached = snr_db(clean, adversarial)  # None: nothing was changed
        return 0.0 if reached is None else max(0.0, options.snr - reached)
    if options.bound is None:
        return None
    return over_db(clean, adversarial, rate, options.bound, around)


def hear_whole(
    victim: Victim, clip: Clip, adversarial: NDArray[np.float32]
) -> tuple[str | None, str | None]:
    """What all of a recording is heard as, once its passage is the adversarial one.

    The second value is what an interruption has cut short; None: nothing.

    None where that is the passage, or heard already, or longer than a clip may be, or not taken by
    the victim: no claim depends on it, so that nothing that happens here costs the result.
    """
    if clip.excerpt is None or clip.replaced is not None:
        return None, None
    if len(clip.excerpt.whole) > MAX_SECONDS * victim.sample_rate:
        return None, None
    whole = torch.from_numpy(clip.excerpt.replaced(adversarial)).float() / FULL_SCALE
    try:
        return victim.transcribe(whole), None
    except KeyboardInterrupt:
        return None, "it was interrupted while all of the recording was heard: that is missing"
    except Exception:
        return None, None


def _prove_in_rooms(
    victim: Victim, clip: Clip, trajectory: Trajectory, setup: Setup, on_room: OnRoom
) -> Proven:
    """Choose on `validate`, prove in `test`; the clean clip in the same rooms is the control."""
    assert setup.rooms is not None
    candidate, stopped = _most_heard(victim, clip, trajectory, setup, on_room)
    delta = trajectory.delta if candidate is None else candidate.delta
    test = setup.rooms.split("test")
    try:
        adversarial, proof = from_file(victim, clip, delta)
        sounds = [adversarial, clip.clean.numpy()]
        seen, control = survival(
            victim, sounds, clip.aim, test, partial(on_room, "proving"), setup.air
        )
    except KeyboardInterrupt:
        return unproved(clip, trajectory, INTERRUPTED, candidate)
    done = seen.rooms.count
    if done < len(test.rooms):
        stopped = (
            f"the proof was interrupted after {done} of {len(test.rooms)} rooms, which proves"
            " nothing: use `mondegreen evaluate` on the result to prove it"
        )
    verified = survives(seen) and done == len(test.rooms)
    return Proven(candidate, adversarial, proof.transcript, verified, None, seen, control, stopped)


def _most_heard(
    victim: Victim, clip: Clip, trajectory: Trajectory, setup: Setup, on_room: OnRoom
) -> tuple[Candidate | None, str | None]:
    """Of the successes of the last stage that had any, the one that matches in most rooms.

    Ctrl-C ends the choice: the best so far is taken, or the latest, and the second value says so.
    """
    if not trajectory.candidates:
        return None, None
    assert setup.rooms is not None
    validate = setup.rooms.split("validate")
    last = trajectory.candidates[-1]
    best_first = [c for c in reversed(trajectory.candidates) if c.stage == last.stage]
    shares: list[float] = []
    try:
        for candidate in best_first if len(best_first) > 1 else ():
            sound = quantise(clip.clean.to(candidate.delta) + candidate.delta)
            shares.append(heard_share(victim, sound, clip.tokens, validate, setup.air))
            on_room("choosing", len(shares), len(best_first))
    except KeyboardInterrupt:
        stopped = f"the choice was interrupted: made from {len(shares)} of {len(best_first)}"
        return best_first[_first_of_the_largest(shares)], stopped
    return best_first[_first_of_the_largest(shares)], None


def _first_of_the_largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__, default=0)


def from_file(victim: Victim, clip: Clip, delta: Tensor) -> tuple[NDArray[np.float32], Proof]:
    """Encode x + δ as the file that is saved, decode it, and transcribe that; see `Clip.context`.

    In memory, because a proof must not depend on a disk: `Result.write` reads the saved file back
    and compares it with what was proved here.
    """
    adversarial = written((clip.clean.to(delta.dtype) + delta.cpu()).numpy(), victim.sample_rate)
    heard = clip.context.around(torch.from_numpy(adversarial))
    return adversarial, _heard(victim, heard, clip.aim)
