"""The victims, clips and targets of the benchmark."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from mondegreen.errors import OptionError

WORDS, LETTERS = "moonshine-tiny", "moonshine-tiny-ctc"
VICTIMS = (WORDS, LETTERS)
SPOKEN = {  # shorter than the clips' own targets, for the weaker victim
    "3575-170457-0013": "open the front door",
    "2961-960-0020": "turn off the alarm",
    "8224-274381-0007": "good morning",
    "61-70968-0011": "call me later",
    "5142-36377-0007": "send the money",
}


@dataclass(frozen=True)
class Subject:
    """A clip and its target.

    Attributes:
        clip: its id.
        path: the recording.
        target: the phrase.
        seconds: how long the recording is.
    """

    clip: str
    path: Path
    target: str
    seconds: float


def subjects(clips: Path, victim: str, only: Sequence[str] = ()) -> list[Subject]:
    """The clips of a table for a victim, the shortest first; columns id, audio and target.

    Raises:
        OptionError: a clip of `only` is not in the table.
    """
    found = {subject.clip: subject for subject in _read(clips, victim)}
    unknown = set(only) - set(found)
    if unknown:
        raise OptionError(f"Got the clips {sorted(unknown)}, expected some of {sorted(found)}.")
    chosen = [subject for clip, subject in found.items() if not only or clip in only]
    return sorted(chosen, key=lambda subject: subject.seconds)


def _read(clips: Path, victim: str) -> Iterator[Subject]:
    with clips.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path = clips.parent / row["audio"]
            target = SPOKEN[row["id"]] if victim == LETTERS else row["target"]
            yield Subject(row["id"], path, target, soundfile.info(path).duration)
