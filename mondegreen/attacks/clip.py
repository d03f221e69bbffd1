"""A clip and its target, read and checked before any time is spent on an attack."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mondegreen.attacks.options import Options
from mondegreen.attacks.result import Result
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import load
from mondegreen.errors import OptionError, TargetError
from mondegreen.results.item import read_item
from mondegreen.search.presets import BEGINS_WITH, IN_ROOMS, Stages, within
from mondegreen.search.presets import preset as stages_of
from mondegreen.text import as_sentence, check_target, matches, word_errors
from mondegreen.victims.base import Victim

AudioPath = str | PathLike[str]
Start = Result | str | PathLike[str]

SEEDS = 2**63
FASTEST_SPEECH = 4.5  # words a second; a target above this is hard to fit in


@dataclass(frozen=True)
class Clip:
    """A clip and its target, ready to be attacked.

    Attributes:
        id: the recording's name, numbered where two have the same.
        path: the recording.
        target: the phrase asked for.
        spelled: the phrase as the victim shall write it.
        tokens: `spelled` in the victim's symbols.
        clean: [T] float32 at the victim's rate, on the 16-bit grid.
        heard: what the victim hears in it.
        text: what is said in it; None: not known.
        start: [T] float32, the perturbation to go on from; None: silence.
        warnings: what stands against believing, or reaching, a result.
    """

    id: str
    path: Path
    target: str
    spelled: str
    tokens: Tensor
    clean: Tensor
    heard: str
    text: str | None
    start: Tensor | None
    warnings: list[str]

    @property
    def hash(self) -> str:
        """SHA-256 of its samples and of its target's symbols."""
        digest = hashlib.sha256(self.clean.numpy().tobytes())
        digest.update(str(self.tokens.tolist()).encode())
        return digest.hexdigest()

    @property
    def wer_clean(self) -> float | None:
        """Word error rate of what is heard in it; None: what is said in it is not known.

        Transcripts of data sets have no case and no punctuation, so that only words are compared.
        """
        return None if self.text is None else word_errors(self.text, self.heard).rate


def prepare(
    victim: Victim,
    audio: Sequence[AudioPath],
    targets: Sequence[str],
    options: Options,
    starts: Sequence[Start] | None = None,
    texts: Sequence[str | None] | None = None,
) -> list[Clip]:
    """Read and check everything that an attack needs, before any time is spent on one.

    Args:
        victim: who is attacked.
        audio: files of any rate and channel count.
        targets: one phrase for each.
        options: how.
        starts: a finished result to go on from for each; None: begin with silence.
        texts: what is said in each, where it is known; None: in none.

    Raises:
        AudioError, TargetError, OptionError, RoomError: as `attack_batch`.
    """
    check_options(options, victim.sample_rate, started=starts is not None)
    if len(audio) != len(targets) or not audio:
        raise OptionError(
            f"Got {len(audio)} clips and {len(targets)} targets, expected one target for each clip."
        )
    if starts is not None and len(starts) != len(audio):
        raise OptionError(f"Got {len(starts)} starts for {len(audio)} clips, expected one each.")
    ids = distinct_names(audio)
    begins: Sequence[Start | None] = starts if starts is not None else [None] * len(audio)
    said = texts if texts is not None else [None] * len(audio)
    given = zip(ids, audio, targets, begins, said, strict=True)
    return [_prepared(victim, *each, options) for each in given]


def check_options(options: Options, sample_rate: int, started: bool = False) -> None:
    """See that options are among those on offer, before any clip is looked at.

    Args:
        options: how to attack.
        sample_rate: the victim's, Hz.
        started: there are finished results to go on from.

    Raises:
        OptionError, RoomError: they are not.
    """
    bound = options.under_threshold
    stages = stages_of(options.method, options.preset, started=started, under=bound)
    if not 0 <= options.seed < SEEDS:
        raise OptionError(f"Got seed={options.seed}, expected 0 to 2**63 - 1.")
    _check_budget(stages, options)
    _check_rooms(options, sample_rate)


