"""A hard bound above the masking threshold: kept by the search, proved from the file, rechecked."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import preset
from toy import TARGET, linear_victim, speech

from mondegreen import Result, attack
from mondegreen.attacks.clip import prepare
from mondegreen.audio.batch import pad
from mondegreen.audio.pcm import FULL_SCALE, save
from mondegreen.errors import OptionError
from mondegreen.judging.verify import recheck
from mondegreen.options import Options
from mondegreen.psychoacoustics.excess import (
    excess_db,
    normalised_power,
    rounding_power,
    worst_excess_db,
)
from mondegreen.psychoacoustics.spectrum import LOUDEST
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold
from mondegreen.report.numbers.summary import summarise
from mondegreen.report.numbers.summary_text import describe
from mondegreen.report.page.write import write_report
from mondegreen.search.ceiling import SLACK_DB, contained, fullness, shaped
from mondegreen.search.presets import PRESETS

LENGTH = 8192
EASY, HARD = 50.0, 150.0  # biases: a δ of 20 dB above θ can be worth 40 of them, one of 0 dB 10


def flat(theta_db: float, length: int = LENGTH) -> MaskingThreshold:
    """A threshold of one level everywhere, on a scale where full scale has 96 dB."""
    made = masking_threshold(torch.zeros(1, length, dtype=torch.float64), None, 16_000)
    return replace(made, theta=torch.full_like(made.theta, 10 ** (theta_db / 10)))


def noise(seed: int, amplitude: float, length: int = LENGTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return amplitude * torch.randn(1, length, generator=generator, dtype=torch.float64)


def rounded(delta: torch.Tensor) -> torch.Tensor:
    return torch.round(delta * FULL_SCALE) / FULL_SCALE


# ---- the projection


def test_the_power_of_rounding_is_that_of_rounding() -> None:
    threshold = masking_threshold(speech(0, 40_000)[None], None, 16_000)
    error = noise(0, 0.01, 40_000)
    found = normalised_power(rounded(error) - error, threshold)[..., 1:-1].mean()
    assert float(rounding_power(threshold)[0]) == pytest.approx(float(found), rel=0.05)


def test_excess_of_a_sinusoid() -> None:
    """In the middle of a bin: periodic Hann makes its power (amplitude / 4)²."""
    time = torch.arange(LENGTH, dtype=torch.float64)
    sine = 0.01 * torch.cos(2 * torch.pi * 100 * time / 2048)[None]
    at_bin = 10 * math.log10((0.01 / 4) ** 2 * LOUDEST) - 30
    found = excess_db(sine, flat(30.0)).amax(-1)
    torch.testing.assert_close(found, torch.full_like(found, at_bin), rtol=0, atol=1e-9)


def test_the_worst_excess_of_each_clip() -> None:
    audio, lengths = pad([speech(1, 6000), speech(2, 9000)])
    threshold = masking_threshold(audio, lengths, 16_000)
    delta = 0.01 * torch.randn(audio.shape, dtype=torch.float64)
    found = worst_excess_db(delta, threshold)
    torch.testing.assert_close(found, excess_db(delta, threshold).amax((1, 2)))
    assert worst_excess_db(0 * delta, threshold).tolist() == [-torch.inf, -torch.inf]


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), bound=st.floats(0, 20), amplitude=st.floats(1e-3, 0.1))
def test_what_is_contained_keeps_the_bound_once_it_is_rounded(
    seed: int, bound: float, amplitude: float
) -> None:
    threshold = flat(20.0)
    found = contained(noise(seed, amplitude), threshold, bound, 40)
    assert float(worst_excess_db(rounded(found), threshold)) <= bound
    assert found.any()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), bound=st.floats(0, 20))
def test_a_turn_never_raises_the_largest_excess(seed: int, bound: float) -> None:
    threshold, delta = flat(20.0), noise(seed, 0.01)
    delta = contained(delta, threshold, bound, 0)
    for _ in range(4):
        before = float(worst_excess_db(delta, threshold))
        delta = contained(delta, threshold, bound, 1)
        assert float(worst_excess_db(delta, threshold)) <= before


def test_what_keeps_the_bound_stays_but_for_the_ends() -> None:
    delta = noise(0, 1e-4)
    found = contained(delta, flat(60.0), 0.0, 3)
    inner = slice(512, LENGTH - 512)
    assert torch.equal(found[:, inner], delta[:, inner])
    assert not found[:, 0].any()


def test_nothing_is_left_where_no_frame_would_see_it() -> None:
    found = contained(noise(0, 0.1, LENGTH + 400), flat(60.0, LENGTH + 400), 0.0, 1)
    assert found[0, LENGTH - 512 - 512 :].any()
    assert not found[0, LENGTH:].any()


def test_fullness_is_a_share_of_the_room() -> None:
    threshold, delta = flat(90.0), noise(0, 1e-5)
    power = normalised_power(delta, threshold)[..., threshold.audible].mean()
    room = 10 ** ((90.0 - SLACK_DB) / 10)  # rounding noise is nothing beside it
    alone = float(fullness(delta, threshold, 0.0))
    assert alone == pytest.approx(float(power / room) ** 0.5, rel=0.01)
    assert float(fullness(3 * delta, threshold, 0.0)) == pytest.approx(3 * alone, rel=1e-6)
    assert 0.9 < float(fullness(1e9 * delta, threshold, 0.0)) <= 1


def test_fullness_of_a_batch_is_each_clips_own() -> None:
    audio, lengths = pad([speech(1, 6000), speech(2, 9000)])
    together = masking_threshold(audio, lengths, 16_000)
    delta = pad([noise(1, 1e-3, 6000)[0], noise(2, 1e-4, 9000)[0]])[0]
    found = fullness(delta, together, 6.0)
    for b, length in enumerate((6000, 9000)):
        one = masking_threshold(audio[b : b + 1, :length], None, 16_000)
        alone = fullness(delta[b : b + 1, :length], one, 6.0)
        assert float(found[b]) == pytest.approx(float(alone[0]), rel=1e-6)


def test_contained_clips_of_a_batch_are_alone() -> None:
    clips = [speech(1, 6000), speech(2, 9000)]
    audio, lengths = pad(clips)
    together = masking_threshold(audio, lengths, 16_000)
    delta, _ = pad([noise(3, 0.01, 6000)[0], noise(4, 0.01, 9000)[0]])
    for work in (lambda d, t: contained(d, t, 3.0, 2), lambda d, t: shaped(d, t, 3.0)):
        found = work(delta, together)
        for row, clip in enumerate(clips):
            alone = masking_threshold(clip[None], None, 16_000)
            expected = work(delta[row : row + 1, : len(clip)], alone)[0]
            torch.testing.assert_close(found[row, : len(clip)], expected, rtol=1e-9, atol=1e-12)


def test_a_step_is_as_large_as_the_room_and_of_no_size_of_its_own() -> None:
    gradient = noise(0, 1.0)
    step, louder = shaped(gradient, flat(30.0), 0.0), shaped(gradient, flat(40.0), 0.0)
    torch.testing.assert_close(shaped(1e6 * gradient, flat(30.0), 0.0), step)
    ratio = float(louder.square().sum() / step.square().sum())
    assert ratio == pytest.approx(10, rel=0.05)  # not to the letter: rounding takes its share
    assert not shaped(0 * gradient, flat(30.0), 0.0).any()


# ---- the attack


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


def bounded(clip: Path, bias: float, bound: float) -> Result:
    victim = linear_victim(bias=bias)
    victim.name = "moonshine-tiny"
    return attack(victim, clip, TARGET, max_passes=220, under_threshold=bound)


def largest(result: Result) -> float:
    """Measured here, from the samples."""
    clean = torch.from_numpy(result.clean).double()[None]
    threshold = masking_threshold(clean, None, 16_000)
    delta = torch.from_numpy(result.delta).double()[None]
    return float(excess_db(delta, threshold).max())


def test_an_example_under_the_bound_is_verified(clip: Path, tmp_path: Path) -> None:
    result = bounded(clip, EASY, 20.0)
    assert result.verified
    assert result.record.stage == "stay under the bound"
    assert largest(result) <= 20.0
    assert largest(attack(linear_victim(bias=EASY), clip, TARGET, max_passes=180)) > 20.0
    folder = result.save(tmp_path / "out")
    record = json.loads((folder / "record.json").read_text())
    assert record["under_threshold"] == 20.0
    assert record["masking"]["max_excess_db"] == pytest.approx(max(0.0, largest(result)))
    (claim,) = recheck(folder, linear_victim(bias=EASY))
    assert claim.confirmed
    assert claim.over_db == 0


def test_a_target_that_the_bound_does_not_allow_is_an_honest_failure(
    clip: Path, tmp_path: Path
) -> None:
    result = bounded(clip, HARD, 0.0)
    assert not result.verified
    assert result.record.heard == TARGET
    assert largest(result) > 0
    over = f"is heard as 'Open the door.', and breaks it by {largest(result):.1f} dB"
    assert any(over in warning for warning in result.record.warnings)
    (claim,) = recheck(result.save(tmp_path / "out"), linear_victim(bias=HARD))
    assert (claim.claimed, claim.verified) == (False, False)
    assert claim.over_db == pytest.approx(largest(result))


@pytest.mark.parametrize("batch", [None, 1])
def test_a_record_that_claims_a_bound_which_its_file_breaks_is_not_confirmed(
    clip: Path, tmp_path: Path, batch: int | None
) -> None:
    result = attack(linear_victim(), clip, TARGET, max_passes=60)
    assert result.verified
    assert largest(result) > 1
    folder = result.save(tmp_path / "out")
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"under_threshold": 1.0}))
    (claim,) = recheck(folder, linear_victim(), batch=batch)
    assert (claim.claimed, claim.verified) == (True, False)
    assert claim.over_db == pytest.approx(largest(result) - 1)


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (float("nan"), "what JSON does not know"),
        (float("inf"), "what JSON does not know"),
        (-1, "under_threshold = -1"),
        ("10", "under_threshold = '10'"),
    ],
)
def test_a_record_whose_bound_means_nothing_is_damaged(
    clip: Path, tmp_path: Path, bound: object, said: str
) -> None:
    folder = attack(linear_victim(), clip, TARGET, max_passes=30).save(tmp_path / "out")
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"under_threshold": bound}))
    (claim,) = recheck(folder, linear_victim())
    assert (claim.claimed, claim.verified) == (True, False)
    assert "record.json cannot be read" in str(claim.problem)
    assert said in str(claim.problem)


def test_summaries_and_pages_say_what_was_to_be_kept_under(clip: Path, tmp_path: Path) -> None:
    for name, bound in (("some", 3.0), ("others", None)):
        result = attack(linear_victim(), clip, TARGET, max_passes=110, under_threshold=bound)
        result.save(tmp_path / name / "out")
    (some,), (others,) = summarise([tmp_path / "some"]), summarise([tmp_path / "others"])
    (both,) = summarise([tmp_path / "some", tmp_path / "others"])
    told = "no bin more than 3 dB above the masking threshold"
    assert (some.bounds, others.bounds, both.bounds) == ((told,), (None,), (told, None))
    assert describe(some)["bound"] == told
    assert "bound" not in describe(others)
    assert describe(both)["bound"] == f"{told}; some clips without a bound"
    page = tmp_path / "page.html"
    write_report([[tmp_path / "some"]], page)
    assert told in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("method", sorted(set(PRESETS) - {"imperceptible", "untargeted"}))
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(OptionError, match="choose one of the methods imperceptible, untargeted"):
        preset(method, "fast", under=3.0)


@pytest.mark.parametrize(("name", "least"), [("fast", 103), ("paper", 5001)])
def test_a_budget_that_ends_before_the_bound_is_refused(clip: Path, name: str, least: int) -> None:
    def options(passes: int) -> Options:
        return Options(preset=name, under_threshold=3.0, max_passes=passes)

    victim = linear_victim()
    for passes in (1, least - 1):
        with pytest.raises(
            OptionError, match=f"preset {name} comes to last; give at least {least}"
        ):
            prepare(victim, [clip], [TARGET], options(passes))
    (ready,) = prepare(victim, [clip], [TARGET], options(least))
    assert ready.target == TARGET


@pytest.mark.parametrize("bound", [-1.0, float("nan"), float("inf")])
def test_a_bound_that_means_nothing_is_refused(clip: Path, bound: float) -> None:
    with pytest.raises(OptionError, match="under_threshold = "):
        attack(linear_victim(), clip, TARGET, under_threshold=bound)
