"""Which items a folder of results has, and which bank of rooms they were proved in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mondegreen import MondegreenError
from mondegreen.results.folder import item_folders, kept_bank


def put(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").touch()


def a_run(folder: Path, *keys: str) -> Path:
    """A run whose clips have these keys, finished or not."""
    (folder / "items").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "clips.jsonl").write_text("".join(json.dumps({"key": k}) + "\n" for k in keys))
    return folder


def names(folder: Path) -> list[str]:
    return [item.relative_to(folder).as_posix() for item in item_folders(folder)]


def test_a_single_result_does_not_hide_those_in_its_folder(tmp_path: Path) -> None:
    put(tmp_path / "b", tmp_path / "a" / "deep")
    assert names(tmp_path) == ["a/deep", "b"]
    put(tmp_path)
    assert names(tmp_path) == [".", "a/deep", "b"]


def test_hidden_folders_hold_no_results(tmp_path: Path) -> None:
    put(tmp_path / ".a.part", tmp_path / "b")
    assert names(tmp_path) == ["b"]


def test_the_items_of_a_run_are_in_the_order_of_its_clips(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", "z", "a", "unfinished", "z")
    put(run / "items" / "a", run / "items" / "z", run / "items" / "of nobody")
    assert names(run) == ["items/z", "items/a"]


def test_what_a_run_has_moved_aside_is_no_result(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run = a_run(tmp_path / name, "a")
        put(run / "items" / "a", run / "damaged" / "a")
    put(tmp_path / "damaged" / "of no run")
    assert names(tmp_path) == ["damaged/of no run", "one/items/a", "two/items/a"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="none does not exist"):
        item_folders(tmp_path / "none")


def test_a_bank_is_kept_beside_results_or_above_an_item(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", "a")
    put(run / "items" / "a")
    assert kept_bank(run) is None
    (run / "bank.rooms").touch()
    for folder in (run, run / "items", run / "items" / "a"):
        assert kept_bank(folder) == (run / "bank.rooms").resolve()
    assert kept_bank(tmp_path) is None
