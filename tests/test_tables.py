"""Tables of a run: a row for every clip, whatever became of it, and nothing that runs."""

from __future__ import annotations

import csv
import errno
import json
import os
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from toy import linear_victim, speech

from mondegreen import MondegreenError, attack
from mondegreen.audio.pcm import save
from mondegreen.options import Options
from mondegreen.report.numbers import tables
from mondegreen.report.numbers.entries import COLUMNS, entries
from mondegreen.report.numbers.tables import collect

POINT = {
    **{"passes": 10, "stage": "minimise the norm", "loss": 1.5, "matched": True, "hits": 1},
    **{"judged": 1, "eps": None, "alpha": None, "masking_loss": None},
}
IN_ROOMS = {
    **{"split": "test", "count": 10, "distinct": 10, "heard": 0.8, "heard_low": 0.49},
    **{"heard_high": 0.94, "heard_original": 0.0, "wer_target": 0.1, "wer_original": 1.0},
    "each": [{"room": "test-0", "rt60": None, "transcript": "open the door", "matched": True}],
}
QUALITY_IN_ROOMS = {
    **{"split": "test", "count": 20, "pesq": None, "snr_db": None, "unmeasured": {}},
    "zimtohrli_mos": {"median": 3.5, "worst": 2.5, "room": "test-7", "count": 20},
    "pesq_c2": {"median": 3.25, "worst": 2.25, "room": "test-8", "count": 20},
    "stoi": {"median": 0.75, "worst": 0.5, "room": "test-9", "count": 20},
    "masking_loss": {"median": 70.0, "worst": 80.0, "room": "test-9", "count": 20},
    "temporal_loss": {"median": 60.0, "worst": 65.0, "room": "test-9", "count": 20},
}
DRY = {"heard": 1.0, "wer_target": 0.0, "wer_original": 1.0}
MASKING = {
    **{"profile": "paper", "loss": 5.5, "share_above": 0.25},
    **{"mean_excess_db": 3.0, "max_excess_db": 9.0, "edges_db": 0.0, "margin_db": -6.5},
}


def a_record(**changes: Any) -> dict[str, Any]:
    """A record as an attack without rooms leaves it; rooms bring their `dry`, unless it is told."""
    record = {
        **{"schema": 5, "adversarial": True, "id": "clip", "audio": "clip.wav"},
        **{"target": "open the door", "spelled": "Open the door.", "text": "nothing at all"},
        **{"heard_clean": "Nothing at all.", "heard": "Open the door."},
        **{"verified": True, "stages": "s" * 64, "victim": "linear"},
        **{"method": "imperceptible", "preset": "fast", "max_passes": None, "seed": 0},
        **{"under_threshold": None, "band": "full", "exact": False, "max_clean_wer": 0.5},
        **{"snr": None, "min_wer": 0.5, "forbid": None, "in_context": False, "replaced": None},
        **{"wer_clean": 0.0, "wer_target": 0.0, "wer_original": 1.0, "understood": True},
        **{"passes": 500, "looks": 0, "first_match": 7, "found_at": 480, "stage": "last"},
        **{"interrupted": False, "seconds": 2.5, "bank": None, "air": None, "sample_rate": 16_000},
        **{"device": "cpu", "dtype": "float32", "versions": {"torch": "2.13.0"}, "warnings": []},
        **{"max_abs": 120.0, "snr_db": -3.5, "masking": MASKING, "pesq": 3.4, "stoi": 0.99},
        **{"pesq_c2": 3.9, "zimtohrli": 0.0033, "zimtohrli_mos": 4.4},
        **{"others": {}, "unmeasured": {}},
        **{"temporal": {**MASKING, "profile": "temporal", "loss": 2.5}},
        **{"rooms": None, "dry": None, "clean": None, "curve": [POINT] * 3},
        **{"key": None, "clip_sha256": None, "passage": None, "heard_whole": None},
        **{"files": {}, "trail": []},
        "quality_in_rooms": None,
        **changes,
    }
    if record["rooms"] and "dry" not in changes:
        record["dry"] = DRY
    return record


