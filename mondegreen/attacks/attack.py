"""The public attack: search, save, prove, measure.

`attack` takes one clip, `attack_batch` several at once. Either returns results that are proved from
a 16-bit file, whatever the loop believed of them. Methods in rooms search in the bank's `attack`
split, choose what to keep in `validate`, and prove it in `test`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.cached import default_bank
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import Rooms, Transformation
from mondegreen.attacks.clip import AudioPath, Clip, Start, prepare
from mondegreen.attacks.options import Options
from mondegreen.attacks.proof import OnRoom, Proven, prove
from mondegreen.attacks.result import Result
from mondegreen.audio.batch import pad
from mondegreen.measures.quality import measure
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.results.record import Quality, Record
from mondegreen.search.loop import Search
from mondegreen.search.presets import preset as stages_of
from mondegreen.search.presets import within
from mondegreen.search.progress import Progress
from mondegreen.search.stage import Stage
from mondegreen.search.state import Snapshot
from mondegreen.search.trajectory import Candidate
from mondegreen.text import matches, word_errors
from mondegreen.victims.base import Victim

OnPass = Callable[[Progress], None]

VERSIONED = ("mondegreen", "torch", "transformers")
CLICK_DB = 6.0  # by which the edges must stand out to be warned of


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
    under_threshold: float | None = None,
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
        method: see `Options`, like the next seven.
        preset: "fast" or "paper".
        seed: of everything random.
        max_passes: gradient passes at most.
        exact: the target must be heard to the letter.
        rooms: the bank, for methods in rooms.
        air: what else happens to the sound.
        under_threshold: dB above the masking threshold that the saved file may reach, for
            `imperceptible`.
        start: for `imperceptible` a finished `carlini-wagner` result to go on from, for `combined`
            a finished `robust` one: the object, or its folder.
        on_pass: see `attack_clips`.
        on_room: see `attack_clips`.
    """
    options = Options(
        method,
        preset,
        seed,
        max_passes,
        exact,
        rooms,
        tuple(air),
        under_threshold=under_threshold,
    )
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
    attack = Attack(victim, clips, options)
    try:
        for progress in attack.run():
            if on_pass is not None:
                on_pass(progress)
    except KeyboardInterrupt:
        attack.interrupted = True
    return [attack.conclude(number, on_room) for number in range(len(clips))]


class Attack:
    """An attack under way on clips that `prepare` has accepted, in one batch.

    `run` it to its end or leave it at any step; `conclude` then proves what was found of each clip.
    `snapshot`, between two steps, is what another attack on the same goes on from.

    Args:
        victim: see `load_victim`.
        clips: of `prepare`, with the same options.
        options: how.
    """

    def __init__(self, victim: Victim, clips: Sequence[Clip], options: Options) -> None:
        self.victim, self.clips, self.options = victim, clips, options
        stages = _stages(victim, options, started=clips[0].start is not None)
        self.stages, self.last = within(stages, options.max_passes), stages[-1].name
        self.seconds = 0.0  # of searching
        self.interrupted = False
        here = victim.device, victim.dtype
        audio = [clip.clean.to(*here) for clip in clips]
        threshold = masking_threshold(*pad(audio), victim.sample_rate)
        tokens = [clip.tokens for clip in clips]
        starts = [None if clip.start is None else clip.start.to(*here) for clip in clips]
        self.search = Search(victim, audio, tokens, threshold, options.seed, starts)

    @property
    def passes(self) -> int:
        """Gradient passes at most, for each clip."""
        return sum(stage.passes for stage in self.stages)

    def run(self) -> Iterator[Progress]:
        """Search, step by step."""
        torch.manual_seed(self.options.seed)
        began = time.monotonic() - self.seconds
        for progress in self.search.run(self.stages):
            self.seconds = time.monotonic() - began
            yield progress

    def snapshot(self) -> Snapshot:
        """All that is needed to go on from here, to the bit."""
        found = self.search.snapshot()
        return Snapshot(found.tensors, {**found.facts, "made by": self._maker()})

    def restore(self, snapshot: Snapshot, seconds: float) -> None:
        """Go on from a snapshot that was taken after so many seconds of searching.

        Raises:
            ValueError: it is not whole, or of other clips, stages or versions.
        """
        if snapshot.facts.get("made by") != self._maker():
            raise ValueError("it was made by another program, in other stages or of other clips")
        self.search.restore(snapshot)
        self.seconds = seconds

    def _maker(self) -> dict[str, Any]:
        """What a snapshot must have in common with this attack, as JSON knows it."""
        options = self.options
        dry = (replace(stage, over=replace(stage.over, of=())) for stage in self.stages)
        return {
            **_versions(),
            "stages": repr(tuple(dry)),
            # rooms have no stable repr: the key of their bank stands for them
            "bank": options.rooms.key if options.rooms else None,
            "air": [repr(transformation) for transformation in options.air],
            "seed": options.seed,
            "clips": [clip.hash for clip in self.clips],
        }

    def conclude(self, number: int, on_room: OnRoom | None = None) -> Result:
        """Prove what was found for a clip, and measure it; see `attack_clips`."""
        victim, clip, options = self.victim, self.clips[number], self.options
        trajectory = self.search.trajectories[number]
        proven = prove(victim, clip, trajectory, options, on_room or (lambda *_: None))
        candidate = proven.candidate
        quality, stopped = _measured(clip, proven, victim.sample_rate)
        record = Record(
            id=clip.id,
            audio=str(clip.path),
            target=clip.target,
            spelled=clip.spelled,
            text=clip.text,
            heard_clean=clip.heard,
            heard=proven.heard,
            verified=proven.verified,
            under_threshold=options.under_threshold,
            normaliser=options.normaliser,
            **_word_errors(clip, proven.heard, options),
            method=options.method,
            preset=options.preset,
            victim=victim.name,
            seed=options.seed,
            passes=trajectory.passes,
            looks=trajectory.looks,
            first_match=trajectory.first_match,
            found_at=candidate.passes if candidate else None,
            stage=candidate.stage if candidate else None,
            interrupted=self.interrupted or stopped is not None,
            seconds=round(self.seconds, 3),
            quality=quality,
            bank=options.rooms.key if options.rooms else None,
            air=[repr(transformation) for transformation in options.air],
            survival=proven.survival,
            clean=proven.clean,
            sample_rate=victim.sample_rate,
            device=str(victim.device),
            dtype=str(victim.dtype).removeprefix("torch."),
            versions=_versions(),
            warnings=[
                *clip.warnings,
                *_early(candidate, self.last),
                *_nearest(clip, proven, options),
                *_clicks(quality),
                *self._stops(stopped),
            ],
            curve=trajectory.curve,
        )
        return Result(record, clip.clean.numpy(), proven.adversarial)

    def _stops(self, stopped: str | None) -> list[str]:
        stops = ["the search was stopped by hand"] if self.interrupted else []
        return stops if stopped is None else [*stops, stopped]


