"""Real data sets in folders, read by the real `datasets`, without a network."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mondegreen.data.hub import read_hub
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError

datasets = pytest.importorskip("datasets")

RATE = 8_000  # Hz


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def encoded(seed: int, kind: str = "FLAC") -> bytes:
    """A tenth of a second of noise as a file."""
    file = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, RATE // 10)
    soundfile.write(file, noise, RATE, format=kind)
    return file.getvalue()


def tables(folder: Path, rows: Sequence[dict[str, Any]], typed: str | None = None) -> Path:
    """A data set that holds its audio in its tables, as most of the hub do.

    `typed` is the column that is declared as audio; None: none is.
    """
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = datasets.Dataset.from_dict(columns)
    if typed is not None:
        table = table.cast_column(typed, datasets.Audio(decode=False))
    folder.mkdir()
    table.to_parquet(folder / "test-00000-of-00001.parquet")
    return folder


def files(folder: Path, texts: dict[str, str]) -> Path:
    """A data set that is a folder of audio files, with a list of them."""
    (folder / "train").mkdir(parents=True)
    for seed, name in enumerate(texts):
        (folder / "train" / name).write_bytes(encoded(seed))
    lines = [json.dumps({"file_name": n, "transcription": text}) for n, text in texts.items()]
    (folder / "train" / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def audio(content: bytes | None, path: str | None = None) -> dict[str, bytes | str | None]:
    return {"bytes": content, "path": path}


@pytest.mark.parametrize("typed", ["audio", None])
def test_audio_in_tables_becomes_files(tmp_path: Path, typed: str | None) -> None:
    rows: list[dict[str, Any]] = [
        {"audio": audio(encoded(1), "deep/one.flac"), "text": " the sea ", "speaker": 3},
        {"audio": audio(encoded(2, "WAV"), "one.WAV"), "text": None, "speaker": 3},
        {"audio": audio(encoded(3, "OGG"), "../x.sh"), "text": "", "speaker": 3},
        {"audio": audio(encoded(4)), "text": "was calm", "speaker": 3},
    ]
    kept = tmp_path / "run" / "recordings"
    found = read_hub(f"hf:{tables(tmp_path / 'set', rows, typed)}::test", kept)
    assert [(clip.id, clip.text) for clip in found] == [
        ("one", "the sea"),
        ("one-2", None),
        ("x", None),
        ("clip-4", "was calm"),
    ]
    for clip, row in zip(found, rows, strict=True):
        assert Path(clip.audio).is_absolute()
        assert Path(clip.audio).parent == kept
        assert Path(clip.audio).read_bytes() == row["audio"]["bytes"]
    assert [Path(clip.audio).suffix for clip in found] == [".flac", ".wav", "", ""]


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    rows = [{"audio": audio(encoded(seed)), "text": "a"} for seed in (1, 1, 2)]
    source = f"hf:{tables(tmp_path / 'set', rows)}::test"
    first = read_hub(source, tmp_path / "kept")
    same, _, other = (Path(clip.audio) for clip in first)
    assert len(list((tmp_path / "kept").iterdir())) == 2
    whole = same.stat().st_mtime_ns
    other.write_bytes(b"cut short")
    assert read_hub(source, tmp_path / "kept") == first
    assert same.stat().st_mtime_ns == whole
    assert other.read_bytes() == encoded(2)


def test_a_folder_of_files_stays_where_it_is(tmp_path: Path) -> None:
    folder = files(tmp_path / "set", {"a.flac": "hello", "b.flac": "bye"})
    for _ in range(2):  # the second time out of the cache of `datasets`
        assert read_hub(f"hf:{folder}::train", tmp_path / "kept") == [
            Utterance("a", f"{folder}/train/a.flac", "hello"),
            Utterance("b", f"{folder}/train/b.flac", "bye"),
        ]
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"sentence": "c", "transcription": "b", "text": "a"}, "a"),
        ({"sentence": "c", "transcription": "b"}, "b"),
        ({"sentence": "c", "label": "d"}, "c"),
        ({"text": 5}, None),
        ({"label": "d"}, None),
    ],
)
def test_where_the_text_is(tmp_path: Path, columns: dict[str, Any], text: str | None) -> None:
    folder = tables(tmp_path / "set", [{"audio": audio(encoded(1)), **columns}])
    (clip,) = read_hub(f"hf:{folder}::test", tmp_path / "kept")
    assert clip.text == text


def test_ids_are_numbered_and_targets_read(tmp_path: Path) -> None:
    rows = [
        {"speech": audio(encoded(n), "x.wav"), "audio": "not this", "id": n // 2, "target": "t"}
        for n in range(3)
    ]
    folder = tables(tmp_path / "set", rows, typed="speech")
    found = read_hub(f"hf:{folder}::test", tmp_path / "kept")
    assert [(clip.id, clip.target) for clip in found] == [("0", "t"), ("0-2", "t"), ("1", "t")]
    assert [Path(clip.audio).read_bytes() for clip in found] == [encoded(n) for n in range(3)]


def test_audio_that_only_its_name_tells(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    rows = [{"audio": str(tmp_path / "a.wav"), "text": "hello"}]
    (tmp_path / "set" / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (clip,) = read_hub(f"hf:{tmp_path / 'set'}::test", tmp_path / "kept")
    assert clip == Utterance("a", str(tmp_path / "a.wav"), "hello")


def test_a_part_of_a_split_and_a_configuration(tmp_path: Path) -> None:
    rows = [{"audio": audio(encoded(n)), "text": str(n)} for n in range(4)]
    folder = tables(tmp_path / "set", rows)
    found = read_hub(f"hf:{folder}:default:test[1:3]", tmp_path / "kept")
    assert [clip.text for clip in found] == ["1", "2"]


@pytest.mark.parametrize(
    "source", ["hf:", "hf:name", "hf:name:test", "hf::config:test", "hf:name:config:", "hf:::"]
)
def test_a_source_that_is_not_written_so(tmp_path: Path, source: str) -> None:
    with pytest.raises(MondegreenError, match=rf"Got '{source}', expected hf:NAME:CONFIG:SPLIT"):
        read_hub(source, tmp_path)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (":test[", "Unrecognized instruction format"),
        (":train", 'Unknown split "train". Should be one of'),
        (":test[:0]", "no data"),
        ("other:test", "'other' not found. Available: .'default'"),
    ],
)
def test_a_part_that_is_not_there(tmp_path: Path, rest: str, message: str) -> None:
    folder = tables(tmp_path / "set", [{"audio": audio(encoded(1)), "text": "a"}])
    with pytest.raises(MondegreenError, match=f"{message}.* check its name, configuration"):
        read_hub(f"hf:{folder}:{rest}", tmp_path / "kept")


@pytest.mark.parametrize("name", ["/no/such/folder", "no-such/set", "no-such-set"])
def test_a_set_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(MondegreenError, match=f"hf:{name}::test cannot be loaded: "):
        read_hub(f"hf:{name}::test", tmp_path)


def test_a_damaged_set_tells_what_was_wrong_in_the_first_place(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text("no object {")
    with pytest.raises(MondegreenError, match=r"cannot be loaded: ArrowInvalid: JSON parse error"):
        read_hub(f"hf:{tmp_path}::test", tmp_path / "kept")


def test_a_set_without_audio(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\nhello,1\n")
    columns = "has the columns text, label, expected one with audio"
    with pytest.raises(MondegreenError, match=f"^{tmp_path} {columns}"):
        read_hub(f"hf:{tmp_path}::test", tmp_path / "kept")


@pytest.mark.parametrize("missing", [None, audio(None), audio(None, "zip://a.wav::/tmp/b.zip")])
def test_a_row_without_audio(tmp_path: Path, missing: dict[str, Any] | None) -> None:
    rows: list[dict[str, Any]] = [{"audio": audio(encoded(1))}, {"audio": missing}]
    folder = tables(tmp_path / "set", rows)
    with pytest.raises(MondegreenError, match=r"::test, row 2: got audio in .*, expected it in"):
        read_hub(f"hf:{folder}::test", tmp_path / "kept")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    folder = tables(tmp_path / "set", [{"audio": audio(encoded(1)), "text": "a"}])
    (tmp_path / "file").touch()
    with pytest.raises(MondegreenError, match="file/kept cannot be made"):
        read_hub(f"hf:{folder}::test", tmp_path / "file" / "kept")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MondegreenError, match=r"Run: pip install 'mondegreen\[hf\]'"):
        read_hub("hf:name::test", tmp_path)


def test_a_set_is_read_without_torch(tmp_path: Path) -> None:
    in_files = files(tmp_path / "files", {"a.flac": "hello"})
    in_tables = tables(tmp_path / "tables", [{"audio": audio(encoded(1)), "text": "hello"}])
    check = (
        "import sys; from pathlib import Path; from mondegreen.data.sources import read_clips\n"
        f"read_clips('hf:{in_files}::train', Path({str(tmp_path / 'kept')!r}))\n"
        f"read_clips('hf:{in_tables}::test', Path({str(tmp_path / 'kept')!r}))\n"
        "assert 'datasets' in sys.modules; assert 'torch' not in sys.modules"
    )
    away = {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", check], check=True, env={**os.environ, **away})
