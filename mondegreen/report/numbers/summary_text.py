"""Summaries in words: one of them line by line, or several side by side.

Everything here is plain text on one line, whatever names, reasons and details hold: nothing in it
moves a terminal's cursor. It may look like markup, which the printer has to see to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mondegreen.report.numbers.statistics import ErrorRate, Mean, Share, Spread
from mondegreen.report.numbers.summary import Summary

UNKNOWN: Final = "-"
LONGEST: Final = 200  # characters of a name, a reason or a detail
FIRST: Final = 3  # reasons that are told of many


def describe(summary: Summary) -> dict[str, str]:
    """All that a summary says: names, and a line for each."""
    return {
        "folders": one_line(", ".join(summary.folders)),
        "victim": one_line(summary.victim or UNKNOWN),
        "method, preset": one_line(f"{summary.method or UNKNOWN}, {summary.preset or UNKNOWN}"),
        **({"bound": bound} if (bound := bound_of(summary)) else {}),
        **_outcomes(summary),
        "of verified clips": "median (quartiles; least to greatest), mean",
        **{
            name: _spread(summary.spreads[column], write)
            for column, (name, write) in SPREADS.items()
        },
        "sanity": _findings(summary),
        **_failures(summary),
    }


def bound_of(summary: Summary) -> str:
    """What a verified clip keeps under besides; empty where nothing of the kind was asked."""
    asked = [bound for bound in summary.bounds if bound is not None]
    if not asked:
        return ""
    others = "; some clips without" if None in summary.bounds else ""
    levels = " or ".join(f"{bound:g}" for bound in asked)
    return f"no bin more than {levels} dB above the masking threshold{others}"


def side_by_side(summaries: Sequence[Summary]) -> tuple[list[str], list[list[str]]]:
    """A table with a column for each summary: its header, and its rows.

    Of distributions it has medians; a row in which nothing is known is left out.
    """
    columns = [_column(summary) for summary in summaries]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[name, *(column.get(name, UNKNOWN) for column in columns)] for name in names]
    header = ["", *(one_line(summary.label) for summary in summaries)]
    return header, [row for row in rows if set(row[1:]) != {UNKNOWN}]


def one_line(text: str) -> str:
    """A text of at most `LONGEST` characters, all of which can be printed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _column(summary: Summary) -> dict[str, str]:
    medians = {
        f"{name}, median": UNKNOWN if spread is None else write(spread.median)
        for column, (name, write) in SPREADS.items()
        for spread in [summary.spreads[column]]
    }
    return {**_outcomes(summary), **medians, "sanity": _findings(summary)}


def _outcomes(summary: Summary) -> dict[str, str]:
    lines = {
        "clips": _clips(summary),
        "verified": _share(summary.verified),
        "if understood": _share(summary.verified_understood),
        "WER to target": _rate(summary.to_target),
        "WER to original": _rate(summary.to_original),
        "WER of clean clips": _rate(summary.clean),
    }
    if summary.rooms:
        lines["test rooms"] = _in_rooms(summary.rooms)
    if summary.clean_rooms:
        lines["clean, in rooms"] = _in_rooms(summary.clean_rooms)
    return lines


def _clips(summary: Summary) -> str:
    counts = summary.counts
    others = {
        "interrupted": counts.interrupted,
        "not understood": counts.not_understood,
        "in error": counts.errors,
        "damaged": counts.damaged,
        "pending": counts.pending,
    }
    told = [f"{count:,} {what}" for what, count in others.items() if count]
    return ", ".join([f"{counts.finished:,} of {counts.clips:,} finished", *told])


def _share(share: Share) -> str:
    if share.share is None:
        return UNKNOWN
    interval = _interval(share.low, share.high)
    return f"{share.hits:,} of {share.clips:,}, {share.share:.0%}{interval}"


def _in_rooms(mean: Mean) -> str:
    clips = "clip" if mean.clips == 1 else "clips"
    interval = _interval(mean.low, mean.high)
    return f"heard in {mean.mean:.0%}{interval}, mean over {mean.clips:,} {clips}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95 %: {low:.0%} to {high:.0%})"


def _rate(rate: ErrorRate) -> str:
    return UNKNOWN if rate.rate is None else f"{rate.rate:.1%} of {rate.words:,} words"


def _spread(spread: Spread | None, write: Callable[[float], str]) -> str:
    if spread is None:
        return UNKNOWN
    middle = f"{write(spread.quartile_1)} to {write(spread.quartile_3)}"
    ends = f"{write(spread.least)} to {write(spread.greatest)}"
    skipped = f"; not known of {spread.skipped:,}" if spread.skipped else ""
    return f"{write(spread.median)} ({middle}; {ends}), mean {write(spread.mean)}{skipped}"


def _findings(summary: Summary) -> str:
    if summary.findings is None:
        return "not run"
    found = [
        f"{found.id} ({found.severity}): {one_line(found.detail)}" for found in summary.findings
    ]
    unchecked = [f"not run in {folder}" for folder in summary.unchecked]
    return "; ".join(map(one_line, [*(found or ["nothing fires"]), *unchecked]))


def _failures(summary: Summary) -> dict[str, str]:
    reasons = [f"{count:,} × {one_line(why)}" for why, count in summary.errors.items()]
    damaged = [one_line(why) for why in summary.damaged]
    lines = {"errors": reasons, "damaged": damaged}
    return {name: _first(told) for name, told in lines.items() if told}


def _first(told: Sequence[str]) -> str:
    more = [f"and {len(told) - FIRST:,} more"] if len(told) > FIRST else []
    return "; ".join([*told[:FIRST], *more])


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 100 else _whole(value)


def _percent(value: float) -> str:
    return f"{value:.1%}"


SPREADS: Final[Mapping[str, tuple[str, Callable[[float], str]]]] = {
    "passes": ("passes", _whole),
    "first_match": ("first heard at", _whole),
    "seconds": ("seconds", _number),
    "snr_db": ("SNR, dB", _number),
    "max_abs": ("change, of 32768", _whole),
    "masking_loss": ("masking loss", _number),
    "masking_share_above": ("above threshold", _percent),
    "masking_mean_excess_db": ("mean excess, dB", _number),
    "masking_max_excess_db": ("most excess, dB", _number),
    "pesq": ("PESQ", _number),
    "stoi": ("STOI", _number),
}
