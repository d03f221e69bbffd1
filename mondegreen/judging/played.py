"""What a recogniser hears of a result that was played in a room and recorded there.

Nothing is simulated: the file is found in the recording, cut out of it on its own clock, and
transcribed as loud as it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mondegreen.aim import Aim
from mondegreen.air.loop.alignment import Place, explained, find_takes
from mondegreen.air.loop.clock import Sound, delayed, lag, on_players_clock
from mondegreen.air.loop.recorded import read_recorded
from mondegreen.audio.pcm import resample
from mondegreen.errors import AudioError
from mondegreen.measures.quality import measure
from mondegreen.measures.transfer import Transcribed, transcribe
from mondegreen.results.item import read_item
from mondegreen.results.record import Quality
from mondegreen.text import WordErrors, word_errors
from mondegreen.victims.base import Recogniser
from mondegreen.victims.guard import guarded

OTHER: Final = 0.8  # of what the result leaves unexplained: a file that leaves less was played
NEAR: Final = 0.005  # s within which two takes are brought together


@dataclass(frozen=True)
class Take:
    """One time that a file was played, and what was heard."""

    recording: str
    begins: float  # s, in the recording
    drift_ppm: float  # by which the recorder's clock is faster than the player's
    explained: float  # the share of its energy that is the file, through some room
    peak_db: float  # dB of full scale
    heard: Transcribed


@dataclass(frozen=True)
class Played:
    """What is heard of a result over the air."""

    result: str
    victim: str  # who heard
    target: str | None  # None: untargeted
    original: str
    takes: tuple[Take, ...]
    aim: str  # as what it is to be heard, in words: see `mondegreen.aim`
    heard: float  # share of them in which it is
    # heard_low, heard_high: Wilson's 95 % interval of that share
    heard_low: float
    heard_high: float
    # wer_target, wer_original: word error rates, pooled
    wer_target: float | None
    wer_original: float
    clean: tuple[Take, ...]  # of the clean clip, where it was recorded
    quality: Quality | None  # the surest take against the surest of the clean clip
    floor: Quality | None  # a second take of the clean clip against the first: no change at all

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class _Cut(NamedTuple):
    """A take, cut out of its recording on the player's clock."""

    recording: str
    place: Place
    rate: int
    audio: NDArray[np.float32]  # [T]


def score(
    recogniser: Recogniser,
    recordings: Sequence[Path],
    result: str | PathLike[str],
    clean: Path | None = None,
    on_take: Callable[[int, int], None] | None = None,
) -> Played:
    """Find a result in recordings, transcribe every take, and compare it with the clean clip.

    Args:
        recogniser: who hears; it need not be the one that was attacked.
        recordings: each with one take or more of the result's `adversarial.wav`.
        result: an item folder or its `record.json`.
        clean: a recording of the clean clip, at the same places and level.
        on_take: called after each transcript, with how many of how many are done.

    Raises:
        AudioError: a recording cannot be used, or the file is not in it.
        MondegreenError: the result is not whole.
        VictimError: the recogniser's own code fails.
    """
    recogniser, item = guarded(recogniser), read_item(result)
    record = item.record
    aim = record.aim
    files = {
        "adversarial file": item.as_heard(item.adversarial),
        "clean clip": item.as_heard(item.clean),
    }
    cuts_of = partial(_cuts, rate=record.sample_rate, files=files)
    played = [cut for path in recordings for cut in cuts_of(path, "adversarial file")]
    aside = [] if clean is None else cuts_of(clean, "clean clip")
    takes = []
    for number, cut in enumerate((*played, *aside), 1):
        takes.append(_heard(recogniser, cut, aim))
        if on_take is not None:
            on_take(number, len(played) + len(aside))
    own = takes[: len(played)]
    texts = [take.heard.transcript for take in own]
    hits = sum(take.heard.matched for take in own)
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(hits, len(own)).proportion_ci(method="wilson")
    best = sorted(aside, key=lambda cut: -cut.place.explained)
    surest = max(played, key=lambda cut: cut.place.explained)
    return Played(
        result=str(result),
        victim=recogniser.name,
        target=record.target,
        aim=aim.words,
        original=record.heard_clean,
        takes=tuple(own),
        heard=hits / len(own),
        heard_low=float(interval.low),
        heard_high=float(interval.high),
        wer_target=None if aim.target is None else _pooled(aim.target, texts, aim.normaliser),
        wer_original=_pooled(record.heard_clean, texts, aim.normaliser),
        clean=tuple(takes[len(played) :]),
        quality=_quality(best[0], surest) if best else None,
        floor=_quality(*best[:2]) if len(best) > 1 else None,
    )


def _cuts(
    path: Path, asked: str, rate: int, files: Mapping[str, NDArray[np.float32]]
) -> list[_Cut]:
    """Every take of one of two files in a recording, in the order of time."""
    file, (there,) = files[asked], files.keys() - {asked}
    other = files[there]
    recorded = read_recorded(path)
    sound = resample(recorded.audio.astype(np.float32), recorded.sample_rate, rate).astype(float)
    played = file.astype(float)
    places = sorted(find_takes(sound, played, rate), key=lambda place: place.offset)
    if not places:
        raise AudioError(
            f"The file of {len(file) / rate:.1f} s was not found in {recorded.name}, which lasts"
            f" {len(sound) / rate:.1f} s. Expected a recording of all of it; play it louder or"
            " nearer, and check which file was played."
        )
    for place in places:
        if 1 - explained(sound, place, other.astype(float), rate) < OTHER * (1 - place.explained):
            raise AudioError(
                f"{recorded.name} has the {there} at {place.offset / rate:.1f} s, expected the"
                f" {asked}. Check which file was played."
            )
    return [
        _Cut(recorded.name, place, rate, _on_clock(sound, place, len(file))) for place in places
    ]


def _on_clock(sound: Sound, place: Place, length: int) -> NDArray[np.float32]:
    heard = on_players_clock(sound, place.offset, place.drift, length)
    return np.clip(heard, -1, 1).astype(np.float32)


def _heard(recogniser: Recogniser, cut: _Cut, aim: Aim) -> Take:
    return Take(
        recording=cut.recording,
        begins=cut.place.offset / cut.rate,
        drift_ppm=cut.place.drift * 1e6,
        explained=cut.place.explained,
        peak_db=float(20 * np.log10(max(np.abs(cut.audio).max(), 1e-6))),
        heard=transcribe(recogniser, cut.audio, cut.rate, aim),
    )


def _pooled(reference: str, texts: Sequence[str], normaliser: str) -> float:
    counts = [word_errors(reference, text, normaliser) for text in texts]
    return sum(counts, WordErrors(0, 0)).rate


def _quality(clean: _Cut, other: _Cut) -> Quality:
    """The panel, after the other take is brought to the clean one to a part of a sample."""
    first, second = clean.audio.astype(float), other.audio.astype(float)
    later = lag(first, second, round(NEAR * clean.rate)).samples
    return measure(first, delayed(second, -later), clean.rate)
