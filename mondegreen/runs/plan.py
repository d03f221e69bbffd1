"""What a run will do: its clips with their targets and hashes, one row each.

The rows are kept in `clips.jsonl`, which is itself a manifest that `mondegreen run` takes: the
choice of clips and targets is data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from mondegreen.audio.passage import ROUNDING, Passage
from mondegreen.data.census import Seen, take_census
from mondegreen.data.sources import read_clips
from mondegreen.data.targets import choose_targets, limited
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError, OptionError, reason
from mondegreen.files import as_json, key_of, write_whole
from mondegreen.reading import is_there
from mondegreen.results.folder import CLIPS, DAMAGED, ITEMS, RECORDINGS, read_clip_list
from mondegreen.results.record import typed
from mondegreen.runs.config import RunConfig

RESULTS: Final = (ITEMS, DAMAGED)  # not clips, if the run folder is among the recordings
KEY_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A clip of a run."""

    key: str  # names its item folder: the hash of its audio, passage, target, attack and victim
    id: str  # names it for people
    audio: str  # the recording's path
    text: str | None  # what is said in it; None: not known
    target: str | None  # the phrase asked for; None: untargeted
    sha256: str | None  # of the recording; None: it could not be read when the run was planned
    seconds: float | None  # its length as measured; None: not known
    problem: str | None  # why it cannot be attacked; None: it can
    offset: float | None = None  # seconds, as the source has them, like the next
    duration: float | None = None

    @property
    def passage(self) -> Passage | None:
        """What is meant of the recording; None: all of it.

        As in NeMo, from `offset` on, or from the beginning, and `duration` long, or to the end.

        Raises:
            AudioError: no recording has such a passage.
        """
        if not self.is_part:
            return None
        begin = self.offset or 0.0
        return Passage(begin, None if self.duration is None else begin + self.duration)

    @property
    def is_part(self) -> bool:
        """Whether less is meant than the recording, as far as its length is known."""
        if self.offset or self.duration is None:
            return bool(self.offset)
        return self.seconds is None or abs(self.duration - self.seconds) > ROUNDING

    @property
    def lasts(self) -> float:
        """How long what is attacked may last, in seconds; 0: not known."""
        return self.duration or self.seconds or 0.0


def choose_clips(config: RunConfig, run: Path, before: Sequence[Row] = ()) -> list[Utterance]:
    """The clips of a configuration, each with its target, if the method has one.

    Args:
        config: what is run.
        run: the run folder, in full.
        before: the rows of an earlier call: these are the clips, if the source still has the same
            ones. A recording that is gone by now is still a clip of the run.

    Raises:
        MondegreenError: as `read_clips` and `choose_targets`.
        OptionError: the rows of the earlier call are of other clips.
    """
    clips = [
        clip
        for clip in read_clips(config.clips, run / RECORDINGS)
        if not any(Path(clip.audio).is_relative_to(run / name) for name in RESULTS)
    ]
    if before:
        _check_source(config, clips, before)
        return [Utterance(r.id, r.audio, r.text, r.target, r.duration, r.offset) for r in before]
    chosen = choose_targets(
        clips,
        target=config.target,
        targets=config.targets,
        seed=config.seed,
        untargeted=config.untargeted,
    )
    number, of = config.part
    return limited(chosen, config.limit, config.seed)[number::of]


def _check_source(config: RunConfig, clips: Sequence[Utterance], before: Sequence[Row]) -> None:
    """Check that a source still has the clips of an earlier call, except for missing recordings."""
    # whether targets come from the source as well
    own = config.target is None and config.targets is None and not config.untargeted

    def told(clip: Utterance | Row) -> tuple[str, str | None, str | None, float, float | None]:
        target = clip.target if own else None
        return clip.audio, clip.text, target, clip.offset or 0.0, clip.duration

    now, then = Counter(map(told, clips)), Counter(map(told, before))
    gone = [f"it has {clip}" for clip in then - now if is_there(clip[0])]
    part = config.limit is not None or config.shard is not None
    new = [f"the source has {clip}" for clip in now - then if not part]
    if gone or new:
        different = "; ".join([*gone[:1], *new[:1]])
        raise OptionError(
            f"This is the folder of a run over other clips: {different}. Choose another --out, or"
            " give --force-new to move it aside."
        )


def make_rows(
    clips: Sequence[Utterance],
    before: Sequence[Row] = (),
    on_file: Callable[[int, int], object] | None = None,
) -> list[Row]:
    """Rows of chosen clips: those of an earlier call, and the others looked at now.

    Args:
        clips: of `choose_clips`.
        before: the rows of an earlier call, of the same clips; empty: there was none.
        on_file: called with the recordings looked at, and how many there are to look at.

    Returns:
        Rows in the order of the clips; `with_keys` gives them their keys.
    """
    rows = list(before) or [_row(clip, Seen(None, None, None)) for clip in clips]
    unseen = [i for i, row in enumerate(rows) if row.sha256 is None]
    found = take_census([clips[i] for i in unseen], on_file)
    for i, seen in zip(unseen, found, strict=True):
        rows[i] = _row(clips[i], seen)
    return rows


def _row(clip: Utterance, seen: Seen) -> Row:
    return Row(
        key="",
        id=clip.id,
        audio=clip.audio,
        text=clip.text,
        target=clip.target,
        sha256=seen.sha256,
        seconds=seen.seconds,
        problem=seen.problem,
        offset=clip.offset,
        duration=clip.duration,
    )


def with_keys(rows: Sequence[Row], attacked: Mapping[str, Any]) -> list[Row]:
    """Rows with the names of their items.

    Args:
        rows: of `make_rows`.
        attacked: what identifies an item besides its audio and target: the attack and the victim.
    """
    return [replace(row, key=_key(row, attacked)) for row in rows]


def _key(row: Row, attacked: Mapping[str, Any]) -> str:
    audio = row.sha256 or row.audio  # without a hash it names no item, only an error
    part = {"offset": row.offset or 0.0, "duration": row.duration} if row.is_part else {}
    return key_of({"audio": audio, "target": row.target, **part, **attacked})[:KEY_DIGITS]


def write_rows(run: Path, rows: Sequence[Row]) -> None:
    """Write `clips.jsonl`.

    Raises:
        StorageError: it cannot be written.
    """
    lines = []
    for row in rows:
        known = asdict(row)
        lines.append(as_json({"audio_filepath": known.pop("audio"), **known}, indent=None))
    write_whole(run / CLIPS, b"".join(lines))


def read_rows(run: Path) -> list[Row]:
    """Read `clips.jsonl`.

    Raises:
        MondegreenError: it is not there, or not whole.
    """
    try:
        return [
            typed(Row, known | {"audio": known["audio_filepath"]}) for known in read_clip_list(run)
        ]
    except (KeyError, MondegreenError) as error:
        raise MondegreenError(
            f"{run / CLIPS} is not what mondegreen wrote ({reason(error)}). Give --force-new to"
            " move the run aside and begin another; its items stay there."
        ) from error
