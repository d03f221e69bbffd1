"""The public attack in rooms: searched in one split, chosen in another, proved in a third."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import MondegreenError, Options, Result, attack, attack_batch
from mondegreen.air.rooms import Room, RoomBank, Split
from mondegreen.airs import Air, Background
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.proof import prove
from mondegreen.attacks.setup import Setup
from mondegreen.audio.pcm import load, save
from mondegreen.errors import OptionError, RoomError, TargetError
from mondegreen.judging.evaluate import evaluate
from mondegreen.results.item import read_item
from mondegreen.search.trajectory import Candidate, Trajectory

BANK = toy_bank()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


def in_rooms(clip: Path, method: str = "robust", **how: Any) -> Result:
    victim = how.pop("victim", None) or linear_victim()
    how = {"rooms": BANK, "max_passes": 150} | how
    return attack(victim, clip, TARGET, method=method, **how)


def test_the_test_rooms_are_counted_from_the_saved_file(clip: Path, tmp_path: Path) -> None:
    result = in_rooms(clip)
    folder = result.save(tmp_path / "out")
    record = json.loads((folder / "record.json").read_text())
    again = evaluate(linear_victim(), folder, BANK)
    assert record["verified"] is True
    assert record["rooms"] == json.loads(json.dumps(again.to_json()["rooms"]))
    assert record["dry"] == again.to_json()["dry"]
    assert record["clean"] == json.loads(json.dumps(again.to_json()["clean"]))
    assert record["quality_in_rooms"] == again.to_json()["quality_in_rooms"]
    assert record["quality_in_rooms"]["count"] == 10
    assert record["rooms"].keys() >= {
        *("split", "count", "heard", "heard_low", "heard_high", "wer_target", "wer_original"),
    }
    assert record["dry"].keys() == {"heard", "wer_target", "wer_original"}
    assert (record["rooms"]["split"], record["rooms"]["count"]) == ("test", 10)
    assert record["rooms"]["heard"] >= 0.5
    assert record["clean"]["rooms"]["heard"] == 0
    assert record["bank"] == BANK.key
    assert "survival" not in record
    assert "quality" not in record
    assert "survival" not in again.to_json()


def test_a_dry_method_says_nothing_of_rooms(clip: Path, tmp_path: Path) -> None:
    folder = attack(linear_victim(), clip, TARGET, max_passes=5).save(tmp_path / "out")
    record = json.loads((folder / "record.json").read_text())
    assert [record[name] for name in ("bank", "rooms", "dry", "clean")] == [None] * 4
    assert record["quality_in_rooms"] is None


def test_in_rooms_the_saved_file_is_measured_against_the_clip_in_the_same_room(clip: Path) -> None:
    result, noise = in_rooms(clip), []
    clean, delta = result.clean.astype(float), result.delta.astype(float)
    for rir in BANK.split("test").rirs.double().numpy():
        there, change = (np.convolve(sound, rir)[: len(sound)] for sound in (clean, delta))
        noise.append(10 * np.log10(np.sum(there**2) / np.sum(change**2)))
    seen = result.record.quality_in_rooms
    assert seen is not None
    assert seen.snr_db is not None
    assert seen.snr_db.median == pytest.approx(np.median(noise))
    assert seen.snr_db.worst == pytest.approx(min(noise))
    assert seen.snr_db.room == f"test-{np.argmin(noise)}"


@pytest.mark.parametrize("after", [0, 3])
def test_ctrl_c_while_measuring_in_rooms_keeps_what_there_is(
    clip: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    def stop(what: str, done: int, _: int) -> None:
        if what == "measuring in rooms" and done == after:
            raise KeyboardInterrupt

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    if not after:
        monkeypatch.setattr("mondegreen.measures.in_rooms.measure", interrupted)
    record = in_rooms(clip, max_passes=20, on_room=stop).record
    assert (record.quality_in_rooms.count if record.quality_in_rooms else 0) == after
    assert record.survival is not None
    assert record.interrupted
    assert f"in rooms was interrupted after {after} of 10" in record.warnings[-1]


def test_evaluate_that_is_interrupted_does_not_go_on_to_measure(clip: Path, tmp_path: Path) -> None:
    folder = in_rooms(clip, max_passes=20).save(tmp_path / "out")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    heard = evaluate(linear_victim(), folder, BANK, on_room=stop)
    assert (heard.quality_in_rooms, len(heard.warnings)) == (None, 1)
    measured = evaluate(linear_victim(), folder, BANK, on_measured=stop)
    assert measured.quality_in_rooms is not None
    assert measured.quality_in_rooms.count == 1
    assert measured.warnings == ["the measurement in rooms was interrupted after 1 of 10"]
    assert evaluate(linear_victim(), clip, BANK, target=TARGET).quality_in_rooms is None


def test_each_split_serves_its_own_purpose(clip: Path) -> None:
    """Rooms that only delay, each split by another time, which shows in what is heard."""
    delays = {"attack": 1, "validate": 2, "test": 3}
    splits = {}
    for name, delay in delays.items():
        rirs = torch.zeros(4, 8)
        rirs[:, delay] = 1
        rooms = tuple(Room(f"{name}-{i}", None, None) for i in range(4))
        splits[name] = Split(name, rirs, torch.full((4,), 8), rooms)

    class Listener(LinearVictim):
        scored, heard_out = list[int](), list[int]()

        def score(self, audio: Tensor, lengths: Tensor, targets: Any) -> Any:
            self.scored.extend(silence(row) for row in audio)
            score = super().score(audio, lengths, targets)
            return dataclasses.replace(score, matched=torch.ones(len(audio), dtype=torch.bool))

        def transcribe(self, audio: Tensor) -> str:
            self.heard_out.append(silence(audio))
            return super().transcribe(audio)

    def silence(audio: Tensor) -> int:
        """Samples of it before the sound, up to what the rounding of a transform leaves."""
        return int((audio.abs() > 1e-6).int().argmax())

    toy, seen = linear_victim(), list[tuple[str, int, int]]()
    victim = Listener(toy.weight, toy.bias)
    bank = RoomBank(16_000, "delays", {}, splits)
    in_rooms(clip, victim=victim, rooms=bank, on_room=lambda *what: seen.append(what))
    assert victim.scored == [1] * 148 + [2] * (4 * 4)  # four candidates to choose from
    assert victim.heard_out == [0, 0, 0, 0, *[3] * (2 * 4)]  # clip, file; and both dry, and in test
    assert [what for what in seen if what[0] == "proving"] == [
        ("proving", i, 4) for i in (1, 2, 3, 4)
    ]


def test_what_most_validate_rooms_hear_is_kept(clip: Path) -> None:
    class Fickle(LinearVictim):
        """In `validate`, hears the second candidate it is asked about only."""

        asked = 0

        def score(self, audio: Tensor, lengths: Tensor, targets: Any) -> Any:
            score = super().score(audio, lengths, targets)
            if len(audio) < 5:
                return score
            self.asked += 1
            return dataclasses.replace(score, matched=torch.full((5,), self.asked == 2))

    toy = linear_victim()
    first, second = in_rooms(clip), in_rooms(clip, victim=Fickle(toy.weight, toy.bias))
    assert second.record.found_at is not None
    assert first.record.found_at is not None
    assert second.record.found_at < first.record.found_at


def test_a_failure_shows_the_last_iterate_and_its_rooms(clip: Path) -> None:
    result = in_rooms(clip, victim=linear_victim(bias=1e6), max_passes=5)
    assert not result.verified
    assert result.record.found_at is None
    assert result.record.survival is not None
    assert result.record.survival.rooms.heard == 0
    assert np.abs(result.delta).max() > 0


def test_ctrl_c_while_proving_keeps_the_rooms_heard_by_then(clip: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "proving" and done == 4:
            raise KeyboardInterrupt

    record = in_rooms(clip, on_room=stop).record
    assert record.interrupted
    assert record.survival is not None
    assert record.clean is not None
    assert (record.survival.rooms.count, record.clean.rooms.count) == (4, 4)
    assert record.survival.rooms.heard >= 0.5
    assert not record.verified  # four rooms are not ten
    assert "after 4 of 10 rooms" in record.warnings[-1]
    assert "mondegreen evaluate" in record.warnings[-1]


@pytest.mark.parametrize("call", [2, 3, 4, 5])
def test_ctrl_c_before_any_room_keeps_what_was_found(clip: Path, tmp_path: Path, call: int) -> None:
    class Interrupted(LinearVictim):
        calls = 0

        def transcribe(self, audio: Tensor) -> str:
            self.calls += 1
            if self.calls == call:
                raise KeyboardInterrupt
            return super().transcribe(audio)

    toy = linear_victim()
    result = in_rooms(clip, victim=Interrupted(toy.weight, toy.bias))
    record = json.loads((result.save(tmp_path / "out") / "record.json").read_text())
    assert (record["interrupted"], record["verified"], record["rooms"]) == (True, False, None)
    assert record["found_at"] is not None


def test_only_the_last_stage_s_successes_are_chosen_from(clip: Path) -> None:
    victim = linear_victim()
    setup = Setup(Options(method="combined"), BANK)
    (ready,) = prepare(victim, [clip], [TARGET], setup.options)
    loud = 0.03 * victim.weight.sign()
    found = Trajectory(loud, deque())
    found.candidates.append(Candidate(loud, 1.0, 1, 1, "first"))
    found.candidates.append(Candidate(loud * 0, 1.0, 11, 11, "last"))
    found.candidates.append(Candidate(loud * 0.01, 1.0, 21, 21, "last"))
    proven = prove(victim, ready, found, setup, lambda *_: None)
    assert proven.candidate is not None
    assert proven.candidate.stage == "last"


def test_ctrl_c_between_the_choice_and_the_first_room_keeps_the_choice(clip: Path) -> None:
    class Interrupted(LinearVictim):
        def transcribe(self, audio: Tensor) -> str:
            raise KeyboardInterrupt

    victim = linear_victim()
    setup = Setup(Options(method="combined"), BANK)
    (ready,) = prepare(victim, [clip], [TARGET], setup.options)
    loud = 0.03 * victim.weight.sign()
    heard, silent = Candidate(loud, 1.0, 1, 1, "last"), Candidate(loud * 0, 1.0, 11, 11, "last")
    found = Trajectory(loud, deque([heard, silent]))
    stopped = Interrupted(victim.weight, victim.bias)
    proven = prove(stopped, ready, found, setup, lambda *_: None)
    assert proven.candidate is heard
    assert not proven.verified


def test_ctrl_c_while_choosing_takes_the_best_by_then(clip: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "choosing":
            raise KeyboardInterrupt

    result = in_rooms(clip, on_room=stop)
    assert result.verified
    assert result.record.interrupted
    assert "from 1 of 4" in result.record.warnings[-1]


def test_the_same_seed_gives_the_same_file_and_another_does_not(clip: Path) -> None:
    first, again, other = (in_rooms(clip, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.adversarial, again.adversarial)
    assert not np.array_equal(first.adversarial, other.adversarial)


def test_an_attack_in_rooms_leaves_the_global_generator_alone(clip: Path) -> None:
    before = torch.get_rng_state()
    in_rooms(clip, max_passes=5, air=Air(noise=Background(snr_db=(10, 20))))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_gives_what_its_clips_give_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for i, path in enumerate(paths):
        save(path, speech(i, 4000 + 2000 * i), 16_000)
    options = Options(method="robust", max_passes=60)
    together = attack_batch(linear_victim(), paths, [TARGET] * 3, options, rooms=BANK)
    for path, row in zip(paths, together, strict=True):
        (alone,) = attack_batch(linear_victim(), [path], [TARGET], options, rooms=BANK)
        assert np.array_equal(row.adversarial, alone.adversarial)


NOISY = Air(noise=Background(snr_db=(10, 20)), gain_db=(-3, 0))


def test_other_things_may_happen_in_the_air(clip: Path) -> None:
    dry, noisy = in_rooms(clip), in_rooms(clip, air=NOISY)
    assert noisy.verified
    assert not np.array_equal(dry.adversarial, noisy.adversarial)


# ---- going on from a finished result


def test_combined_goes_on_from_a_robust_result_and_is_quieter(clip: Path, tmp_path: Path) -> None:
    robust = in_rooms(clip)
    folder = robust.save(tmp_path / "robust")
    from_object, from_file, from_record = (
        in_rooms(clip, "combined", start=start)
        for start in (robust, folder, folder / "record.json")
    )
    assert np.array_equal(from_object.adversarial, from_file.adversarial)
    assert np.array_equal(from_object.adversarial, from_record.adversarial)
    assert from_object.record.passes == 148
    assert from_object.record.quality.masking is not None
    assert robust.record.quality.masking is not None
    assert from_object.record.quality.masking.loss < robust.record.quality.masking.loss
    assert {point.stage for point in from_object.record.curve} == {
        "minimise the perceptibility, in rooms"
    }


def test_a_start_of_another_clip_or_target_is_refused(clip: Path, tmp_path: Path) -> None:
    robust = in_rooms(clip, max_passes=60)
    save(tmp_path / "other.wav", speech(1), 16_000)
    with pytest.raises(OptionError, match="another recording"):
        in_rooms(tmp_path / "other.wav", "combined", start=robust)
    method = {"options": Options(method="imperceptible")}
    for fields, told in (
        ({"target": "else"}, "the target 'else'"),
        ({"victim": "other"}, "the victim 'other'"),
        (method, "the method 'imperceptible'"),
    ):
        record = dataclasses.replace(robust.record, **fields)
        with pytest.raises(OptionError, match=told):
            in_rooms(clip, "combined", start=dataclasses.replace(robust, record=record))
    failed = dataclasses.replace(robust, record=dataclasses.replace(robust.record, found_at=None))
    with pytest.raises(OptionError, match="never matched"):
        in_rooms(clip, "combined", start=failed)
    with pytest.raises(OptionError, match="takes no start"):
        in_rooms(clip, "robust", start=robust)


@pytest.mark.parametrize("missing", ["record.json", "delta.safetensors", "adversarial.wav"])
def test_a_start_that_is_not_whole_is_refused(clip: Path, tmp_path: Path, missing: str) -> None:
    folder = in_rooms(clip, max_passes=5).save(tmp_path / "robust")
    (folder / missing).unlink()
    with pytest.raises(MondegreenError, match="robust"):
        in_rooms(clip, "combined", start=folder)


def test_a_mistyped_start_is_not_its_parent(clip: Path, tmp_path: Path) -> None:
    in_rooms(clip, max_passes=60).save(tmp_path)
    with pytest.raises(MondegreenError, match="robsut"):
        in_rooms(clip, "combined", start=tmp_path / "robsut")


@pytest.mark.parametrize("how", [{"max_passes": 9}, {"seed": -1}, {"seed": 2**64}])
def test_a_budget_or_seed_out_of_range_is_refused(clip: Path, how: dict[str, int]) -> None:
    robust = in_rooms(clip, max_passes=60)
    with pytest.raises(OptionError, match=next(iter(how))):
        in_rooms(clip, "combined", preset="paper", start=robust, **how)


def test_an_item_reads_back_as_it_was_written(clip: Path, tmp_path: Path) -> None:
    result = in_rooms(clip, max_passes=5)
    item = read_item(result.save(tmp_path / "out"))
    assert np.array_equal(item.clean, load(clip, 16_000))
    assert np.array_equal(item.delta, result.delta)
    assert item.record == dataclasses.replace(result.record, files=item.record.files)


# ---- bad input


def test_a_bank_that_does_not_fit_is_refused(clip: Path) -> None:
    with pytest.raises(OptionError, match="8000 Hz"):
        in_rooms(clip, rooms=toy_bank(sample_rate=8000))
    with pytest.raises(RoomError, match="'validate'"):
        in_rooms(clip, rooms=toy_bank({"attack": 3, "test": 3}))
    with pytest.raises(OptionError, match="takes no rooms"):
        in_rooms(clip, "imperceptible")


# ---- evaluate


def test_any_recording_is_evaluated_with_a_target(clip: Path) -> None:
    seen = evaluate(linear_victim(), clip, BANK, target=TARGET, split="validate")
    assert (seen.survival.rooms.split, seen.survival.rooms.count) == ("validate", 5)
    assert (seen.original, seen.clean) == (None, None)
    assert seen.survival.dry.heard == 0
    with pytest.raises(TargetError, match="--target"):
        evaluate(linear_victim(), clip, BANK)
    with pytest.raises(RoomError, match="'nowhere'"):
        evaluate(linear_victim(), clip, BANK, target=TARGET, split="nowhere")
    with pytest.raises(OptionError, match="8000"):
        evaluate(linear_victim(), clip, toy_bank(sample_rate=8000), target=TARGET)


def test_an_evaluation_says_when_it_was_stopped(clip: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    seen = evaluate(linear_victim(), clip, BANK, target=TARGET, on_room=stop)
    assert seen.warnings == ["interrupted after 3 of 10 rooms"]


def test_responses_of_one_room_are_said_not_to_be_independent(clip: Path) -> None:
    split = BANK.split("test")
    rooms = tuple(dataclasses.replace(room, id="the office") for room in split.rooms)
    bank = dataclasses.replace(BANK, splits={"test": dataclasses.replace(split, rooms=rooms)})
    seen = evaluate(linear_victim(), clip, bank, target=TARGET)
    assert (seen.survival.rooms.count, seen.survival.rooms.distinct) == (10, 1)
    assert "too narrow" in seen.warnings[0]


def test_rooms_that_the_attack_has_used_are_warned_of(clip: Path, tmp_path: Path) -> None:
    folder = in_rooms(clip, max_passes=20).save(tmp_path / "out")
    assert evaluate(linear_victim(), folder, BANK).warnings == []
    assert "'attack'" in evaluate(linear_victim(), folder, BANK, split="attack").warnings[0]
    other = dataclasses.replace(BANK, key="other", origin={"kind": "measured"})
    assert "another bank" in evaluate(linear_victim(), folder, other).warnings[0]


def test_a_file_of_a_result_is_the_result(clip: Path, tmp_path: Path) -> None:
    folder = in_rooms(clip).save(tmp_path / "out")
    whole, wav = (evaluate(linear_victim(), p, BANK) for p in (folder, folder / "adversarial.wav"))
    assert whole.survival == wav.survival
    assert whole.clean == wav.clean


def test_the_default_bank_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mondegreen.air.rooms import SplitSizes
    from mondegreen.air.rooms import cached as rooms

    monkeypatch.setenv("MONDEGREEN_CACHE", str(tmp_path))
    few, made = SplitSizes(attack=2, validate=1, test=1), list[int]()
    first = rooms.default_bank(16_000, few, lambda done, total: made.append(done))
    assert made == [1, 2, 3, 4]
    again: RoomBank = rooms.default_bank(16_000, few, lambda done, total: made.append(done))
    assert made == [1, 2, 3, 4]
    assert again.key == first.key
    assert list(tmp_path.glob("*.safetensors")) == list(tmp_path.glob("rooms-*.safetensors"))


@pytest.mark.parametrize("damage", ["junk", "cut", "another", "folder", "link"])
def test_a_damaged_default_bank_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    """Nobody has named that file, so nobody can name another."""
    from mondegreen.air.rooms import SplitSizes
    from mondegreen.air.rooms import cached as rooms

    monkeypatch.setenv("MONDEGREEN_CACHE", str(tmp_path))
    few = SplitSizes(attack=2, validate=1, test=1)
    first = rooms.default_bank(16_000, few)
    (path,) = tmp_path.glob("rooms-*.safetensors")
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        (path / "in it").mkdir(parents=True)
    elif damage == "link":
        path.symlink_to(tmp_path / "none" / "of it")
    elif damage == "another":
        BANK.save(path)
    else:
        path.write_bytes(b"junk" if damage == "junk" else content[:-1])
    assert rooms.default_bank(16_000, few).key == first.key
    assert path.read_bytes() == content
