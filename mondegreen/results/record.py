"""The record of one adversarial example: what is claimed of it, what was measured, what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MaskingExcess:
    """How far delta rises above the masking threshold theta of the clean clip.

    p_delta is delta's normalised power, Eq. (13), and excess is 10 log10(p_delta / theta), in dB.
    Shares and excesses count the bins in which the profile knows a threshold in quiet (in `paper`
    20 Hz to 20 kHz): elsewhere theta may be next to nothing, and dB above it mean nothing.
    """

    profile: str  # which reading of the threshold this is
    loss: float  # l_theta: mean over all frames and bins of max(p_delta - theta, 0), linear power
    share_above: float  # share of (frame, bin) pairs with p_delta > theta, 0 to 1
    mean_excess_db: float  # mean over those pairs; 0 if there are none
    max_excess_db: float  # largest of them; 0 if there are none
    edges_db: float  # likewise, in frames over the clip's edges, which none of the above count


@dataclass(frozen=True)
class Quality:
    """The six measurements of one adversarial example."""

    max_abs: float  # max |delta|, in 16-bit units
    snr_db: float | None  # see `snr_db`
    masking: MaskingExcess  # see `masking_excess`
    pesq: float | None  # see `pesq`
    stoi: float | None  # see `stoi`


@dataclass(frozen=True)
class Hearing:
    """What a recogniser made of a sound in one room.

    Attributes:
        room: the room's id.
        rt60: its reverberation time in s; None: not known.
        heard: the transcript.
        matched: it is the target.
    """

    room: str
    rt60: float | None
    heard: str
    matched: bool


@dataclass(frozen=True)
class Dry:
    """A sound without any room.

    Attributes:
        heard: 1.0 if it is heard as the target, else 0.0.
        wer_target, wer_original: word error rates to the target and to the original.
    """

    heard: float
    wer_target: float
    wer_original: float | None


@dataclass(frozen=True)
class InRooms:
    """A sound in the rooms of one split of a bank.

    Attributes:
        split: the split's name.
        count: impulse responses listened in.
        distinct: rooms that they come from. Where these are fewer, the interval is too narrow, for
            it takes the responses for independent.
        heard: share of them, 0 to 1, in which the target is heard exactly.
        heard_low, heard_high: Wilson's 95 % interval of that share.
        heard_original: share of them in which the original is heard exactly.
        wer_target, wer_original: word error rates to the target and the original, pooled.
        each: room by room.
    """

    split: str
    count: int
    distinct: int
    heard: float
    heard_low: float
    heard_high: float
    heard_original: float | None
    wer_target: float
    wer_original: float | None
    each: tuple[Hearing, ...]


@dataclass(frozen=True)
class Survival:
    """How a sound does in rooms, and without any."""

    rooms: InRooms
    dry: Dry


@dataclass(frozen=True)
class Point:
    """One point of a trajectory's curve; fields as in `progress.Progress`."""

    passes: int
    stage: str
    loss: float | None  # None: not a finite number
    matched: bool
    hits: int
    judged: int
    eps: float | None
    alpha: float | None
    masking_loss: float | None


@dataclass(frozen=True)
class Record:
    """Everything that is claimed of one adversarial example, and what it cost.

    Attributes:
        id: name of the clip.
        audio: the clean recording's path.
        target: the phrase asked for.
        spelled: the phrase as the victim was made to write it.
        text: what is said in the clip; None: not known.
        heard_clean: what the victim hears in the clean clip.
        heard: what the victim hears in the saved file; empty if that was stopped by hand.
        verified: `heard` is the target, under `normaliser`; for a method in rooms: in at least half
            of the bank's test rooms the saved file is heard as the target. With a bound: and the
            saved file keeps it.
        under_threshold: the bound that was asked, in dB above the masking threshold, which
            `quality.masking.max_excess_db` must not exceed; None: none was asked.
        normaliser: see `mondegreen.text`.
        wer_target: word error rate of `heard` to the target.
        wer_original: to `text`, or to `heard_clean` where that is not known.
        wer_clean: of `heard_clean` to `text`; None where that is not known, like the next.
        understood: the victim makes sense of the clean clip: `wer_clean` is within the limit.
        method, preset, victim, seed: what was run.
        passes: gradient passes spent.
        looks: forward passes spent only on looking for success.
        first_match: the pass that first matched; None: never.
        found_at: the pass that found what was saved; None: nothing matched.
        stage: the stage that it comes from; None: nothing matched.
        interrupted: the search was stopped by hand.
        seconds: wall time of the search, shared by the clips of a batch.
        quality: see `mondegreen.results.record.Quality`.
        bank: the key of the bank of rooms; None: a method without rooms, like the next two.
        air: what else the search reckoned with after the room; `survival` does not.
        survival: how the saved file does in the bank's test rooms, and without any.
        clean: the same of the clean clip.
        sample_rate: of the saved file, Hz.
        device, dtype, versions: where it ran.
        warnings: what stands against believing it.
        curve: see `mondegreen.search.trajectory.Trajectory`.
    """

    id: str
    audio: str
    target: str
    spelled: str
    text: str | None
    heard_clean: str
    heard: str
    verified: bool
    under_threshold: float | None
    normaliser: str
    wer_target: float
    wer_original: float
    wer_clean: float | None
    understood: bool | None
    method: str
    preset: str
    victim: str
    seed: int
    passes: int
    looks: int
    first_match: int | None
    found_at: int | None
    stage: str | None
    interrupted: bool
    seconds: float
    quality: Quality
    bank: str | None
    air: list[str]
    survival: Survival | None
    clean: Survival | None
    sample_rate: int
    device: str
    dtype: str
    versions: dict[str, str]
    warnings: list[str]
    curve: list[Point]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the parts of `quality` and `survival` stand beside the other fields."""
        data = asdict(self)
        last = {name: data.pop(name) for name in ("clean", "curve")}
        quality, survival = data.pop("quality"), data.pop("survival")
        heard = survival or {"rooms": None, "dry": None}
        return {"adversarial": True, **data, **quality, **heard, **last}
