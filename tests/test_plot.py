"""Figures of results, as a user asks for them: what is drawn, how, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from run_folders import mondegreen
from test_series import a_clip, a_point, in_rooms
from test_tables import MASKING, a_record, a_run, write_item
from toy import TARGET, linear_victim, speech, toy_bank

from mondegreen import MondegreenError, attack
from mondegreen.air.rooms.survey import portrait
from mondegreen.audio.pcm import save
from mondegreen.errors import OptionError
from mondegreen.measures.spectra import Spectra
from mondegreen.report.figures import ink, pictures
from mondegreen.report.figures.formats import FORMATS
from mondegreen.report.figures.pictures import (
    draw_curve,
    draw_example,
    draw_rooms,
    draw_threshold,
    stages,
)
from mondegreen.report.figures.plots import draw_item, plot
from mondegreen.results.folder import LEVELS
from mondegreen.results.levels import Levels
from mondegreen.results.record import Record

CURVE = [
    a_point(1, "first", loss=90.0, eps=0.0625, alpha=None, masking_loss=None, matched=False),
    a_point(11, "first", loss=9.0, eps=0.03125, alpha=None, masking_loss=None, matched=True),
    a_point(21, "second", loss=8.0, eps=None, alpha=0.05, masking_loss=500.0, matched=True),
    a_point(31, "second", loss=0.0, eps=None, alpha=0.5, masking_loss=50.0, matched=False),
]


def some_levels(frames: int = 40) -> Levels:
    clip = np.arange(frames * 8, dtype=np.uint8).reshape(frames, 8)
    return Levels(0.032, 1000.0, clip, clip // 2, clip // 3, clip // 4)


def an_item(folder: Path, **changes: Any) -> Path:
    levels = some_levels().to_bytes()
    files = {LEVELS: hashlib.sha256(levels).hexdigest()}
    write_item(folder, a_record(curve=CURVE, files=files, **changes))
    (folder / LEVELS).write_bytes(levels)
    return folder


@pytest.fixture
def item(tmp_path: Path) -> Path:
    return an_item(tmp_path / "item")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return a_run(tmp_path / "run", {"a": a_record(curve=CURVE), "b": a_record(preset="paper")})


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn, before they are written."""
    kept: list[Any] = []
    whole = ink.rendered

    def keep(draw: Any, *arguments: Any, **options: Any) -> bytes:
        def drawing(figure: Any) -> None:
            draw(figure)
            kept.append(figure)

        return whole(drawing, *arguments, **options)

    monkeypatch.setattr(ink, "rendered", keep)
    return kept


def titles(figure: Any) -> list[str]:
    return [t for axes in figure.axes if (t := axes.get_title(loc="left"))]


# ---- what a clip's figures show


def a_picture(**changes: Any) -> Record:
    return a_clip(curve=CURVE, **changes)


def test_an_example_shows_the_levels_where_and_when_they_are(drawn, tmp_path: Path) -> None:
    levels, masking = some_levels(), {**MASKING, "share_above": 0.123}
    record = a_picture(heard_clean="before", heard="after", masking=masking)
    draw_example(levels, record, tmp_path / "x.png")
    axes = [a for a in drawn[0].axes if a.get_images()]
    for of, one in zip(("clip", "delta", "excess"), axes, strict=True):
        (image,) = one.get_images()
        assert np.array_equal(image.get_array(), levels.decibels(of).T)
        # a window is 4 / 1000 Hz = 4 ms long, so the first frame is around 2 ms, and 32 ms wide
        assert image.get_extent() == pytest.approx((-0.014, 1.266, 0.0, 8.0))
    assert titles(drawn[0]) == [
        "original: “before”",
        "δ; original plus δ: “after”",
        "δ above the threshold θ, in 12.3% of all bins",
        "δ against θ, in the loudest bin of each band",
    ]
    lines = {line.get_label(): line.get_ydata() for line in drawn[0].axes[3].lines}
    assert np.allclose(lines["threshold θ, mean level"], levels.decibels("theta").mean(0))


