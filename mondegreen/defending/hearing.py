"""What is heard behind a defence, of clean clips and of adversarial files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.defending.defence import Defence
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.files import as_json, write_whole
from mondegreen.reading import is_file
from mondegreen.results.folder import RECORD, hash_of, item_folders, read_object
from mondegreen.results.item import Item, read_item
from mondegreen.results.record import typed
from mondegreen.text import matches
from mondegreen.victims.base import Recogniser
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.guard import bare
from mondegreen.victims.through import Through

ANEW: Final = 5  # draws in which a file is heard through what is random

OnDone = Callable[[int, int], object]


@dataclass(frozen=True)
class Heard:
    """What a recogniser hears of one clip, and of the file that was made of it."""

    id: str
    target: str
    text: str | None  # what is said; None: not known
    seconds: float  # of sound
    verified: bool  # the file is heard as its target by the recogniser that it was made on
    normaliser: str
    clean: tuple[str, ...]  # transcripts of the clip, of each draw of what is random
    adversarial: tuple[str, ...]  # the same of the file
    cost: float  # seconds of work of the defence per second of sound
    # of a detector: what it gives the clip and the file; the higher, the more suspicious
    clean_score: float | None = None
    score: float | None = None

    @property
    def share(self) -> float:
        """The share of draws in which the file is heard as its target."""
        heard = [matches(text, self.target, self.normaliser) for text in self.adversarial]
        return sum(heard) / len(heard)


@dataclass(frozen=True)
class Hearing:
    """What was heard of the results in a folder."""

    of: dict[str, str]  # the hashes of their records, by item
    recogniser: str  # its name, and the hash of what it is; see `mondegreen.victims.fingerprint`
    heard: tuple[Heard, ...]  # of each, in the same order


def listen(
    folder: Path, recogniser: Recogniser, defence: Defence, kept: Path, on_done: OnDone
) -> Hearing:
    """Hear every result of a folder behind a defence; what was heard before is read from `kept`.

    Each is kept at once, so that whatever ends this loses none.

    Raises:
        MondegreenError: a result cannot be read.
        StorageError: `kept` cannot be written.
        RecogniserError: the recogniser or the defence fails.
    """
    asked, who = hashes(folder), f"{recogniser.name} {fingerprint(recogniser)}"
    known = _read(kept, who)
    hearing = Hearing({}, who, ())
    for done, (item, digest) in enumerate(asked.items()):
        on_done(done, len(asked))
        before = known.get((item, digest))
        one = before or _heard(read_item(folder / item), recogniser, defence)
        hearing = Hearing(hearing.of | {item: digest}, who, (*hearing.heard, one))
        if before is None:
            write_whole(kept, as_json(asdict(hearing)))
    on_done(len(asked), len(asked))
    return hearing


def hashes(folder: Path) -> dict[str, str]:
    """The hash of each result's record, which has those of its files, by its path in a folder."""
    found = item_folders(folder)
    return {item.relative_to(folder).as_posix(): hash_of(item / RECORD) for item in found}


def _read(kept: Path, who: str) -> dict[tuple[str, str], Heard]:
    """What a recogniser has heard in an earlier call, by item and hash; nothing if damaged."""
    if not is_file(kept):
        return {}
    try:
        known = typed(Hearing, read_object(kept))
    except MondegreenError:
        return {}
    if known.recogniser != who or len(known.of) != len(known.heard):
        return {}
    return dict(zip(known.of.items(), known.heard, strict=True))


def _heard(item: Item, recogniser: Recogniser, defence: Defence) -> Heard:
    if (target := item.record.target) is None:
        raise OptionError(
            f"{item.record.id} was attacked without a target, and defences are judged by targets."
            " Expected the results of another method."
        )
    record, files = item.record, (item.clean, item.adversarial)
    sounds = tuple(_sound(item.as_heard(file)) for file in files)
    clean, adversarial = (tuple(_transcripts(recogniser, sound, defence)) for sound in sounds)
    seconds = len(sounds[0]) / record.sample_rate
    scores: list[float | None] = [None, None]
    began = time.perf_counter()
    if defence.detector is not None:
        scores = [defence.detector.score(recogniser, sound) for sound in sounds]
        spent = (time.perf_counter() - began) / 2
    else:
        spent = _work(recogniser, sounds[0])
    return Heard(
        record.id,
        target,
        record.text,
        seconds,
        record.verified,
        record.options.normaliser,
        clean,
        adversarial,
        spent / seconds,
        *scores,
    )


def _transcripts(recogniser: Recogniser, sound: Tensor, defence: Defence) -> Iterator[str]:
    """What is heard of a sound [T], once or in several draws of what is random."""
    if not defence.random:
        yield recogniser.transcribe(sound)
        return
    behind: Any = bare(recogniser)
    for seed in range(1, ANEW + 1):  # 0 is the draw that it was proved in
        yield type(behind)(behind.recogniser, behind.links, seed).transcribe(sound)


def _work(recogniser: Recogniser, sound: Tensor) -> float:
    """Seconds that the links before a recogniser, and more hearings than one, take of a sound."""
    behind = bare(recogniser)
    if not isinstance(behind, Through):
        return 0.0
    began = time.perf_counter()
    behind.heard(sound, behind.draws_of(sound))
    linked = time.perf_counter() - began
    if behind.hearings == 1:
        return linked
    behind.recogniser.transcribe(sound)
    hearing = time.perf_counter() - began - linked
    return behind.hearings * (linked + hearing) - hearing


def _sound(samples: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples))
