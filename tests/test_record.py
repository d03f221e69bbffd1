"""A record is read as it was written, or refused: nothing half understood goes any further."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import BOUNDED, DRY, IN_ROOMS, rewrite
from toy import TARGET, linear_victim, speech, toy_bank

from mondegreen import MondegreenError, attack
from mondegreen.airs import Air, Background
from mondegreen.audio.pcm import save
from mondegreen.judging.evaluate import evaluate
from mondegreen.judging.sanity import examine
from mondegreen.judging.verify import recheck
from mondegreen.options import Options
from mondegreen.report.numbers.entries import entries
from mondegreen.results.item import read_record
from mondegreen.results.record import (
    SCHEMA,
    Dry,
    InRooms,
    MaskingExcess,
    OverRooms,
    Point,
    Prices,
    Quality,
    QualityInRooms,
    Record,
    RoomTranscript,
    Success,
    Survival,
)

WRONG = {"wrong": 3}  # for a number, a text, a list, and for every object in a record

# ---- both ways


@pytest.mark.parametrize("record", [DRY, BOUNDED, IN_ROOMS], ids=["dry", "bounded", "in rooms"])
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_what_attacks_write_is_read_as_they_meant_it(tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    for how in ({}, {"under_threshold": 30.0}, {"method": "robust", "rooms": toy_bank()}):
        result = attack(linear_victim(), tmp_path / "clip.wav", TARGET, max_passes=110, **how)
        written = read_record(result.save(tmp_path / "item"))
        assert written.files.keys() >= {"adversarial.wav", "delta.safetensors"}
        plain = json.loads(json.dumps(result.record.to_json()))
        assert Record.from_json(plain) == result.record
        assert written.to_json() == {**result.record.to_json(), "files": written.files}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**63 - 1)
untargeted = st.fixed_dictionaries(
    {"method": st.just("untargeted"), "snr": st.none() | st.floats(0, 90)},
    optional={"min_wer": st.floats(0.01, 2), "seed": counts},
)
targeted = st.fixed_dictionaries(
    {"preset": st.sampled_from(["fast", "paper"]), "exact": st.booleans(), "seed": counts},
    optional={
        "method": st.sampled_from(["robust", "combined", "carlini-wagner"]),
        "max_passes": st.integers(1, 10**6),
        "max_clean_wer": st.floats(0, 2),
    },
)
options = (targeted | untargeted).map(lambda chosen: Options(**chosen))
rooms = st.builds(RoomTranscript, texts, st.none() | numbers, texts, st.booleans())
survivals = st.builds(
    Survival,
    st.builds(
        InRooms,
        *(texts, counts, counts, numbers, numbers, numbers, st.none() | numbers, numbers),
        *(st.none() | numbers, st.lists(rooms, max_size=2).map(tuple)),
    ),
    st.builds(Dry, numbers, numbers, st.none() | numbers),
)
qualities = st.builds(
    Quality,
    *(numbers, st.none() | numbers),
    st.builds(MaskingExcess, texts, *[numbers] * 5),
    *[st.none() | numbers] * 2,
)
points = st.builds(
    Point,
    counts,
    texts,
    st.none() | numbers,
    st.booleans(),
    counts,
    counts,
    *[st.none() | numbers] * 3,
)
over_rooms = st.builds(OverRooms, numbers, numbers, texts, counts)
in_rooms = st.builds(QualityInRooms, texts, counts, *[st.none() | over_rooms] * 7)
ranges = st.lists(st.floats(0.5, 100.0), min_size=2, max_size=2).map(
    lambda pair: tuple(sorted(pair))
)
airs = st.builds(
    Air,
    rooms=st.sampled_from(["fast", "paper", "real"]),
    noise=st.none() | st.builds(Background, snr_db=ranges, folder=st.none() | texts),
    offset_ms=st.none() | ranges,
    gain_db=st.none() | ranges,
)
prices = st.builds(Prices, numbers, *[st.none() | numbers] * 4)
successes = st.builds(Success, counts, texts, prices)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    **{"str": texts, "bool": st.booleans(), "float": numbers, "Count": counts},
    **{
        "Air": airs,
        "Options": options,
        "SampleRate": st.integers(1_000, 768_000),
        "Quality": qualities,
        "Survival": survivals,
        "QualityInRooms": in_rooms,
    },
    "tuple[Count, Count]": st.tuples(counts, counts),
    "tuple[str, ...]": st.lists(texts, max_size=2).map(tuple),
    "tuple[Point, ...]": st.lists(points, max_size=2).map(tuple),
    "tuple[Success, ...]": st.lists(successes, max_size=2).map(tuple),
    "Mapping[str, str]": st.dictionaries(texts, texts, max_size=2),
}


def values(kind: str) -> st.SearchStrategy[Any]:
    """What a field of a record may hold."""
    plain = KINDS[kind.removesuffix(" | None")]
    return st.none() | plain if kind.endswith("None") else plain


def fitting(record: Record) -> Record:
    """With a target, where the method has one."""
    target = None if record.options.untargeted else record.target or "open"
    return replace(record, target=target)


records = st.builds(Record, **{field.name: values(str(field.type)) for field in fields(Record)})


@given(records.map(fitting))
def test_any_record_is_read_as_it_was_written(record: Record) -> None:
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


# ---- what is no record of this version


@pytest.mark.parametrize(
    "changes", [{"target": None}, {"method": "untargeted"}, {"snr": 30.0}], ids=str
)
def test_a_target_and_a_bound_must_be_of_the_method(changes: dict[str, Any]) -> None:
    with pytest.raises(MondegreenError, match=r"look at (target|options)"):
        Record.from_json(DRY.to_json() | changes)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in plain data, and of what holds it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in inner:
        yield (*path, name)
        if isinstance(part, dict | list | tuple):
            yield from leaves(part, (*path, name))


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The plain data of a record in rooms with another value in one place."""
    whole: Any = json.loads(json.dumps(IN_ROOMS.to_json()))
    *outer, last = path
    place = whole
    for name in outer:
        place = place[name]
    place[last] = value
    assert isinstance(whole, dict)
    return whole


