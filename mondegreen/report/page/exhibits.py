"""What can be heard and seen of a clip: the tracks of its player, waveforms, and spectrograms.

Spectrograms are PNGs with a palette, a pixel for each frame and band of
`mondegreen.results.levels`. All of them share one scale, so that they can be compared by their
colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from mondegreen.audio.pcm import Pcm, encode
from mondegreen.errors import MondegreenError
from mondegreen.report.figures.ink import HEAT
from mondegreen.report.numbers.entries import Entry
from mondegreen.report.page.media import Shelf
from mondegreen.report.page.waves import CHANGE, SOUND, wave
from mondegreen.results.folder import LEVELS
from mondegreen.results.levels import STEPS_PER_DB, Levels, levels_beside, levels_of
from mondegreen.results.sounds import Sounds, read_sounds

HERTZ: Final = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


class Tick(NamedTuple):
    """A mark on an axis: where it is, 0 to 1 from the start of the axis, and its label."""

    at: float
    label: str


TOP_DB: Final = 96  # the brightest colour; the darkest is 0 dB, and there is one for each dB
COLOURS: Final = TOP_DB + 1
PICTURES: Final = {  # what is drawn, in this order, and what it is called
    "clip": "Original",
    "adversarial": "Adversarial",
    "delta": "Perturbation δ",
    "theta": "Masking threshold θ of the original",
}
OF_THE_CLIP: Final = {"clip", "theta"}  # the same in all attempts


def picture(steps: NDArray[np.uint8], levels: Levels, seconds: float) -> bytes:
    """Levels [F, K] as a PNG over the clip's whole length in s, low frequencies below.

    Both ends, which no whole frame covers, are as dark as silence. `levels` tells the axes.
    """
    return _png(np.pad(steps, (_missing(levels, seconds), (0, 0))).T[::-1])


def _missing(levels: Levels, seconds: float) -> tuple[int, int]:
    """How many columns there are before the first frame and after the last, each at its middle."""
    if not levels.frame_seconds:
        return 0, 0
    frames = len(levels.clip)
    missing = max(round(seconds / levels.frame_seconds) - frames, 0)
    before = min(round(levels.seconds[0] / levels.frame_seconds - 0.5), missing)
    # levels of another sound could ask for any number; those of this one ask for less than a window
    return min(before, frames), min(missing - before, frames)


def legend() -> bytes:
    """The colours from left to right, one pixel high."""
    return _png((np.arange(COLOURS) * STEPS_PER_DB).astype(np.uint8)[None])


def _png(steps: NDArray[np.uint8]) -> bytes:
    index = np.minimum(steps // STEPS_PER_DB, COLOURS - 1).astype(np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(_palette())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@cache
def _palette() -> list[int]:
    shades = colormaps[HEAT](np.linspace(0, 1, COLOURS), bytes=True)
    return [int(part) for part in np.asarray(shades)[:, :3].ravel()]


def scale_ticks() -> list[Tick]:
    """Five marks along the colours, in decibels."""
    return [Tick(quarter / 4, f"{quarter * TOP_DB // 4}") for quarter in range(5)]


def ticks(length: float, steps: Sequence[float], most: int, unit: float = 1) -> list[Tick]:
    """Marks from 0 to `length`, labelled in `unit`, at the smallest step with at most `most`."""
    if not length > 0:
        return [Tick(0.0, "0")]
    step = next((step for step in steps if length / step < most), length)
    marks = np.arange(int(length / step) + 1) * step
    return [Tick(float(mark / length), f"{mark / unit:g}") for mark in marks]


# ---- of an item


class Exhibit(NamedTuple):
    """What an item has to be heard and seen."""

    label: str  # of its attempt; empty where there is only one
    entry: Entry
    sounds: Sounds | None = None
    levels: Levels | None = None
    adversarial: NDArray[np.uint8] | None = None  # [F, K] levels of that; known where `levels` are
    problem: str = ""  # why something cannot be played or drawn

    @classmethod
    def of(cls, label: str, entry: Entry) -> Exhibit:
        """Read it, and note what cannot be read."""
        folder, record = entry.folder, entry.record
        if folder is None or record is None:
            return cls(label, entry)
        try:
            sounds = read_sounds(folder, record)
        except MondegreenError as error:
            return cls(label, entry, problem=f"Its sounds cannot be played: {error}")
        if LEVELS not in record.files:
            return cls(label, entry, sounds)
        try:
            levels = levels_of(folder, record)
            beside = levels_beside(levels, sounds.original, sounds.adversarial, sounds.rate)
        except (MondegreenError, ValueError) as error:
            return cls(label, entry, sounds, problem=f"It cannot be drawn: {error}")
        return cls(label, entry, sounds, levels, beside)


class Track(NamedTuple):
    """A sound to choose in a player, what to know about it, and its name on the shelf."""

    label: str
    detail: str
    medium: str
    wave: str  # likewise, of its picture


def tracks(exhibits: Sequence[Exhibit], shelf: Shelf) -> list[Track]:
    """The recording, the adversarial files, and their perturbations, in this order.

    The recording comes once, unless attempts were made on different samples.
    """
    heard = [(one.label, one.sounds) for one in exhibits if one.sounds is not None]
    originals = [
        _track("Original", label, s.original, s.rate, wave((s.original, SOUND)), shelf)
        for label, s in heard
    ]
    if len({track.medium for track in originals}) == 1:
        originals = [originals[0]._replace(detail="")]
    return [
        *originals,
        *(
            _track("Adversarial", label, s.adversarial, s.rate, _both(s), shelf)
            for label, s in heard
        ),
        *(track for label, s in heard for track in _perturbation(label, s, shelf)),
    ]


def _track(what: str, label: str, pcm: Pcm, rate: int, drawn: bytes, shelf: Shelf) -> Track:
    kind = what.lower()
    sound = shelf.put(kind, encode(pcm, rate, "FLAC"), "flac")
    return Track(what, label, sound, shelf.put(kind, drawn, "svg"))


def _both(sounds: Sounds) -> bytes:
    """The waveform of the adversarial file, and over it what was changed."""
    change = sounds.adversarial.astype(np.int32) - sounds.original
    return wave((sounds.adversarial, SOUND), (change, CHANGE))


def _perturbation(label: str, sounds: Sounds, shelf: Shelf) -> Iterator[Track]:
    if sounds.perturbation is not None:
        gain = f"{sounds.gain_db:+.1f} dB".replace("-", "−")
        detail, drawn = f"{label}, {gain}" if label else gain, wave((sounds.perturbation, CHANGE))
        track = _track("Perturbation", detail, sounds.perturbation, sounds.rate, drawn, shelf)
        yield track._replace(label="Perturbation alone")


class Spectrogram(NamedTuple):
    """A spectrogram with its axes."""

    title: str
    alt: str  # what can be seen, in words and numbers
    medium: str  # its name on the shelf
    times: list[Tick]  # s
    frequencies: list[Tick]  # kHz


def spectrograms(exhibits: Sequence[Exhibit], shelf: Shelf) -> list[Spectrogram]:
    """The spectrograms of a clip; those of the recording once, the others for each attempt."""
    seen: dict[tuple[str, str], Spectrogram] = {}
    for of in PICTURES:
        for one in exhibits:
            if one.sounds and one.levels is not None and one.adversarial is not None:
                steps = one.adversarial if of == "adversarial" else getattr(one.levels, of)
                drawn = _spectrogram(of, steps, one, one.levels, one.sounds.seconds, shelf)
                seen.setdefault((drawn.medium, drawn.title), drawn)
    return list(seen.values())


def _spectrogram(
    of: str,
    steps: NDArray[np.uint8],
    one: Exhibit,
    levels: Levels,
    seconds: float,
    shelf: Shelf,
) -> Spectrogram:
    title, over = PICTURES[of], f"over {seconds:.1f} s and all frequencies"
    alt = f"Spectrogram: {title}, {over}."
    if of == "delta" and one.entry.record:
        above = one.entry.record.quality.masking
        by = f"{above.max_excess_db:.0f} dB at most"
        alt += f" It is above the masking threshold in {above.share_above:.1%} of bins, by {by}."
    return Spectrogram(
        title if of in OF_THE_CLIP or not one.label else f"{title}, {one.label}",
        alt,
        shelf.put(of, picture(steps, levels, seconds), "png"),
        ticks(seconds, SECONDS, 10),
        ticks(levels.clip.shape[1] * levels.band_hertz, HERTZ, 5, 1000),
    )
