"""A clip and its target, read and checked before any time is spent on an attack."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mondegreen.aim import Aim
from mondegreen.attacks.recording import AudioPath, Recording, distinct_names
from mondegreen.attacks.replacing import Replacing, context_of
from mondegreen.attacks.result import Result
from mondegreen.audio.band import band_of, is_narrow
from mondegreen.audio.context import ALONE, Context
from mondegreen.audio.passage import Excerpt
from mondegreen.errors import AudioError, OptionError, TargetError
from mondegreen.options import STARTS_FROM, Options
from mondegreen.psychoacoustics.surroundings import Surroundings
from mondegreen.results.item import read_item
from mondegreen.search.presets import stages_for
from mondegreen.text import (
    WordErrors,
    as_sentence,
    how_many,
    kind,
    units,
    word_errors,
    words_only,
)
from mondegreen.victims.away import symbols
from mondegreen.victims.base import Victim
from mondegreen.victims.guard import attackable

Start = Result | str | PathLike[str]

# in a second, by the kinds of `mondegreen.text`; a target above this is hard to fit in
FASTEST_SPEECH: Final[Mapping[str, float]] = {"word": 4.5, "syllable": 9.0, "letter": 20.0}


@dataclass(frozen=True)
class Clip:
    """A clip and what it is to be heard as, ready to be attacked."""

    id: str  # the recording's name, numbered where two have the same
    path: Path  # the recording
    # the phrase asked for, or in context all that is to be heard; None: untargeted
    target: str | None
    aim: Aim  # what its transcript is to be
    spelled: str  # the phrase, or what is pushed away, as the victim would write it
    tokens: Tensor  # what the search scores it against: see `mondegreen.victims.away.symbols`
    clean: Tensor  # [T] float32 at the victim's rate, on the 16-bit grid; a passage alone
    excerpt: Excerpt | None  # the recording that it is a passage of; None: all of it is attacked
    around: Surroundings  # what frames over it see
    context: Context  # what the victim hears around it
    replaced: str | None  # in context, the words that the phrase takes the place of
    transcript: str  # the victim's transcript of it, in its context
    text: str | None  # what is said in it; None: not known, as it is of a context
    start: Tensor | None  # [T] float32, the perturbation to start from; None: silence
    warnings: list[str]  # reasons to doubt that a result is reached, or means much

    @property
    def hash(self) -> str:
        """SHA-256 of its samples, of what is around them, and of its target's symbols."""
        digest = hashlib.sha256(self.around.audio.numpy().tobytes())
        digest.update(str((self.around.begin, self.around.end, self.around.loudest)).encode())
        digest.update(str(self.tokens.tolist()).encode())
        for sound in (self.context.before, self.context.after):
            digest.update(sound.numpy().tobytes())
        return digest.hexdigest()

    @property
    def clean_errors(self) -> WordErrors | None:
        """Word errors of its transcript; None: what is said in it is not known.

        Transcripts of data sets have no case and no punctuation, so that only words are compared.
        """
        return None if self.text is None else word_errors(self.text, self.transcript)


def prepare(
    victim: Victim,
    audio: Sequence[AudioPath | Recording],
    targets: Sequence[str | None],
    options: Options,
    starts: Sequence[Start] | None = None,
    texts: Sequence[str | None] | None = None,
) -> list[Clip]:
    """Read and check everything that an attack needs, before any time is spent on one.

    Args:
        victim: the recogniser.
        audio: files of any rate and channel count, or passages of them, or samples.
        targets: one phrase for each; None: for the method `untargeted`.
        options: how to attack.
        starts: a finished result to start from for each; None: begin with silence.
        texts: what is said in each, where it is known; None: in none.

    Raises:
        AudioError, TargetError, OptionError: as `attack_batch`.
    """
    stages_for(options, started=starts is not None)
    if len(audio) != len(targets) or not audio:
        raise OptionError(
            f"Got {len(audio)} clips and {len(targets)} targets, expected one target for each clip."
        )
    if starts is not None and len(starts) != len(audio):
        raise OptionError(f"Got {len(starts)} starts for {len(audio)} clips, expected one each.")
    if texts is not None and len(texts) != len(audio):
        raise OptionError(f"Got {len(texts)} texts for {len(audio)} clips, expected one each.")
    recordings = [Recording.of(each) for each in audio]
    ids = distinct_names(recordings)
    begins: Sequence[Start | None] = starts if starts is not None else [None] * len(audio)
    said = texts if texts is not None else [None] * len(audio)
    given = zip(ids, recordings, targets, begins, said, strict=True)
    return [_prepared(victim, *each, options) for each in given]


