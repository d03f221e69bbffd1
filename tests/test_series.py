"""The numbers behind the charts, counted by hand: steps, quartiles over passes, rooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tables import DRY, IN_ROOMS, POINT, a_record, a_run

from mondegreen.report.numbers.entries import Entry, cells_of
from mondegreen.report.numbers.series import (
    Series,
    curve,
    fifths,
    matched_by,
    over_passes,
    room_shares,
)
from mondegreen.report.numbers.sources import gather
from mondegreen.results.record import Record


def a_point(passes: int, stage: str = "s", **fields: Any) -> dict[str, Any]:
    nothing = {"loss": None, "matched": False, "hits": 0, "judged": 1}
    return {**POINT, **nothing, "passes": passes, "stage": stage, **fields}


def a_clip(first: int | None = 1, passes: int = 100, **changes: Any) -> Record:
    """The record of a finished clip."""
    told = {"first_match": first, "passes": passes, "curve": [], **changes}
    return Record.from_json(a_record(**told))


def an_entry(record: Record) -> Entry:
    """The row of a finished clip."""
    return Entry({"key": "k", "status": "done"} | cells_of(record), record)


def read_series(*folders: Path) -> list[Series]:
    """What `mondegreen plot` draws of some folders."""
    return [part.series for part in gather([[folder] for folder in folders]).parts]


def falling(*values: float | None, start: int = 1) -> dict[str, Any]:
    """A curve with a masking loss at every tenth pass."""
    return {
        "curve": [a_point(start + 10 * i, masking_loss=value) for i, value in enumerate(values)]
    }


def in_rooms(*matched: bool, rt60: tuple[float | None, ...] | None = None) -> dict[str, Any]:
    times = rt60 or tuple(0.1 * (i + 1) for i in range(len(matched)))
    each = [
        {"room": f"r{i}", "rt60": time, "transcript": "", "matched": match}
        for i, (time, match) in enumerate(zip(times, matched, strict=True))
    ]
    return {**IN_ROOMS, "count": len(each), "each": each}


# ---- which clips belong together


def test_a_lone_series_is_called_by_its_folder(tmp_path: Path) -> None:
    (series,) = read_series(a_run(tmp_path / "first", {"a": a_record()}, {"b": "no"}, ["c"]))
    assert series.label == "first"
    assert [entry.status for entry in series.entries] == ["done", "error", "pending"]
    assert len(series.records) == 1


def test_series_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    records = {"a": a_record(), "b": a_record(preset="paper"), "c": a_record()}
    run = a_run(tmp_path / "first", records, pending=["d"])
    fast, paper = read_series(run)
    assert (fast.label, paper.label) == ("fast", "paper")
    assert [e.cells["key"] for e in fast.entries] == ["a", "c", "d"]  # "d" goes with the first
    other = a_run(tmp_path / "other", {"a": a_record(victim="another")})
    labels = [some.label for some in read_series(run, other)]
    assert labels == ["linear, fast, first", "linear, paper, first", "another, fast, other"]


def test_a_run_without_results_has_a_series_without_them(tmp_path: Path) -> None:
    (series,) = read_series(a_run(tmp_path / "run", pending=["a"]))
    assert (series.label, series.records, len(series.entries)) == ("run", [], 1)
    assert series.verified.share is None


def test_a_label_is_one_line_whatever_a_folder_is_called(tmp_path: Path) -> None:
    run = a_run(tmp_path / "a\n\u202eb$\x1b[31m", {"a": a_record()})
    assert read_series(run)[0].label == "a b$ [31m"


def test_values_are_of_verified_clips_or_of_failures(tmp_path: Path) -> None:
    records = {
        "a": a_record(snr_db=1.0),
        "b": a_record(snr_db=2.0, verified=False),
        "c": a_record(snr_db=None),
        "d": a_record(snr_db=4.0),
    }
    (series,) = read_series(a_run(tmp_path / "run", records, {"e": "no"}))
    assert series.values("snr_db").tolist() == [1.0, 4.0]
    assert series.values("snr_db", verified=False).tolist() == [2.0]
    assert (series.verified.hits, series.verified.clips) == (3, 4)


# ---- over passes


def test_matched_clips_are_counted_step_by_step() -> None:
    clips = [a_clip(7), a_clip(3), a_clip(None, passes=250), a_clip(3)]
    passes, shares = matched_by(clips)
    assert passes.tolist() == [1, 3, 3, 7, 250]
    assert shares.tolist() == [0, 0.25, 0.5, 0.75, 0.75]


def test_nothing_is_matched_of_no_clips() -> None:
    assert len(matched_by([]).passes) == 0


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(1, 5000), min_size=1, max_size=30), st.integers(1, 6000))
def test_the_share_at_any_pass_is_that_of_the_clips(firsts: list[int | None], at: int) -> None:
    passes, shares = matched_by([a_clip(first, passes=6000) for first in firsts])
    read = shares[np.searchsorted(passes, at, side="right") - 1]
    assert read == sum(first is not None and first <= at for first in firsts) / len(firsts)
    assert (np.diff(passes) >= 0).all()


def test_a_curve_has_the_points_that_have_the_field_in_their_order() -> None:
    points = [a_point(21, loss=2.0), a_point(1, loss=9.0), a_point(11, loss=None), a_point(31)]
    passes, values = curve(a_clip(curve=points), "loss")
    assert (passes.tolist(), values.tolist()) == ([1, 21], [9, 2])
    assert len(curve(a_clip(), "loss").passes) == 0


def test_quartiles_over_clips_hold_the_earlier_point_and_the_last() -> None:
    clips = [
        a_clip(**falling(100, 10)),  # passes 1, 11
        a_clip(**falling(200, 20, 2)),  # 1, 11, 21
        a_clip(**falling(300, start=5)),  # 5, and so from then on
    ]
    band = over_passes(clips, "masking_loss")
    assert band is not None
    assert band.passes.tolist() == [1, 5, 11, 21]
    assert band.median.tolist() == [150, 200, 20, 10]
    assert band.low.tolist() == [125, 150, 15, 6]  # of 2, 10, 300 the first quartile is 6
    assert band.high.tolist() == [175, 250, 160, 155]


def test_a_band_begins_where_half_of_the_clips_are() -> None:
    clips = [a_clip(**falling(9, 9, 9)), *[a_clip(**falling(1, start=21))] * 3]
    band = over_passes(clips, "masking_loss")
    assert band is not None
    assert band.passes.tolist() == [21]


def test_clips_without_the_field_do_not_count() -> None:
    clips = [a_clip(**falling(None, 4.0)), a_clip(**falling(None)), a_clip()]
    band = over_passes(clips, "masking_loss")
    assert band is not None
    assert (band.passes.tolist(), band.median.tolist()) == ([11], [4.0])
    assert over_passes(clips, "alpha") is None
    assert over_passes([], "masking_loss") is None


def test_a_long_search_is_thinned_from_its_first_pass_to_its_last() -> None:
    told = [a_point(i, masking_loss=float(i)) for i in range(1, 5001)]
    band = over_passes([a_clip(curve=told)], "masking_loss")
    assert band is not None
    assert len(band.passes) == 400
    assert (band.passes[0], band.passes[-1]) == (1, 5000)
    assert np.array_equal(band.passes, band.median)


# ---- over rooms


def test_rooms_are_counted_over_clips_by_rising_rt60() -> None:
    clips = [
        a_clip(bank="b", rooms=in_rooms(True, False, rt60=(0.9, 0.3))),
        a_clip(bank="b", rooms=in_rooms(True, True, rt60=(0.9, 0.3))),
        a_clip(),
    ]
    assert room_shares(clips) == [(0.3, 1, 2), (0.9, 2, 2)]
    assert [room.share for room in room_shares(clips)] == [0.5, 1.0]
    assert room_shares(clips, clean=True) == []


def test_rooms_of_two_banks_are_not_one() -> None:
    clips = [a_clip(bank=bank, rooms=in_rooms(True)) for bank in "ab"]
    assert room_shares(clips) == [(0.1, 1, 1)] * 2


def test_the_clean_clip_has_rooms_of_its_own() -> None:
    clip = a_clip(rooms=in_rooms(True), clean={"rooms": in_rooms(False), "dry": DRY})
    assert room_shares([clip], clean=True) == [(0.1, 0, 1)]


def test_a_room_without_a_known_rt60_is_left_out() -> None:
    clip = a_clip(rooms=in_rooms(True, True, rt60=(None, 0.5)))
    assert room_shares([clip]) == [(0.5, 1, 1)]


def test_fifths_are_pooled_over_their_rooms() -> None:
    clip = a_clip(rooms=in_rooms(*[True] * 6, *[False] * 9))
    means = fifths(room_shares([clip]))
    assert [share for _, share in means] == [1, 1, 0, 0, 0]
    assert [rt60 for rt60, _ in means] == pytest.approx([0.2, 0.5, 0.8, 1.1, 1.4])
    assert fifths(room_shares([clip])[:14]) == []


def test_a_series_holds_any_entries() -> None:
    pending = Entry({"status": "pending", "key": "a"})
    assert Series("x", [pending]).records == []
