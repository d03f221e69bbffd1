"""The public attack: search, save, prove, measure.

`attack` takes one clip, `attack_batch` several at once. Either returns results that are proved from
a 16-bit file, whatever the loop believed of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.attacks.loop import Progress, Search
from mondegreen.attacks.presets import preset as stages_of
from mondegreen.attacks.result import Candidate, Trajectory
from mondegreen.audio import load, pad, quantise, save
from mondegreen.errors import OptionError, TargetError
from mondegreen.evaluation.metrics import measure
from mondegreen.evaluation.verify import Proof, verify
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.runs.item import Record, Result
from mondegreen.text import as_sentence, check_target, matches
from mondegreen.victims.base import Victim

AudioPath = str | PathLike[str]

VERSIONED = ("mondegreen", "torch", "transformers")
FASTEST_SPEECH = 4.5  # words a second; a target above this is hard to fit in


@dataclass(frozen=True)
class Options:
    """How to attack.

    Attributes:
        method: a key of `mondegreen.attacks.presets.PRESETS`.
        preset: "fast" or "paper".
        seed: of torch's generator.
        max_passes: gradient passes at most for each clip; None: as the preset says.
        exact: the transcript must equal the target to the letter, case and punctuation included.
    """

    method: str = "imperceptible"
    preset: str = "fast"
    seed: int = 0
    max_passes: int | None = None
    exact: bool = False

    @property
    def normaliser(self) -> str:
        """The normaliser that success is judged under; see `mondegreen.text`."""
        return "exact" if self.exact else "default"


def attack(
    victim: Victim,
    audio: AudioPath,
    target: str,
    *,
    method: str = "imperceptible",
    preset: str = "fast",
    seed: int = 0,
    max_passes: int | None = None,
    exact: bool = False,
    on_pass: Callable[[Progress], None] | None = None,
) -> Result:
    """Make one clip be heard as a phrase; see `Options`, and `attack_batch` for errors.

    Ctrl-C ends the search; what it had found by then is proved and returned.
    """
    options = Options(method, preset, seed, max_passes, exact)
    return attack_batch(victim, [audio], [target], options, on_pass)[0]


def attack_batch(
    victim: Victim,
    audio: Sequence[AudioPath],
    targets: Sequence[str],
    options: Options | None = None,
    on_pass: Callable[[Progress], None] | None = None,
) -> list[Result]:
    """Attack several clips in one batch; each comes out as if it were alone.

    Args:
        victim: see `load_victim`.
        audio: files of any rate and channel count.
        targets: one phrase for each.
        options: how; the defaults of `Options` if None.
        on_pass: called after every gradient pass.

    Raises:
        AudioError, TargetError: a clip or a phrase that nothing can be done with.
        OptionError: options outside of what is offered.
    """
    options = options or Options()
    return attack_clips(victim, prepare(victim, audio, targets, options), options, on_pass)


def attack_clips(
    victim: Victim,
    clips: Sequence[Clip],
    options: Options,
    on_pass: Callable[[Progress], None] | None = None,
) -> list[Result]:
    """Attack clips that `prepare` has accepted, in one batch; see `attack_batch`."""
    stages = stages_of(options.method, options.preset)
    torch.manual_seed(options.seed)
    search = _search(victim, clips)
    started = time.monotonic()
    interrupted = _drive(search.run(stages, options.max_passes), on_pass)
    seconds = time.monotonic() - started
    return [
        _conclude(victim, clip, trajectory, options, interrupted, seconds)
        for clip, trajectory in zip(clips, search.trajectories, strict=True)
    ]


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
        warnings: what stands against believing, or reaching, a result.
    """

    id: str
    path: Path
    target: str
    spelled: str
    tokens: Tensor
    clean: Tensor
    heard: str
    warnings: list[str]


