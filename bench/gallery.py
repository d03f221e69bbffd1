"""Make docs/gallery.md and its pictures from results of attacks on the embedded recogniser.

    python bench/gallery.py RUN ROOMS

RUN is the folder of a run without rooms, ROOMS that of one result of a method in rooms. All text
comes from their records; no recording is copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from mondegreen.errors import MondegreenError
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
    lines = [
        "# Gallery",
        *_sounds(),
        *_head(options.run),
        *_of_run(options.run),
        *_of_items(options.run),
    ]
    lines += _of_rooms(options.rooms)
    (DOCS / "gallery.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(run: Path) -> Iterator[str]:
    records = [read_record(folder) for folder in item_folders(run)]
    first = records[0]
    yield from ("", "## To look at", "")
    yield (
        f"{len(records)} clips of LibriSpeech test-clean, recogniser {first.victim}, method"
        f" {first.options.method}, preset {first.options.preset}, which was tuned on these clips."
        " All numbers are measured on the saved 16-bit files ([what they mean](numbers.md))."
        " `bench/gallery.py` writes this page with the figures of `mondegreen plot`. Only listeners"
        " can say whether a change is audible: [the report](report.md) plays the files, [the"
        " listening test](listening.md) asks listeners."
    )


def _sounds() -> Iterator[str]:
    """Where the site has its players; what they play is made by `docs/sounds.py`."""
    yield from ("", "## To listen to", "")
    yield (
        "On the site, with players: attacks on the two recordings that come with the installation,"
        " by the commands shown, so that they can be made again. (`make sounds site` makes them.)"
    )
    yield from ("", "<!-- sounds -->")


def _of_run(run: Path) -> Iterator[str]:
    yield from _section("Success and masking loss over passes", "passes", [run], "passes", "")
    yield from _section("Audibility", "quality", [run], "quality", "")


def _of_items(run: Path) -> Iterator[str]:
    """The best clip by PESQ, and the worst; failures are worst."""
    folders = sorted(item_folders(run), key=_success)
    for title, folder in (("The best clip", folders[-1]), ("The worst clip", folders[0])):
        record = read_record(folder)
        name = record.id
        yield from _section(title, "example", [folder], f"{name}-example", _words(record))
        yield from _picture("curve", [folder], f"{name}-curve", "Its search, pass by pass")


def _success(folder: Path) -> tuple[bool, float]:
    record = read_record(folder)
    return record.verified, record.quality.pesq or 0.0


def _of_rooms(item: Path) -> Iterator[str]:
    record = read_record(item)
    if record.survival is None:
        raise MondegreenError(f"{item} is no result of a method in rooms.")
    rooms = record.survival.rooms
    text = (
        f"{_words(record)} In {rooms.heard:.0%} of {rooms.count} simulated rooms that the search"
        f" had not used, it was heard as its target (95 %: {rooms.heard_low:.0%} to"
        f" {rooms.heard_high:.0%}). Method: {record.options.method}. The change is plainly audible."
    )
    yield from _section("One that survives rooms", "rooms", [item], "rooms", text)
    yield from _picture("example", [item], "rooms-example", "The clip and its perturbation")


def _words(record: Record) -> str:
    """Both transcripts, and how audible the perturbation may be."""
    proof = "verified from the saved file" if record.verified else "NOT verified"
    return (
        f"Transcript of the original: “{record.heard_clean}” Target, {proof}:"
        f" “{record.spelled}” PESQ {_number(record.quality.pesq)}, SNR"
        f" {_number(record.quality.snr_db)} dB, {record.passes} gradient passes."
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _section(title: str, figure: str, paths: Sequence[Path], name: str, text: str) -> Iterator[str]:
    yield from ("", f"### {title}")
    if text:
        yield from ("", text)
    yield from _picture(figure, paths, name, title)


def _picture(figure: str, paths: Sequence[Path], name: str, alt: str) -> Iterator[str]:
    """Draw it, scale it down, and link to it."""
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
