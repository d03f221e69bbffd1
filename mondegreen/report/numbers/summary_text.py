"""Summaries in words: one of them line by line, or several side by side.

Everything here is plain text on one line, whatever names, reasons and details contain: nothing in
it moves a terminal's cursor. It may look like markup, which the printer has to escape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mondegreen.report.numbers.measures import ABOVE_ONE, IN_ROOMS, OVER, SPREADS, error_rate
from mondegreen.report.numbers.statistics import Distribution, ErrorRate, Mean, Share
from mondegreen.report.numbers.summary import Summary
from mondegreen.results.verdict import Word
from mondegreen.text import counted
from mondegreen.wording import number_of

UNKNOWN: Final = "-"
LONGEST: Final = 200  # characters of a name, a reason or a detail
FIRST: Final = 3  # reasons that are listed; of the others, the number
NOT_RUN: Final = "not run"


def describe(summary: Summary) -> dict[str, str]:
    """All that a summary says: names, and a line for each."""
    bound = bound_of(summary)
    return {
        "folders": one_line(", ".join(summary.folders)),
        "victim": one_line(summary.victim or UNKNOWN),
        "method, preset": one_line(f"{summary.method or UNKNOWN}, {summary.preset or UNKNOWN}"),
        **({"bound": bound} if bound else {}),
        **_outcomes(summary),
        "of verified clips": "median (quartiles; minimum to maximum), mean",
        **{
            measure.label: _distribution(summary.spreads[name], measure.write)
            for name, measure in SPREADS.items()
            if name not in IN_ROOMS or summary.spreads[name]
        },
        "sanity checks": _findings(summary),
        **_failures(summary),
    }


def bound_of(summary: Summary) -> str:
    """The bound that a verified clip also keeps; empty where there is none."""
    asked = [bound for bound in summary.bounds if bound is not None]
    if not asked:
        return ""
    others = "; some clips without a bound" if None in summary.bounds else ""
    return f"{' or '.join(asked)}{others}"


def airs_of(summary: Summary) -> str:
    """In which air its rooms are; empty: a method without rooms."""
    return f"in {one_line(' and '.join(summary.airs))}" if summary.airs else ""


def side_by_side(summaries: Sequence[Summary]) -> tuple[list[str], list[list[str]]]:
    """A table with a column for each summary: its header, and its rows.

    Of distributions it has medians; a row in which nothing is known is left out.
    """
    columns = [_column(summary) for summary in summaries]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[name, *(column.get(name, UNKNOWN) for column in columns)] for name in names]
    header = ["", *(one_line(summary.label) for summary in summaries)]
    return header, [row for row in rows if set(row[1:]) != {UNKNOWN}]


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text on one line, cut to a number of characters, all of which can be printed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def clips(count: int) -> str:
    """So many clips."""
    return number_of(count, "clip")


def verdicts(summary: Summary, found: Mapping[Word, int]) -> str:
    """How many of the verified clips have which verdict; see `mondegreen.results.verdict`."""
    judged = sum(found.values())
    if not judged:
        return UNKNOWN
    words = [f"{count:,} {word}" for word, count in found.items()]
    left = summary.counts.verified - judged
    return ", ".join([*words, *([f"{left:,} not known"] if left else [])])


def interval(of: Share | Mean) -> str:
    """The 95 % interval, in brackets; empty where there is none."""
    return "" if of.low is None or of.high is None else f" (95 %: {of.low:.0%} to {of.high:.0%})"


def _column(summary: Summary) -> dict[str, str]:
    medians = {
        f"{measure.label}, median": UNKNOWN if spread is None else measure.write(spread.median)
        for name, measure in SPREADS.items()
        for spread in [summary.spreads[name]]
    }
    return {
        **_outcomes(summary),
        **medians,
        "sanity checks": _findings(summary),
    }


def _outcomes(summary: Summary) -> dict[str, str]:
    there = verdicts(summary, summary.verdicts_in_rooms)
    lines = {
        "clips": _clips(summary),
        "verified": _share(summary.verified),
        "how audible": verdicts(summary, summary.verdicts),
        **({"how audible, in rooms": there} if there != UNKNOWN else {}),
        "of clips transcribed well": _share(summary.verified_understood),
        **_rates(summary),
    }
    in_rooms = {"test rooms": summary.rooms, "original, in rooms": summary.clean_rooms}
    where = airs_of(summary)
    return lines | {name: f"{where}, {_in_rooms(mean)}" for name, mean in in_rooms.items() if mean}


def _clips(summary: Summary) -> str:
    counts = summary.counts
    others = {
        "interrupted": counts.interrupted,
        "not understood before the attack": counts.not_understood,
        "failed with an error": counts.errors,
        "damaged": counts.damaged,
        "pending": counts.pending,
    }
    found = [f"{count:,} {what}" for what, count in others.items() if count]
    return ", ".join([f"{counts.finished:,} of {counts.clips:,} finished", *found])


def _share(share: Share) -> str:
    if share.share is None:
        return UNKNOWN
    return f"{share.hits:,} of {share.clips:,}, {share.share:.0%}{interval(share)}"


def _in_rooms(mean: Mean) -> str:
    return f"heard in {mean.mean:.0%}{interval(mean)}, mean over {clips(mean.clips)}"


def _rates(summary: Summary) -> dict[str, str]:
    """Word error rates, and what one above 100 % means."""
    lines = {
        **({"WER to target": rate_of(summary.to_target)} if not summary.untargeted else {}),
        "WER to original": rate_of(summary.to_original),
        "WER of original": rate_of(summary.clean),
    }
    return lines | ({OVER: ABOVE_ONE} if any(OVER in line for line in lines.values()) else {})


def rate_of(found: ErrorRate) -> str:
    """A pooled word error rate; of several clips, the median clip's beside it."""
    if found.rate is None or found.median is None:
        return UNKNOWN
    line = f"{error_rate(found.rate)} of {counted(found.words, found.characters)}"
    return f"{line}; median clip {error_rate(found.median)}" if found.clips > 1 else line


def _distribution(found: Distribution | None, write: Callable[[float], str]) -> str:
    if found is None:
        return UNKNOWN
    middle = f"{write(found.quartile_1)} to {write(found.quartile_3)}"
    ends = f"{write(found.least)} to {write(found.greatest)}"
    skipped = f"; unknown for {found.skipped:,}" if found.skipped else ""
    return f"{write(found.median)} ({middle}; {ends}), mean {write(found.mean)}{skipped}"


def _findings(summary: Summary) -> str:
    if summary.checked is None:
        return f"{NOT_RUN} (mondegreen sanity)"
    fired = [
        f"{found.id} ({found.severity}): {one_line(found.detail)}"
        for found in summary.checked
        if found.state == "fires"
    ]
    unchecked = [f"{NOT_RUN} in {folder}" for folder in summary.unchecked]
    return "; ".join(map(one_line, [*(fired or ["none fired"]), *unchecked]))


def _failures(summary: Summary) -> dict[str, str]:
    reasons = [f"{count:,} × {one_line(why)}" for why, count in summary.errors.items()]
    damaged = [one_line(why) for why in summary.damaged]
    lines = {"errors": reasons, "damaged": damaged}
    return {name: _first(found) for name, found in lines.items() if found}


def _first(reasons: Sequence[str]) -> str:
    more = [f"and {len(reasons) - FIRST:,} more"] if len(reasons) > FIRST else []
    return "; ".join([*reasons[:FIRST], *more])
