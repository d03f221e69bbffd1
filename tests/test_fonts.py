"""Fonts for writing that DejaVu Sans lacks, on fonts made here: what is chosen and said."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from mondegreen.report.figures import fonts
from mondegreen.report.figures.ink import rendered


def a_font(folder: Path, family: str, characters: str) -> str:
    """A font whose glyphs are full squares."""
    pen = TTGlyphPen(None)
    for at, point in enumerate([(0, 0), (0, 1000), (1000, 1000), (1000, 0)]):
        (pen.lineTo if at else pen.moveTo)(point)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"uni{ord(character):04X}" for character in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    name = family.replace(" ", "")
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": name})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    path = folder / f"{name}.ttf"
    builder.save(path)
    return str(path)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The fonts of a machine that has only those of matplotlib; whoever adds some installs them."""
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    paths: list[str] = []
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: paths)
    forget()
    yield paths
    forget()


def forget() -> None:
    fonts.fallbacks.cache_clear()
    fonts._warn.cache_clear()
    fontManager._findfont_cached.cache_clear()


def drawn(text: str, suffix: str = ".svg") -> bytes:
    def draw(figure: Figure) -> None:
        figure.set_size_inches(3, 1)
        figure.text(0.1, 0.5, text)

    return rendered(draw, suffix)


def test_a_font_is_found_that_has_the_characters(
    installed: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installed += [a_font(tmp_path, "Other", "朝"), a_font(tmp_path, "Some CJK", "宋朝")]
    assert fonts.fallbacks(frozenset("a宋朝")) == (["Some CJK"], frozenset())
    without = drawn("ab")
    assert drawn("宋ab朝") != without
    assert b"SomeCJK" in drawn("宋ab朝", ".pdf")
    assert b"SomeCJK" not in drawn("ab", ".pdf")
    assert caplog.records == []


def test_several_fonts_have_together_what_none_has_alone(
    installed: list[str], tmp_path: Path
) -> None:
    installed += [a_font(tmp_path, "Thai", "กข"), a_font(tmp_path, "Han", "宋朝末")]
    assert fonts.fallbacks(frozenset("宋朝末กขa字")) == (["Han", "Thai"], frozenset("字"))


def test_what_no_font_has_is_said_once_and_what_to_install(
    installed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert installed == []
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            drawn("宋 and 朝")
    assert [record.getMessage() for record in caplog.records] == [
        "warning: no installed font has 宋 朝, which are drawn as boxes. Install one that has, such"
        " as Noto Sans CJK (Debian: fonts-noto-cjk) or Noto Sans (fonts-noto-core)."
    ]


def test_of_many_characters_some_are_named(
    installed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert installed == []
    drawn("".join(map(chr, range(0x4E00, 0x4E00 + 100))))
    assert "一 丁 丂 七 丄 丅 丆 万 and 92 more, which" in caplog.text


def test_a_damaged_font_is_passed_over(installed: list[str], tmp_path: Path) -> None:
    (tmp_path / "damaged.ttf").write_bytes(b"\0\1\0\0" + b"x" * 100)
    installed += [str(tmp_path / "damaged.ttf"), str(tmp_path / "gone.ttf")]
    installed.append(a_font(tmp_path, "Whole", "宋"))
    assert fonts.fallbacks(frozenset("宋")) == (["Whole"], frozenset())


@pytest.mark.parametrize(
    "text", ["Grüße, Привет", "αβγ θ δ ‖∞", "a\u200bb\u202ec\nd", "افتح", "שלום"]
)
def test_what_dejavu_has_needs_no_other(
    installed: list[str], caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert installed == []
    drawn(text)
    assert caplog.records == []


def test_right_to_left_writing_is_drawn_from_right_to_left(installed: list[str]) -> None:
    """Hebrew letters do not join, so that these are others turned round and forced to the right."""
    assert installed == []
    assert drawn("אב", ".png") == drawn("\u202dבא\u202c", ".png")
    assert drawn("אב", ".png") != drawn("בא", ".png")
