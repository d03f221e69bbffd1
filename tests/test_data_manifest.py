from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.data.manifest import read_manifest
from mondegreen.data.plain_text import is_utf8, read_lines
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv")
FULL = {"audio_filepath": "a.wav", "text": "hello", "target": "bye", "id": "x", "duration": 1.5}
FIELDS = st.fixed_dictionaries(
    {"audio": st.just("a.wav"), "text": st.text(st.characters(codec="utf-8"), max_size=50)}
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as a manifest of the kind that the suffix says."""
    if path.suffix in (".jsonl", ".json"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ","
        )
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(tmp_path: Path, content: str | bytes, suffix: str = ".jsonl") -> list[Utterance]:
    path = tmp_path / f"clips{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_manifest(path)


def only(tmp_path: Path, **fields: Any) -> Utterance:
    """The one clip of a manifest with one row."""
    (clip,) = read_manifest(write(tmp_path / "clips.jsonl", [{"audio": "a.wav", **fields}]))
    return clip


# ---- what is read ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_says_the_same(tmp_path: Path, suffix: str) -> None:
    bare = {"audio_filepath": "sub/b.flac", "text": "", "target": "", "id": "", "duration": ""}
    assert read_manifest(write(tmp_path / f"clips{suffix}", [FULL, bare])) == [
        Utterance("x", f"{tmp_path}/a.wav", "hello", "bye", 1.5),
        Utterance("b", f"{tmp_path}/sub/b.flac", None, None, None),
    ]


@pytest.mark.parametrize("suffix", [".JSONL", ".Csv"])
def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"clips{suffix.lower()}", [FULL])
    assert read_manifest(path.rename(path.with_suffix(suffix)))[0].id == "x"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_comes_back_to_the_letter(tmp_path: Path, suffix: str) -> None:
    hard = [
        'say "no", twice',
        "a\tb",
        "l'été, œuvre 東京 🎧",
        "one\u2028line",
        "two\r\nlines",
        "word " * 2_000 + "end",
    ]
    rows = [{"audio": "a.wav", "text": text} for text in hard]
    assert [c.text for c in read_manifest(write(tmp_path / f"clips{suffix}", rows))] == hard


@given(st.lists(FIELDS, min_size=1, max_size=5), st.sampled_from(SUFFIXES))
def test_whatever_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], suffix: str
) -> None:
    path = write(tmp_path_factory.mktemp("manifest") / f"clips{suffix}", rows)
    found = [clip.text for clip in read_manifest(path)]
    assert found == [row["text"].strip() or None for row in rows]


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        ('\ufeff{"audio": "a.wav", "text": "hello"}\n', ".jsonl"),
        ('{"audio": "a.wav", "text": "hello"}\r\n\r\n', ".jsonl"),
        ('\n  {"text": "hello", "audio": "a.wav"}', ".json"),
        ("\ufeffaudio,text\r\na.wav,hello\r\n", ".csv"),
        ('audio,text\n\n"a.wav"," hello "\n', ".csv"),
        ("text\taudio\nhello\ta.wav", ".tsv"),
    ],
)
def test_marks_line_ends_and_blank_lines_do_not_matter(
    tmp_path: Path, content: str, suffix: str
) -> None:
    assert read(tmp_path, content, suffix) == [Utterance("a", f"{tmp_path}/a.wav", "hello")]


def test_other_columns_are_left_alone(tmp_path: Path) -> None:
    clip = only(tmp_path, lang="en", speaker={"age": 3}, text=None)
    assert clip == Utterance("a", f"{tmp_path}/a.wav")


def test_audio_filepath_goes_before_audio(tmp_path: Path) -> None:
    assert only(tmp_path, audio_filepath="b.wav").audio == f"{tmp_path}/b.wav"


@pytest.mark.parametrize(
    "audio", ["../there/a.wav", "/elsewhere/a.wav", "a\0b.wav", ".", "no/such"]
)
def test_paths_start_at_the_manifest_and_need_lead_nowhere(tmp_path: Path, audio: str) -> None:
    assert only(tmp_path, audio=audio).audio == str(tmp_path / audio)


def test_a_manifest_that_is_named_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "clips.jsonl", [FULL])
    monkeypatch.chdir(tmp_path)
    assert read_manifest(Path("clips.jsonl"))[0].audio == f"{tmp_path}/a.wav"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(2, 2.0), ("2.5", 2.5), (0, 0.0), ("1e1", 10.0), (None, None), ("", None)],
)
def test_a_duration_is_a_number_or_written_as_one(
    tmp_path: Path, told: object, seconds: float | None
) -> None:
    assert only(tmp_path, duration=told).duration == seconds


# ---- ids -------------------------------------------------------------------------------------


def test_names_make_way_for_ids(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"audio": "one/a.wav"},
        {"audio": "b.wav", "id": "a"},
        {"audio": "two/a.wav", "id": None},
        {"audio": "c.wav", "id": 7},
        {"audio": "/", "id": " "},
    ]
    found = read_manifest(write(tmp_path / "clips.jsonl", rows))
    assert [clip.id for clip in found] == ["a-2", "a", "a-3", "7", "/"]


@pytest.mark.parametrize("pair", [("x", "x"), (7, "7"), (" x", "x ")])
def test_an_id_that_is_given_twice(tmp_path: Path, pair: tuple[object, object]) -> None:
    rows: list[dict[str, Any]] = [
        {"audio": "a.wav", "id": pair[0]},
        {"audio": "b.wav"},
        {"audio": "c.wav", "id": pair[1]},
    ]
    path = write(tmp_path / "clips.jsonl", rows)
    with pytest.raises(
        MondegreenError, match=rf"line 3: got the id '{str(pair[1]).strip()}' of line 1"
    ):
        read_manifest(path)


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"audio": None}, "got no audio_filepath or audio among the columns 'audio'"),
        ({"audio": "  "}, "expected the path of a recording"),
        ({"audio": 5}, "got audio 5, expected a string"),
        ({"text": 12}, "got text 12, expected a string"),
        ({"text": ["a"] * 1000}, "got text .{60}, expected a string"),
        ({"text": "\ud800"}, "expected a string of Unicode characters"),
        ({"target": True}, "got target True, expected a string"),
        ({"id": 1.5}, "got id 1.5, expected a string"),
        ({"id": False}, "got id False, expected a string"),
        ({"duration": float("nan")}, "got duration nan, expected seconds"),
        ({"duration": float("inf")}, "got duration inf, expected seconds"),
        ({"duration": -1}, "got duration -1, expected seconds"),
        ({"duration": True}, "got duration True, expected seconds"),
        ({"duration": "long"}, "got duration 'long', expected seconds"),
        ({"duration": [1]}, r"got duration \[1\], expected seconds"),
        ({"duration": 10**400}, "got duration 10{59}, expected seconds"),
        ({"offset": -3.5}, "got offset -3.5, expected seconds, 0 or more"),
        ({"offset": "NaN"}, "got offset 'NaN', expected seconds"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "clips.jsonl", [FULL, {"audio": "a.wav", **fields}])
    with pytest.raises(
        MondegreenError, match=rf"clips.jsonl, line 2: .*{message}.* Correct the line"
    ):
        read_manifest(path)


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        ("", ".jsonl", "has no rows. Expected one clip per line"),
        (" \n\n", ".json", "has no rows"),
        ("", ".csv", "has no rows"),
        ("audio,text\n", ".csv", "has no rows"),
        (
            '{"audio": "a.wav"}\n{"audio": ',
            ".jsonl",
            "line 2: got .* expected one JSON object a line",
        ),
        ('[{"audio": "a.wav"}]', ".json", "line 1: got .* expected one JSON object a line"),
        ('{\n"audio": "a.wav"\n}', ".json", r"line 1: got '\{', expected one JSON object a line"),
        ("null", ".json", "line 1: got 'null', expected one JSON object"),
        ("[" * 100_000, ".jsonl", "line 1: .* expected one JSON object"),
        ('{"id": ' + "9" * 5_000 + "}", ".jsonl", "line 1: .* expected one JSON object"),
        (b'{"audio": "a"}\n\xff\xfe', ".jsonl", "line 2: got the byte 0xff .* expected UTF-8"),
        ("audio,text\na.wav,é".encode("latin-1"), ".csv", "line 2: got the byte 0xe9"),
        ("audio,text\na.wav,b".encode("utf-16"), ".csv", "line 1: got the byte 0xff"),
        ("a.wav,hello\nb.wav,bye", ".csv", "line 2: got no .* among the columns 'a.wav', 'hello'"),
        ("audio;text\na.wav;b", ".csv", "among the columns 'audio;text'"),
        ("audio,text\na.wav,well, no", ".csv", "line 2: got more fields than columns"),
        (
            'audio,text\na.wav,"no end\nb.wav,c',
            ".csv",
            "line 2: not a valid row of a table",
        ),
        ('audio,text\na.wav,"b" c', ".csv", "line 2: not a valid row of a table"),
        ("audio,text\n,b", ".csv", "line 2: got no audio_filepath or audio"),
        ('audio,text\n\na,"two\nlines"\n\n,b', ".csv", "line 6: got no audio_filepath or audio"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(
    tmp_path: Path, content: str | bytes, suffix: str, message: str
) -> None:
    with pytest.raises(MondegreenError, match=message):
        read(tmp_path, content, suffix)


def test_a_manifest_that_is_missing_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("none.jsonl", "folder.csv"):
        with pytest.raises(MondegreenError, match=f"{name} does not exist, or is not a file"):
            read_manifest(tmp_path / name)


# ---- plain text ------------------------------------------------------------------------------


def test_lines_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\n\r\n  two\u2028two \n\x0c\nthree".encode())
    assert read_lines(tmp_path / "a.txt") == [(1, "one"), (3, "two\u2028two"), (5, "three")]


@pytest.mark.parametrize("text", ["", "é東🎧", "\ud800", "a\udfff", "\ud7ff\ue000"])
def test_what_can_be_written(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        assert not is_utf8(text)
    else:
        assert is_utf8(text)
