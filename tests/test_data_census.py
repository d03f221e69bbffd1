from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mondegreen.audio.pcm import load
from mondegreen.audio.recording import UNKNOWN_FRAMES
from mondegreen.data import census
from mondegreen.data.census import Seen, look, take_census
from mondegreen.data.utterance import Utterance
from mondegreen.errors import AudioError

RATE = 8_000  # Hz


def record(path: Path, seconds: float, **options: str) -> Path:
    soundfile.write(path, np.zeros(round(seconds * RATE)), RATE, **options)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def clips_of(*paths: Path) -> list[Utterance]:
    return [Utterance(str(n), str(path)) for n, path in enumerate(paths)]


@pytest.mark.parametrize(
    ("name", "seconds", "within"),
    [("a.wav", 0.5, 0), ("a.flac", 1.25, 0), ("a.ogg", 1.0, 0), ("a.mp3", 1.0, 0.2)],
)
def test_a_recording_is_hashed_and_measured(
    tmp_path: Path, name: str, seconds: float, within: float
) -> None:
    path = record(tmp_path / name, seconds)
    seen = look(path)
    assert (seen.sha256, seen.problem) == (sha256(path), None)
    assert seen.seconds == pytest.approx(seconds, abs=within)


def test_channels_do_not_lengthen(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((RATE, 2)), RATE)
    assert look(tmp_path / "a.wav").seconds == 1.0


def test_all_of_a_large_file_is_hashed(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 100)
    assert look(path).sha256 == sha256(path)


def test_the_census_is_in_the_order_of_the_clips(tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.wav", 0.1 * n) for n in range(1, 30)]
    clips = clips_of(*paths, tmp_path / "none.wav", *paths[::-1])
    found = take_census(clips)
    assert [seen.sha256 for seen in found[:29]] == [sha256(path) for path in paths]
    assert found[29].problem is not None
    assert found[30:] == found[:29][::-1]


def test_no_clips() -> None:
    assert take_census([]) == []


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path) -> None:
    pass


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def an_empty_file(path: Path) -> None:
    path.touch()


def no_audio(path: Path) -> None:
    path.write_text("not audio " * 100)


def a_torn_header(path: Path) -> None:
    record(path, 1, format="WAV")
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
    "make", [nothing, Path.mkdir, a_pipe, a_device, a_loop, an_empty_file, no_audio, a_torn_header]
)
@pytest.mark.parametrize("name", ["a.wav", "a.raw", "a"])
def test_what_cannot_be_read_is_a_problem(tmp_path: Path, make, name: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / name
    make(path)
    (seen,) = take_census(clips_of(path))
    assert (seen.sha256, seen.seconds) == (None, None)
    assert seen.problem is not None
    with pytest.raises(AudioError) as refused:
        load(path, RATE)
    assert seen.problem == str(refused.value)
    assert ".." not in seen.problem


@pytest.mark.parametrize("name", ["a\0.wav", "x" * 300 + ".wav", "../none/a.wav"])
def test_a_path_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    (seen,) = take_census(clips_of(tmp_path / name))
    assert seen.problem is not None
    assert "check the path." in seen.problem


def test_a_header_without_a_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "a.wav", 1)
    monkeypatch.setattr(soundfile.SoundFile, "frames", UNKNOWN_FRAMES)
    assert look(path) == Seen(sha256(path), seconds=None, problem=None)


def test_progress_is_told_file_by_file(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    take_census(
        clips_of(record(tmp_path / "a.wav", 1), tmp_path / "none.wav"),
        lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


def test_who_stops_it_does_not_wait_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def slowly(path: Path) -> Seen:
        looked.append(path)
        return look(path)

    monkeypatch.setattr(census, "look", slowly)
    path = record(tmp_path / "a.wav", 60)
    with pytest.raises(KeyboardInterrupt):
        take_census(clips_of(*[path] * 2_000), stop)
    assert len(looked) < 2_000
