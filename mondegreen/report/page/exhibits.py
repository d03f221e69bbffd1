"""What is to be heard and seen of a clip: the tracks of its player, and its spectrograms.

Spectrograms are PNGs with a palette, a pixel for each frame and band of
`mondegreen.results.levels`. All levels share one scale, and so do all excesses over the masking
threshold, so that pictures can be compared by their colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from mondegreen.audio.pcm import Pcm, encode
from mondegreen.errors import MondegreenError
from mondegreen.report.numbers.outcomes import cells_to_show
from mondegreen.report.numbers.sources import Version
from mondegreen.report.page.media import Medium, Shelf
from mondegreen.results.folder import LEVELS, hash_of
from mondegreen.results.levels import STEPS_PER_DB, Levels, read_levels
from mondegreen.results.sounds import PEAK_DB, Sounds, read_sounds

COLOURS: Final = "magma"  # even in lightness, and safe for the colour-blind
HERTZ: Final = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Scale:
    """What colours stand for.

    Attributes:
        top_db: the brightest colour; the darkest is 0 dB.
        step_db: levels within a step have one colour.
        ticks_db: what is written beside it.
        beyond: levels above the brightest colour occur.
    """

    top_db: int
    step_db: float
    ticks_db: tuple[int, ...]
    beyond: bool

    @property
    def colours(self) -> int:
        """How many there are."""
        return round(self.top_db / self.step_db) + 1


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is, 0 to 1 from the axis's beginning, and what it says."""

    at: float
    label: str


LEVEL: Final = Scale(96, 1.0, (0, 24, 48, 72, 96), beyond=False)
EXCESS: Final = Scale(20, 0.5, (0, 5, 10, 15, 20), beyond=True)
PICTURES: Final = {"clip": LEVEL, "theta": LEVEL, "delta": LEVEL, "excess": EXCESS}


def picture(levels: Levels, of: str, seconds: float) -> bytes:
    """One of the four as a PNG, from the beginning of the clip to its end, low frequencies below.

    Where no whole frame lies, at either end, the picture is as dark as silence.

    Args:
        levels: of the item.
        of: a name of `PICTURES`.
        seconds: how long the clip is.
    """
    steps: NDArray[np.uint8] = getattr(levels, of)
    before, after = _missing(levels, seconds)
    return _png(np.pad(steps, ((before, after), (0, 0))).T[::-1], PICTURES[of])


def _missing(levels: Levels, seconds: float) -> tuple[int, int]:
    """How many columns there are before the first frame and after the last, each at its middle."""
    if not levels.frame_seconds:
        return 0, 0
    frames = len(levels.clip)
    missing = max(round(seconds / levels.frame_seconds) - frames, 0)
    before = min(round(levels.seconds[0] / levels.frame_seconds - 0.5), missing)
    # levels of another sound could ask for any number; those of this one ask for less than a window
    return min(before, frames), min(missing - before, frames)


def legend(scale: Scale) -> bytes:
    """The colours of a scale from left to right, one pixel high."""
    decibels = np.arange(scale.colours) * scale.step_db
    return _png(np.rint(decibels * STEPS_PER_DB).astype(np.uint8)[None], scale)


def _png(steps: NDArray[np.uint8], scale: Scale) -> bytes:
    index = steps // round(scale.step_db * STEPS_PER_DB)
    image = Image.fromarray(np.minimum(index, scale.colours - 1).astype(np.uint8), "P")
    image.putpalette(_palette(scale.colours))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@cache
def _palette(colours: int) -> list[int]:
    shades = colormaps[COLOURS](np.linspace(0, 1, colours), bytes=True)
    return [int(part) for part in np.asarray(shades)[:, :3].ravel()]


def time_ticks(seconds: float) -> list[Tick]:
    """Marks along a clip, ten or so."""
    return _ticks(seconds, SECONDS, 10, 1)


def frequency_ticks(levels: Levels) -> list[Tick]:
    """Marks up to the highest band, in kHz."""
    return _ticks(levels.clip.shape[1] * levels.band_hertz, HERTZ, 5, 1000)


def scale_ticks(scale: Scale) -> list[Tick]:
    """Marks along a scale, in decibels."""
    more = "+" if scale.beyond else ""
    last = scale.ticks_db[-1]
    return [Tick(db / scale.top_db, f"{db}{more if db == last else ''}") for db in scale.ticks_db]


def _ticks(length: float, steps: Sequence[float], most: int, unit: float) -> list[Tick]:
    """From 0 to at most `length`, at the smallest step that makes no more than `most` of them."""
    if not length > 0:
        return [Tick(0.0, "0")]
    step = next((step for step in steps if length / step < most), length)
    marks = np.arange(int(length / step) + 1) * step
    return [Tick(float(mark / length), f"{mark / unit:g}") for mark in marks]


TITLES: Final = {
    "clip": "Original",
    "theta": "Masking threshold θ of the original",
    "delta": "Perturbation δ",
    "excess": "Perturbation above the threshold",
}
OF_THE_CLIP: Final = {"clip", "theta"}  # alike in all versions


