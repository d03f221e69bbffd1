"""The successes on a search's way: which are kept, that each is proved, and what they cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

import mondegreen as mg
from mondegreen.attacks.clip import Clip, prepare
from mondegreen.attacks.proof import prove
from mondegreen.attacks.setup import Setup
from mondegreen.attacks.trail import trail
from mondegreen.audio.pcm import load, save
from mondegreen.errors import RecogniserError
from mondegreen.measures.quality import masking_excess, snr_db
from mondegreen.measures.ratings import zimtohrli
from mondegreen.options import Options
from mondegreen.results.record import Success
from mondegreen.results.verdict import MASKING
from mondegreen.search.trajectory import Candidate, Trajectory

VICTIM = linear_victim()
LEAST = VICTIM.smallest_norm(speech())
LOUD, QUIET, SILENT = (factor * LEAST * VICTIM.weight.sign() for factor in (3.0, 1.1, 0.0))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    save(tmp_path / "clip.wav", speech(), 16_000)
    (clip,) = prepare(VICTIM, [tmp_path / "clip.wav"], [TARGET], Options())
    return clip


def searched(*found: tuple[torch.Tensor, int]) -> Trajectory:
    """A search that kept these perturbations after so many passes."""
    trajectory = Trajectory(QUIET, deque(maxlen=4))
    for delta, passes in found:
        trajectory.add(Candidate(delta, 1.0, passes, passes, "only"), apart=10)
    return trajectory


def on_the_way(clip: Clip, trajectory: Trajectory, **options: float) -> list[Success]:
    setup = Setup(Options(**options))
    proven = prove(VICTIM, clip, trajectory, setup, lambda *_: None)
    return [one.success for one in trail(VICTIM, clip, trajectory, proven, setup.options)]


def test_of_the_successes_between_two_powers_of_two_the_last_is_kept() -> None:
    passes = [3, 16, 20, 31, 32, 33, 63, 64, 127, 200, 255, 256, 257]
    kept = searched(*((QUIET, one) for one in passes)).trail
    assert [one.passes for one in kept] == [3, 31, 63, 127, 255, 257]


def test_each_is_proved_from_its_file_and_what_is_saved_is_not_among_them(clip: Clip) -> None:
    found = on_the_way(clip, searched((LOUD, 20), (SILENT, 40), (1.5 * QUIET, 100), (QUIET, 200)))
    assert [(one.passes, one.stage) for one in found] == [(20, "only"), (100, "only")]


def test_where_the_newest_is_not_proved_the_others_are_there(clip: Clip) -> None:
    found = on_the_way(clip, searched((LOUD, 20), (1.5 * QUIET, 100), (SILENT, 200)))
    assert [one.passes for one in found] == [20]  # 100 is saved


def test_it_counts_a_file_that_breaks_the_bound_that_was_asked_for(clip: Clip) -> None:
    trajectory = searched((LOUD, 20), (QUIET, 100))
    (found,) = on_the_way(clip, trajectory, under_threshold=0.0)
    assert found.prices.excess_db > 0


def test_prices_are_those_of_the_file_that_it_would_be(clip: Clip, tmp_path: Path) -> None:
    (found,) = on_the_way(clip, searched((LOUD, 20), (QUIET, 100)))
    clean = clip.clean.numpy()
    save(tmp_path / "loud.wav", clean + LOUD.numpy(), 16_000)
    saved = load(tmp_path / "loud.wav", 16_000)
    assert found.prices.snr_db == snr_db(clean, saved)
    assert found.prices.excess_db == masking_excess(clean, saved, 16_000).max_excess_db
    assert found.prices.margin_db is not None
    quieter, louder = (
        masking_excess(clean, clean + 10 ** (level / 20) * (saved - clean), 16_000, "temporal").loss
        for level in (found.prices.margin_db - 0.01, found.prices.margin_db + 0.01)
    )
    assert quieter < MASKING.inaudible < louder


def test_a_change_half_as_large_has_6_db_more_margin() -> None:
    clean, delta = speech().numpy(), 3 * LOUD.numpy()
    whole, half = (masking_excess(clean, clean + k * delta, 16_000).margin_db for k in (1.0, 0.5))
    assert whole is not None
    assert half is not None
    assert half - whole == pytest.approx(20 * np.log10(2), abs=3e-3)


def test_no_change_has_no_margin() -> None:
    clean = speech().numpy()
    assert masking_excess(clean, clean, 16_000).margin_db is None


# ---- in an attack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(length=8000), 16_000)
    return tmp_path / "clip.wav"


def test_a_record_has_it_rated(path: Path) -> None:
    result = mg.attack(VICTIM, path, TARGET, max_passes=150)
    kept = result.record.trail
    assert [one.passes for one in kept] == sorted({one.passes for one in kept})
    assert kept[0].passes >= (result.record.first_match or 0)
    assert kept[-1].passes != result.record.found_at
    assert [one.prices.zimtohrli_mos for one in kept] == [
        zimtohrli(result.clean, one.adversarial, 16_000).mos for one in result.waypoints
    ]


def test_a_method_in_rooms_has_none(path: Path) -> None:
    result = mg.attack(VICTIM, path, TARGET, method="robust", rooms=toy_bank(), max_passes=60)
    assert result.record.trail == ()


class Faltering(LinearVictim):
    """Its second transcript after the search does not come."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        super().__init__(VICTIM.weight, VICTIM.bias)
        self.error, self.calls = error, 0

    def transcribe(self, audio: torch.Tensor) -> str:
        self.calls += 1
        if self.calls == 3:  # the clean clip, the proof of what is saved, the first on the way
            raise self.error()
        return super().transcribe(audio)


@pytest.mark.parametrize("error", [KeyboardInterrupt, lambda: RecogniserError("it broke")])
def test_what_ends_it_costs_no_more_than_it(path: Path, error: Callable[[], BaseException]) -> None:
    whole = mg.attack(VICTIM, path, TARGET, max_passes=150)
    cut = mg.attack(Faltering(error), path, TARGET, max_passes=150)
    assert (cut.verified, cut.record.trail, cut.record.interrupted) == (True, (), True)
    assert np.array_equal(cut.adversarial, whole.adversarial)
    assert any("trail" in warning for warning in cut.record.warnings)