def _check_budget(stages: Stages, options: Options) -> None:
    """See that a number of passes lets the search begin, and reach the stage that keeps a bound."""
    if not within(stages, options.max_passes):
        least = stages[0].over.draws
        raise OptionError(
            f"Got max_passes={options.max_passes}, expected at least {least}: one step's worth."
        )
    if options.under_threshold is not None and not _reaches_the_last(stages, options.max_passes):
        least = next(n for n in count(1) if _reaches_the_last(stages, n))
        raise OptionError(
            f"Got max_passes={options.max_passes}, and a bound that the preset {options.preset}"
            f" comes to last; give {least} at least, or leave the bound out."
        )


def _reaches_the_last(stages: Stages, passes: int | None) -> bool:
    fitting = within(stages, passes)
    return bool(fitting) and fitting[-1].name == stages[-1].name


def _check_rooms(options: Options, sample_rate: int) -> None:
    if not options.in_rooms:
        if options.rooms is not None or options.air:
            raise OptionError(
                f"{options.method} takes no rooms; expected one of: {', '.join(sorted(IN_ROOMS))}."
                " To hear its result in rooms, use: mondegreen evaluate"
            )
        return
    if options.rooms is None:
        raise OptionError(f"{options.method} needs a bank of rooms; give one, or `default_bank`.")
    if options.rooms.sample_rate != sample_rate:
        raise OptionError(
            f"The bank of rooms is of {options.rooms.sample_rate} Hz, the recogniser of"
            f" {sample_rate} Hz. Make a bank at that rate."
        )
    for split in ("attack", "validate", "test"):
        options.rooms.split(split)


def distinct_names(audio: Sequence[AudioPath]) -> list[str]:
    """The files' names, numbered where they repeat: they may come from several folders."""
    taken: list[str] = []
    for name in (Path(path).stem for path in audio):
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        taken.append(next(candidate for candidate in numbered if candidate not in taken))
    return taken


def _prepared(
    victim: Victim,
    name: str,
    audio: AudioPath,
    target: str,
    start: Start | None,
    text: str | None,
    options: Options,
) -> Clip:
    check_target(target)
    if options.exact and target != " ".join(target.split()):
        raise TargetError(
            f"Got the target {target!r} with spaces that no recogniser prints; expected single ones"
            " between words, to match it exactly."
        )
    spelled = target if options.exact else as_sentence(target)
    clean = quantise(torch.from_numpy(load(audio, victim.sample_rate)))
    tokens, heard = victim.encode(spelled, len(clean)), victim.transcribe(clean)
    seconds = len(clean) / victim.sample_rate
    warnings = _warnings(target, seconds, matches(heard, target, options.normaliser))
    begins = None if start is None else _delta_of(start, victim, clean, target, options)
    return Clip(name, Path(audio), target, spelled, tokens, clean, heard, text, begins, warnings)


def _delta_of(start: Start, victim: Victim, clean: Tensor, target: str, options: Options) -> Tensor:
    """The perturbation of an earlier success on the same clip, with the same target and victim."""
    earlier = start if isinstance(start, Result) else read_item(start)
    expected = {
        "method": BEGINS_WITH[options.method],
        "victim": victim.name,
        "target": target,
    }
    for name, value in expected.items():
        if earlier.told(name) != value:
            raise OptionError(
                f"The start has the {name} {earlier.told(name)!r}, expected {value!r}. Give a"
                f" finished {expected['method']} result for the same."
            )
    if earlier.told("found_at") is None:
        raise OptionError("The start found nothing that is heard. Give it more passes first.")
    if not np.array_equal(earlier.clean, clean.numpy()):
        raise OptionError("The start was made from another recording. Give the result of this one.")
    return torch.from_numpy(earlier.delta)


def _warnings(target: str, seconds: float, heard_already: bool) -> list[str]:
    found = []
    if heard_already:
        found.append("the clean clip is already heard as the target: its success proves nothing")
    rate = len(target.split()) / seconds
    if rate > FASTEST_SPEECH:
        found.append(f"the target asks for {rate:.1f} words a second, faster than people speak")
    return found
