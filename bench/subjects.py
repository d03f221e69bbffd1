"""The victims, clips and targets of the benchmark.

`fast` was found on some clips and is judged on others, of other speakers.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import soundfile

from mondegreen.audio.pcm import load, save
from mondegreen.errors import OptionError
from mondegreen.victims import Victim, load_victim
from mondegreen.victims.embedded.bundled import RECORDING, asset

WORDS, LETTERS, WHISPER = "moonshine-tiny", "moonshine-tiny-ctc", "whisper-tiny.en"
VICTIMS = (WORDS, LETTERS)  # those that come with the installation
LIBRISPEECH = (  # also attacked in rooms
    "3575-170457-0013",
    "2961-960-0020",
    "8224-274381-0007",
    "61-70968-0011",
    "5142-36377-0007",
)
FIND, JUDGE = "find", "judge"
SETS: Mapping[str, tuple[str, ...]] = {
    FIND: (
        *LIBRISPEECH,
        "arctic-aew_a0001",
        "arctic-aew_a0003",
        "harvard-spk1_snt1",
        "harvard-spk1_snt3",
        "harvard-spk1_snt5",
    ),
    JUDGE: (
        "arctic-axb_a0005",
        "arctic-axb_a0006",
        "harvard-spk2_snt1",
        "harvard-spk2_snt3",
        "harvard-spk2_snt5",
        "harvard-example1",
        "lj-050-0131",
        "beckett",
        "two_cities",
    ),
}
WHEEL = {  # recordings in the wheel of the embedded recogniser
    "beckett": (RECORDING, "everyone can hear what nobody ever said"),
    "two_cities": (
        "moonshine_voice/assets/two_cities.wav",
        "we are leaving for the coast tomorrow morning",
    ),
}
SECONDS: Final = 10  # at most, of the wheel's recordings
SPOKEN = {  # for the weaker victim, where a clip's own target is long
    "3575-170457-0013": "open the front door",
    "2961-960-0020": "turn off the alarm",
    "8224-274381-0007": "good morning",
    "61-70968-0011": "call me later",
    "5142-36377-0007": "send the money",
    "arctic-aew_a0001": "send my regards",
    "arctic-aew_a0003": "call me tonight",
    "arctic-axb_a0006": "transfer the money",
    "harvard-spk1_snt1": "good evening",
    "harvard-spk1_snt3": "call me back",
    "harvard-spk1_snt5": "add the figures",
    "harvard-spk2_snt3": "there is joy",
    "harvard-example1": "one is enough",
}
WORK = Path(__file__).with_name("work")


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


def loaded(name: str) -> Victim:
    """A victim by its name here; the folder of Whisper is in MONDEGREEN_WHISPER."""
    if name != WHISPER:
        return load_victim(name)
    victim: Any = load_victim(os.environ.get("MONDEGREEN_WHISPER", WHISPER))
    victim.name = name  # not where it lies on this machine
    return victim


def subjects(tables: Sequence[Path], victim: str, only: Sequence[str] = ()) -> list[Subject]:
    """The clips for a victim, the shortest first.

    Args:
        tables: of clips, with the columns id, audio (relative to the table) and target. The wheel's
            recordings are always there.
        victim: its name.
        only: ids of clips; default: all.

    Raises:
        OptionError: a clip of `only` is in no table.
    """
    found = {subject.clip: subject for subject in _all(tables, victim)}
    unknown = set(only) - set(found)
    if unknown:
        raise OptionError(f"Got the clips {sorted(unknown)}, expected some of {sorted(found)}.")
    chosen = [subject for clip, subject in found.items() if not only or clip in only]
    return sorted(chosen, key=lambda subject: subject.seconds)


def _all(tables: Sequence[Path], victim: str) -> Iterator[Subject]:
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                path = table.parent / row["audio"]
                yield _subject(row["id"], path, row["target"], victim)
    for clip, (recording, target) in WHEEL.items():
        yield _subject(clip, _beginning(clip, asset(recording)), target, victim)


def _subject(clip: str, path: Path, target: str, victim: str) -> Subject:
    spoken = SPOKEN.get(clip, target) if victim == LETTERS else target
    return Subject(clip, path, spoken, soundfile.info(path).duration)


def _beginning(clip: str, recording: Path) -> Path:
    """A recording, or a file at 16 kHz with its first `SECONDS` if it is longer."""
    if soundfile.info(recording).duration <= SECONDS:
        return recording
    path = WORK / f"{clip}.wav"
    if not path.exists():
        WORK.mkdir(exist_ok=True)
        save(path, load(recording, 16_000)[: SECONDS * 16_000], 16_000)
    return path