@pytest.mark.parametrize("text", ["$\\frac", "\u202eabc", "_", "日本語", "", "word " * 2000])
def test_an_example_takes_any_text(tmp_path: Path, text: str) -> None:
    record = a_picture(id=text, heard_clean=text, heard=text)
    draw_example(some_levels(), record, tmp_path / "x.svg")
    ET.parse(tmp_path / "x.svg")


def test_a_clip_of_one_frame_is_drawn(tmp_path: Path) -> None:
    one = np.ones((1, 1), np.uint8)
    draw_example(Levels(0.0, 31.25, one, one, one, one), a_picture(), tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").width == 2100


def test_a_curve_shows_what_the_search_had(drawn, tmp_path: Path) -> None:
    draw_curve(a_picture(id="a clip", found_at=21), tmp_path / "x.png")
    heard, loss, masking, eps, alpha = drawn[0].axes
    hollow, filled, *_ = heard.lines
    assert hollow.get_xdata().tolist() == [1, 31]
    assert filled.get_xdata().tolist() == [11, 21]
    assert loss.lines[0].get_xydata().tolist() == [[1, 90], [11, 9], [21, 8], [31, 1e-6]]
    assert masking.lines[0].get_xydata().tolist() == [[21, 500], [31, 50]]
    assert eps.lines[0].get_xydata().tolist() == [[1, 2048], [11, 1024]]  # of 32768
    assert alpha.lines[0].get_xydata().tolist() == [[21, 0.05], [31, 0.5]]
    for axes in drawn[0].axes:  # where the second stage begins, and what was saved was found
        assert [line.get_xdata()[0] for line in axes.lines[-2:]] == [21, 21]
    told = " ".join(drawn[0].get_suptitle().split())
    assert told == ("a clip: first from pass 1; second from pass 21; saved: pass 21")


def test_in_rooms_the_share_of_what_was_listened_to_is_shown(drawn, tmp_path: Path) -> None:
    points = [a_point(4, loss=1.0, matched=False, hits=1, judged=4)]
    draw_curve(a_clip(curve=points, found_at=None), tmp_path / "x.png")
    hollow, filled = drawn[0].axes[0].lines
    assert hollow.get_ydata().tolist() == [0.25]
    assert filled.get_ydata().tolist() == []
    assert [label.get_text() for label in drawn[0].axes[0].get_yticklabels()] == ["none", "all"]
    assert "never heard" in drawn[0].get_suptitle()


def test_stages_are_told_in_their_order_even_if_one_comes_twice() -> None:
    names = ["a", "a", "b", "a"]
    told = a_clip(curve=[a_point(10 * i + 1, name) for i, name in enumerate(names)])
    assert stages(told.curve) == [("a", 1), ("b", 21), ("a", 31)]


def test_a_record_without_a_curve_has_none_to_draw(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="no curve to draw"):
        draw_curve(a_clip(curve=[]), tmp_path / "x.png")


# ---- where its parts are


def some_spectra() -> Spectra:
    grid = np.add.outer(np.arange(30.0), np.arange(40.0))
    return Spectra(
        np.arange(30) * 0.032, np.arange(40) * 200.0, grid[0] >= 0, grid, grid - 20, grid > 60
    )


LONG_ID = "a-very-long-name-of-a-clip" * 8


@pytest.mark.parametrize("name", [LONG_ID, "我的录音" * 50])
@pytest.mark.parametrize("what", ["rooms", "example", "threshold", "curve"])
def test_nothing_is_over_the_data_or_past_the_page(
    monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:
    kept: list[ink.Draw] = []
    monkeypatch.setattr(pictures, "write", lambda draw, _: kept.append(draw))
    if what == "rooms":
        draw_rooms(portrait(toy_bank()), Path(), name)
    elif what == "threshold":
        draw_threshold(some_spectra(), Path(), name)
    elif what == "curve":
        draw_curve(a_picture(id=name), Path())
    else:
        draw_example(some_levels(), a_picture(id=name, heard_clean=name, heard=name), Path())
    with matplotlib.rc_context(ink.STYLE), warnings.catch_warnings(action="ignore"):
        figure = Figure(layout="constrained")
        kept[0](figure)
        FigureCanvasAgg(figure).draw()
    page = figure.bbox.padded(1)
    ticks = {
        label for axes in figure.axes for label in axes.get_xticklabels() + axes.get_yticklabels()
    }
    for text in set(figure.findobj(Text)) - ticks:  # of ticks, some are not drawn
        if text.get_visible() and text.get_text():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    for axes in figure.axes:
        if legend := axes.get_legend():
            assert not legend.get_window_extent().overlaps(axes.bbox)
        others = [other.bbox for other in figure.axes if other is not axes]
        title = axes._left_title.get_window_extent()
        assert not any(title.overlaps(box) for box in others), axes.get_title(loc="left")


# ---- which figure is drawn


@pytest.mark.parametrize("figure", [None, "example", "curve"])
def test_an_item_is_drawn_from_its_folder_or_its_record(
    drawn, item: Path, tmp_path: Path, figure: str | None
) -> None:
    for path in (item, item / "record.json"):
        plot([path], tmp_path / "x.png", figure)
    assert titles(drawn[0]) == titles(drawn[1])
    assert ("δ against θ" in " ".join(titles(drawn[0]))) == (figure != "curve")


def test_an_item_in_rooms_has_them_drawn(drawn, tmp_path: Path) -> None:
    plot([an_item(tmp_path / "item", rooms=in_rooms(True, False))], tmp_path / "x.png", "rooms")
    saved = drawn[0].axes[0].lines[1]
    assert saved.get_xydata().tolist() == [[0.1, 1.0], [0.2, 0.0]]


def test_the_rooms_of_an_item_are_not_those_of_the_items_inside_it(drawn, tmp_path: Path) -> None:
    an_item(tmp_path / "demo", method="combined", rooms=in_rooms(True))
    an_item(tmp_path / "demo" / "robust", method="robust", rooms=in_rooms(False, False))
    plot([tmp_path / "demo"], tmp_path / "x.png", "rooms")
    assert drawn[0].axes[0].lines[1].get_xydata().tolist() == [[0.1, 1.0]]


def test_a_folder_that_is_named_twice_is_drawn_once(drawn, run: Path, tmp_path: Path) -> None:
    plot([run, run / ".." / "run"], tmp_path / "x.png", "methods")
    assert [t.get_text().strip("\u200b") for t in drawn[0].legends[0].get_texts()] == [
        *("fast", "paper"),
    ]


@pytest.mark.parametrize(
    ("figure", "title"),
    [
        (None, "masking loss"),  # of one clip in each, success is but a point
        ("passes", "masking loss"),
        ("quality", "Zimtohrli MOS"),
        ("methods", "verified, of finished clips; 95 % intervals"),
    ],
)
def test_runs_are_drawn_together(
    drawn, run: Path, item: Path, tmp_path: Path, figure, title
) -> None:
    plot([run, item], tmp_path / "x.png", figure)
    assert titles(drawn[0])[0] == title
    assert len(drawn[0].legends[0].get_texts()) >= 3  # two presets in the run, and the item


def test_several_items_are_a_run_of_their_own(drawn, item: Path, tmp_path: Path) -> None:
    other = an_item(tmp_path / "other", victim="another")
    plot([item / "record.json", other], tmp_path / "x.png", "methods")
    assert [t.get_text().strip("\u200b") for t in drawn[0].legends[0].get_texts()] == [
        "linear, item",
        "another, other",
    ]


# ---- what is refused


def test_a_figure_that_there_is_none_of_names_those_that_there_are(
    item: Path, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="example, curve, rooms"):
        plot([item], tmp_path / "x.png", "passes")
    for paths in ([run], [item, item.parent / "run"]):
        with pytest.raises(OptionError, match="passes, quality, rooms, methods"):
            plot(paths, tmp_path / "x.png", "example")
    assert not (tmp_path / "x.png").exists()


def test_nothing_to_draw_says_what_it_needs(item: Path, run: Path, tmp_path: Path) -> None:
    empty = a_run(tmp_path / "empty", pending=["a"])
    one = a_run(tmp_path / "one", {"a": a_record()})
    for path, figure, needed in [
        (item, "rooms", "a method in rooms"),
        (run, "rooms", "a method in rooms"),
        (one, "methods", "two runs"),
        (empty, None, "a finished clip"),
        (empty, "quality", "a finished clip"),
    ]:
        with pytest.raises(OptionError, match=f"nothing to draw.*{needed}"):
            plot([path], tmp_path / "x.png", figure)


def test_levels_that_are_missing_or_of_another_item_are_not_drawn(
    item: Path, tmp_path: Path
) -> None:
    draw_item(item, tmp_path / "good.png")
    (item / LEVELS).write_bytes(some_levels(41).to_bytes())
    with pytest.raises(MondegreenError, match="not the file that was saved"):
        draw_item(item, tmp_path / "x.png")
    (item / LEVELS).unlink()
    with pytest.raises(MondegreenError, match="Attack the clip again"):
        draw_item(item, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.png.txt", ".png"])
def test_other_formats_are_refused(item: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(MondegreenError, match=r"\.png, \.svg, \.pdf"):
        plot([item], tmp_path / name)


def test_a_folder_that_is_not_there_is_said(item: Path, tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="does not exist"):
        plot([tmp_path / "none"], tmp_path / "x.png")
    with pytest.raises(MondegreenError, match="could not be written"):
        plot([item], tmp_path / "none" / "x.png")


# ---- formats


def test_a_column_and_a_page_at_300_dots_per_inch(run: Path, item: Path, tmp_path: Path) -> None:
    for path, inches in ((run, ink.COLUMN), (item, ink.PAGE)):
        plot([path], tmp_path / "x.PNG")
        image = Image.open(tmp_path / "x.PNG")
        assert image.width == round(300 * inches)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_vector_formats_have_their_fonts_in_them(run: Path, tmp_path: Path) -> None:
    plot([run], tmp_path / "x.pdf")
    pdf = (tmp_path / "x.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType, embedded
    assert b"/Type3" not in pdf
    plot([run], tmp_path / "x.svg")
    svg = (tmp_path / "x.svg").read_text()
    assert not re.search(r"<text|font-family|currentColor|var\(", svg)  # any viewer shows it


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_picture_is_the_same_file(item: Path, tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        plot([item], tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


# ---- the command


def test_the_command_says_where_the_picture_is(item: Path, tmp_path: Path) -> None:
    ran = mondegreen("plot", item, "--out", "x.svg", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "x.svg\n")
    ET.parse(tmp_path / "x.svg")
    ran = mondegreen("plot", item, "--figure", "nix", "--out", "y.svg", cwd=tmp_path)
    assert ran.returncode == 2
    assert "Expected: example, curve, rooms." in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "y.svg").exists()


def test_it_is_drawn_without_torch(item: Path, run: Path, tmp_path: Path) -> None:
    check = (
        "import sys; from pathlib import Path; from mondegreen.cli.report import plot;"
        " a, b, out = map(Path, sys.argv[1:]); plot([a], out); plot([a, b], out, 'methods');"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check, item, run, tmp_path / "x.png"], check=True)
    assert Image.open(tmp_path / "x.png").width == round(300 * ink.COLUMN)


# ---- of an attack


def test_what_an_attack_in_rooms_has_saved_can_be_drawn(drawn, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    how = {"method": "robust", "rooms": toy_bank(), "max_passes": 40}
    item = attack(linear_victim(), tmp_path / "clip.wav", TARGET, **how).save(tmp_path / "item")
    record = json.loads((item / "record.json").read_text())
    for figure in ("example", "curve", "rooms"):
        plot([item], tmp_path / "x.png", figure)
    control, saved, _ = drawn[2].axes[0].lines
    assert set(saved.get_xdata()) == set(control.get_xdata()) == {0.1}  # of all toy rooms
    assert len(saved.get_xdata()) == record["rooms"]["count"] == 10
    assert saved.get_ydata().mean() == pytest.approx(record["rooms"]["heard"])
    assert control.get_ydata().mean() == record["clean"]["rooms"]["heard"] == 0.0
