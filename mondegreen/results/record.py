"""The record of one adversarial example: what is claimed of it, what was measured, what it cost.

A record is typed both ways: `to_json` writes it flat, the parts of options, quality and survival
beside the other fields, and `from_json` reads it back or says what is wrong with it. Nothing else
in this package reads `record.json`.

Conventions: shares and word error rates are 0 to 1 (a rate can exceed 1; what counts as a word, see
`mondegreen.text.units`); amplitudes in 16-bit units (full scale 32768) or dB, as the name says; a
value without a definition is None, never NaN.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError

from mondegreen.aim import Aim
from mondegreen.airs import Air
from mondegreen.audio.recording import SAMPLE_RATES
from mondegreen.errors import MondegreenError
from mondegreen.options import Options

T = TypeVar("T")
Count = Annotated[int, Field(ge=0, lt=2**63)]
SampleRate = Annotated[int, Field(ge=SAMPLE_RATES[0], le=SAMPLE_RATES[1])]  # Hz

SCHEMA: Final = 5  # of record.json; another one is refused


@dataclass(frozen=True)
class MaskingExcess:
    """How far delta rises above the masking threshold theta of the clean clip.

    p_delta is delta's normalised power, Eq. (13), and excess is 10 log10(p_delta / theta), in dB.
    Shares and excesses count the bins in which the profile has a threshold in quiet (in `paper`
    20 Hz to 20 kHz): elsewhere theta may be next to nothing, and dB above it mean nothing.
    """

    profile: str  # which reading of the threshold this is
    loss: float  # l_theta: mean over all frames and bins of max(p_delta - theta, 0), linear power
    share_above: float  # share of (frame, bin) pairs with p_delta > theta
    mean_excess_db: float  # mean over those pairs; 0 if there are none
    max_excess_db: float  # largest of them; 0 if there are none
    edges_db: float  # likewise, in frames over the clip's edges, which none of the above count
    # by how many dB delta could be louder until the loss is at the mark of the verdict; negative:
    # would have to be quieter. None: without a change, or in an older record
    margin_db: float | None = None


@dataclass(frozen=True)
class Quality:
    """How audible a change may be; see `mondegreen.measures`.

    What has a default is unknown in older records.
    """

    max_abs: float  # max |delta|, in 16-bit units
    snr_db: float | None
    masking: MaskingExcess
    pesq: float | None  # by P.862.2 of 2007
    stoi: float | None
    pesq_c2: float | None = None  # by the same with P.862 Corrigendum 2, of 2018
    zimtohrli: float | None = None  # its distance; 0: no difference
    zimtohrli_mos: float | None = None  # the same as a mean opinion score, 1 to 5
    temporal: MaskingExcess | None = None  # as `masking`, with temporal masking
    # what the yardsticks of installed packages say, by their names
    others: Mapping[str, float] = field(default_factory=dict)
    # why something was not measured, by the name of its field or yardstick
    unmeasured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OverRooms:
    """One yardstick over rooms."""

    median: float
    worst: float
    room: str  # the id of the room that has the worst
    count: Count  # rooms in which it could be taken


@dataclass(frozen=True)
class QualityInRooms:
    """How audible a change may be in rooms; see `mondegreen.measures.in_rooms`.

    The yardsticks are those of `Quality`; None: it could be taken in no room.
    """

    split: str  # the split's name
    count: Count  # rooms measured in
    zimtohrli_mos: OverRooms | None
    pesq_c2: OverRooms | None
    pesq: OverRooms | None
    stoi: OverRooms | None
    masking_loss: OverRooms | None
    temporal_loss: OverRooms | None
    snr_db: OverRooms | None
    # why something was not measured in the first room where it was not, as in `Quality`
    unmeasured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RoomTranscript:
    """What a recogniser made of a sound in one room."""

    room: str  # its id
    rt60: float | None  # reverberation time in s
    transcript: str
    matched: bool  # it is what was aimed for


@dataclass(frozen=True)
class Dry:
    """A sound without any room."""

    heard: float  # 1.0 if it is transcribed as what was aimed for, else 0.0
    wer_target: float | None  # None: untargeted
    wer_original: float | None


@dataclass(frozen=True)
class InRooms:
    """A sound in the rooms of one split of a bank."""

    split: str  # the split's name
    count: Count  # impulse responses listened in
    # rooms that they come from. Where these are fewer, the interval is too narrow: it takes the
    # responses for independent.
    distinct: Count
    heard: float  # share of them in which the transcript is what was aimed for
    # heard_low, heard_high: Wilson's 95 % interval of that share
    heard_low: float
    heard_high: float
    heard_original: float | None  # share of them in which the transcript is exactly the original
    # wer_target, wer_original: word error rates to the target and the original, pooled
    wer_target: float | None
    wer_original: float | None
    each: tuple[RoomTranscript, ...]  # room by room
    # Medians over the rooms of the same two rates, which one long transcript does not decide. None:
    # without a target or an original, or in an older record.
    wer_target_median: float | None = None
    wer_original_median: float | None = None


@dataclass(frozen=True)
class Survival:
    """How a sound does in rooms, and without any."""

    rooms: InRooms
    dry: Dry


@dataclass(frozen=True)
class Point:
    """One point of a search's curve; fields as in `mondegreen.search.progress.Progress`."""

    passes: Count  # of the clip, so far
    stage: str
    loss: float | None  # None: not a finite number
    matched: bool
    hits: Count
    judged: Count
    eps: float | None
    alpha: float | None
    masking_loss: float | None

    @property
    def numbers(self) -> dict[str, float]:
        """What is known of it as numbers by name, for loggers; `heard` is a share of draws."""
        heard = self.hits / self.judged if self.judged else None
        names = ("loss", "masking_loss", "eps", "alpha")
        return _known({"heard": heard} | {name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Prices:
    """What a success costs the ear, a number for each yardstick; see `results.prices`."""

    excess_db: float
    margin_db: float | None
    snr_db: float | None
    pesq_c2: float | None
    zimtohrli_mos: float | None


@dataclass(frozen=True)
class Success:
    """A success on the way of a search: the file that it would be is heard as it should be."""

    passes: Count  # gradient passes spent when it was found
    stage: str  # the stage that it comes from
    prices: Prices


@dataclass(frozen=True, repr=False)
class Record:
    """Everything that is claimed of one adversarial example, and what it cost."""

    id: str  # name of the clip
    audio: str  # path of the clean recording
    # the phrase asked for, or in context all that was to be heard; None: untargeted
    target: str | None
    # the phrase, as the victim was made to write it; untargeted: what was pushed away
    spelled: str
    text: str | None  # what is said in the clip; None: not known
    heard_clean: str  # the victim's transcript of the clean clip
    heard: str  # its transcript of the saved file; empty if the proof was interrupted
    # `heard` is what was aimed for (see `aim`): the target, under the options' normaliser; for a
    # method in rooms: in at least half of the bank's test rooms. With a bound: and the saved file
    # keeps it.
    verified: bool
    options: Options  # how it was attacked
    stages: str  # the hash of the stages that were run; see `mondegreen.search.presets.fingerprint`
    wer_target: float | None  # word error rate of `heard` to the target; None: there is none
    wer_original: float  # to `text`, or to `heard_clean` where that is not known
    # of `heard_clean` to `text`; None where that is not known, like the next
    wer_clean: float | None
    understood: bool | None  # `wer_clean` is within `options.max_clean_wer`
    victim: str  # the name of the recogniser
    passes: Count  # gradient passes spent
    looks: Count  # forward passes spent only on looking for success
    first_match: Count | None  # the pass that first matched; None: never
    found_at: Count | None  # the pass that found what was saved; None: nothing matched
    stage: str | None  # the stage that it comes from; None: nothing matched
    interrupted: bool  # the search or its proof was interrupted
    seconds: float  # wall time of the search, shared by the clips of a batch
    quality: Quality  # how audible the change may be
    # the key of the bank of rooms; None: a method without rooms, like the next two
    bank: str | None
    air: Air | None  # what happened to the sound, in the search and in `survival`
    survival: Survival | None  # how the saved file does in the bank's test rooms, and without any
    clean: Survival | None  # the same of the clean clip
    sample_rate: SampleRate  # of the saved file
    # device, dtype, versions: where it ran
    device: str
    dtype: str
    versions: Mapping[str, str]
    warnings: tuple[str, ...]  # reasons for doubt
    # a point every ten steps; see `mondegreen.search.trajectory.Trajectory`
    curve: tuple[Point, ...]
    key: str | None = None  # names the item in its run; None: it is of none
    # SHA-256 of what was attacked: the clip's samples, those around them, and what they were to be
    # heard as; two results that have it in common are of one clip. None: not known
    clip_sha256: str | None = None
    # in context, the words of `heard_clean` that the phrase took the place of: transcripts and
    # targets are then of all of the file. None: of the passage alone
    replaced: str | None = None
    # the first sample of the saved file that was attacked, and the one after the last; all above is
    # of that passage alone, but for what is heard in context. None: all of it was, like the next
    passage: tuple[Count, Count] | None = None
    # the transcript of all of the saved file; None: not taken, or in context, where it is `heard`
    heard_whole: str | None = None
    # how audible the change may be in the bank's test rooms; None: not measured, or a method
    # without rooms
    quality_in_rooms: QualityInRooms | None = None
    # successes on the way to what is saved, which is not among them: of the passes from one power
    # of two to the next, the last. None in rooms, where a proof takes as long as many passes
    trail: tuple[Success, ...] = ()
    # SHA-256 of the item's files, by name; empty until they are saved
    files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        word = "verified" if self.verified else "not verified"
        return f"<record of {self.id}: {word}, heard as {self.heard!r} by {self.victim}>"

    @property
    def said(self) -> str:
        """What is said in the clip; where that is not known, what the victim heard in it."""
        return self.text or self.heard_clean

    @property
    def aim(self) -> Aim:
        """What a transcript must be for the attack to have succeeded."""
        how = self.options
        original = self.said if how.untargeted else self.heard_clean
        return Aim(self.target, original, how.normaliser, how.forbid, how.min_wer)

    @property
    def transcribed(self) -> bool:
        """Whether the saved file was ever transcribed; an interrupted proof may not have begun."""
        return self.verified or bool(self.heard) or not self.interrupted

    @property
    def reached(self) -> bool:
        """Whether `heard` is what was aimed for, whatever bound or rooms were asked for."""
        return self.transcribed and self.aim.met(self.heard)

    @property
    def where(self) -> tuple[float, float] | None:
        """Where the passage that was attacked begins and ends, in seconds; None: all was."""
        if self.passage is None:
            return None
        begin, end = (sample / self.sample_rate for sample in self.passage)
        return begin, end

    @property
    def numbers(self) -> dict[str, float]:
        """What came out as numbers by name, for loggers; what is not known is left out."""
        quality = self.quality
        return _known(
            {
                "verified": self.verified,
                "first_match": self.first_match,
                "seconds": self.seconds,
                "wer_target": self.wer_target,
                "wer_original": self.wer_original,
                "excess_db": quality.masking.max_excess_db,
                "margin_db": quality.temporal.margin_db if quality.temporal else None,
                "snr_db": quality.snr_db,
                "pesq_c2": quality.pesq_c2,
                "zimtohrli_mos": quality.zimtohrli_mos,
                "rooms_heard": self.survival.rooms.heard if self.survival else None,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, flat: the parts of options, quality and survival are fields of their own."""
        data = asdict(self)
        last = {name: data.pop(name) for name in LAST}
        options, quality, survival = (data.pop(part) for part in PARTS)
        data["air"] = None if self.air is None else self.air.model_dump(mode="json")
        flat = {"schema": SCHEMA, "adversarial": True, **data, **options.model_dump(), **quality}
        return flat | (survival or dict.fromkeys(PARTS["survival"])) | last

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """A record as `to_json` wrote it.

        Raises:
            MondegreenError: it is of another schema, or not what was written.
        """
        if data.get("schema") != SCHEMA:
            raise MondegreenError(
                f"it is a record of schema {data.get('schema', 1)!s:.60}, and this version of"
                f" mondegreen reads schema {SCHEMA}. Attack the clip again, or read it with the"
                " version that wrote it"
            )
        rest = dict(data)

        def taken(names: Iterable[str]) -> dict[str, Any]:
            return {name: rest.pop(name) for name in names if name in rest}

        taken(("schema", "adversarial"))
        parts: dict[str, Any] = {part: taken(names) for part, names in PARTS.items()}
        if parts["survival"] == dict.fromkeys(PARTS["survival"]):
            parts["survival"] = None
        record = typed(cls, {**rest, **parts})
        if record.options.untargeted != (record.target is None):
            raise MondegreenError("look at target, which is missing, or not of this method")
        return record


# Called with the id of a clip and what is new of it: a point after a step of its search, its
# record once it is proved and measured.
OnNews: TypeAlias = Callable[[str, Point | Record], object]


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items() if number is not None}


LAST: Final = (
    *("clean", "curve", "key", "clip_sha256", "replaced", "passage", "heard_whole"),
    "quality_in_rooms",
    *("trail", "files"),
)
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "options": tuple(Options.model_fields),
    "quality": tuple(part.name for part in fields(Quality)),
    "survival": tuple(part.name for part in fields(Survival)),
}


def typed(kind: type[T], data: object) -> T:
    """Plain data, as JSON has it, as a dataclass; every value is checked.

    Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes a question mark.

    Raises:
        MondegreenError: something is missing, or of another type, and what.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        adapter = _adapter(cast(Any, kind))
        made: T = adapter.validate_json(text, strict=True)
        json.dumps(adapter.dump_python(made), allow_nan=False)  # a huge integer became infinite
    except ValidationError as error:
        wrong = dict.fromkeys(map(_place, error.errors()))
        raise MondegreenError(f"look at {', '.join(list(wrong)[:5])}") from None
    except (TypeError, ValueError) as error:
        raise MondegreenError(f"it holds what JSON does not know: {error}") from None
    return made


def _place(found: Mapping[str, Any]) -> str:
    """Where a value is wrong, and why if the options say so."""
    where, why = ".".join(map(str, found["loc"])), found.get("ctx", {}).get("error")
    return f"{where:.60} ({why})" if why else f"{where:.60}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
