"""The public attack: search, save, prove, measure.

`attack` takes one clip, `attack_batch` several at once. Either returns results that are proved from
a 16-bit file, whatever the loop believed of them. Methods in rooms search in the bank's `attack`
split, choose what to keep in `validate`, and prove it in `test`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import torch

from mondegreen.attacks.loop import Progress, Search
from mondegreen.attacks.presets import preset as stages_of
from mondegreen.attacks.presets import within
from mondegreen.attacks.result import Candidate, Trajectory
from mondegreen.attacks.stage import Stage
from mondegreen.audio import pad
from mondegreen.evaluation.metrics import measure
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.rooms.bank import RoomBank
from mondegreen.rooms.reverb import Reverb
from mondegreen.runs.clip import AudioPath, Clip, Start, prepare
from mondegreen.runs.item import Record, Result
from mondegreen.runs.options import Options
from mondegreen.runs.proof import OnRoom, Proven, prove
from mondegreen.runs.rooms import default_bank
from mondegreen.transformations import Rooms, Transformation
from mondegreen.victims.base import Victim

OnPass = Callable[[Progress], None]

VERSIONED = ("mondegreen", "torch", "transformers")


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
    rooms: RoomBank | None = None,
    air: Sequence[Transformation] = (),
    start: Start | None = None,
    on_pass: OnPass | None = None,
    on_room: OnRoom | None = None,
) -> Result:
    """Make one clip be heard as a phrase; see `Options`, and `attack_batch` for errors.

    Ctrl-C ends the search; what it had found by then is proved and returned.

    Args:
        victim: see `load_victim`.
        audio: a file of any rate and channel count.
        target: the phrase.
        method: see `Options`, like the next six.
        preset: "fast" or "paper".
        seed: of everything random.
        max_passes: gradient passes at most.
        exact: the target must be heard to the letter.
        rooms: the bank, for methods in rooms.
        air: what else happens to the sound.
        start: for `imperceptible` a finished `carlini-wagner` result to go on from, for `combined`
            a finished `robust` one: the object, or its folder.
        on_pass: see `attack_clips`.
        on_room: see `attack_clips`.
    """
    options = Options(method, preset, seed, max_passes, exact, rooms, tuple(air))
    starts = None if start is None else [start]
    return attack_batch(victim, [audio], [target], options, starts, on_pass, on_room)[0]


def attack_batch(
    victim: Victim,
    audio: Sequence[AudioPath],
    targets: Sequence[str],
    options: Options | None = None,
    starts: Sequence[Start] | None = None,
    on_pass: OnPass | None = None,
    on_room: OnRoom | None = None,
) -> list[Result]:
    """Attack several clips in one batch; each comes out as if it were alone.

    Args:
        victim: see `load_victim`.
        audio: files of any rate and channel count.
        targets: one phrase for each.
        options: how; the defaults of `Options` if None.
        starts: a finished result to go on from for each, as in `attack`.
        on_pass: see `attack_clips`.
        on_room: see `attack_clips`.

    Raises:
        AudioError, TargetError: a clip or a phrase that nothing can be done with.
        RoomError: a bank of another rate, or without a split.
        OptionError: options outside of what is offered.
    """
    options = options or Options()
    if options.in_rooms and options.rooms is None:
        options = replace(options, rooms=default_bank(victim.sample_rate))
    clips = prepare(victim, audio, targets, options, starts)
    return attack_clips(victim, clips, options, on_pass, on_room)


def attack_clips(
    victim: Victim,
    clips: Sequence[Clip],
    options: Options,
    on_pass: OnPass | None = None,
    on_room: OnRoom | None = None,
) -> list[Result]:
    """Attack clips that `prepare` has accepted, in one batch; see `attack_batch`.

    Args:
        victim: see `load_victim`.
        clips: of `prepare`, with the same options.
        options: how.
        on_pass: called after every step of the search.
        on_room: called while a method in rooms chooses and proves: with what is being done, how
            much of it, and of how much.
    """
    searched = _search(victim, clips, options, on_pass)
    return [
        _conclude(victim, clip, trajectory, options, searched, on_room or (lambda *_: None))
        for clip, trajectory in zip(clips, searched.trajectories, strict=True)
    ]


@dataclass(frozen=True)
class _Searched:
    """What a search came to."""

    trajectories: Sequence[Trajectory]
    last: str  # name of the stage that it would have ended with
    interrupted: bool
    seconds: float


def _search(
    victim: Victim, clips: Sequence[Clip], options: Options, on_pass: OnPass | None
) -> _Searched:
    stages = _stages(victim, options, started=clips[0].start is not None)
    audio = [clip.clean.to(victim.device, victim.dtype) for clip in clips]
    starts = [
        None if clip.start is None else clip.start.to(victim.device, victim.dtype) for clip in clips
    ]
    threshold = masking_threshold(*pad(audio), victim.sample_rate)
    tokens = [clip.tokens for clip in clips]
    torch.manual_seed(options.seed)
    search = Search(victim, audio, tokens, threshold, options.seed, starts)
    began = time.monotonic()
    interrupted = _drive(search.run(within(stages, options.max_passes)), on_pass)
    seconds = time.monotonic() - began
    return _Searched(search.trajectories, stages[-1].name, interrupted, seconds)


def _stages(victim: Victim, options: Options, started: bool) -> tuple[Stage, ...]:
    over: tuple[Transformation, ...] = ()
    if options.rooms is not None:
        rirs = options.rooms.split("attack").rirs
        over = (Rooms(Reverb(rirs.to(victim.device, victim.dtype))), *options.air)
    return stages_of(options.method, options.preset, over, started)


def _drive(steps: Iterable[Progress], on_pass: OnPass | None) -> bool:
    """Run the search to its end; True if it was interrupted by hand."""
    try:
        for progress in steps:
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
    searched: _Searched,
    on_room: OnRoom,
) -> Result:
    """Prove what was found for a clip, and measure it."""
    proven = prove(victim, clip, trajectory, options, on_room)
    candidate = proven.candidate
    record = Record(
        id=clip.id,
        audio=str(clip.path),
        target=clip.target,
        spelled=clip.spelled,
        heard_clean=clip.heard,
        heard=proven.heard,
        verified=proven.verified,
        normaliser=options.normaliser,
        method=options.method,
        preset=options.preset,
        victim=victim.name,
        seed=options.seed,
        passes=trajectory.passes,
        looks=trajectory.looks,
        first_match=trajectory.first_match,
        found_at=candidate.passes if candidate else None,
        stage=candidate.stage if candidate else None,
        interrupted=searched.interrupted or proven.stopped is not None,
        seconds=round(searched.seconds, 3),
        quality=measure(clip.clean.numpy(), proven.adversarial, victim.sample_rate),
        bank=options.rooms.key if options.rooms else None,
        air=[repr(transformation) for transformation in options.air],
        survival=proven.survival,
        clean=proven.clean,
        sample_rate=victim.sample_rate,
        device=str(victim.device),
        dtype=str(victim.dtype).removeprefix("torch."),
        versions={name: version(name) for name in VERSIONED},
        warnings=[*clip.warnings, *_early(candidate, searched.last), *_stops(searched, proven)],
        curve=trajectory.curve,
    )
    return Result(record, clip.clean.numpy(), proven.adversarial)


def _early(candidate: Candidate | None, last: str) -> list[str]:
    if candidate is None or candidate.stage == last:
        return []
    return [f"what is saved comes from the stage “{candidate.stage}”, before “{last}”"]


def _stops(searched: _Searched, proven: Proven) -> list[str]:
    stops = ["the search was stopped by hand"] if searched.interrupted else []
    return stops if proven.stopped is None else [*stops, proven.stopped]