def _stages(victim: Victim, options: Options, started: bool) -> tuple[Stage, ...]:
    over: tuple[Transformation, ...] = ()
    if options.rooms is not None:
        rirs = options.rooms.split("attack").rirs
        over = (Rooms(Reverb(rirs.to(victim.device, victim.dtype))), *options.air)
    return stages_of(options.method, options.preset, over, started, options.under_threshold)


def _measured(clip: Clip, proven: Proven, sample_rate: int) -> tuple[Quality, str | None]:
    """What the change costs the ear, and what a stop by hand has cut short.

    The first Ctrl-C does not lose a whole search for the second that this takes.
    """
    what = clip.clean.numpy(), proven.adversarial, sample_rate
    try:
        return measure(*what), proven.stopped
    except KeyboardInterrupt:
        stopped = "it was stopped by hand while the result was measured: the result is whole"
        return measure(*what), proven.stopped or stopped


def _clicks(quality: Quality) -> list[str]:
    """What the masking loss does not see, where it is worse than all that it sees."""
    masking = quality.masking
    if masking.edges_db < masking.max_excess_db + CLICK_DB:
        return []
    return [
        f"at the clip's edges, which the masking loss hardly sees, the change is up to"
        f" {masking.edges_db:.1f} dB above the threshold, elsewhere {masking.max_excess_db:.1f} dB:"
        " expect a click"
    ]


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONED}


def _word_errors(clip: Clip, heard: str, options: Options) -> dict[str, Any]:
    """Word error rates, and whether the clean clip was understood."""
    original, clean = clip.text or clip.heard, clip.wer_clean
    return {
        "wer_target": word_errors(clip.target, heard, options.normaliser).rate,
        "wer_original": word_errors(original, heard).rate,
        "wer_clean": clean,
        "understood": None if clean is None else clean <= options.max_clean_wer,
    }


def _early(candidate: Candidate | None, last: str) -> list[str]:
    if candidate is None or candidate.stage == last:
        return []
    return [f"what is saved comes from the stage “{candidate.stage}”, before “{last}”"]


def _nearest(clip: Clip, proven: Proven, options: Options) -> list[str]:
    """How near what is saved comes to what was asked, where a bound was and was not reached."""
    if options.under_threshold is None or proven.verified or proven.over_db is None:
        return []
    heard = matches(proven.heard, clip.target, options.normaliser)
    what = "is heard as the target" if heard else "is not heard as the target"
    bound = f"the bound of {options.under_threshold:g} dB above the masking threshold"
    if proven.over_db > 0:
        return [f"what is saved {what}, and {proven.over_db:.1f} dB over {bound}"]
    return [f"what is saved {what}, and keeps {bound}"]