# "others" may hold any name with a number
FREE = {("adversarial",), ("others",)}
PLACES = [path for path in leaves(IN_ROOMS.to_json()) if path not in FREE]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_every_value_of_another_type_is_refused(path: tuple[Any, ...]) -> None:
    with pytest.raises(MondegreenError):
        Record.from_json(changed(path, WRONG))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("passes", True), ("passes", -1), ("passes", 2.5), ("passes", 2**63)),
        *(("verified", 1), ("verified", None), ("wer_target", float("nan")), ("seconds", "2.5")),
        *(("method", "magic"), ("under_threshold", 3.0), ("max_passes", 0)),  # robust: no bound
    ],
)
def test_a_value_that_cannot_be_is_refused_and_named(name: str, value: object) -> None:
    with pytest.raises(MondegreenError) as refused:
        Record.from_json(IN_ROOMS.to_json() | {name: value})
    assert name in str(refused.value) or "JSON" in str(refused.value)


LATER = {
    "pesq_c2",
    "zimtohrli",
    "zimtohrli_mos",
    "temporal",
    "unmeasured",
    "others",
    "quality_in_rooms",
}  # older records lack them
NEEDED = {name for name in DRY.to_json() if name not in {*Options.model_fields, "adversarial"}}


@pytest.mark.parametrize(
    "name",
    sorted(
        NEEDED
        - LATER
        - {"key", "clip_sha256", "files", "replaced", "passage", "heard_whole", "trail"}
    ),
)
def test_a_field_that_is_missing_is_refused(name: str) -> None:
    rest = {other: value for other, value in DRY.to_json().items() if other != name}
    with pytest.raises(MondegreenError):
        Record.from_json(rest)


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    save(folder / "clip.wav", speech(), 16_000)
    result = attack(linear_victim(), folder / "clip.wav", TARGET, max_passes=40)
    return result.save(folder / "item")


@pytest.mark.parametrize("schema", [1, None, 2, "2", {}])
def test_a_record_of_another_schema_is_refused_by_whoever_reads_it(
    item: Path, schema: object
) -> None:
    before = (item / "record.json").read_text()
    rewrite(item, schema=schema)
    said = (
        f"it is a record of schema {schema}, and this version of mondegreen reads schema {SCHEMA}"
    )
    try:
        for read in (
            lambda: read_record(item),
            lambda: evaluate(linear_victim(), item, toy_bank()),
            lambda: examine(item, linear_victim()),
        ):
            with pytest.raises(MondegreenError) as refused:
                read()
            assert said in str(refused.value)
        (claim,) = recheck(item, linear_victim())
        assert (claim.claimed, claim.confirmed) == (True, False)
        assert said in str(claim.problem)
        (row,) = entries(item)
        assert row.status == "damaged"
        assert said in row.cells["error"]
    finally:
        (item / "record.json").write_text(before)


def test_a_record_without_a_schema_is_of_the_first(item: Path) -> None:
    plain = DRY.to_json()
    del plain["schema"]
    with pytest.raises(MondegreenError, match=r"of schema 1, .* Attack the clip again"):
        Record.from_json(plain)


def test_numbers_for_loggers_leave_out_what_is_not_known() -> None:
    """Names and values of the records in `records.py`."""
    known = {
        **{"verified": 1.0, "first_match": 7.0, "seconds": 2.5, "wer_target": 0.0},
        **{"wer_original": 1.0, "excess_db": 9.0, "margin_db": -6.5, "snr_db": -3.5},
        **{"pesq_c2": 3.9, "zimtohrli_mos": 4.4},
    }
    assert DRY.numbers == known
    assert IN_ROOMS.numbers == {**known, "rooms_heard": 1.0}
    assert DRY.curve[0].numbers == {"heard": 1.0, "loss": 1.5, "eps": 0.01}
    unheard = replace(DRY.curve[0], loss=None, hits=1, judged=4, masking_loss=0.0)
    assert unheard.numbers == {"heard": 0.25, "eps": 0.01, "masking_loss": 0.0}
