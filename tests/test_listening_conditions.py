"""The conditions of a study from runs: which clips are the same, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from listening_runs import a_clip, a_delta, listened, write_sounds
from test_tables import a_record, a_run

from mondegreen.errors import MondegreenError
from mondegreen.listening.conditions import Material, gather
from mondegreen.results.folder import CLIPS


def gathered(*runs: Path, most: int = 100, seed: int = 0) -> Material:
    return gather(runs, most, Random(seed), lambda what, done, total: None)


def ids(material: Material) -> set[str]:
    return {clip.id for clip in material.clips}


def labels(material: Material) -> list[str]:
    return [condition.label for condition in material.conditions]


def test_runs_are_conditions_of_the_clips_that_they_share(tmp_path: Path) -> None:
    material = gathered(listened(tmp_path / "a"), listened(tmp_path / "b", 3, "carlini-wagner"))
    assert labels(material) == ["imperceptible fast", "carlini-wagner fast"]
    assert [condition.method for condition in material.conditions] == [
        *("imperceptible", "carlini-wagner")
    ]
    assert ids(material) == {"clip-0", "clip-1", "clip-2"}
    assert material.left_out == {"not in every condition with the same recording": 2}
    assert material.rate == 16_000


def test_sounds_are_exactly_the_saved_ones(tmp_path: Path) -> None:
    material = gathered(listened(tmp_path / "a", 1))
    sounds = material.read(material.clips[0], "imperceptible fast")
    assert np.array_equal(sounds.original, a_clip(0))
    assert np.array_equal(sounds.adversarial, a_clip(0) + a_delta(0))


def test_a_run_that_is_passed_twice_counts_once(tmp_path: Path) -> None:
    run = listened(tmp_path / "a", 2)
    assert labels(gathered(run, tmp_path / "a" / ".." / "a")) == ["imperceptible fast"]


def test_labels_that_would_be_equal_name_their_folders(tmp_path: Path) -> None:
    runs = [listened(tmp_path / name, 2) for name in ("one", "two")]
    assert labels(gathered(*runs)) == ["imperceptible fast (one)", "imperceptible fast (two)"]
    runs = [listened(tmp_path / name / "run", 2) for name in ("one/x", "two/x")]
    assert labels(gathered(*runs)) == [
        f"imperceptible fast ({tmp_path}/{name}/run)" for name in ("one/x", "two/x")
    ]


def test_a_folder_may_hold_several_conditions(tmp_path: Path) -> None:
    for method in ("imperceptible", "carlini-wagner"):
        record = a_record(id="clip", method=method)
        write_sounds(tmp_path / "out" / method, a_clip(0), a_delta(0), record)
    assert set(labels(gathered(tmp_path / "out"))) == {
        *("imperceptible fast", "carlini-wagner fast")
    }


def test_clips_with_equal_names_and_different_samples_differ(tmp_path: Path) -> None:
    run = listened(tmp_path / "a", 2)
    other = tmp_path / "b" / "one"
    write_sounds(other, a_clip(7), a_delta(0), a_record(id="clip-0", preset="paper"))
    write_sounds(
        other.with_name("two"), a_clip(1), a_delta(5), a_record(id="clip-1", method="robust")
    )
    with pytest.raises(MondegreenError, match=r"No clip is in all of: imperceptible fast"):
        gathered(run, tmp_path / "b")
    (other / "record.json").unlink()
    assert ids(gathered(run, tmp_path / "b")) == {"clip-1"}


def test_items_that_are_not_verified_are_left_out_and_counted(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"broken": "{"}, {"deaf": "no words"}, ["good", "bad", "later"])
    write_sounds(run / "items" / "good", a_clip(0), a_delta(0), a_record(id="good"))
    write_sounds(run / "items" / "bad", a_clip(1), a_delta(1), a_record(id="bad", verified=False))
    material = gathered(run)
    assert ids(material) == {"good"}
    assert material.left_out == {"damaged": 1, "in error": 1, "not verified": 1, "not yet run": 1}


def test_an_item_whose_files_changed_is_damaged(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 2)
    wav = run / "items" / "key0" / "adversarial.wav"
    wav.write_bytes(wav.read_bytes()[:-2] + b"\1\1")
    assert gathered(run).left_out == {"damaged": 1}


def test_the_same_clip_again_is_left_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sounds(tmp_path / "out" / name, a_clip(0), a_delta(0), a_record(id="clip"))
    assert gathered(tmp_path / "out").left_out == {"of a clip that was there already": 1}


@pytest.mark.parametrize("clips", [0, 2])
def test_nothing_verified_is_refused_with_advice(tmp_path: Path, clips: int) -> None:
    run = listened(tmp_path / "run", clips, verified=False)
    why = "it is empty" if clips == 0 else "2 not verified"
    with pytest.raises(MondegreenError, match=rf"nothing verified .*{why}.*mondegreen summary"):
        gathered(run)


def test_different_sample_rates_are_refused(tmp_path: Path) -> None:
    write_sounds(tmp_path / "out" / "a", a_clip(0), a_delta(0), a_record(id="a"))
    write_sounds(tmp_path / "out" / "b", a_clip(1), a_delta(1), a_record(id="b"), rate=8000)
    with pytest.raises(MondegreenError, match="differ in sample rate"):
        gathered(tmp_path / "out")


def test_clips_are_drawn_by_the_seed(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 12)
    drawn = gathered(run, most=3, seed=1)
    assert len(ids(drawn)) == 3
    assert drawn.left_out == {"not drawn": 9}
    assert drawn.clips == gathered(run, most=3, seed=1).clips
    assert len({gathered(run, most=3, seed=seed).clips for seed in range(5)}) > 1


def test_an_item_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 2)
    material = gathered(run)
    clip = next(clip for clip in material.clips if clip.id == "clip-0")
    folder = run / "items" / "key0"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    write_sounds(folder, a_clip(9), a_delta(0), a_record(id="clip-0"))
    with pytest.raises(MondegreenError, match="has changed meanwhile"):
        material.read(clip, "imperceptible fast")


def test_reading_reports_its_progress(tmp_path: Path) -> None:
    progress: list[tuple[str, int, int]] = []
    gather([listened(tmp_path / "run", 2)], 9, Random(0), lambda *what: progress.append(what))
    assert progress == [("reading run", 1, 2), ("reading run", 2, 2)]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="does not exist"):
        gathered(tmp_path / "nowhere")


def test_a_damaged_list_of_clips_is_refused(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 1)
    (run / CLIPS).write_text(json.dumps({"key": 1}) + "\n")
    with pytest.raises(MondegreenError, match=r"clips\.jsonl"):
        gathered(run)
