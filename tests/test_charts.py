"""Charts: what is drawn is what was counted, and what a page and its reader get of it."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import re
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import browser
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Browser
from test_series import a_clip, a_point, an_entry, in_rooms, read_series
from test_tables import DRY, MASKING, a_record, a_run

from mondegreen.report.figures.charts import (
    CHARTS,
    DOTS,
    Chart,
    charts,
    draw_methods,
    draw_passes,
    draw_quality,
    draw_room_shares,
    drawing,
)
from mondegreen.report.figures.ink import COLOURS, INK, MARKERS, STYLE, look
from mondegreen.report.numbers.entries import Entry
from mondegreen.report.numbers.series import Series

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "_x",
    "$\\frac$ $",
    "\u202eab\n",
    "日本語" * 4000,
    "",
    "a&b",
]


def drawn(draw: Any, *series: Series) -> Figure:
    with matplotlib.rc_context(STYLE), warnings.catch_warnings(action="ignore"):
        figure = Figure(layout="constrained")
        draw(figure, series)
        figure.canvas.draw()
    return figure


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def a_series(*clips: Entry, label: str = "a run") -> Series:
    return Series(label, clips)


def clip(
    verified: bool = True,
    first: int | None = 10,
    losses: dict[int, float] | None = None,
    **changes: Any,
) -> Entry:
    """A finished clip of which nothing was measured but what is told; `masking_` is its masking."""
    masking = {n.removeprefix("masking_"): changes.pop(n) for n in [*changes] if "masking_" in n}
    told = {
        **{"verified": verified, "bank": "b", "snr_db": None, "pesq_c2": None},
        **{"zimtohrli_mos": None},
        **{"curve": [a_point(at, masking_loss=loss) for at, loss in (losses or {}).items()]},
        **{"masking": {**MASKING, **masking}},
    }
    return an_entry(a_clip(first, **(told | changes)))


def some_clips(count: int, seed: int = 0) -> list[Entry]:
    """Clips with all that there is to draw."""
    draws = random.Random(seed)
    return [
        clip(
            draws.random() < 0.9,
            draws.randrange(1, 99),
            {at: draws.lognormvariate(5, 1) / at for at in range(51, 100, 10)},
            rooms=in_rooms(*(draws.random() < 0.7 for _ in range(20))),
            snr_db=draws.gauss(25, 3),
            pesq_c2=draws.uniform(2, 4.5),
            zimtohrli_mos=draws.uniform(3, 5),
            masking_loss=draws.lognormvariate(2, 1),
            masking_share_above=draws.betavariate(2, 9),
            masking_mean_excess_db=draws.gauss(4, 1),
        )
        for _ in range(count)
    ]


# ---- which charts there are


def test_a_run_has_the_charts_that_its_records_tell(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record(), "d": a_record()}, {"b": "no"}, ["c"])
    assert [chart.name for chart in charts(read_series(run))] == ["passes", "quality"]


def test_rooms_and_several_series_have_charts_of_their_own() -> None:
    one, other = a_series(*some_clips(3)), a_series(*some_clips(2), label="other")
    assert [chart.name for chart in charts([one])] == ["passes", "quality", "rooms"]
    assert [chart.name for chart in charts([one, other])] == list(CHARTS)


def test_charts_of_one_point_are_left_out_and_its_search_is_drawn_alone() -> None:
    one = a_series(clip(snr_db=20.0, pesq_c2=3.0))
    assert charts([one]) == charts([one, a_series(clip(snr_db=30.0), label="other")]) == []
    curved = a_series(clip(losses={1: 50.0, 11: 5.0}, snr_db=20.0))
    assert [chart.name for chart in charts([curved])] == ["passes"]
    assert titles(drawn(draw_passes, curved)) == ["masking loss"]
    assert [chart.name for chart in charts([a_series(clip(rooms=in_rooms(True)))])] == ["rooms"]


def test_of_nothing_there_are_no_charts() -> None:
    pending = Entry({"status": "pending", "key": "a"})
    assert charts([]) == charts([a_series()]) == charts([a_series(pending)] * 2) == []
    assert drawing("methods", [a_series(*some_clips(1)), a_series(pending)]) is None


# ---- what is drawn


def test_the_share_that_matched_is_drawn_in_steps() -> None:
    figure = drawn(draw_passes, a_series(clip(first=4), clip(first=40), clip(first=None)))
    (axes,) = figure.axes  # no curve, no masking loss
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[1, 0], [4, 1 / 3], [40, 2 / 3], [100, 2 / 3]]
    assert line.get_drawstyle() == "steps-post"


def test_masking_loss_is_drawn_with_the_middle_half() -> None:
    clips = [clip(losses={21: loss, 31: loss / 10}) for loss in (100.0, 200.0, 300.0)]
    axes = drawn(draw_passes, a_series(*clips)).axes[1]
    assert axes.get_yscale() == "log"
    assert axes.lines[0].get_xydata().tolist() == [[21, 200], [31, 20]]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 15
    assert band[:, 1].max() == 250


def test_a_masking_loss_of_nothing_stays_on_the_axis() -> None:
    (axes,) = drawn(draw_passes, a_series(clip(losses={1: 5.0, 11: 0.0}))).axes
    assert axes.lines[0].get_ydata().tolist() == [5.0, 1e-3]


def test_every_clip_is_a_dot_and_failures_are_hollow() -> None:
    clips = [clip(snr_db=20.0), clip(snr_db=26.0), clip(snr_db=30.0), clip(False, snr_db=10.0)]
    *_, axes = drawn(draw_quality, a_series(*clips)).axes
    hollow, filled, median = axes.lines
    assert (hollow.get_xdata().tolist(), hollow.get_markerfacecolor()) == ([10.0], "none")
    assert filled.get_xdata().tolist() == [20.0, 26.0, 30.0]
    assert filled.get_markerfacecolor() == COLOURS[0]
    assert set(median.get_xdata()) == {26.0}
    assert all(-0.5 < y < 0.5 for y in filled.get_ydata())  # in its row


def test_of_very_many_clips_the_share_below_is_drawn() -> None:
    values = range(DOTS + 51)
    clips = [clip(snr_db=float(value)) for value in reversed(values)]
    *_, axes = drawn(draw_quality, a_series(*clips)).axes
    (line,) = axes.lines
    at = dict(line.get_xydata().tolist())
    assert len(at) <= DOTS
    assert at[float(values[-1])] == 1.0
    assert at[0.0] == 1 / len(values)
    assert all(share == pytest.approx((value + 1) / len(values)) for value, share in at.items())


def test_of_very_many_clips_failures_have_a_thin_line() -> None:
    clips = [clip(i % 2 == 0, snr_db=float(i)) for i in range(2 * DOTS)]
    *_, axes = drawn(draw_quality, a_series(*clips)).axes
    verified, failed = axes.lines
    assert {value % 2 for value in verified.get_xdata()} == {0.0}
    assert {value % 2 for value in failed.get_xdata()} == {1.0}
    assert failed.get_linewidth() < verified.get_linewidth()


@pytest.mark.parametrize("count", [2, DOTS + 1])
def test_where_all_clips_failed_their_quality_is_drawn(count: int) -> None:
    failures = a_series(*[clip(False, snr_db=20.0)] * count)
    assert [chart.name for chart in charts([failures])] == ["passes", "quality"]
    *_, axes = drawn(draw_quality, failures).axes
    assert set(axes.lines[0].get_xdata()) == {20.0}


def test_ratings_have_the_marks_of_the_verdict() -> None:
    ratings = {"zimtohrli_mos": 4.5, "pesq_c2": 3.0, "snr_db": 20.0}
    zimtohrli, pesq, *_, snr = drawn(draw_quality, a_series(clip(**ratings))).axes
    dotted = [
        [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        for axes in (zimtohrli, pesq, snr)
    ]
    assert dotted == [[4.0, 4.7], [3.5, 4.35], []]  # of docs/numbers.md


def test_little_apart_does_not_fill_a_logarithmic_axis() -> None:
    several = [a_series(*[clip(masking_loss=loss)] * 2) for loss in (100.0, 101.0)]
    *_, axes = drawn(draw_methods, *several).axes
    low, high = axes.get_xlim()
    assert high / low == pytest.approx(10)
    assert low * high == pytest.approx(100 * 101, rel=0.01)  # in its middle


def test_only_what_was_measured_has_axes() -> None:
    above = ["share of bins above the masking threshold", "mean excess in those bins, dB"]
    figure = drawn(draw_quality, a_series(clip(snr_db=20.0)), a_series(clip(pesq_c2=3.0)))
    assert titles(figure) == ["PESQ (Cor. 2)", *above, "SNR, dB"]
    assert titles(drawn(draw_quality, a_series(clip()))) == above


def test_every_room_is_a_dot_at_its_rt60_and_the_clean_clip_a_control() -> None:
    first = clip(rooms=in_rooms(True, False, rt60=(0.8, 0.2)))
    clean = {"rooms": in_rooms(False, rt60=(0.2,)), "dry": DRY}
    second = clip(rooms=in_rooms(True, True, rt60=(0.8, 0.2)), clean=clean)
    both = a_series(first, second)
    (axes,) = drawn(draw_room_shares, both).axes
    control, saved, means = axes.lines
    assert control.get_xydata().tolist() == [[0.2, 0.0]]
    assert control.get_markerfacecolor() == "none"
    assert saved.get_xydata().tolist() == [[0.2, 0.5], [0.8, 1.0]]
    assert len(means.get_xdata()) == 0  # too few rooms


def test_methods_have_their_share_with_wilson_s_interval_and_medians() -> None:
    one = a_series(
        clip(pesq_c2=2.0), clip(pesq_c2=3.0), clip(pesq_c2=4.0), clip(False, pesq_c2=1.0)
    )
    figure = drawn(draw_methods, one, a_series(clip(False), label="other"))
    assert titles(figure)[1:] == [
        f"{n}, median and quartiles" for n in ("PESQ (Cor. 2)", "masking loss")
    ]
    verified, pesq, _ = figure.axes
    low, high = verified.lines[0].get_xdata()
    assert (low, high) == pytest.approx((0.300641843, 0.954412739))  # 3 of 4
    assert verified.lines[1].get_xdata().tolist() == [0.75]
    assert verified.lines[3].get_xdata().tolist() == [0.0]
    assert pesq.lines[0].get_xdata().tolist() == [2.5, 3.5]
    assert pesq.lines[1].get_xdata().tolist() == [3.0]


def test_series_differ_in_colour_marker_and_line() -> None:
    looks = [look(i) for i in range(len(COLOURS))]
    for part in zip(*looks, strict=True):
        assert len(set(part)) == len(COLOURS)
    assert look(len(COLOURS)) == looks[0]
    assert len(MARKERS) == len(COLOURS)


def test_a_series_keeps_its_colour_where_another_has_nothing() -> None:
    figure = drawn(draw_passes, a_series(clip()), a_series(clip(losses={1: 2.0}), label="b"))
    assert [line.get_color() for line in figure.axes[0].lines] == [COLOURS[1]]


# ---- what a page gets


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_charts_of_any_size_are_small_documents_of_their_own(count: int) -> None:
    for chart in charts([a_series(*some_clips(count)), a_series(*some_clips(3), label="b")]):
        root = ET.fromstring(chart.svg)
        assert root.tag == f"{SVG}svg"
        assert not list(root.iter(f"{SVG}text"))  # glyphs are outlines
        assert not list(root.iter(f"{SVG}script"))
        assert len(chart.svg) < 300_000
        assert INK not in chart.svg


def test_a_chart_is_the_same_every_time() -> None:
    def made() -> list[Chart]:
        return charts([a_series(*some_clips(40))])

    assert made() == made()
    assert not any(re.search(r"\d{4}-\d\d-\d\d|Matplotlib", chart.svg) for chart in made())


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: repr(label)[:12])
def test_no_label_breaks_a_chart_or_its_text(label: str) -> None:
    with warnings.catch_warnings(action="error"):
        found = charts([a_series(*some_clips(2), label=label), a_series(*some_clips(2))])
    assert len(found) == len(CHARTS)
    for chart in found:
        ET.fromstring(chart.svg)
        assert chart.alt.isprintable()
        assert len(chart.alt) < 2000
        assert "<script" not in chart.svg


def test_a_label_that_begins_with_an_underscore_is_in_the_legend() -> None:
    figure = drawn(draw_passes, a_series(clip(), label="_x"), a_series(clip(), label="$y$"))
    shown = [text.get_text().strip("\u200b") for text in figure.legends[0].get_texts()]
    assert shown == ["_x", "$y$"]


def test_the_text_says_in_numbers_what_is_to_be_seen() -> None:
    clips = [clip(first=f, losses={1: 800.0, 91: 4.0}, snr_db=s) for f, s in [(5, 20.0), (9, 30.0)]]
    alts = {chart.name: chart.alt for chart in charts([a_series(*clips, clip(False, None))])}
    assert "a run: 2 of 3 finished clips succeeded in the search" in alts["passes"]
    assert "half of these by pass 7, all by pass 9" in alts["passes"]
    assert "median masking loss 800 at pass 1, 4 at pass 91" in alts["passes"]
    assert "2 of 3 finished clips are verified" in alts["quality"]
    assert "SNR, dB, median 25 (quartiles 22.5 to 27.5)" in alts["quality"]


def test_the_text_of_rooms_and_of_methods() -> None:
    rooms = clip(rooms=in_rooms(True, True, False, rt60=(0.5, 0.25, 1.0)))
    others = a_series(clip(False), clip(False))
    alts = {chart.name: chart.alt for chart in charts([a_series(rooms), others])}
    assert "3 rooms with an RT60 from 0.25 to 1.00 s, in paper air; the target" in alts["rooms"]
    assert "the target is heard 2 of 3" in alts["rooms"]
    assert "verified 1 of 1, 100% (95 %: 21% to 100%)" in alts["methods"]
    assert "verified 0 of 2, 0% (95 %: 0% to 66%)" in alts["methods"]


# ---- what its reader sees


def page(folder: Path, svg: str) -> Path:
    """A page as strict as a report's, with one chart."""
    style = ":root{color-scheme:light dark}body{margin:0}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    source = base64.b64encode(svg.encode()).decode()
    path = folder / "page.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
        f' content="{policy}"><title>x</title><style>{style}</style>'
        f'<img alt="" src="data:image/svg+xml;base64,{source}">'
    )
    return path


def seen(chromium: Browser, path: Path, **media: Any) -> np.ndarray:
    """[H, W, 3] the pixels of a page, which says nothing on its console."""
    with browser.watched(chromium, viewport={"width": 400, "height": 400}) as tab:
        tab.page.emulate_media(**media)
        opened = tab.open(path)
        assert opened.evaluate("document.images[0].naturalWidth") > 300
        shot = opened.screenshot()
        assert tab.console == tab.from_elsewhere == []
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def test_ink_is_dark_on_light_and_light_on_dark_and_dark_on_paper(
    chromium: Browser, tmp_path: Path
) -> None:
    (chart, *_) = charts([a_series(*some_clips(5))])
    path = page(tmp_path, chart.svg)
    light = seen(chromium, path, color_scheme="light").sum(2)
    dark = seen(chromium, path, color_scheme="dark").sum(2)
    paper = seen(chromium, path, color_scheme="light", media="print").sum(2)
    for pixels in (light, paper):
        assert np.median(pixels) == 3 * 255  # the page shows through
        assert pixels.min() < 3 * 0x30
    assert np.median(dark) < 3 * 0x20
    assert dark.max() > 3 * 0xD8
