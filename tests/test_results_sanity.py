"""Findings are those of the very items that were examined, and of no others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import DRY

from mondegreen.errors import StorageError
from mondegreen.findings import Finding
from mondegreen.results.sanity import Sanity, keep_findings, read_findings

FINDINGS = (
    Finding("gradient-zero", "error", "ok", "0 of 2 clips"),
    Finding("clean-not-understood", "warning", "fires", "1 of 2 clips"),
)


def put(folder: Path, name: str, clip: str = "clip") -> Path:
    """An item of which only the record matters."""
    (folder / name).mkdir(parents=True)
    (folder / name / "record.json").write_text(json.dumps(replace(DRY, id=clip).to_json()))
    return folder


def keep(folder: Path) -> None:
    keep_findings(folder, FINDINGS, sample=2, seed=3)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return put(put(tmp_path / "results", "a"), "b")


def test_findings_are_read_as_they_were_kept(results: Path) -> None:
    keep(results)
    found = read_findings(results)
    assert found == Sanity(found.items if found else {}, 2, 3, FINDINGS)
    assert list(found.items) == ["a", "b"]


def test_findings_of_one_item_are_kept_in_it(results: Path) -> None:
    keep(results / "a")
    found = read_findings(results / "a")
    assert found is not None
    assert list(found.items) == ["."]
    assert read_findings(results) is None


def test_findings_of_some_results_do_not_vouch_for_others_saved_later(results: Path) -> None:
    keep(results)
    put(results, "later")
    assert read_findings(results) is None


def test_nor_for_one_that_was_replaced_or_is_gone(results: Path) -> None:
    keep(results)
    record = results / "b" / "record.json"
    before = record.read_text()
    record.write_text(json.dumps(replace(DRY, files={"adversarial.wav": "other"}).to_json()))
    assert read_findings(results) is None
    record.write_text(before)
    assert read_findings(results) is not None
    record.unlink()
    assert read_findings(results) is None


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"items": {}}'])
def test_damaged_findings_are_none(results: Path, damage: str) -> None:
    (results / "sanity.json").write_text(damage)
    assert read_findings(results) is None


def test_a_folder_that_was_not_examined_has_none(results: Path) -> None:
    assert read_findings(results) is None
    assert read_findings(results / "none") is None


def test_where_they_cannot_be_kept_it_is_said(results: Path) -> None:
    (results / "sanity.json").mkdir()
    with pytest.raises(StorageError, match="could not be written"):
        keep(results)