def a_run(
    folder: Path,
    records: Mapping[str, Mapping[str, Any] | str] | None = None,
    errors: Mapping[str, str] | None = None,
    pending: Iterable[str] = (),
) -> Path:
    """The folder of a run, by the keys of its clips; a record that is text is written as it is."""
    records, errors = records or {}, errors or {}
    (folder / "errors").mkdir(parents=True)
    keys = [*records, *errors, *pending]
    clips = (
        {"key": k, "id": f"id-{k}", "audio_filepath": f"{k}.wav", "target": "open"} for k in keys
    )
    (folder / "clips.jsonl").write_text("".join(json.dumps(clip) + "\n" for clip in clips))
    how = {"victim": "./folder", "method": "robust", "preset": "paper"}
    what = {"configuration": how, "victim": {"name": "of the manifest"}}
    (folder / "manifest.json").write_text(json.dumps(what))
    for key, record in records.items():
        write_item(folder / "items" / key, record)
    for key, why in errors.items():
        note = {"key": key, "id": f"id-{key}", "error": why, "attempts": 2}
        (folder / "errors" / f"{key}.json").write_text(json.dumps(note))
    return folder


def write_item(folder: Path, record: Mapping[str, Any] | str) -> None:
    folder.mkdir(parents=True)
    text = record if isinstance(record, str) else json.dumps(record)
    (folder / "record.json").write_text(text)


def many(folder: Path, count: int) -> Path:
    """A run of many clips whose records are one file under many names."""
    run = a_run(folder, pending=(f"{i:05}" for i in range(count)))
    write_item(run / "items" / "00000", a_record(curve=[POINT] * 5))
    for i in range(1, count):
        (run / "items" / f"{i:05}").mkdir()
        os.link(run / "items/00000/record.json", run / "items" / f"{i:05}" / "record.json")
    return run