def _prepared(
    victim: Victim,
    name: str,
    recording: Recording,
    target: str | None,
    start: Start | None,
    text: str | None,
    options: Options,
) -> Clip:
    _check_aim(options, target)
    clean, excerpt = recording.read(victim.sample_rate)
    around = (
        Surroundings.of(excerpt, victim.sample_rate)
        if excerpt
        else Surroundings(clean, 0, len(clean))
    )
    context, parts, phrase = ALONE, None, target
    if options.in_context and excerpt is not None:
        context = context_of(excerpt, victim.sample_rate)
    heard = context.around(clean)
    transcript = victim.transcribe(heard)
    if context is not ALONE and target is not None:
        parts = Replacing.of(victim, context, clean, transcript)
        target, text = parts.by(target, options.exact), None
    aim = Aim.of(options, target, text or transcript if target is None else transcript)
    if target is None:
        _check_losable(aim, transcript)
    spelled = _spelled(target, transcript, options.exact or parts is not None)
    if parts is None:
        tokens = symbols(victim, spelled, aim, len(clean))
    else:
        tokens = attackable(victim).encode_long(spelled, heard)
    seconds = len(clean) / victim.sample_rate
    warnings = [] if phrase is None else _warnings(phrase, seconds, aim.met(transcript))
    if options.band == "full":
        warnings += _of_band(clean, victim.sample_rate)
    place = (excerpt.begin, excerpt.end) if excerpt else None
    begins = None if start is None else _delta_of(start, victim, clean, place, target, options)
    return Clip(
        id=name,
        path=recording.path,
        target=target,
        aim=aim,
        spelled=spelled,
        tokens=tokens,
        clean=clean,
        excerpt=excerpt,
        around=around,
        context=context,
        replaced=parts.replaced if parts else None,
        transcript=transcript,
        text=text,
        start=begins,
        warnings=warnings,
    )


def _check_aim(options: Options, target: str | None) -> None:
    """Refuse what no attack can aim for.

    Raises:
        OptionError, TargetError: as `Aim.of`; or a target that no recogniser prints so.
    """
    Aim.of(options, target, None)
    if options.exact and target is not None and target != " ".join(target.split()):
        raise TargetError(
            f"Got the target {target!r} with spaces that no recogniser prints; expected single ones"
            " between words, to match it exactly."
        )


def _spelled(target: str | None, transcript: str, written: bool) -> str:
    """What the search scores, as the victim would write it; a target may be written so already."""
    if target is None:
        return transcript
    return target if written else as_sentence(target)


def _check_losable(aim: Aim, transcript: str) -> None:
    """Refuse a clip in which there is nothing to lose."""
    if not words_only(transcript):
        raise AudioError(
            "The recogniser hears no words in the clean clip, so there is nothing to push away."
            " Expected speech that it understands."
        )
    if aim.met(transcript):
        raise AudioError(
            f"The clean clip is already heard {aim.words}, as {transcript!r:.200}: there is nothing"
            " to do. Expected a clip in which the recogniser hears what is said."
        )


def _delta_of(
    start: Start,
    victim: Victim,
    clean: Tensor,
    passage: tuple[int, int] | None,
    target: str | None,
    options: Options,
) -> Tensor:
    """The perturbation of an earlier success on the same clip, with the same target and victim."""
    earlier = start if isinstance(start, Result) else read_item(start)
    record, method = earlier.record, STARTS_FROM[options.method]
    found: dict[str, object] = {
        "method": record.options.method,
        "victim": record.victim,
        "target": record.target,
    }
    expected: dict[str, object] = {"method": method, "victim": victim.name, "target": target}
    found["band"], expected["band"] = record.options.band, options.band
    found["in_context"], expected["in_context"] = record.options.in_context, options.in_context
    for name, value in expected.items():
        if found[name] != value:
            raise OptionError(
                f"The start has the {name} {found[name]!r}, expected {value!r}. Give a finished"
                f" {method} result for the same."
            )
    if record.found_at is None:
        raise OptionError("The start never matched its target. Give it more passes first.")
    if record.passage != passage or not np.array_equal(earlier.clean, clean.numpy()):
        raise OptionError(
            "The start was made from another recording, or another passage. Give the result of this"
            " one."
        )
    return torch.from_numpy(earlier.delta)


def _of_band(clean: Tensor, sample_rate: int) -> list[str]:
    """That a perturbation of all frequencies may go where the clip has none."""
    band = band_of(clean, sample_rate)
    if not is_narrow(band, sample_rate):
        return []
    return [
        f"the clip's own band ends at {band / 1000:.1f} kHz and the perturbation's at"
        f" {sample_rate / 2000:g} kHz: a channel as narrow as the clip, such as a telephone, would"
        " not carry all of it; the band keep stays within the clip's"
    ]


def _warnings(target: str, seconds: float, heard_already: bool) -> list[str]:
    found = []
    if heard_already:
        found.append(
            "the clean clip is already transcribed as the target, so success proves nothing"
        )
    said = units(words_only(target))
    if sum(1 / FASTEST_SPEECH[kind(unit)] for unit in said) > seconds:
        found.append(
            f"the target asks for {how_many(said)} in {seconds:.1f} s, faster than people speak"
        )
    return found
