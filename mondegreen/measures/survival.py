"""In how many rooms a sound is heard as was aimed for: a share, its interval, and word errors.

A room stands for a place where the sound was never tried, so what is reported is counted in a
bank's `test` split, which no attack looks at. `heard_share` is the quick look by which an attack
chooses, on `validate`; `survival` is the proof, through the recogniser's own pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.aim import Aim
from mondegreen.air.rooms.bank import Split
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.through import judged
from mondegreen.airs import Air
from mondegreen.results.record import Dry, InRooms, RoomTranscript, Survival
from mondegreen.text import WordErrors, matches, word_errors
from mondegreen.victims.base import Recogniser, Victim

SURVIVES = 0.5
AT_ONCE = 1_000_000  # samples of reverberated sound held at a time


def survival(
    recogniser: Recogniser,
    sounds: Sequence[NDArray[np.float32]],
    aim: Aim,
    split: Split,
    on_room: Callable[[int, int], None] | None = None,
    air: Air | None = None,
) -> list[Survival]:
    """Transcribe sounds in every room of a split, and in none.

    In each room the air draws anew, as no search has; all sounds are heard in the same draws.

    Ctrl-C after the first room ends the listening: what was heard by then is what is reported, of
    all sounds in the same rooms, and `count` says in how many.

    Args:
        recogniser: transcribes by its own public pipeline.
        sounds: each [T] in [-1, 1] at its rate, such as a saved file and its clean clip.
        aim: what to compare with.
        split: the rooms, of the same rate.
        on_room: called after each, with how many of how many are done.
        air: what happens to the sound besides the room; None: nothing.

    Raises:
        OptionError: there is no normaliser of that name.
    """
    audio, rate = [torch.from_numpy(sound) for sound in sounds], recogniser.sample_rate
    dry = [recogniser.transcribe(sound) for sound in audio]
    heard: list[list[str]] = []
    try:
        for in_room in zip(*(_in_each(sound, split, air, rate) for sound in audio), strict=True):
            heard.append([recogniser.transcribe(sound) for sound in in_room])
            if on_room is not None:
                on_room(len(heard), len(split.rooms))
    except KeyboardInterrupt:
        if not heard:
            raise
    return [
        Survival(_in_all(texts, aim, split), _dry(alone, aim))
        for texts, alone in zip(zip(*heard, strict=True), dry, strict=True)
    ]


def survives(seen: Survival) -> bool:
    """Whether a sound does what a method in rooms promises: its aim in at least half of them."""
    return seen.rooms.heard >= SURVIVES


def heard_share(
    victim: Victim, sound: Tensor, target: Tensor, split: Split, air: Air | None = None
) -> float:
    """Share of a split's rooms in which greedy decoding gives the target, by forward passes alone.

    Args:
        victim: the recogniser.
        sound: [T] in [-1, 1] on the 16-bit grid.
        target: the symbols, of `victim.encode`.
        split: the rooms.
        air: see `survival`.
    """
    hits = 0
    with torch.no_grad():
        for rows in _in_air(sound.to(victim.device, victim.dtype), split, air, victim.sample_rate):
            lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
            hits += int(victim.score(rows, lengths, [target] * len(rows)).matched.sum())
    return hits / len(split.rooms)


def _in_each(sound: Tensor, split: Split, air: Air | None, rate: int) -> Iterator[Tensor]:
    for rows in _in_air(sound, split, air, rate):
        yield from rows


def _in_air(sound: Tensor, split: Split, air: Air | None, rate: int) -> Iterator[Tensor]:
    """The sound [T] in the rooms of a split, in their order, some [m, T] at a time."""
    reverb = Reverb(split.rirs.to(sound.device, sound.dtype))
    at_once = max(1, AT_ONCE // len(sound))
    return judged(sound, air or Air(), reverb, split.name, rate, at_once)


def _in_all(heard: Sequence[str], aim: Aim, split: Split) -> InRooms:
    target, original, by = aim.target, aim.original, aim.normaliser
    each = tuple(
        RoomTranscript(room.id, room.rt60, text, aim.met(text))
        for room, text in zip(split.rooms, heard, strict=False)  # fewer texts: interrupted
    )
    hits = sum(seen.matched for seen in each)
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(hits, len(heard)).proportion_ci(method="wilson")
    to_target = None if target is None else _rates(target, heard, by)
    to_original = None if original is None else _rates(original, heard, by)
    as_said = None if original is None else [matches(text, original, by) for text in heard]
    return InRooms(
        split=split.name,
        count=len(heard),
        distinct=len({seen.room for seen in each}),
        heard=hits / len(heard),
        heard_low=float(interval.low),
        heard_high=float(interval.high),
        heard_original=None if as_said is None else sum(as_said) / len(heard),
        wer_target=to_target.rate if to_target else None,
        wer_original=to_original.rate if to_original else None,
        each=each,
        wer_target_median=to_target.median if to_target else None,
        wer_original_median=to_original.median if to_original else None,
    )


def _dry(heard: str, aim: Aim) -> Dry:
    target, original, by = aim.target, aim.original, aim.normaliser
    return Dry(
        heard=float(aim.met(heard)),
        wer_target=None if target is None else word_errors(target, heard, by).rate,
        wer_original=None if original is None else word_errors(original, heard, by).rate,
    )


class _Rates(NamedTuple):
    rate: float  # pooled over the transcripts
    median: float


def _rates(reference: str, heard: Sequence[str], normaliser: str) -> _Rates:
    """Word error rates of one or more transcripts to one reference."""
    counts = [word_errors(reference, text, normaliser) for text in heard]
    pooled = sum(counts, WordErrors(0, 0)).rate
    return _Rates(pooled, float(np.median([errors.rate for errors in counts])))