def prepare(
    victim: Victim, audio: Sequence[AudioPath], targets: Sequence[str], options: Options
) -> list[Clip]:
    """Read and check everything that an attack needs, before any time is spent on one.

    Raises:
        AudioError, TargetError, OptionError: as `attack_batch`.
    """
    stages_of(options.method, options.preset)
    if len(audio) != len(targets) or not audio:
        raise OptionError(
            f"Got {len(audio)} clips and {len(targets)} targets, expected one target for each clip."
        )
    if options.max_passes is not None and options.max_passes < 1:
        raise OptionError(f"Got max_passes={options.max_passes}, expected at least 1.")
    ids = _distinct([Path(path).stem for path in audio])
    return [_prepared(victim, *given, options) for given in zip(ids, audio, targets, strict=True)]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where they repeat: clips of one name may come from two folders."""
    taken: list[str] = []
    for name in names:
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        taken.append(next(candidate for candidate in numbered if candidate not in taken))
    return taken


def _prepared(victim: Victim, name: str, audio: AudioPath, target: str, options: Options) -> Clip:
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
    return Clip(name, Path(audio), target, spelled, tokens, clean, heard, warnings)


def _warnings(target: str, seconds: float, heard_already: bool) -> list[str]:
    found = []
    if heard_already:
        found.append("the clean clip is already heard as the target: its success proves nothing")
    rate = len(target.split()) / seconds
    if rate > FASTEST_SPEECH:
        found.append(f"the target asks for {rate:.1f} words a second, faster than people speak")
    return found


def _search(victim: Victim, clips: Sequence[Clip]) -> Search:
    audio = [clip.clean.to(victim.device, victim.dtype) for clip in clips]
    padded, lengths = pad(audio)
    threshold = masking_threshold(padded, lengths, victim.sample_rate)
    return Search(victim, audio, [clip.tokens for clip in clips], threshold)


def _drive(passes: Iterable[Progress], on_pass: Callable[[Progress], None] | None) -> bool:
    """Run the search to its end; True if it was interrupted by hand."""
    try:
        for progress in passes:
            if on_pass is not None:
                on_pass(progress)
    except KeyboardInterrupt:
        return True
    return False


def _conclude(
    victim: Victim,
    clip: Clip,
    trajectory: Trajectory,
    options: Options,
    interrupted: bool,
    seconds: float,
) -> Result:
    """Prove the best success of a clip, and measure it; without one, its last iterate."""
    clean = clip.clean.numpy()
    candidate, proof, adversarial = _prove(victim, clip, trajectory, options)
    record = Record(
        id=clip.id,
        audio=str(clip.path),
        target=clip.target,
        spelled=clip.spelled,
        heard_clean=clip.heard,
        heard=proof.heard,
        verified=proof.verified,
        normaliser=options.normaliser,
        method=options.method,
        preset=options.preset,
        victim=victim.name,
        seed=options.seed,
        passes=trajectory.passes,
        first_match=trajectory.first_match,
        found_at=candidate.passes if candidate else None,
        stage=candidate.stage if candidate else None,
        interrupted=interrupted,
        seconds=round(seconds, 3),
        quality=measure(clean, adversarial, victim.sample_rate),
        sample_rate=victim.sample_rate,
        device=str(victim.device),
        dtype=str(victim.dtype).removeprefix("torch."),
        versions={name: version(name) for name in VERSIONED},
        warnings=[*clip.warnings, *_cut_short(candidate, options)],
        curve=trajectory.curve,
    )
    return Result(record, clean, adversarial)


def _prove(
    victim: Victim, clip: Clip, trajectory: Trajectory, options: Options
) -> tuple[Candidate | None, Proof, NDArray[np.float32]]:
    """The first candidate, best first, that its saved file proves; else the best, unproved."""
    last_iterate = [(None, trajectory.delta)]
    best_first = [*reversed(trajectory.candidates), *reversed(trajectory.milestones)]
    tried = [(candidate, candidate.delta) for candidate in best_first]
    outcomes = []
    for candidate, delta in tried or last_iterate:
        proof, adversarial = _prove_from_file(victim, clip, delta, options.normaliser)
        if proof.verified:
            return candidate, proof, adversarial
        outcomes.append((candidate, proof, adversarial))
    return outcomes[0]


def _prove_from_file(
    victim: Victim, clip: Clip, delta: Tensor, normaliser: str
) -> tuple[Proof, NDArray[np.float32]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adversarial.wav"
        save(path, clip.clean.to(delta.dtype) + delta.cpu(), victim.sample_rate)
        return verify(path, victim, clip.target, normaliser), load(path, victim.sample_rate)


def _cut_short(candidate: Candidate | None, options: Options) -> list[str]:
    last = stages_of(options.method, options.preset)[-1].name
    if candidate is None or candidate.stage == last:
        return []
    return [f"what is saved comes from the stage “{candidate.stage}”, before “{last}”"]
