"""Rooms heard: shares, intervals and word errors, on a recogniser whose answers are known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from toy import TARGET, linear_victim, speech, toy_bank

from mondegreen.aim import Aim
from mondegreen.air.rooms import Split
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.measures.survival import heard_share, survival

ORIGINAL = "Nothing at all."
PHRASES = Aim(target=TARGET, original=ORIGINAL)


class Scripted:
    """Answers with given transcripts, one after the other; the first is for the sound itself."""

    name, sample_rate = "scripted", 16_000

    def __init__(self, *answers: str) -> None:
        self.answers, self.sounds = list(answers), list[Tensor]()

    def transcribe(self, audio: Tensor) -> str:
        self.sounds.append(audio)
        return self.answers[len(self.sounds) - 1]


@pytest.fixture
def sound() -> NDArray[np.float32]:
    return speech(length=3000).float().numpy()


def split_of(count: int) -> Split:
    return toy_bank({"test": count}).split("test")


def test_shares_and_word_errors_are_counted_by_hand(sound: NDArray[np.float32]) -> None:
    answers = ["open the door", "Open a door.", "nothing at all", "Open the door!"]
    (seen,) = survival(Scripted(ORIGINAL, *answers), [sound], PHRASES, split_of(4))
    assert seen.rooms.split == "test"
    assert seen.rooms.count == 4
    assert seen.rooms.heard == 0.5
    assert seen.rooms.heard_original == 0.25
    assert seen.rooms.wer_target == pytest.approx((0 + 1 + 3 + 0) / 12)
    assert seen.rooms.wer_original == pytest.approx((3 + 3 + 0 + 3) / 12)
    assert seen.rooms.wer_target_median == pytest.approx(1 / 6)  # of 0, 0, 1/3 and 1
    assert seen.rooms.wer_original_median == 1.0
    assert [h.matched for h in seen.rooms.each] == [True, False, False, True]
    assert [h.room for h in seen.rooms.each] == [f"test-{i}" for i in range(4)]
    assert (seen.dry.heard, seen.dry.wer_target, seen.dry.wer_original) == (0.0, 1.0, 0.0)


def test_every_transcript_has_its_room_s_rt60(sound: NDArray[np.float32]) -> None:
    split = split_of(3)
    times = (0.25, None, 0.75)
    rooms = tuple(
        dataclasses.replace(room, rt60=rt60) for room, rt60 in zip(split.rooms, times, strict=True)
    )
    split = dataclasses.replace(split, rooms=rooms)
    (seen,) = survival(Scripted(*["x"] * 4), [sound], PHRASES, split)
    assert [room.rt60 for room in seen.rooms.each] == list(times)


def test_every_room_is_the_sound_convolved_and_normalised(sound: NDArray[np.float32]) -> None:
    rooms = split_of(3)
    recogniser = Scripted(*["x"] * 4)
    survival(recogniser, [sound], PHRASES, rooms)
    assert torch.equal(recogniser.sounds[0], torch.from_numpy(sound))
    for heard, rir in zip(recogniser.sounds[1:], rooms.rirs.numpy(), strict=True):
        whole = np.convolve(sound.astype(np.float64), rir)
        expected = whole[: len(sound)] / np.abs(whole).max() * 32767 / 32768
        np.testing.assert_allclose(heard.numpy(), expected, atol=1e-5)


@settings(deadline=None)
@given(hits=st.integers(0, 60), misses=st.integers(0, 60))
def test_the_interval_is_wilson_s(hits: int, misses: int) -> None:
    n = hits + misses
    if n == 0:
        return
    (seen,) = survival(
        Scripted("", *["open the door"] * hits, *["no"] * misses),
        [np.full(50, 0.1, np.float32)],
        PHRASES,
        split_of(n),
    )
    # Wilson, J. Am. Stat. Assoc. 22 (1927): the p that the share is z standard errors away from
    z, p = 1.959963984540054, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert seen.rooms.heard == p
    assert seen.rooms.heard_low == pytest.approx(middle - half, abs=1e-12)
    assert seen.rooms.heard_high == pytest.approx(middle + half, abs=1e-12)


def test_without_an_original_nothing_is_said_of_it(sound: NDArray[np.float32]) -> None:
    phrases = dataclasses.replace(PHRASES, original=None)
    (seen,) = survival(Scripted(TARGET, TARGET), [sound], phrases, split_of(1))
    assert (seen.rooms.heard, seen.dry.heard) == (1.0, 1.0)
    assert (seen.rooms.wer_original, seen.rooms.wer_original_median) == (None, None)
    assert seen.rooms.heard_original is None
    assert seen.dry.wer_original is None


def test_the_declared_normaliser_compares(sound: NDArray[np.float32]) -> None:
    exact = dataclasses.replace(PHRASES, normaliser="exact")
    (seen,) = survival(Scripted("", TARGET, TARGET.lower()), [sound], exact, split_of(2))
    assert seen.rooms.heard == 0.5


def test_sounds_are_heard_room_by_room_together(sound: NDArray[np.float32]) -> None:
    answers = ["dry 1", "dry 2", "open the door", "no", "open the door", "no"]
    one, other = survival(Scripted(*answers), [sound, sound / 2], PHRASES, split_of(2))
    assert (one.rooms.heard, other.rooms.heard) == (1, 0)
    assert [seen.transcript for seen in other.rooms.each] == ["no", "no"]


def test_ctrl_c_reports_the_rooms_heard_by_then(sound: NDArray[np.float32]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    (seen,) = survival(Scripted("", *[TARGET] * 9), [sound], PHRASES, split_of(9), stop)
    assert (seen.rooms.count, len(seen.rooms.each)) == (3, 3)


def test_ctrl_c_before_any_room_is_no_result(sound: NDArray[np.float32]) -> None:
    class Interrupted(Scripted):
        def transcribe(self, audio: Tensor) -> str:
            if self.sounds:
                raise KeyboardInterrupt
            return super().transcribe(audio)

    with pytest.raises(KeyboardInterrupt):
        survival(Interrupted(""), [sound], PHRASES, split_of(2))


def test_the_quick_share_is_that_of_hearing_room_by_room() -> None:
    clean = speech()
    rooms = split_of(10)
    reverb = Reverb(rooms.rirs.double())
    each = reverb(clean[None, None], torch.tensor([len(clean)]), torch.arange(10)[None])[0]
    victim = linear_victim(bias=float(sorted(linear_victim(bias=0.0)._margin(x) for x in each)[3]))
    share = heard_share(victim, clean, victim.encode(TARGET, len(clean)), rooms)
    assert share == sum(victim.transcribe(x) == TARGET for x in each) / 10
    assert 0 < share < 1
