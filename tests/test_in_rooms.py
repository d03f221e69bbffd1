"""Quality after the room: known rooms, a slow twin, and the choice of median and worst by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from records import QUALITY
from toy import toy_bank

from mondegreen.air.rooms import Split
from mondegreen.air.rooms.responses import Room
from mondegreen.audio import pcm
from mondegreen.errors import AudioError
from mondegreen.measures import in_rooms
from mondegreen.measures.in_rooms import quality_in_rooms
from mondegreen.measures.quality import computed, measure
from mondegreen.results.record import OverRooms, Quality

RATE = 16_000
Sound = NDArray[np.float64]


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Sound:
    return pcm.load(beckett, RATE)[:RATE].astype(float)


def with_noise(clip: Sound, rms: float = 3e-3) -> Sound:
    return clip + np.random.default_rng(0).normal(0, rms, len(clip))


def rooms(*responses: Sequence[float]) -> Split:
    rirs = [np.array(response, dtype=np.float32) for response in responses]
    known = [(Room(f"test-{n}", rt60=None, drr=None), rir) for n, rir in enumerate(rirs)]
    return Split.of("test", known)  # type: ignore[arg-type]


def test_a_room_that_adds_nothing_has_the_dry_figures_at_any_gain(speech: Sound) -> None:
    noisy = with_noise(speech)
    dry = measure(speech, noisy, RATE)
    seen = quality_in_rooms(speech, noisy, RATE, rooms([0.05, 0.0], [20.0]))
    for name, value in in_rooms.VALUES.items():
        over = getattr(seen, name)
        assert [over.median, over.worst] == pytest.approx([value(dry)] * 2, rel=1e-5), name
        assert over.count == seen.count == 2


def test_a_delay_alone_changes_nothing(speech: Sound) -> None:
    late = 4 * 512  # whole frames of the threshold
    clip = np.concatenate([speech, np.zeros(late + 2048)])
    noisy = clip.copy()
    noisy[2048:RATE] = with_noise(clip)[2048:RATE]
    ((clean, changed),) = in_rooms.heard_in(clip, noisy, rooms([*[0.0] * late, 1.0]), [0])
    dry, wet = computed(clip, noisy, RATE), computed(clean, changed, RATE)
    assert np.allclose(clean[late:], clip[:-late], atol=1e-9)
    assert wet.snr_db == pytest.approx(dry.snr_db)
    assert wet.masking.loss == pytest.approx(dry.masking.loss)


def test_no_change_is_perfect_in_every_room(speech: Sound) -> None:
    seen = quality_in_rooms(speech, speech, RATE, toy_bank({"test": 1}).split("test"))
    tops = {"zimtohrli_mos": 5, "pesq_c2": 4.6439, "pesq": 4.6439, "stoi": 1, "masking_loss": 0}
    for name, top in tops.items():
        assert getattr(seen, name).worst == pytest.approx(top, abs=1e-4), name
    assert seen.snr_db is None


def test_both_sounds_are_convolved_and_keep_their_difference_in_level(speech: Sound) -> None:
    louder = 3 * with_noise(speech, rms=0.1)  # a peak of its own would turn it down
    split = toy_bank({"test": 4}).split("test")
    found = in_rooms.heard_in(speech, louder, split, [1, 3])
    for (clean, changed), room in zip(found, [1, 3], strict=True):
        rir = split.rirs[room].double().numpy()
        there, other = (np.convolve(one, rir)[: len(one)] for one in (speech, louder))
        factor = np.linalg.norm(speech) / np.linalg.norm(there)
        assert np.allclose(clean, factor * there, atol=1e-9)
        assert np.allclose(changed, factor * other, atol=1e-9)
        assert np.linalg.norm(clean) == pytest.approx(np.linalg.norm(speech))


def test_silence_stays_silence() -> None:
    nothing = np.zeros(RATE)
    ((clean, changed),) = in_rooms.heard_in(nothing, nothing, rooms([1.0, 0.5]), [0])
    assert not clean.any()
    assert not changed.any()


def test_clips_of_unequal_length_are_refused(speech: Sound) -> None:
    with pytest.raises(AudioError, match="of the same length"):
        quality_in_rooms(speech, speech[1:], RATE, rooms([1.0]))


def test_what_cannot_be_taken_is_missing_and_told() -> None:
    short = np.random.default_rng(0).normal(0, 0.1, round(0.15 * RATE))
    seen = quality_in_rooms(short, with_noise(short), RATE, rooms([1.0]))
    assert (seen.pesq_c2, seen.zimtohrli_mos) == (None, None)
    assert "no speech" in seen.unmeasured["pesq_c2"]
    assert "0.15 s long" in seen.unmeasured["zimtohrli"]
    assert seen.snr_db == OverRooms(*[pytest.approx(30.5, abs=0.5)] * 2, "test-0", 1)


# ---- over the rooms ---------------------------------------------------------------------------


def scripted(monkeypatch: pytest.MonkeyPatch, qualities: Sequence[Quality]) -> Split:
    """Rooms in which these are measured, in their order."""
    left: Iterator[Quality] = iter(qualities)
    monkeypatch.setattr(in_rooms, "measure", lambda *_: next(left))
    return rooms(*[[1.0]] * len(qualities))


def of(mos: float | None, loss: float) -> Quality:
    unmeasured = {} if mos else {"zimtohrli": f"it failed at {loss:g}"}
    masking = replace(QUALITY.masking, loss=loss)
    return replace(QUALITY, zimtohrli_mos=mos, masking=masking, unmeasured=unmeasured)


def test_median_and_worst_are_those_of_each_yardstick(monkeypatch: pytest.MonkeyPatch) -> None:
    split = scripted(monkeypatch, [of(2.0, 1.0), of(4.0, 9.0), of(3.0, 2.0), of(1.0, 4.0)])
    seen = quality_in_rooms(np.ones(8), np.ones(8), RATE, split)
    assert (seen.split, seen.count) == ("test", 4)
    assert seen.zimtohrli_mos == OverRooms(2.5, 1.0, "test-3", 4)
    assert seen.masking_loss == OverRooms(3.0, 9.0, "test-1", 4)  # of a loss, more is worse


def test_rooms_without_a_number_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    split = scripted(monkeypatch, [of(2.0, 1.0), of(None, 7.0), of(None, 8.0), of(4.0, 1.0)])
    seen = quality_in_rooms(np.ones(8), np.ones(8), RATE, split)
    assert seen.zimtohrli_mos == OverRooms(3.0, 2.0, "test-0", 2)
    assert seen.unmeasured == {"zimtohrli": "it failed at 7"}


def test_a_yardstick_that_fails_everywhere_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    split = scripted(monkeypatch, [of(None, 7.0), of(None, 8.0)])
    seen = quality_in_rooms(np.ones(8), np.ones(8), RATE, split)
    assert seen.zimtohrli_mos is None
    assert seen.masking_loss == OverRooms(7.5, 8.0, "test-1", 2)


def test_of_many_rooms_some_are_measured_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [of(4.0, 1.0)] * 19 + [of(3.0, 1.0)])
    split = rooms(*[[1.0]] * 100)
    done: list[tuple[int, int]] = []
    seen = quality_in_rooms(np.ones(8), np.ones(8), RATE, split, lambda *n: done.append(n))
    assert seen.zimtohrli_mos == OverRooms(4.0, 3.0, "test-95", 20)  # every fifth
    assert done == [(number, 20) for number in range(1, 21)]


@pytest.mark.parametrize("count", [1, 19, 20, 21, 30, 39, 40, 101])
def test_the_measured_rooms_are_distinct_and_evenly_apart(count: int) -> None:
    chosen = in_rooms.spread(count)
    assert len(chosen) == min(count, in_rooms.MOST)
    assert chosen[0] == 0
    apart = {after - before for before, after in zip(chosen, [*chosen[1:], count], strict=True)}
    assert min(apart) >= 1
    assert max(apart) - min(apart) <= 1


def test_ctrl_c_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    split = scripted(monkeypatch, [of(2.0, 1.0), of(4.0, 1.0), of(1.0, 1.0)])
    seen = quality_in_rooms(np.ones(8), np.ones(8), RATE, split, stop)
    assert seen.zimtohrli_mos == OverRooms(3.0, 2.0, "test-0", 2)
    assert seen.count == 2


def test_ctrl_c_before_the_first_room_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Quality:
        raise KeyboardInterrupt

    monkeypatch.setattr(in_rooms, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quality_in_rooms(np.ones(8), np.ones(8), RATE, rooms([1.0]))
