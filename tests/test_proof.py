"""What a saved file proves: which success is taken, and what is said where none holds."""

from __future__ import annotations

import builtins
import errno
import os
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech

from mondegreen.attacks.clip import Clip, prepare
from mondegreen.attacks.proof import Proven, bound_excess, prove, verify
from mondegreen.attacks.setup import Setup
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError, OptionError
from mondegreen.options import Options
from mondegreen.results.record import Point
from mondegreen.search.trajectory import Candidate, Trajectory

VICTIM = linear_victim()
LEAST = VICTIM.smallest_norm(speech())
LOUD, QUIET, SILENT = (factor * LEAST * VICTIM.weight.sign() for factor in (1.5, 1.1, 0.0))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    save(tmp_path / "clip.wav", speech(), 16_000)
    (clip,) = prepare(VICTIM, [tmp_path / "clip.wav"], [TARGET], Options())
    return clip


def candidate(delta: torch.Tensor, passes: int, stage: str = "last") -> Candidate:
    return Candidate(delta, 1.0, passes, passes, stage)


def proven(
    clip: Clip,
    *candidates: Candidate,
    milestones: tuple[Candidate, ...] = (),
    victim: LinearVictim = VICTIM,
    **options: float,
) -> Proven:
    """What is saved of a search that has found these, the newest last."""
    found = Trajectory(0.5 * QUIET, deque(candidates))
    found.milestones.extend(milestones)
    return prove(victim, clip, found, Setup(Options(**options)), lambda *_: None)


# ---- one file


@pytest.mark.parametrize(
    ("target", "normaliser", "matched"),
    [
        ("open the door", "default", True),
        ("open the door", "exact", False),
        (TARGET, "exact", True),
        ("close the door", "default", False),
    ],
)
def test_a_file_is_compared_under_the_declared_normaliser(
    tmp_path: Path, target: str, normaliser: str, matched: bool
) -> None:
    save(tmp_path / "a.wav", speech() + LOUD, 16_000)
    found = verify(tmp_path / "a.wav", VICTIM, target, normaliser)
    assert (found.transcript, found.matched) == (TARGET, matched)


def test_a_file_that_cannot_be_read_or_compared_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(AudioError):
        verify(tmp_path / "none.wav", VICTIM, TARGET)
    save(tmp_path / "a.wav", speech(), 16_000)
    with pytest.raises(OptionError, match="magic"):
        verify(tmp_path / "a.wav", VICTIM, TARGET, "magic")


# ---- which success is saved


def test_the_newest_success_that_its_file_proves_is_saved(clip: Clip) -> None:
    oldest, older, newest = candidate(LOUD, 1), candidate(LOUD, 11), candidate(QUIET, 21)
    assert proven(clip, oldest, older, newest).candidate is newest
    found = proven(clip, oldest, older, candidate(SILENT, 31))
    assert (found.candidate, found.verified, found.transcript) == (older, True, TARGET)
    expected = clip.clean.double() + LOUD
    assert np.abs(found.adversarial - expected.numpy()).max() <= 0.5 / 32768


def test_an_earlier_stage_is_asked_last(clip: Clip) -> None:
    first, second = candidate(LOUD, 1, "first"), candidate(LOUD, 2, "second")
    silent = candidate(SILENT, 31)
    assert proven(clip, silent, milestones=(first, second)).candidate is second
    assert proven(clip, candidate(LOUD, 9), silent, milestones=(first,)).candidate.passes == 9


def test_where_none_is_proved_the_newest_is_shown(clip: Clip) -> None:
    newest = candidate(0.1 * QUIET, 21)
    found = proven(clip, candidate(SILENT, 11), newest)
    assert (found.candidate, found.verified) == (newest, False)
    assert found.transcript == "Nothing at all."


def test_without_a_success_the_last_iterate_is_shown(clip: Clip) -> None:
    found = proven(clip)
    assert (found.candidate, found.verified, found.stopped) == (None, False, None)
    assert np.abs(found.adversarial - clip.clean.numpy()).max() > 0


def test_a_last_iterate_that_holds_can_be_gone_on_from(clip: Clip) -> None:
    """No step has scored it: the search made its last move and ended."""
    found = Trajectory(QUIET, deque(), steps=7, passes=21)
    found.curve.append(Point(1, "only", 0.0, False, 0, 1, None, None, None))
    proof = prove(VICTIM, clip, found, Setup(Options()), lambda *_: None)
    assert (proof.verified, proof.transcript) == (True, TARGET)
    assert proof.candidate is not None
    assert (proof.candidate.passes, proof.candidate.stage) == (21, "only")
    assert proof.candidate.delta is QUIET


def test_a_proof_needs_no_disk(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_disk(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("open", "mkdir"):
        monkeypatch.setattr(os, name, no_disk)
    monkeypatch.setattr(builtins, "open", no_disk)
    assert proven(clip, candidate(QUIET, 21)).verified


def test_an_interruption_keeps_the_newest_unproved(clip: Clip) -> None:
    class Interrupted(LinearVictim):
        def transcribe(self, audio: torch.Tensor) -> str:
            raise KeyboardInterrupt

    newest = candidate(QUIET, 21)
    victim = Interrupted(VICTIM.weight, VICTIM.bias)
    found = proven(clip, candidate(LOUD, 1), newest, victim=victim)
    assert (found.candidate, found.verified, found.transcript) == (newest, False, "")
    assert found.stopped is not None
    assert "never transcribed" in found.stopped


# ---- under a bound


def test_a_success_must_keep_its_bound(clip: Clip) -> None:
    """Twice the amplitude is 6 dB more."""
    over = proven(clip, candidate(LOUD, 1), under_threshold=0.0).excess_db
    assert over is not None
    assert over > 6
    for bound, verified in ((over + 0.01, True), (over - 0.01, False)):
        found = proven(clip, candidate(LOUD, 1), under_threshold=bound)
        assert (found.verified, found.transcript) == (verified, TARGET)
        assert found.excess_db == pytest.approx(0 if verified else 0.01, abs=1e-6)


def test_of_those_that_break_the_bound_one_that_matches_is_shown(clip: Clip) -> None:
    matching, silent = candidate(LOUD, 1), candidate(SILENT, 11)
    found = proven(clip, matching, silent, under_threshold=0.0)
    assert (found.candidate, found.verified) == (matching, False)


def test_the_excess_of_a_file_is_that_over_its_own_bound() -> None:
    clean, loud = speech().float().numpy(), (speech() + LOUD).float().numpy()
    assert bound_excess(clean, loud, 16_000, Options()) is None
    assert bound_excess(clean, clean, 16_000, Options(under_threshold=0.0)) == 0
    over = [bound_excess(clean, loud, 16_000, Options(under_threshold=b)) for b in (0.0, 5.0)]
    assert over[0] - over[1] == pytest.approx(5, abs=1e-6)