def read_csv(run: Path) -> list[dict[str, str]]:
    with (run / "records.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_jsonl(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]


def read_parquet(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(run / "records.parquet").to_pylist()
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A clip of each status, and not in the order of their names."""
    records: dict[str, Any] = {"z": a_record(id="z"), "broken": '{"id": ', "a": a_record(id="a")}
    return a_run(tmp_path / "run", records, {"deaf": "no words"}, ["later"])


# ---- every clip has its row


def test_every_clip_has_one_row_in_the_order_of_the_run(run: Path) -> None:
    written = collect(run)
    assert [path.name for path in written] == ["records.jsonl", "records.csv", "records.parquet"]
    statuses = {"z": "done", "broken": "damaged", "a": "done", "deaf": "error", "later": "pending"}
    for table in (read_csv(run), read_parquet(run)):
        assert [(row["key"], row["status"]) for row in table] == list(statuses.items())
    assert [record["id"] for record in read_jsonl(run)] == ["z", "a"]


def test_the_lines_are_the_records_whole(run: Path) -> None:
    collect(run)
    assert read_jsonl(run)[0] == json.loads((run / "items/z/record.json").read_text())


def test_an_error_and_a_damaged_item_say_why(run: Path) -> None:
    collect(run)
    rows = {row["key"]: row for row in read_csv(run)}
    assert (rows["deaf"]["error"], rows["deaf"]["attempts"]) == ("no words", "2")
    assert "record.json cannot be read" in rows["broken"]["error"]
    assert (rows["broken"]["id"], rows["broken"]["audio"]) == ("id-broken", "broken.wav")
    assert rows["later"]["error"] == rows["later"]["heard"] == ""


def test_a_clip_that_is_listed_twice_appears_once(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()}, pending=["b", "b", "a"])
    collect(run)
    assert [row["key"] for row in read_csv(run)] == ["a", "b"]
    assert len(read_jsonl(run)) == 1


def test_a_result_counts_whatever_failed_before_it(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()}, {"a": "failed at first"})
    assert [row.status for row in entries(run)] == ["done"]


def test_the_key_is_the_runs_and_all_else_the_records(tmp_path: Path) -> None:
    record = a_record(key="of another", target="as it was asked")
    (row,) = entries(a_run(tmp_path / "run", {"a": record}))
    assert (row.cells["key"], row.cells["target"]) == ("a", "as it was asked")


def test_a_folder_of_items_has_rows_too(tmp_path: Path) -> None:
    write_item(tmp_path / "b", a_record(id="b"))
    write_item(tmp_path / "deep" / "a", "[]")
    assert [row.status for row in entries(tmp_path)] == ["done", "damaged"]


def test_an_empty_run_has_empty_tables(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    collect(run)
    assert read_jsonl(run) == read_csv(run) == read_parquet(run) == []
    assert pq.read_schema(run / "records.parquet").names == list(COLUMNS)


def test_collecting_again_takes_in_what_has_come_since(run: Path) -> None:
    collect(run)
    write_item(run / "items" / "later", a_record())
    collect(run)
    assert read_csv(run)[-1]["status"] == "done"
    assert len(read_jsonl(run)) == 3


# ---- columns


def test_parts_stand_beside_each_other(tmp_path: Path) -> None:
    clean = {"rooms": {**IN_ROOMS, "heard": 0.1}, "dry": {**DRY, "heard": 0.0}}
    record = a_record(rooms=IN_ROOMS, dry=DRY, clean=clean, warnings=["one", "two"])
    (row,) = entries(a_run(tmp_path / "run", {"a": record}))
    expected = {
        **{"masking_loss": 5.5, "masking_share_above": 0.25, "masking_profile": "paper"},
        **{"rooms_heard": 0.8, "rooms_count": 10, "dry_heard": 1.0},
        **{"clean_rooms_heard": 0.1, "clean_dry_heard": 0.0, "versions_torch": "2.13.0"},
        **{"warnings": "one | two", "snr_db": -3.5},
    }
    assert row.cells.items() >= expected.items()


def test_parquet_has_the_same_types_whatever_is_known(run: Path, tmp_path: Path) -> None:
    none = a_run(tmp_path / "none", pending=["a"])
    full = a_run(tmp_path / "full", {"a": a_record(rooms=IN_ROOMS, seconds=3, pesq=None)})
    for folder in (none, full, run):
        collect(folder)
    schemas = [pq.read_schema(f / "records.parquet") for f in (none, full, run)]
    assert schemas[0].equals(schemas[1])
    assert schemas[0].equals(schemas[2])
    (row,) = read_parquet(full)
    assert row["pesq"] is None
    assert row["seconds"] == 3.0


def test_nothing_that_an_attack_records_is_forgotten(tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    found = attack(linear_victim(), tmp_path / "clip.wav", "open the door", max_passes=30)
    found.save(tmp_path / "out")
    (row,) = entries(tmp_path / "out")
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    parts = {"masking", "temporal", "unmeasured", "versions", "files", "rooms", "dry", "clean"}
    parts |= {"quality_in_rooms", "others"}
    lists = {"air", "curve", "passage", "trail", "warnings"}
    plain = record.keys() - lists - parts - {"schema", "adversarial", "key"}
    assert row.status == "done"
    assert plain <= COLUMNS.keys()
    assert {name: row.cells.get(name) for name in plain} == {n: record[n] for n in plain}
    for part in ("masking", "versions"):
        assert {f"{part}_{name}" for name in record[part]} <= row.cells.keys()


NO_NUMBERS = [None, "1", True, [], {}, float("nan"), float("inf"), -float("inf"), 10**400]
TEXTS = {name for name, value in a_record().items() if isinstance(value, str)}
MAYBE_TEXTS = {"bank", "key", "clip_sha256", "replaced", "heard_whole"}
MAY_BE_NONE = {"text", "stage", "understood", "adversarial"}
NOT_OF_ITS_TYPE = [
    *({name: 7} for name in sorted(TEXTS | MAYBE_TEXTS)),
    *({name: None} for name in sorted((TEXTS | {"verified", "exact"}) - MAY_BE_NONE)),
    *({name: "yes"} for name in sorted(a_record().keys() - TEXTS - MAYBE_TEXTS - {"adversarial"})),
    *({name: value} for name in ("passes", "seconds", "max_abs") for value in NO_NUMBERS),
    *({"snr_db": value} for value in NO_NUMBERS if value is not None),
    *({"passes": value} for value in (1.5, 2**63, -1)),
    *({"curve": [{**POINT, "passes": value}]} for value in NO_NUMBERS),
    *({"curve": [{**POINT, "loss": value}]} for value in NO_NUMBERS if value is not None),
    *({"curve": value} for value in ([None], [3], [[]], [{}], {"passes": 1})),
    *({"masking": value} for value in (None, {}, {**MASKING, "loss": [1]})),
    *({"rooms": value} for value in ([], {}, {**IN_ROOMS, "each": None})),
    *({"rooms": {**IN_ROOMS, "each": [value]}} for value in (None, 3, {}, {"room": []})),
    {"dry": None, "rooms": IN_ROOMS},
    *({"clean": value} for value in ({"rooms": IN_ROOMS}, {"dry": DRY}, {"rooms": 3, "dry": DRY})),
    *({"warnings": value} for value in ([3], [None], "one")),
    *({"files": value} for value in (3, {"adversarial.wav": None})),
    {"method": "whisper"},
]


def test_what_mondegreen_does_not_write_is_damaged(tmp_path: Path) -> None:
    for number, change in enumerate(NOT_OF_ITS_TYPE):
        write_item(tmp_path / f"{number:03}", a_record(**change))
    found = list(entries(tmp_path))
    accepted = [NOT_OF_ITS_TYPE[int(entry.cells["key"])] for entry in found if entry.record]
    assert accepted == []
    assert len(found) == len(NOT_OF_ITS_TYPE)
    for entry, change in zip(found, NOT_OF_ITS_TYPE, strict=True):
        name = "options" if change.keys() & Options.model_fields.keys() else next(iter(change))
        assert name in entry.cells["error"] or "JSON does not know" in entry.cells["error"]


def test_a_record_that_lacks_something_is_damaged(tmp_path: Path) -> None:
    for name in a_record():
        write_item(tmp_path / name, {n: v for n, v in a_record().items() if n != name})
    whole = {entry.cells["key"] for entry in entries(tmp_path) if entry.record}
    later = {"pesq_c2", "zimtohrli", "zimtohrli_mos", "temporal", "others", "unmeasured"}
    later |= {"clip_sha256", "replaced", "passage", "heard_whole", "quality_in_rooms"}
    optional = {"key", "trail", "files", *later}
    assert whole == {"adversarial", *optional, *Options.model_fields}


def test_a_record_of_another_schema_is_damaged_and_says_what_to_do(tmp_path: Path) -> None:
    old = a_record()
    del old["schema"]
    write_item(tmp_path / "old", old)
    write_item(tmp_path / "new", a_record())
    new, damaged = entries(tmp_path)
    assert (new.status, damaged.status) == ("done", "damaged")
    assert "schema 1" in damaged.cells["error"]
    assert "Attack the clip again" in damaged.cells["error"]


def test_an_item_keeps_the_items_inside_it(tmp_path: Path) -> None:
    """As `mondegreen demo --method combined` leaves them."""
    write_item(tmp_path / "demo", a_record(method="combined"))
    write_item(tmp_path / "demo" / "robust", a_record(method="robust"))
    found = list(entries(tmp_path / "demo"))
    assert [entry.cells["key"] for entry in found] == ["demo", "robust"]
    assert [entry.cells["method"] for entry in found] == ["combined", "robust"]


def test_the_folder_at_hand_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_item(tmp_path / "item", a_record())
    monkeypatch.chdir(tmp_path / "item")
    (entry,) = entries(Path())
    assert entry.cells["key"] == "item"


def test_an_error_note_without_a_reason_is_damaged(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", errors={"a": "why"})
    (run / "errors" / "a.json").write_text("{}")
    assert [row.status for row in entries(run)] == ["damaged"]


# ---- transcripts are not to be trusted

HOSTILE = [
    *("=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "  =1", "\uff1dcmd()", "a;=cmd()"),
    *("a\n=cmd()", 'say "no", twice', '"', "'", ",", "a\rb", "line\nline", "\u202e\u200fabc"),
    *("a\0b", "\0=cmd()", "é\u0301 \U0001f600", "\ud800 half", "word " * 2000, " ", "\u2028"),
]


@pytest.mark.parametrize("heard", HOSTILE)
def test_a_transcript_stays_one_cell(tmp_path: Path, heard: str) -> None:
    records = {"a": a_record(heard=heard), "b": a_record(heard="next")}
    run = a_run(tmp_path / "run", records)
    collect(run)
    cell, after = (row["heard"] for row in read_csv(run))
    assert cell.replace("'", "") == as_utf8(heard).replace("'", "").replace("\0", "\ufffd")
    assert after == "next"
    assert read_jsonl(run)[0]["heard"] == as_utf8(heard)
    assert read_parquet(run)[0]["heard"] == as_utf8(heard)


def as_utf8(text: str) -> str:
    return text.replace("\ud800", "?")


@pytest.mark.parametrize("heard", HOSTILE)
def test_no_cell_is_a_formula_whatever_a_reader_splits_at(tmp_path: Path, heard: str) -> None:
    run = a_run(tmp_path / "run", {"a": a_record(heard=heard)}, {"b": heard})
    collect(run)
    for row in read_csv(run):
        for name in ("heard", "error"):
            for part in (
                row[name].replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";")
            ):
                assert not part.strip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))


def test_ordinary_words_and_numbers_are_left_alone(tmp_path: Path) -> None:
    words = "well-known: 1 + 1 = 2 and it's me@home - isn't it?"
    run = a_run(tmp_path / "run", {"a": a_record(heard=words)})
    collect(run)
    (row,) = read_csv(run)
    assert (row["heard"], row["snr_db"], row["verified"]) == (words, "-3.5", "True")
    text = (run / "records.csv").read_text()
    assert f'"{words}"' in text  # quoted, though no comma is in it
    assert ",-3.5," in text


# ---- files


def test_without_pyarrow_there_is_no_parquet_and_no_stale_one(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(run)
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    assert [path.name for path in collect(run)] == ["records.jsonl", "records.csv"]
    assert not (run / "records.parquet").exists()


def test_a_full_disk_leaves_the_old_tables_and_no_half_ones(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(run)
    before = {path: path.read_bytes() for path in run.glob("*records*")}
    write_item(run / "items" / "later", a_record())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MondegreenError, match="No space left"):
        collect(run)
    assert {path: path.read_bytes() for path in run.glob("*records*")} == before
    assert not list(run.glob(".*"))


def test_who_reads_a_table_reads_it_to_its_end(run: Path) -> None:
    collect(run)
    with (run / "records.csv").open() as file:
        write_item(run / "items" / "later", a_record())
        collect(run)
        assert "pending" in file.read()
    assert "pending" not in (run / "records.csv").read_text()


def test_a_list_of_clips_that_is_damaged_leaves_no_table(run: Path) -> None:
    for line in ('{"key": "a"', "[]", '{"id": "a"}', '{"key": 1}'):
        (run / "clips.jsonl").write_text(line + "\n")
        with pytest.raises(MondegreenError, match=r"clips\.jsonl"):
            collect(run)
        assert not list(run.glob("*records*"))


def test_only_runs_have_tables(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="not the folder of a run"):
        collect(tmp_path)
    with pytest.raises(MondegreenError, match="does not exist"):
        list(entries(tmp_path / "nowhere"))


def peak_of(act: Callable[[Path], object], folder: Path, count: int) -> int:
    """The bytes held at most while something is done with a run of so many clips."""
    run = many(folder / f"{count}", count)
    tracemalloc.start()
    try:
        act(run)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_records_are_never_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 50)
    collect(a_run(tmp_path / "one", {"a": a_record()}))  # imports what it needs
    few, more = (peak_of(collect, tmp_path, count) for count in (100, 600))
    parquet = pq.read_metadata(tmp_path / "600" / "records.parquet")
    assert len(read_jsonl(tmp_path / "600")) == parquet.num_rows == 600
    assert parquet.num_row_groups == 12
    assert (more - few) / 500 < 1_000  # bytes; a record takes 8,800, its cells 2,200
