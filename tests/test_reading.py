"""Files that may be anybody's: what is no file, too large, too deep or not text is told apart."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listening_studies import abx_key
from records import DRY
from safetensors.numpy import save_file

from mondegreen import MondegreenError
from mondegreen.air.loop.recorded import read_recorded
from mondegreen.air.loop.sweep import read_sweep
from mondegreen.air.rooms import RoomBank
from mondegreen.air.rooms.measured import contents, find_recordings
from mondegreen.data.sources import read_clips
from mondegreen.errors import reason
from mondegreen.listening.answers import read_answers
from mondegreen.listening.key import read_key
from mondegreen.reading import (
    LONGEST_LINE,
    here,
    in_full,
    is_file,
    is_folder,
    json_lines,
    lying_at,
    open_file,
    parse_json,
    read_bytes,
    read_json,
    read_tensors,
    read_toml,
    sha256,
)
from mondegreen.report.numbers.entries import entries
from mondegreen.report.numbers.summary import summarise
from mondegreen.results.heard import read_hearings
from mondegreen.results.item import read_item, read_record
from mondegreen.results.levels import levels_of, read_levels
from mondegreen.results.sanity import read_findings
from mondegreen.runs.config import read_config
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import check_same
from mondegreen.runs.plan import read_rows
from mondegreen.victims.load import load_victim

DEEP = "[" * 50_000 + "]" * 50_000
RECORD = json.dumps(DRY.to_json())
CONFIG = read_config(None, {"clips": "a.csv"})


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Whatever waits for a pipe is interrupted."""

    def give_up(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def a_pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def a_run(folder: Path, key: object = "a", **files: str) -> Path:
    """A run of one clip, whose files may be anything."""
    (folder / "items" / "a").mkdir(parents=True)
    line = {"key": key, "id": "a", "audio_filepath": "a.wav"}
    written = {
        "manifest.json": "{}",
        "clips.jsonl": json.dumps(line) + "\n",
        "items/a/record.json": RECORD,
    }
    for name, text in (written | files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def first_answer(folder: Path) -> object:
    """The answers in a folder, to a study whose key is sound."""
    (folder / "key.json").write_text(json.dumps(abx_key()))
    return read_answers([folder / "answer.json"], read_key(folder / "key.json"))


# every reader of one file: the name of the file, and how it is read from its folder
READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "record": ("record.json", read_record),
    "item": ("record.json", read_item),
    "levels": ("levels.safetensors", lambda at: read_levels(at / "levels.safetensors")),
    "levels of a record": ("levels.safetensors", lambda at: levels_of(at, DRY)),
    "bank": ("bank.rooms", lambda at: RoomBank.load(at / "bank.rooms")),
    "configuration": ("run.toml", lambda at: read_config(at / "run.toml", {"clips": "a.csv"})),
    "manifest": ("clips.jsonl", lambda at: read_clips(str(at / "clips.jsonl"), at)),
    "table": ("clips.csv", lambda at: read_clips(str(at / "clips.csv"), at)),
    "rows": ("clips.jsonl", read_rows),
    "manifest of a run": ("manifest.json", lambda at: check_same(at, CONFIG)),
    "key": ("key.json", lambda at: read_key(at / "key.json")),
    "answer": ("answer.json", first_answer),
    "sweep": ("sweep.wav", lambda at: read_sweep(at / "sweep.wav")),
    "recording of a sweep": ("take.wav", lambda at: read_recorded(at / "take.wav")),
    "Whisper": ("tiny.bin", lambda at: load_victim(str(at / "tiny.bin"))),
    "CTranslate2": ("model.bin", lambda at: load_victim(str(at))),
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_a_pipe(name: str, tmp_path: Path) -> None:
    file, read = READERS[name]
    a_pipe(tmp_path / file)
    with pytest.raises(MondegreenError, match=r"pipe|not a file"):
        read(tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_links_that_go_in_circles(name: str, tmp_path: Path) -> None:
    file, read = READERS[name]
    (tmp_path / file).symlink_to(tmp_path / file)
    with pytest.raises(MondegreenError, match=file.replace(".", r"\.")):
        read(tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_a_folder(name: str, tmp_path: Path) -> None:
    file, read = READERS[name]
    (tmp_path / file).mkdir()
    with pytest.raises(MondegreenError):
        read(tmp_path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", [DEEP, f'{{"key": {DEEP}}}', f"a = {DEEP}", "a." * 30_000 + "a=1"])
def test_every_reader_refuses_what_is_nested_too_deep(name: str, text: str, tmp_path: Path) -> None:
    file, read = READERS[name]
    (tmp_path / file).write_text(text)
    with pytest.raises(MondegreenError) as raised:
        read(tmp_path)
    assert len(str(raised.value)) < 1_000


def test_axes_nested_too_deep_are_refused(tmp_path: Path) -> None:
    arrays = {name: np.zeros((1, 1), np.uint8) for name in ("clip", "theta", "delta", "excess")}
    save_file(arrays, tmp_path / "levels", metadata={"axes": DEEP})
    with pytest.raises(MondegreenError, match="nested more than 50 deep"):
        read_levels(tmp_path / "levels")


@pytest.mark.parametrize(
    "record",
    [
        DEEP,
        "{",
        "[]",
        "",
        RECORD.replace("16000", "1000000000"),
        RECORD.replace("16000", "1e999"),
        RECORD.replace('"passes": 500', '"passes": ' + "9" * 30),
        RECORD.replace('"passes": 500', '"passes": ' + "9" * 5_000),
        RECORD.replace('"passes": 500', '"passes": "500"'),
        RECORD.replace('"passes": 500, ', ""),
        RECORD.replace('"seconds": 2.5', '"seconds": 1e999'),
        RECORD.replace('"key": "key"', f'"more": {DEEP}'),
        RECORD.replace('"clip"', json.dumps("x" * 2**24)),
        RECORD.replace('"schema": 5', '"schema": [' + "1," * 9_999 + "1]"),
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
    ids=lambda text: f"{text:.20}...{len(text)}",
)
def test_an_ill_record_is_one_damaged_item(record: str, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", **{"items/a/record.json": record})
    (entry,) = entries(run)
    assert entry.status == "damaged"
    assert len(entry.cells["error"]) < 1_000
    assert str(run / "items" / "a" / "record.json") in entry.cells["error"]
    finished, complaints = Ledger(run).survey([]), list(read_hearings(run))
    assert (finished, complaints) == (({}, []), [])


def test_an_item_that_is_a_pipe_is_one_damaged_item(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    (run / "items" / "a" / "record.json").unlink()
    a_pipe(run / "items" / "a" / "record.json")
    assert [entry.status for entry in entries(run)] == ["damaged"]
    a_pipe(tmp_path / "others" / "b" / "record.json")
    (summary,) = summarise([tmp_path / "others"])
    assert (summary.counts.clips, summary.counts.damaged) == (1, 1)
    assert "it is a pipe or a device" in summary.damaged[0]


def test_notes_that_are_no_notes_are_passed_over_or_damaged(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    for note in ("sanity.json", "heard/a.json"):
        (run / note).parent.mkdir(exist_ok=True)
        (run / note).write_text(DEEP)
    a_pipe(run / "heard" / "b.json")
    assert read_findings(run) is None
    assert list(read_hearings(run)) == []
    (run / "items" / "a" / "record.json").unlink()
    (run / "items" / "a").rmdir()
    (run / "errors").mkdir()
    (run / "errors" / "a.json").write_text(json.dumps({"error": "no", "attempts": 2**70}))
    assert [entry.status for entry in entries(run)] == ["damaged"]


@pytest.mark.parametrize(
    "key", ["../../x", "..", ".", "", "/etc", "a/b", "a\0", "x" * 300, 1, None]
)
def test_a_key_cannot_lead_out_of_a_run(key: object, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", key=key)
    for read in (summarise_one, read_rows, lambda at: list(entries(at))):
        with pytest.raises(MondegreenError, match="line 1 has no key that names a folder"):
            read(run)


def summarise_one(run: Path) -> object:
    return summarise([run])


@pytest.mark.parametrize("manifest", ['{"identity": []}', '{"identity": {}, "calls": 5}', "{}"])
def test_a_manifest_that_says_nothing_is_damaged(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(MondegreenError, match="not what mondegreen wrote: look at"):
        check_same(tmp_path, CONFIG)


def test_a_manifest_whose_names_are_no_names_is_damaged(tmp_path: Path) -> None:
    what = {"configuration": {"method": 1, "preset": []}, "victim": {"name": {}}}
    run = a_run(tmp_path / "run", **{"manifest.json": json.dumps(what)})
    (run / "items" / "a" / "record.json").write_text("{")
    with pytest.raises(MondegreenError, match="does not say what is run"):
        summarise([run])


# ---- the one place


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        a_pipe(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero"), tmp_path):
            with pytest.raises(ValueError, match=r"it is a (pipe or a device, not a file|folder)"):
                open_file(path)
            with pytest.raises(ValueError, match="it is a"):
                sha256(path)
            with pytest.raises(ValueError, match="it is a"):
                read_tensors(path, 10**9)


def test_a_file_is_no_larger_than_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"x" * 2_048)
    assert read_bytes(path, 2_048) == b"x" * 2_048
    with pytest.raises(ValueError, match="more than 1 KiB"):
        read_bytes(path, 2_047)
    with pytest.raises(ValueError, match="more than 1 KiB"):
        read_tensors(path, 2_047)


def test_a_file_of_endless_values_is_not_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("[" + "[]," * 4_000_000 + "[]]")
    with pytest.raises(ValueError, match="more than 4,000,000 values"):
        read_json(tmp_path / "text")


def test_a_line_is_no_longer_than_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("{}\n" + json.dumps("x" * LONGEST_LINE) + "\n")
    with pytest.raises(ValueError, match="line 2 has more than 1,024 KiB"):
        list(json_lines(tmp_path / "lines"))
    (tmp_path / "lines").write_text('{"a": 1}\n[2]\n')
    assert list(json_lines(tmp_path / "lines")) == [(1, {"a": 1}), (2, [2])]


@pytest.mark.parametrize(("depth", "taken"), [(1, True), (50, True), (51, False), (900, False)])
def test_depth_is_bounded_well_within_the_stack(depth: int, taken: bool) -> None:
    for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        if taken:
            assert json.dumps(parse_json(text)).replace(" ", "") == text
        else:
            with pytest.raises(ValueError, match="nested more than 50 deep"):
                parse_json(text)


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes(b'\xef\xbb\xbfclips = "hf:a::b"\n')
    assert read_toml(tmp_path / "run.toml") == {"clips": "hf:a::b"}
    assert read_config(tmp_path / "run.toml", {}).clips == "hf:a::b"
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("text", ['clips = "a\\u0000"', 'clips = "a"\nrooms = "b\\u0000"', "\0"])
def test_a_configuration_with_nul_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(MondegreenError, match=r"not UTF-8 text|cannot be read as a configuration"):
        read_config(tmp_path / "run.toml", {})


def test_a_path_with_nul_is_refused() -> None:
    for read in (lambda at: read_config(at, {}), read_record, read_key):
        with pytest.raises(MondegreenError, match="null"):
            read(Path("a\0b"))


def test_clips_of_no_name_are_not_the_current_folder(tmp_path: Path) -> None:
    config = read_config(None, {"clips": ""})
    with pytest.raises(MondegreenError, match="Got '' for clips"):
        read_clips(config.clips, tmp_path)


@pytest.mark.parametrize("convert", ["\ud800".encode, b"\xff".decode])
def test_text_that_is_not_utf_8_says_so(convert: Callable[[], object]) -> None:
    with pytest.raises(UnicodeError) as raised:
        convert()
    assert reason(raised.value) == "it is not UTF-8 text"


def test_a_path_in_full_has_no_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert in_full(tmp_path / "b" / ".." / "b") == tmp_path.resolve() / "a"
    (tmp_path / "loop").symlink_to("loop")
    assert in_full(tmp_path / "loop").name == "loop"
    with pytest.raises(MondegreenError, match="is not a folder"):
        summarise([tmp_path / "loop"])


def test_a_name_that_is_too_long_is_not_there() -> None:
    for read in (summarise_one, read_item, read_record):
        with pytest.raises(MondegreenError):
            read(Path("x" * 5_000))


def test_a_recording_below_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / "clips.csv").write_text("audio\na.wav\n")
    with pytest.raises(MondegreenError, match=r"line 2: got .*udcff.*UTF-8; rename"):
        read_clips(str(folder / "clips.csv"), tmp_path)


def test_a_measured_response_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    a_pipe(tmp_path / "a.wav")
    (tmp_path / "rooms.csv").write_text("path,room_id\na.wav,hall\n")
    with pytest.raises(MondegreenError, match="it is a pipe"):
        contents(find_recordings(tmp_path / "rooms.csv"))


def test_copies_are_read_under_the_names_of_their_originals(tmp_path: Path) -> None:
    original, copy = Path("/not/there.toml"), tmp_path / "copy"
    copy.write_text("a = 1")
    (tmp_path / "other").write_text("a = 2")
    save_file({"x": np.arange(3)}, tmp_path / "tensors")
    with lying_at(
        {"/not/there.toml": copy, "/nor/this": tmp_path / "tensors", "/folder": tmp_path}
    ):
        assert read_toml(original) == {"a": 1}
        assert sha256(original) == sha256(copy)
        assert read_tensors(Path("/nor/this"), 1000)[1]["x"].tolist() == [0, 1, 2]
        assert (is_file(original), is_folder("/folder"), is_folder(original)) == (True, True, False)
        with lying_at({"/not/there.toml": tmp_path / "other"}):
            assert read_toml(original) == {"a": 2}
        assert read_toml(original) == {"a": 1}
    assert here(original) == original
    assert not is_file(original)
