"""What can be heard and seen of a clip: the tracks of its player, and its spectrograms.

Spectrograms are PNGs with a palette, a pixel for each frame and band of
`mondegreen.results.levels`. All levels share one scale, and so do all excesses over the masking
threshold, so that pictures can be compared by their colours.
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
from mondegreen.results.folder import LEVELS
from mondegreen.results.levels import STEPS_PER_DB, Levels, levels_of
from mondegreen.results.sounds import PEAK_DB, Sounds, read_sounds

HERTZ: Final = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


class Scale(NamedTuple):
    """What colours stand for."""

    top_db: int  # the brightest colour; the darkest is 0 dB
    step_db: float  # levels within a step have one colour
    beyond: bool  # levels above the brightest colour occur

    @property
    def colours(self) -> int:
        """How many there are."""
        return round(self.top_db / self.step_db) + 1


class Tick(NamedTuple):
    """A mark on an axis: where it is, 0 to 1 from the start of the axis, and its label."""

    at: float
    label: str


LEVEL: Final = Scale(96, 1.0, beyond=False)
EXCESS: Final = Scale(20, 0.5, beyond=True)
PICTURES: Final = {  # of `Levels`: what they show, and their scale
    "clip": ("Original", LEVEL),
    "theta": ("Masking threshold θ of the original", LEVEL),
    "delta": ("Perturbation δ", LEVEL),
    "excess": ("Perturbation above the threshold", EXCESS),
}
OF_THE_CLIP: Final = {"clip", "theta"}  # the same in all attempts


def picture(levels: Levels, of: str, seconds: float) -> bytes:
    """One of `PICTURES` as a PNG over the clip's whole length in s, low frequencies below.

    Both ends, which no whole frame covers, are as dark as silence.
    """
    steps: NDArray[np.uint8] = getattr(levels, of)
    return _png(np.pad(steps, (_missing(levels, seconds), (0, 0))).T[::-1], PICTURES[of][1])


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
    shades = colormaps[HEAT](np.linspace(0, 1, colours), bytes=True)
    return [int(part) for part in np.asarray(shades)[:, :3].ravel()]


def scale_ticks(scale: Scale) -> list[Tick]:
    """Five marks along a scale, in decibels."""
    labels = [f"{quarter * scale.top_db // 4}" for quarter in range(5)]
    labels[-1] += "+" if scale.beyond else ""
    return [Tick(quarter / 4, label) for quarter, label in enumerate(labels)]


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
            return cls(label, entry, sounds, levels_of(folder, record))
        except MondegreenError as error:
            return cls(label, entry, sounds, problem=f"It cannot be drawn: {error}")


class Track(NamedTuple):
    """A sound to choose in a player, what to know about it, and its name on the shelf."""

    label: str
    detail: str
    medium: str


def tracks(exhibits: Sequence[Exhibit], shelf: Shelf) -> list[Track]:
    """The recording, the adversarial files, and their perturbations, in this order.

    The recording comes once, unless attempts were made on different samples.
    """
    heard = [(one.label, one.sounds) for one in exhibits if one.sounds is not None]
    originals = [_track("Original", label, s.original, s.rate, shelf) for label, s in heard]
    if len({track.medium for track in originals}) == 1:
        originals = [originals[0]._replace(detail="")]
    return [
        *originals,
        *(_track("Adversarial", label, s.adversarial, s.rate, shelf) for label, s in heard),
        *(track for label, s in heard for track in _perturbation(label, s, shelf)),
    ]


def _track(what: str, label: str, pcm: Pcm, rate: int, shelf: Shelf) -> Track:
    return Track(what, label, shelf.put(what.lower(), encode(pcm, rate, "FLAC"), "flac"))


def _perturbation(label: str, sounds: Sounds, shelf: Shelf) -> Iterator[Track]:
    if sounds.perturbation is not None:
        gain = f"{sounds.gain_db:+.1f} dB, to a peak of {PEAK_DB:.0f} dB".replace("-", "−")
        detail = f"{label}, {gain}" if label else gain
        track = _track("Perturbation", detail, sounds.perturbation, sounds.rate, shelf)
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
            if one.sounds and one.levels:
                drawn = _spectrogram(of, one, one.sounds.seconds, one.levels, shelf)
                seen.setdefault((drawn.medium, drawn.title), drawn)
    return list(seen.values())


def _spectrogram(
    of: str, one: Exhibit, seconds: float, levels: Levels, shelf: Shelf
) -> Spectrogram:
    title, over = PICTURES[of][0], f"over {seconds:.1f} s and all frequencies"
    alt = f"Spectrogram: {title}, {over}."
    if of == "excess" and one.entry.record:
        above = one.entry.record.quality.masking
        by = f"{above.max_excess_db:.0f} dB at most"
        alt = f"{title}, {over}: in {above.share_above:.1%} of all bins, by {by}."
    return Spectrogram(
        title if of in OF_THE_CLIP or not one.label else f"{title}, {one.label}",
        alt,
        shelf.put(of, picture(levels, of, seconds), "png"),
        ticks(seconds, SECONDS, 10),
        ticks(levels.clip.shape[1] * levels.band_hertz, HERTZ, 5, 1000),
    )
