"""Rows of a run: which part of a recording each means, and which item it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_folders import mondegreen, records, rows
from toy import TARGET, speech

from mondegreen.audio.passage import Passage
from mondegreen.audio.pcm import load, save
from mondegreen.data.utterance import Utterance
from mondegreen.errors import AudioError
from mondegreen.runs.plan import Row, make_rows, read_rows, with_keys, write_rows

ROW = Row("", "a", "/a.wav", None, TARGET, "hash", 2.0, None)  # of two seconds
PASSAGES = [
    (None, None, None),
    (None, 2.0, None),
    (0.0, 2.0, None),
    (0.0, None, None),
    (None, 2.04, None),  # rounded
    (None, 1.96, None),
    (None, 0.5, Passage(0.0, 0.5)),
    (0.0, 0.5, Passage(0.0, 0.5)),
    (0.5, 0.5, Passage(0.5, 1.0)),
    (0.5, None, Passage(0.5)),
    (0.01, 2.0, Passage(0.01, 2.01)),
    (None, 5.0, Passage(0.0, 5.0)),  # which is refused when the recording is read
]


@pytest.mark.parametrize(("offset", "duration", "passage"), PASSAGES)
def test_a_row_means_what_nemo_means(
    offset: float | None, duration: float | None, passage: Passage | None
) -> None:
    row = replace(ROW, offset=offset, duration=duration)
    assert row.passage == passage
    assert row.is_part == (passage is not None)


@pytest.mark.parametrize("duration", [0.0, 0.05])
def test_a_passage_of_next_to_nothing(duration: float) -> None:
    row = replace(ROW, duration=duration)
    with pytest.raises(AudioError, match=r"expected one that ends at least 0\.1 s after"):
        row.passage  # noqa: B018


def test_of_a_recording_of_unknown_length_a_duration_selects_a_passage() -> None:
    assert replace(ROW, seconds=None, duration=0.5).passage == Passage(0.0, 0.5)
    assert replace(ROW, seconds=None).passage is None


def test_passages_are_items_of_their_own_and_a_stated_length_is_none() -> None:
    rows = [replace(ROW, offset=offset, duration=duration) for offset, duration, _ in PASSAGES]
    keys = [row.key for row in with_keys(rows, {"attack": 1})]
    assert set(keys[:6]) == {keys[0]}
    # 0.5 s from the beginning is one passage, however it is written
    assert keys[6] == keys[7]
    assert len(set(keys)) == 6


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    save(tmp_path / "a.wav", speech(), 16_000)
    clips = [
        Utterance("a", str(tmp_path / "a.wav"), target=TARGET),
        Utterance("b", str(tmp_path / "a.wav"), target=TARGET, offset=0.1, duration=0.3),
    ]
    made = with_keys(make_rows(clips), {})
    write_rows(tmp_path, made)
    assert read_rows(tmp_path) == made
    assert [row.seconds for row in made] == [0.512, 0.512]
    assert made[1].passage == Passage(0.1, 0.4)


@pytest.mark.slow
def test_passages_of_a_manifest_are_run_and_resumed(tmp_path: Path) -> None:
    sound = speech(0, 24_000)
    save(tmp_path / "talk.wav", sound, 16_000)
    parts = [(0, 0.5), (0.5, 0.5), (1.0, 9.0)]
    lines = [
        json.dumps({"audio_filepath": "talk.wav", "offset": begin, "duration": lasts})
        for begin, lasts in parts
    ]
    (tmp_path / "clips.jsonl").write_text("\n".join(lines), encoding="utf-8")
    # the toy's weights are for 8,192 samples: more than half a second
    how = ("--victim", "toy_victims:linear", "--target", "open the door", "--dtype", "float64")
    command = ("run", "clips.jsonl", *how, "--out", "run", "--workers", "1", "--threads", "1")
    ran = mondegreen(*command, "--method", "carlini-wagner", "--max-passes", "60", cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "of 3 of 3 clips a passage is attacked, by offset and duration" in ran.stderr
    assert "from 1 s to 10 s, and the recording lasts 1.5 s" in ran.stderr
    found = records(tmp_path / "run")
    assert {name: record["passage"] for name, record in found.items()} == {
        "talk": [0, 8000],
        "talk-2": [8000, 16_000],
    }
    for record in found.values():
        begin, end = record["passage"]
        saved = load(tmp_path / "run" / "items" / record["key"] / "adversarial.wav", 16_000)
        outside = np.r_[saved[:begin], saved[end:]]
        assert record["verified"]
        assert np.array_equal(outside, np.r_[sound[:begin], sound[end:]].astype(np.float32))
    assert [row["offset"] for row in rows(tmp_path / "run")] == [0.0, 0.5, 1.0]
    verified = mondegreen("verify", "run", "--victim", "toy_victims:linear", cwd=tmp_path)
    assert "2 of 2" in verified.stdout + verified.stderr
    again = mondegreen(*command, "--method", "carlini-wagner", "--max-passes", "60", cwd=tmp_path)
    assert "resuming: 2 of 3 finished" in again.stderr
    assert mondegreen("report", "run", cwd=tmp_path).returncode == 0
