from __future__ import annotations

import os
from pathlib import Path

import pytest

from mondegreen.data.folder import read_folder
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder; what is put into it need not be sound."""
    return tmp_path / "set"


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def say(folder: Path, name: str, transcript: str) -> None:
    put(folder, name)
    (folder / name).write_text(transcript, encoding="utf-8")


def told(folder: Path) -> list[tuple[str, str, str | None]]:
    """Of each clip the id, the path within the folder, and the text."""
    return [
        (clip.id, Path(clip.audio).relative_to(folder).as_posix(), clip.text)
        for clip in read_folder(folder)
    ]


def test_recordings_come_in_the_order_of_their_paths(folder: Path) -> None:
    put(folder, "b.wav", "a/z.flac", "a/c/b.ogg", "B.MP3", "notes.txt", "b.wav.txt", "wav")
    assert told(folder) == [
        ("B", "B.MP3", None),
        ("b", "a/c/b.ogg", None),
        ("z", "a/z.flac", None),
        ("b-2", "b.wav", None),
    ]


def test_hidden_files_and_folders_do_not_count(folder: Path) -> None:
    put(folder, "a.wav", ".b.wav", ".git/c.wav", "d/.e/f.wav")
    assert told(folder) == [("a", "a.wav", None)]


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    put(folder, "a/a.wav")
    (folder / "a" / "round").symlink_to(folder)
    assert told(folder) == [("a", "a/a.wav", None)]


def test_what_only_looks_like_a_recording_is_left_to_the_census(folder: Path) -> None:
    put(folder, "a.wav")
    (folder / "b.wav").symlink_to(folder / "nowhere.wav")
    os.mkfifo(folder / "c.wav")
    (folder / "d.wav").mkdir()
    assert [name for name, *_ in told(folder)] == ["a", "b", "c"]


def test_a_text_beside_a_recording_is_not_its_transcript(folder: Path) -> None:
    put(folder, "a.wav")
    say(folder, "a.txt", "hello")
    assert told(folder) == [("a", "a.wav", None)]


def test_a_tree_of_librispeech(folder: Path) -> None:
    put(folder, "61/70/61-70-0000.flac", "61/70/61-70-0001.flac", "121/3/121-3-0000.flac")
    say(folder, "61/70/61-70.trans.txt", "61-70-0001 THE SEA\r\n\r\n61-70-0002 WAS CALM\n")
    say(folder, "121/3/121-3.trans.txt", "\ufeff121-3-0000\tTHAT  NIGHT\n121-3-0001\n")
    assert told(folder) == [
        ("121-3-0000", "121/3/121-3-0000.flac", "THAT  NIGHT"),
        ("121-3-0001", "121/3/121-3-0001.flac", None),
        ("61-70-0000", "61/70/61-70-0000.flac", None),
        ("61-70-0001", "61/70/61-70-0001.flac", "THE SEA"),
        ("61-70-0002", "61/70/61-70-0002.flac", "WAS CALM"),
    ]


def test_transcripts_speak_of_their_own_folder_and_of_any_format(folder: Path) -> None:
    put(folder, "a/1.wav", "b/1.wav", "b/1.5.ogg")
    say(folder, "a/a.trans.txt", "1 IN A")
    say(folder, "b/b.trans.txt", "1.5 IN B")
    assert told(folder) == [
        ("1", "a/1.wav", "IN A"),
        ("1.5", "b/1.5.ogg", "IN B"),
        ("1-2", "b/1.wav", None),
    ]


def test_paths_are_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "a.wav")
    monkeypatch.chdir(folder.parent)
    assert read_folder(Path("set")) == [Utterance("a", str(folder / "a.wav"))]


@pytest.mark.parametrize("names", [(), ("notes.txt", ".a.wav"), ("empty.trans.txt",)])
def test_a_folder_without_recordings(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir()
    put(folder, *names)
    with pytest.raises(MondegreenError, match=r"has no recordings. Expected .wav, .flac"):
        read_folder(folder)


def test_two_transcripts_of_one_recording(folder: Path) -> None:
    say(folder, "a/1.trans.txt", "x HELLO\ny HELLO\n")
    say(folder, "a/2.trans.txt", "\ny BYE\n")
    with pytest.raises(MondegreenError, match=r"2.trans.txt, line 2: y already has a transcript"):
        read_folder(folder)


def test_a_transcript_that_is_not_utf8(folder: Path) -> None:
    put(folder, "a.trans.txt")
    (folder / "a.trans.txt").write_bytes(b"a HELLO\nb \xe9\n")
    with pytest.raises(MondegreenError, match=r"a.trans.txt, line 2: .* expected UTF-8"):
        read_folder(folder)


def test_a_name_that_is_not_utf8(folder: Path) -> None:
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"caf\xe9.wav")).touch()
    except OSError:
        pytest.skip("the file system has only names in UTF-8")
    with pytest.raises(MondegreenError, match=r"caf\\udce9.wav' has a name that is not UTF-8"):
        read_folder(folder)


def test_a_folder_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(MondegreenError, match=r"set cannot be read \(No such file"):
        read_folder(folder)
