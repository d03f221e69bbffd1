"""Make docs/gallery.md and its pictures from results of attacks on the embedded recogniser.

    python bench/gallery.py RUN ROOMS

RUN is the folder of a run without rooms, ROOMS that of one result of a method in rooms. All numbers
come from their records; no recording is copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from mondegreen.report.figures.plots import plot
from mondegreen.results.folder import item_folders
from mondegreen.results.item import read_record
from mondegreen.results.record import Record

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES = DOCS / "gallery"
WIDTH = 1100  # pixels; enough for a page, and small enough for a repository


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("rooms", type=Path, help="one result of a method in rooms")
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    lines = [*_head(options.run), *_of_run(options.run), *_of_items(options.run)]
    lines += _of_rooms(options.rooms)
    (DOCS / "gallery.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(run: Path) -> Iterator[str]:
    records = [read_record(folder) for folder in item_folders(run)]
    first, options = records[0], records[0].options
    yield "# Gallery"
    yield ""
    yield (
        f"{len(records)} clips of LibriSpeech test-clean, the recogniser {first.victim}, method"
        f" {options.method}, preset {options.preset}. Every number is of the saved 16-bit files."
        " The pictures are those of `mondegreen plot`, and this page is written by"
        " `bench/gallery.py`. Whether anything of it can be heard is decided by ears:"
        " [the report](report.md) plays them, [the listening test](listening.md) asks listeners."
    )


def _of_run(run: Path) -> Iterator[str]:
    yield from _section("How fast it goes", "passes", [run], "passes", "")
    yield from _section("What it costs the ear", "quality", [run], "quality", "")


def _of_items(run: Path) -> Iterator[str]:
    """The clip with the best PESQ, and the one with the worst; failures count as worst."""
    folders = sorted(item_folders(run), key=_success)
    for title, folder in (("The best of them", folders[-1]), ("The worst of them", folders[0])):
        record = read_record(folder)
        name = record.id
        yield from _section(title, "example", [folder], f"{name}-example", _told(record))
        yield from _picture("curve", [folder], f"{name}-curve", "The search for it, pass by pass")


def _success(folder: Path) -> tuple[bool, float]:
    record = read_record(folder)
    return record.verified, record.quality.pesq or 0.0


def _of_rooms(item: Path) -> Iterator[str]:
    record = read_record(item)
    assert record.survival is not None, "a method in rooms is proved in rooms"
    rooms = record.survival.rooms
    told = (
        f"{_told(record)} Played in {rooms.count} simulated rooms that the search had not met,"
        f" it was heard as its target in {rooms.heard:.0%} of them (95 %:"
        f" {rooms.heard_low:.0%} to {rooms.heard_high:.0%}); it is {record.options.method}, not"
        " hidden from the ear."
    )
    yield from _section("One that survives rooms", "rooms", [item], "rooms", told)
    yield from _picture("example", [item], "rooms-example", "What it does to the clip")


def _told(record: Record) -> str:
    """The transcripts before and after, and the size of the change, in words."""
    proof = "proved from the saved file" if record.verified else "NOT proved from the saved file"
    return (
        f"Heard in the recording: “{record.transcript_clean}” Asked for, and {proof}:"
        f" “{record.spelled}” PESQ {_number(record.quality.pesq)}, signal to noise"
        f" {_number(record.quality.snr_db)} dB, {record.passes} gradient passes."
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _section(title: str, figure: str, paths: Sequence[Path], name: str, text: str) -> Iterator[str]:
    yield from ("", f"## {title}")
    if text:
        yield from ("", text)
    yield from _picture(figure, paths, name, title)


def _picture(figure: str, paths: Sequence[Path], name: str, alt: str) -> Iterator[str]:
    """Draw a figure, scale it down, and link it."""
    path = PICTURES / f"{name}.png"
    plot(paths, path, figure)
    with Image.open(path) as drawn:
        scale = min(1.0, WIDTH / drawn.width)
        size = round(drawn.width * scale), round(drawn.height * scale)
        small = drawn.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(128).save(path, optimize=True)
    yield from ("", f"![{alt}](gallery/{path.name})")


if __name__ == "__main__":
    main()