class Exhibit(NamedTuple):
    """What an item has to be heard and seen.

    Attributes:
        label: of its version; empty where there is only one.
        sounds: None: they cannot be read.
        levels: None: there is nothing to draw from.
        cells: its row.
        problems: why something is missing.
    """

    label: str
    sounds: Sounds | None
    levels: Levels | None
    cells: Mapping[str, Any]
    problems: list[str]


@dataclass(frozen=True)
class Track:
    """A sound to choose in a player: what it is, and what has to be known of it."""

    label: str
    detail: str
    medium: Medium


@dataclass(frozen=True)
class Drawing:
    """A spectrogram with its axes.

    Attributes:
        title: what it shows.
        of: a name of `mondegreen.report.page.exhibits.PICTURES`.
        alt: what is to be seen, in words and numbers.
        medium: the picture.
        times, frequencies: marks on its axes, in seconds and kHz.
    """

    title: str
    of: str
    alt: str
    medium: Medium
    times: list[Tick]
    frequencies: list[Tick]


def exhibit(label: str, version: Version) -> Exhibit:
    """Read what an item has to be heard and seen, and note what cannot be read."""
    cells, record = cells_to_show(version.entry), version.entry.record
    if version.folder is None or version.entry.status != "done":
        return Exhibit(label, None, None, cells, [])
    try:
        sounds = read_sounds(version.folder, record)
    except MondegreenError as error:
        return Exhibit(label, None, None, cells, [f"Its sounds cannot be played: {error}"])
    try:
        return Exhibit(label, sounds, _levels(version), cells, [])
    except MondegreenError as error:
        return Exhibit(label, sounds, None, cells, [f"It cannot be drawn: {error}"])


def _levels(version: Version) -> Levels | None:
    """The levels of an item; None: it was made without."""
    assert version.folder is not None
    path, files = version.folder / LEVELS, version.entry.record["files"]
    if not path.is_file() and LEVELS not in files:
        return None
    levels = read_levels(path)
    if LEVELS in files and hash_of(path) != files[LEVELS]:
        raise MondegreenError(f"{path} is not the file that was saved: no picture is drawn of it")
    return levels


# ---- sounds


def tracks(exhibits: Sequence[Exhibit], shelf: Shelf) -> list[Track]:
    """The recording, the adversarial files, and their perturbations, in this order.

    The recording stands once, unless versions were made from different samples.
    """
    heard = [(e.label, e.sounds) for e in exhibits if e.sounds is not None]
    originals = [(label, s.original, s.rate) for label, s in heard]
    adversarial = [(label, s.adversarial, s.rate) for label, s in heard]
    return [
        *_once([_track("Original", *one, shelf) for one in originals]),
        *(_track("Adversarial", *one, shelf) for one in adversarial),
        *(track for label, s in heard for track in _perturbation(label, s, shelf)),
    ]


def _once(originals: list[Track]) -> list[Track]:
    same = len({track.medium.name for track in originals}) == 1
    return [Track("Original", "", originals[0].medium)] if same else originals


def _track(what: str, label: str, pcm: Pcm, rate: int, shelf: Shelf) -> Track:
    return Track(what, label, shelf.put(what.lower(), encode(pcm, rate, "FLAC"), "flac"))


def _perturbation(label: str, sounds: Sounds, shelf: Shelf) -> Iterator[Track]:
    if sounds.perturbation is not None:
        louder = f"{sounds.gain_db:+.1f} dB, to a peak of {PEAK_DB:.0f} dB".replace("-", "−")
        medium = shelf.put("perturbation", encode(sounds.perturbation, sounds.rate, "FLAC"), "flac")
        yield Track("Perturbation alone", f"{label}, {louder}" if label else louder, medium)


# ---- pictures


def drawings(exhibits: Sequence[Exhibit], shelf: Shelf) -> list[Drawing]:
    """The spectrograms of a clip; those of the recording once, the others for each version."""
    seen: dict[tuple[str, str], Drawing] = {}
    for found in exhibits:
        for of in PICTURES:
            drawing = _drawing(of, found, shelf)
            if drawing is not None:
                again = "" if of in OF_THE_CLIP else found.label
                seen.setdefault((drawing.medium.name, again), drawing)
    return sorted(seen.values(), key=lambda drawing: list(PICTURES).index(drawing.of))


def _drawing(of: str, found: Exhibit, shelf: Shelf) -> Drawing | None:
    if found.sounds is None or found.levels is None:
        return None
    seconds = found.sounds.seconds
    medium = shelf.put(of, picture(found.levels, of, seconds), "png")
    named = f"{TITLES[of]}, {found.label}" if found.label else TITLES[of]
    return Drawing(
        TITLES[of] if of in OF_THE_CLIP else named,
        of,
        _alt(of, found),
        medium,
        time_ticks(seconds),
        frequency_ticks(found.levels),
    )


def _alt(of: str, found: Exhibit) -> str:
    """What a picture shows, for those who cannot see it."""
    assert found.sounds is not None
    over = f"over {found.sounds.seconds:.1f} s and all frequencies"
    share = found.cells.get("masking_share_above")
    if of == "excess" and share is not None:
        most = found.cells.get("masking_max_excess_db", 0.0)
        return f"{TITLES[of]}, {over}: in {share:.1%} of all bins, by {most:.0f} dB at most."
    return f"Spectrogram: {TITLES[of]}, {over}."
