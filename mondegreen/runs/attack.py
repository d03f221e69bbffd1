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
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.attacks.loop import Progress, Search
from mondegreen.attacks.presets import preset as stages_of
from mondegreen.attacks.result import Candidate, Trajectory
from mondegreen.audio import load, quantise, save
from mondegreen.errors import OptionError
from mondegreen.evaluation.metrics import measure
from mondegreen.evaluation.verify import Proof, verify
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.runs.item import Record, Result
from mondegreen.text import as_sentence, check_target, matches
from mondegreen.victims.base import Victim

Path_ = str | PathLike[str]

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
    audio: Path_,
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
    audio: Sequence[Path_],
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
        path: the recording.
        target: the phrase asked for.
        spelled: the phrase as the victim shall write it.
        tokens: `spelled` in the victim's symbols.
        clean: [T] float32 at the victim's rate, on the 16-bit grid.
    """

    path: Path
    target: str
    spelled: str
    tokens: Tensor
    clean: Tensor


def prepare(
    victim: Victim, audio: Sequence[Path_], targets: Sequence[str], options: Options
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
    return [_prepared(victim, *pair, options) for pair in zip(audio, targets, strict=True)]


def _prepared(victim: Victim, audio: Path_, target: str, options: Options) -> Clip:
    check_target(target)
    spelled = target if options.exact else as_sentence(target)
    clean = quantise(torch.from_numpy(load(audio, victim.sample_rate)))
    return Clip(Path(audio), target, spelled, victim.encode(spelled, len(clean)), clean)


def _search(victim: Victim, clips: Sequence[Clip]) -> Search:
    audio = [clip.clean.to(victim.device, victim.dtype) for clip in clips]
    padded = torch.nn.utils.rnn.pad_sequence(audio, batch_first=True)
    lengths = torch.tensor([len(clip) for clip in audio], device=victim.device)
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
    heard_clean = victim.transcribe(clip.clean)
    candidate, proof, adversarial = _prove(victim, clip, trajectory, options)
    record = Record(
        id=clip.path.stem,
        audio=str(clip.path),
        target=clip.target,
        spelled=clip.spelled,
        heard_clean=heard_clean,
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
        warnings=_warnings(clip, heard_clean, victim.sample_rate, options),
        curve=trajectory.curve,
    )
    return Result(record, clean, adversarial)


def _prove(
    victim: Victim, clip: Clip, trajectory: Trajectory, options: Options
) -> tuple[Candidate | None, Proof, NDArray[np.float32]]:
    """The first candidate, best first, that its saved file proves; else the best, unproved."""
    last_iterate = [(None, trajectory.delta)]
    tried = [(candidate, candidate.delta) for candidate in reversed(trajectory.candidates)]
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
        save(path, clip.clean + delta.to(clip.clean), victim.sample_rate)
        return verify(path, victim, clip.target, normaliser), load(path, victim.sample_rate)


def _warnings(clip: Clip, heard_clean: str, sample_rate: int, options: Options) -> list[str]:
    """What stands against believing, or reaching, this result."""
    found = []
    if matches(heard_clean, clip.target, options.normaliser):
        found.append("the clean clip is already heard as the target: its success proves nothing")
    rate = len(clip.target.split()) * sample_rate / len(clip.clean)
    if rate > FASTEST_SPEECH:
        found.append(f"the target asks for {rate:.1f} words a second, faster than people speak")
    return found
