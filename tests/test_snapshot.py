"""A search that is put down and taken up again is the search that was never put down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_tensors
from stages import preset
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank, toy_rooms

from mondegreen.airs import Air
from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.setup import Setup
from mondegreen.audio.batch import pad
from mondegreen.audio.pcm import save
from mondegreen.errors import StorageError
from mondegreen.options import IN_ROOMS, Options
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.runs.worker import keep, recall
from mondegreen.search.loop import Search
from mondegreen.search.stage import Stage
from mondegreen.search.state import Snapshot
from mondegreen.search.trajectory import Trajectory

CLIPS = [speech(0, 5000), speech(1, 6500)]
SHORT = 10  # steps of each stage


def search(victim: LinearVictim) -> Search:
    threshold = masking_threshold(*pad(CLIPS), victim.sample_rate)
    targets = [victim.encode(TARGET, len(clip)) for clip in CLIPS]
    return Search(victim, CLIPS, targets, threshold, seed=3)


def stages(method: str) -> tuple[Stage, ...]:
    over = (toy_rooms(),) if method in ("robust", "combined") else ()
    return tuple(replace(stage, steps=SHORT) for stage in preset(method, "fast", over))


def same(found: Trajectory, expected: Trajectory) -> bool:
    """To the bit, in everything."""
    deltas = (found.delta, expected.delta)
    pairs = zip(
        (*found.candidates, *found.milestones, *found.trail),
        (*expected.candidates, *expected.milestones, *expected.trail),
        strict=True,
    )
    return (
        torch.equal(*deltas)
        and found.curve == expected.curve
        and (found.steps, found.passes, found.looks, found.first_match)
        == (expected.steps, expected.passes, expected.looks, expected.first_match)
        and all(
            torch.equal(a.delta, b.delta)
            and (a.eps, a.passes, a.step, a.stage) == (b.eps, b.passes, b.step, b.stage)
            for a, b in pairs
        )
    )


@pytest.mark.parametrize("method", ["carlini-wagner", "imperceptible", "robust", "combined"])
@settings(max_examples=4, deadline=None)
@given(st.data())
def test_it_goes_on_to_the_bit_from_any_step(method: str, data: st.DataObject) -> None:
    chosen = stages(method)
    whole = search(linear_victim(bias=40.0))
    list(whole.run(chosen))
    first = search(linear_victim(bias=40.0))
    steps = data.draw(st.integers(1, SHORT * len(chosen)))
    for number, _ in enumerate(first.run(chosen), 1):
        if number == steps:
            break
    snapshot = first.snapshot()
    second = search(linear_victim(bias=40.0))
    second.restore(Snapshot(snapshot.tensors, json.loads(json.dumps(snapshot.facts))))
    list(second.run(chosen))
    assert whole.trajectories[0].first_match is not None
    for found, expected in zip(second.trajectories, whole.trajectories, strict=True):
        assert same(found, expected)


def test_a_snapshot_is_not_changed_by_what_follows() -> None:
    found = search(linear_victim())
    steps = found.run(stages("imperceptible"))
    next(steps)
    snapshot = found.snapshot()
    before = {name: tensor.clone() for name, tensor in snapshot.tensors.items()}
    list(steps)
    assert all(torch.equal(snapshot.tensors[name], before[name]) for name in before)


def test_a_clip_that_has_finished_stays_out() -> None:
    """One of two clips leaves, since it is quiet enough; the snapshot is of the other alone."""
    norm, nearest = stages("imperceptible")
    chosen = (replace(norm, steps=20), replace(nearest, steps=40, enough=8.0))
    whole, first, second = (search(linear_victim(bias=30.0)) for _ in range(3))
    list(whole.run(chosen))
    for _ in first.run(chosen):
        if len(first.snapshot().tensors["batch.index"]) == 1:
            break
    snapshot = first.snapshot()
    assert len(snapshot.tensors["batch.index"]) == 1
    second.restore(snapshot)
    list(second.run(chosen))
    for found, expected in zip(second.trajectories, whole.trajectories, strict=True):
        assert same(found, expected)


@pytest.mark.parametrize("lacking", ["batch.delta", "0.delta", "batch.index"])
def test_a_snapshot_that_is_not_whole_is_refused(lacking: str) -> None:
    found = search(linear_victim())
    next(found.run(stages("imperceptible")))
    snapshot = found.snapshot()
    tensors = {name: t for name, t in snapshot.tensors.items() if name != lacking}
    with pytest.raises(ValueError, match="snapshot"):
        search(linear_victim()).restore(Snapshot(tensors, snapshot.facts))


def test_a_snapshot_of_other_clips_is_refused() -> None:
    found = search(linear_victim())
    next(found.run(stages("imperceptible")))
    victim = linear_victim()
    clip = speech(2, 4000)
    threshold = masking_threshold(*pad([clip]), victim.sample_rate)
    other = Search(victim, [clip], [victim.encode(TARGET, 4000)], threshold)
    with pytest.raises(ValueError, match=r"clips|snapshot"):
        other.restore(found.snapshot())


# ---- on disk


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


def attack(clip: Path, method: str = "imperceptible", **how: Any) -> Attack:
    bank = toy_bank() if method in IN_ROOMS else None
    air = {name: how.pop(name) for name in ("rooms", "air") if name in how}
    options = Options(**{"method": method, "max_passes": 40, **how})
    victim, setup = linear_victim(), Setup(options, **{"rooms": bank, **air})
    return Attack(victim, prepare(victim, [clip], [TARGET], options), setup)


@pytest.mark.parametrize(
    ("method", "at"),
    [("imperceptible", 17), ("robust", 4), ("combined", 7)],  # in the last stage of each
)
def test_what_is_kept_on_disk_is_gone_on_from(
    clip: Path, tmp_path: Path, method: str, at: int
) -> None:
    whole, first, second = (attack(clip, method) for _ in range(3))
    steps = len(list(whole.run()))
    for number, _ in enumerate(first.run(), 1):
        if number == at:
            break
    assert first.snapshot().tensors["batch.average"].any() == (method != "imperceptible")
    keep(tmp_path / "search.safetensors", first)
    recall(tmp_path / "search.safetensors", second)
    assert second.seconds == first.seconds
    assert sum(1 for _ in second.run()) == steps - at > 0
    assert same(second.search.trajectories[0], whole.search.trajectories[0])
    assert second.seconds > first.seconds


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"", "header"),
        (b"nonsense", "header"),
        (None, "not fully covered|incomplete|out of bounds|header"),
        (save_tensors({}), "it has no facts"),
        (save_tensors({}, {"facts": "{"}), "is not JSON"),
        (save_tensors({}, {"facts": '{"snapshot": {}}'}), "it has no seconds"),
        (save_tensors({}, {"facts": '{"snapshot": {}, "seconds": 0}'}), "another version"),
    ],
)
def test_what_is_damaged_on_disk_is_refused_and_changes_nothing(
    clip: Path, tmp_path: Path, damage: bytes | None, said: str
) -> None:
    path, first, second = tmp_path / "search.safetensors", attack(clip), attack(clip)
    next(first.run())
    keep(path, first)
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(ValueError, match=said):
        recall(path, second)
    assert sum(1 for _ in second.run()) == 40


@pytest.mark.parametrize(
    "other",
    [
        {"method": "imperceptible"},
        {"preset": "paper"},
        {"seed": 1},
        {"rooms": replace(toy_bank(), key="another")},
        {"air": Air(gain_db=(-6, 6))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_another_attack_left_is_not_gone_on_from(
    clip: Path, tmp_path: Path, other: dict[str, Any]
) -> None:
    first = attack(clip, "robust")
    next(first.run())
    keep(tmp_path / "search.safetensors", first)
    recall(tmp_path / "search.safetensors", attack(clip, "robust"))
    with pytest.raises(ValueError, match="made by another version, in other stages"):
        recall(tmp_path / "search.safetensors", attack(clip, **{"method": "robust", **other}))


def test_it_cannot_be_kept_where_nothing_can_be_written(clip: Path, tmp_path: Path) -> None:
    found = attack(clip)
    next(found.run())
    with pytest.raises(StorageError, match="could not be written"):
        keep(tmp_path / "none" / "search.safetensors", found)
