"""What is to be heard and seen of a clip: the tracks of its player, and its spectrograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.report.gathering import Version
from mondegreen.report.media import Medium, Shelf
from mondegreen.report.outcomes import cells_to_show
from mondegreen.report.pictures import PICTURES, Tick, frequency_ticks, picture, time_ticks
from mondegreen.report.sounds import PEAK_DB, Pcm, Sounds, flac, read_sounds
from mondegreen.runs.folder import LEVELS, hash_of
from mondegreen.runs.levels import Levels, read_levels

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
        of: a name of `mondegreen.report.pictures.PICTURES`.
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
    return Track(what, label, shelf.put(what.lower(), flac(pcm, rate), "flac"))


def _perturbation(label: str, sounds: Sounds, shelf: Shelf) -> Iterator[Track]:
    if sounds.perturbation is not None:
        louder = f"{sounds.gain_db:+.1f} dB, to a peak of {PEAK_DB:.0f} dB".replace("-", "−")
        medium = shelf.put("perturbation", flac(sounds.perturbation, sounds.rate), "flac")
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
