"""The public attack: search, save, prove, measure.

`attack` takes one clip, `attack_batch` several at once. Either returns results that are proved from
a 16-bit file, whatever the search believed of them. Methods in rooms search in the bank's `attack`
split, choose what to keep in `validate`, and prove it in `test`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.airs import Air
from mondegreen.attacks.clip import Clip, Start, prepare
from mondegreen.attacks.doubts import doubts
from mondegreen.attacks.proof import Proven, hear_whole, prove, unproved
from mondegreen.attacks.recording import Audio, AudioPath, Recording
from mondegreen.attacks.result import OnRoom, Result, Waypoint
from mondegreen.attacks.setup import Setup
from mondegreen.attacks.trail import trail
from mondegreen.audio.passage import Passage
from mondegreen.errors import RecogniserError
from mondegreen.measures.quality import computed
from mondegreen.options import Options
from mondegreen.psychoacoustics.surroundings import thresholds_around
from mondegreen.results.record import OnNews, Point, Quality, Record
from mondegreen.search.loop import Search
from mondegreen.search.nonfinite import told
from mondegreen.search.presets import fingerprint
from mondegreen.search.progress import Progress
from mondegreen.search.state import Snapshot
from mondegreen.search.trajectory import Trajectory
from mondegreen.text import word_errors
from mondegreen.victims.away import aimed
from mondegreen.victims.base import Victim
from mondegreen.victims.guard import attackable
from mondegreen.victims.near import half_of, whole_every

OnPoint = Callable[[str, Point], object]  # the first half of `OnNews`

VERSIONED = ("mondegreen", "torch", "transformers")


def attack(
    victim: Victim,
    audio: Audio,
    target: str | None = None,
    *,
    begin: float | None = None,
    end: float | None = None,
    sample_rate: int | None = None,
    text: str | None = None,
    rooms: RoomBank | None = None,
    air: Air | str | Path | None = None,
    start: Start | None = None,
    on_news: OnNews | None = None,
    on_room: OnRoom | None = None,
    **options: Any,
) -> Result:
    """Make a change to one clip that the victim transcribes as the target, or as something else.

    Ctrl-C ends the search; what it had found by then is proved and returned. So does a fault of the
    victim's own code after the first success; the result's `fault` is then that.

    Args:
        victim: see `load_victim`.
        audio: a file of any rate and channel count; or samples [T], floats in [-1, 1].
        target: the phrase; None: for the method `untargeted`, which has none.
        begin: where the passage that is attacked begins, in seconds; None: with the recording. Only
            that is changed, and the result holds all of the recording, of up to an hour.
        end: where it ends, in seconds; None: with the recording.
        sample_rate: of samples, in Hz.
        text: what is said in the clip, if that is known.
        rooms: the bank for methods in rooms; None: the default one.
        air: what happens to the sound, for methods in rooms: `paper` (None), rooms alone; `real`,
            also loudspeaker, noise, microphone and clock; a TOML file; or an `Air`.
        start: a finished result of the same clip and target to start from, the object or its
            folder: for `imperceptible` a `carlini-wagner` one, for `combined` a `robust` one.
        on_news: called with the clip's id and a `Point` after every step of the search, and at the
            end with its `Record`; both have `passes` and, for loggers, `numbers`.
        on_room: called while a method in rooms chooses, proves and measures: with what is being
            done, how much of it, and of how much.
        options: fields of `Options`, such as `method="robust"` or `preset="paper"`.

    Raises:
        AudioError, TargetError: a clip or a phrase that nothing can be done with.
        RoomError: a bank of another rate, or without a split.
        VictimError: the victim's own code raises something or returns what it must not, or it is
            no victim.
        OptionError: a value that is not offered.
    """
    starts = None if start is None else [start]
    passage = None if begin is None and end is None else Passage(begin or 0.0, end)
    return attack_batch(
        victim,
        [Recording(audio, passage, sample_rate)],
        [target],
        Options(**options),
        texts=[text],
        rooms=rooms,
        air=air,
        starts=starts,
        on_news=on_news,
        on_room=on_room,
    )[0]


def attack_batch(
    victim: Victim,
    audio: Sequence[AudioPath | Recording],
    targets: Sequence[str | None],
    options: Options | None = None,
    *,
    texts: Sequence[str | None] | None = None,
    rooms: RoomBank | None = None,
    air: Air | str | Path | None = None,
    starts: Sequence[Start] | None = None,
    on_news: OnNews | None = None,
    on_room: OnRoom | None = None,
) -> list[Result]:
    """Attack several clips in one batch; each result is what the clip would get alone.

    Args:
        victim: see `load_victim`.
        audio: files of any rate and channel count; or what `Recording` can be.
        targets: one phrase for each; None: see `attack`.
        options: how to attack; the defaults of `Options` if None.
        texts: what is said in each, where that is known.
        rooms: see `attack`, like the next.
        air: see `attack`.
        starts: a finished result to start from for each.
        on_news: see `attack`.
        on_room: see `attack`.

    Raises:
        AudioError, TargetError, RoomError, OptionError, VictimError: as `attack`.
    """
    victim = attackable(victim)
    setup = Setup.of(options or Options(), victim.sample_rate, rooms, air)
    clips = prepare(victim, audio, targets, setup.options, starts, texts)
    on_room = on_room or (lambda *_: None)
    found = attack_clips(victim, clips, setup, on_news, on_room)
    results = [each.measured(setup.rooms, on_room) for each in found]
    if on_news is not None:
        for result in results:
            on_news(result.record.id, result.record)
    return results


def attack_clips(
    victim: Victim,
    clips: Sequence[Clip],
    setup: Setup,
    on_point: OnPoint | None = None,
    on_room: OnRoom | None = None,
) -> list[Result]:
    """Attack clips that `prepare` has accepted, with the same options, in one batch.

    The results are proved and can be saved; `Result.measured` is still to be called.
    """
    attack = Attack(victim, clips, setup)
    try:
        for progress in attack.run():
            if on_point is not None:
                for clip, point in attack.points(progress):
                    on_point(clip, point)
    except KeyboardInterrupt:
        attack.interrupted = True
    except RecogniserError as fault:
        if not attack.found:
            raise
        attack.fault = fault
    return [_concluded(attack, number, on_room) for number in range(len(clips))]


def _concluded(attack: Attack, number: int, on_room: OnRoom | None) -> Result:
    """What was found is kept, unproved where the recogniser fails in its proof."""
    try:
        return attack.conclude(number, on_room)
    except RecogniserError as fault:
        if not attack.found:
            raise
        return attack.give_up(number, fault)


class Attack:
    """An attack under way on clips that `prepare` has accepted, in one batch.

    `run` it to its end or leave it at any step; `conclude` then proves what was found of each clip.
    A `snapshot`, taken between two steps, is what another attack on the same resumes from.

    Args:
        victim: see `load_victim`.
        clips: of `prepare`, with the same options.
        setup: how to attack.
    """

    def __init__(self, victim: Victim, clips: Sequence[Clip], setup: Setup) -> None:
        self.victim, self.clips, self.setup = victim, clips, setup
        self.stages = setup.stages(victim, started=clips[0].start is not None)
        self.seconds = 0.0  # of searching
        self.interrupted = False
        self.fault: RecogniserError | None = None  # of the victim's, which ended the search
        here = victim.device, victim.dtype
        around = [clip.around for clip in clips]
        audio = [one.audio.to(*here) for one in around]
        whole = all(clip.excerpt is None for clip in clips)
        self.search = Search(
            aimed(victim, setup.options),
            audio,
            [clip.tokens for clip in clips],
            thresholds_around(around, victim.sample_rate, audio[0]),
            setup.options.seed,
            [None if c.start is None else c.around.placed(c.start.to(*here)) for c in clips],
            None if whole else [(one.begin, one.end) for one in around],
            whole_every(victim, setup.options),
            [clip.context for clip in clips] if setup.options.in_context else None,
        )

    @property
    def passes(self) -> int:
        """Gradient passes at most, for each clip."""
        return sum(stage.passes for stage in self.stages)

    def run(self) -> Iterator[Progress]:
        """Search, step by step."""
        began = time.monotonic() - self.seconds
        for progress in self.search.run(self.stages):
            self.seconds = time.monotonic() - began
            yield progress

    def points(self, progress: Progress) -> Iterator[tuple[str, Point]]:
        """What a step has found of each clip that is still in the search, by its id."""
        for row, number in enumerate(progress.index.tolist()):
            passes = self.search.trajectories[number].passes
            yield self.clips[number].id, progress.point(row, passes)

    def snapshot(self) -> Snapshot:
        """All that is needed to resume from here, to the bit."""
        found = self.search.snapshot()
        return Snapshot(found.tensors, {**found.facts, "made by": self._maker()})

    def restore(self, snapshot: Snapshot, seconds: float) -> None:
        """Resume from a snapshot that was taken after so many seconds of searching.

        Raises:
            ValueError: it is not whole, or of other clips, stages or versions.
        """
        if snapshot.facts.get("made by") != self._maker():
            raise ValueError("it was made by another version, in other stages or of other clips")
        self.search.restore(snapshot)
        self.seconds = seconds

    def _maker(self) -> dict[str, Any]:
        """What a snapshot must have in common with this attack, as JSON has it."""
        setup = self.setup
        return {
            **_versions(),
            "stages": fingerprint(self.stages),
            "bank": setup.rooms.key if setup.rooms else None,
            "air": setup.air.model_dump(mode="json") if setup.rooms else None,
            "seed": setup.options.seed,
            "clips": [clip.hash for clip in self.clips],
        }

    @property
    def found(self) -> bool:
        """Whether any clip has had a success, which must not be lost."""
        return any(trajectory.candidates for trajectory in self.search.trajectories)

    def conclude(self, number: int, on_room: OnRoom | None = None) -> Result:
        """Prove what was found for a clip, and measure it; see `attack_clips`.

        Raises:
            RecogniserError: the victim's own code fails in the proof.
        """
        what = self.victim, self.clips[number], self._trajectory(number), self.setup
        return self._result(number, prove(*what, on_room or (lambda *_: None)))

    def give_up(self, number: int, fault: RecogniserError) -> Result:
        """What was found for a clip, unproved: its victim cannot prove it."""
        clip, trajectory = self.clips[number], self._trajectory(number)
        proven = unproved(clip, trajectory, f"the recogniser failed during the proof: {fault}")
        return replace(self._result(number, proven), fault=fault)

    def _trajectory(self, number: int) -> Trajectory:
        """What was found for a clip; of a passage, without what is around it."""
        around = self.clips[number].around
        return self.search.trajectories[number].within(around.begin, around.end)

    def _result(self, number: int, proven: Proven) -> Result:
        victim, clip, setup = self.victim, self.clips[number], self.setup
        trajectory = self._trajectory(number)
        quality, stopped = _computed(clip, proven, victim.sample_rate)
        waypoints, cut = self._waypoints(number, trajectory, proven)
        heard_whole, missing = hear_whole(victim, clip, proven.adversarial)
        stopped = stopped or cut or missing
        candidate = proven.candidate
        found_at = candidate.passes if candidate else None
        record = Record(
            id=clip.id,
            audio=str(clip.path),
            target=clip.target,
            spelled=clip.spelled,
            text=clip.text,
            heard_clean=clip.transcript,
            heard=proven.transcript,
            verified=proven.verified,
            options=setup.options,
            stages=fingerprint(self.stages),
            **_word_errors(clip, proven.transcript, setup.options),
            victim=victim.name,
            passes=trajectory.passes,
            looks=trajectory.looks,
            first_match=trajectory.first_match or found_at or None,
            found_at=found_at,
            stage=candidate.stage if candidate else None,
            interrupted=self.interrupted or self.fault is not None or stopped is not None,
            seconds=round(self.seconds, 3),
            quality=quality,
            bank=setup.rooms.key if setup.rooms else None,
            air=setup.air if setup.rooms else None,
            survival=proven.survival,
            clean=proven.clean,
            sample_rate=victim.sample_rate,
            device=str(victim.device),
            dtype=str(half_of(victim) or victim.dtype).removeprefix("torch."),
            versions=_versions(),
            warnings=(
                *self._warnings(clip, proven, quality, stopped),
                *told(trajectory.not_finite, trajectory.steps, trajectory.stuck),
            ),
            curve=tuple(trajectory.curve),
            clip_sha256=clip.hash,
            replaced=clip.replaced,
            passage=(clip.excerpt.begin, clip.excerpt.end) if clip.excerpt else None,
            heard_whole=heard_whole,
            trail=tuple(waypoint.success for waypoint in waypoints),
        )
        return Result(
            record,
            clip.clean.numpy(),
            proven.adversarial,
            excerpt=clip.excerpt,
            loudest=clip.around.loudest,
            fault=self.fault,
            waypoints=waypoints,
        )

    def _waypoints(
        self, number: int, trajectory: Trajectory, proven: Proven
    ) -> tuple[tuple[Waypoint, ...], str | None]:
        """The successes on the way, and what has cut them short; that costs no more than those."""
        found: list[Waypoint] = []
        what = self.victim, self.clips[number], trajectory, proven, self.setup.options
        try:
            for waypoint in trail(*what):
                found.append(waypoint)
        except KeyboardInterrupt:
            return tuple(found), "it was interrupted while its trail was proved: some of it is lost"
        except RecogniserError as fault:
            return tuple(found), f"the recogniser failed during the proof of its trail: {fault}"
        return tuple(found), None

    def _warnings(
        self, clip: Clip, proven: Proven, quality: Quality, stopped: str | None
    ) -> Iterator[str]:
        yield from clip.warnings
        yield from doubts(clip, proven, quality, self.setup.options)
        if self.interrupted:
            yield "the search was interrupted"
        if self.fault is not None:
            yield f"the recogniser failed during the search: {self.fault}"
        if stopped is not None:
            yield stopped


def _computed(clip: Clip, proven: Proven, sample_rate: int) -> tuple[Quality, str | None]:
    """How audible the change may be, and what an interruption has cut short.

    The first Ctrl-C does not lose a whole search for the second that this takes.
    """
    what = clip.clean.numpy(), proven.adversarial, sample_rate, "paper", clip.around
    try:
        return computed(*what), proven.stopped
    except KeyboardInterrupt:
        stopped = "it was interrupted while the result was measured: the result is whole"
        return computed(*what), proven.stopped or stopped


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONED}


def _word_errors(clip: Clip, transcript: str, options: Options) -> dict[str, Any]:
    """Word error rates, and whether the clean clip was understood."""
    original, clean = clip.text or clip.transcript, clip.clean_errors
    target = clip.target and word_errors(clip.target, transcript, options.normaliser)
    return {
        "wer_target": target and target.rate,
        "wer_original": word_errors(original, transcript).rate,
        "wer_clean": clean and clean.rate,
        "understood": clean and clean.rate <= options.max_clean_wer,
    }
