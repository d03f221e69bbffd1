"""What the numbers of a clip are called, what they mean, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple


class Measure(NamedTuple):
    """A number of a clip."""

    label: str
    write: Callable[[float], str]  # a value as text
    meaning: str  # what it is, in a line


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 100 else _whole(value)


def _percent(value: float) -> str:
    return f"{value:.1%}"


def error_rate(value: float) -> str:
    """A word error rate as a percentage; above 1, only that it is (see `ABOVE_ONE`)."""
    return _percent(value) if value <= 1 else OVER


OVER: Final = "> 100%"
ABOVE_ONE: Final = (
    "more errors than words: the transcript is longer than the phrase, as one that loops is"
)
IN_ROOMS: Final[Mapping[str, Measure]] = {  # of methods in rooms
    "quality_in_rooms_zimtohrli_mos_median": Measure(
        "Zimtohrli MOS, median room", _number, "against the original in the same test room"
    ),
    "quality_in_rooms_zimtohrli_mos_worst": Measure(
        "Zimtohrli MOS, worst room", _number, "likewise, in the room where it is lowest"
    ),
    "quality_in_rooms_pesq_c2_median": Measure(
        "PESQ (Cor. 2), median room", _number, "against the original in the same test room"
    ),
    "quality_in_rooms_pesq_c2_worst": Measure(
        "PESQ (Cor. 2), worst room", _number, "likewise, in the room where it is lowest"
    ),
    "quality_in_rooms_temporal_loss_median": Measure(
        "temporal masking loss, median room",
        _number,
        "above the threshold of the original in the same test room",
    ),
    "quality_in_rooms_temporal_loss_worst": Measure(
        "temporal masking loss, worst room", _number, "likewise, in the room where it is largest"
    ),
}
SPREADS: Final[Mapping[str, Measure]] = {  # those whose distribution is of interest
    "passes": Measure("passes", _whole, "gradient passes: forward and back through the recogniser"),
    "first_match": Measure(
        "first match", _whole, "the pass that was first transcribed as was aimed for"
    ),
    "seconds": Measure("seconds", _number, "how long the search took"),
    "zimtohrli_mos": Measure(
        "Zimtohrli MOS", _number, "5: no difference; made for differences that are just noticed"
    ),
    "pesq_c2": Measure(
        "PESQ (Cor. 2)", _number, "4.6: no difference; 1: bad; made for telephone speech"
    ),
    "masking_loss": Measure("masking loss", _number, "power above the masking threshold; 0: none"),
    "temporal_loss": Measure(
        "temporal masking loss",
        _number,
        "likewise; what comes shortly before and after masks as well",
    ),
    "temporal_margin_db": Measure(
        "margin, dB", _number, "how much louder it could be, of the temporal masking loss"
    ),
    "masking_share_above": Measure(
        "above threshold",
        _percent,
        "time-frequency bins in which the perturbation exceeds the masking threshold, a model"
        " of what the ear misses",
    ),
    "masking_mean_excess_db": Measure(
        "mean excess, dB", _number, "how far it exceeds the threshold in those bins, on average"
    ),
    "masking_max_excess_db": Measure(
        "max excess, dB", _number, "how far it exceeds the threshold in the worst bin"
    ),
    "masking_edges_db": Measure(
        "edges, dB", _number, "how far it exceeds the threshold at the clip's start and end"
    ),
    "snr_db": Measure(
        "SNR, dB",
        _number,
        "how much weaker the perturbation is than the clip; says nothing about hearing",
    ),
    "max_abs": Measure("peak, of 32768", _whole, "the largest change of any sample"),
    "pesq": Measure("PESQ (2007)", _number, "without Corrigendum 2: up to 0.8 lower"),
    "stoi": Measure("STOI", _number, "intelligibility; 1: as intelligible as the original"),
    **IN_ROOMS,
}
MEASURES: Final[Mapping[str, Measure]] = {  # by the columns of the tables
    **SPREADS,
    "wer_target": Measure(
        "WER to target",
        error_rate,
        "word error rate of the transcript to the target; of characters, where the writing has no"
        f" spaces between words; {OVER}: {ABOVE_ONE}",
    ),
    "wer_original": Measure("WER to original", error_rate, "likewise to what is said in it"),
    "wer_clean": Measure("WER of original", error_rate, "of the transcript of the original"),
    "rooms_heard": Measure(
        "test rooms", _percent, "test rooms in which the transcript is what was aimed for"
    ),
}
