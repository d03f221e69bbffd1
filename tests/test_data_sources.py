from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mondegreen.data.sources import read_clips
from mondegreen.errors import MondegreenError


def test_each_kind_of_source_finds_its_reader(tmp_path: Path) -> None:
    folder = tmp_path / "set.csv"
    (folder / "1" / "2").mkdir(parents=True)
    (folder / "1" / "2" / "1-2.trans.txt").write_text("1-2-0000 HELLO\n")
    (folder / "a.jsonl").write_text('{"audio": "b.wav", "text": "BYE"}\n')
    (folder / "a.TSV").write_text("audio\ttext\nc.wav\tWHY\n")
    for name, text in {"": "HELLO", "a.jsonl": "BYE", "a.TSV": "WHY"}.items():
        (clip,) = read_clips(str(folder / name), tmp_path / "recordings")
        assert clip.text == text
    assert not (tmp_path / "recordings").exists()


def test_the_hub_is_told_by_its_scheme(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="expected hf:NAME:CONFIG:SPLIT, with nothing"):
        read_clips("hf:name:test", tmp_path)


@pytest.mark.parametrize("source", ["", "a.wav", "no/such/folder", "clips.txt", "a\0b", "x" * 300])
def test_what_is_no_source(tmp_path: Path, source: str) -> None:
    with pytest.raises(MondegreenError, match=r"for clips, expected an existing folder"):
        read_clips(source, tmp_path)


def test_the_clips_that_have_been_prepared(librispeech: Path, tmp_path: Path) -> None:
    found = read_clips(str(librispeech / "clips.tsv"), tmp_path)
    assert len(found) == 5
    assert all(Path(clip.audio).is_file() and clip.text and clip.target for clip in found)


def test_neither_clips_nor_targets_nor_census_pay_for_torch() -> None:
    check = (
        "import sys, mondegreen.data.sources, mondegreen.data.targets, mondegreen.data.census\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
