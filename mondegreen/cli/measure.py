"""The command that measures how far apart two recordings are: measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mondegreen.cli.app import AsJson, AudioFile, Examples, app
from mondegreen.cli.output import (
    margin_fields,
    print_fields,
    print_json,
    quality_fields,
    rating,
    verdict_json,
    verdict_line,
)
from mondegreen.cli.progress import working
from mondegreen.cli.refusals import check_recordings
from mondegreen.errors import MeasureError, OptionError, reason

if TYPE_CHECKING:
    from mondegreen.measures.curve import Margin
    from mondegreen.measures.pair import Pair

Rating = tuple[float | None, str | None]  # a score; and why there is none


@app.command(
    epilog=Examples + "mondegreen measure clip.wav mondegreen-out/adversarial.wav\n\n"
    "mondegreen measure clip.wav coded.mp3 --curve\n\n"
    "mondegreen measure clip.wav other.wav --json"
)
def measure(
    original: AudioFile,
    other: Annotated[
        Path, typer.Argument(help="Another version of it, which begins at the same moment.")
    ],
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Also turn the difference up and down by 1 dB, and print at which level each of"
            " the three yardsticks that have a mark crosses it.",
        ),
    ] = False,
    visqol: Annotated[
        bool,
        typer.Option(
            "--visqol", help="Also take ViSQOL: pip install 'mondegreen\\[visqol]'; takes long."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how audible the difference of two recordings may be, by a panel of yardsticks.

    None of them proves that it cannot be heard. What cannot be measured says why.
    """
    if visqol and find_spec("visqol") is None:
        raise OptionError("--visqol needs a package; run: pip install 'mondegreen[visqol]'")
    check_recordings([original, other])
    from mondegreen.measures.pair import read_pair
    from mondegreen.measures.quality import measure as measured

    pair = read_pair(original, other)
    of = pair.original, pair.other, pair.sample_rate
    with working("measuring"):
        quality = measured(*of)
    wide = _visqol(pair) if visqol else None
    found = _margins(pair) if curve else []
    if as_json:
        print_json(
            {
                "original": str(original),
                "other": str(other),
                "sample_rate": pair.sample_rate,
                "notes": pair.notes,
                **verdict_json(quality),
                **asdict(quality),
                **({"visqol": wide[0]} if wide else {}),
                **(
                    {"margins_db": {one.yardstick.name: one.level for one in found}}
                    if curve
                    else {}
                ),
            }
        )
        return
    print_fields(
        {
            "original": original,
            "other": other,
            **({"note": " ".join(pair.notes)} if pair.notes else {}),
            "how audible": verdict_line(quality),
            **quality_fields(quality),
            **margin_fields(quality),
            **({"ViSQOL": rating(*wide)} if wide else {}),
            **_lines(found),
        }
    )


def _visqol(pair: Pair) -> Rating:
    from mondegreen.measures.ratings import visqol

    with working("measuring with ViSQOL"):
        try:
            return visqol(pair.original, pair.other, pair.sample_rate), None
        except MeasureError as error:
            return None, reason(error)


def _margins(pair: Pair) -> list[Margin]:
    from mondegreen.measures.curve import margins

    of = pair.original, pair.other, pair.sample_rate
    with working("turning the difference up and down") as now:
        return list(margins(*of, lambda by, level: now(f"{by.label} at {level:+d} dB")))


def _lines(found: Sequence[Margin]) -> dict[str, str]:
    """The margins in words, and the least of them if none is missing."""
    lines = {f"by {one.yardstick.label}": _line(one) for one in found}
    levels = [one.level for one in found if one.level is not None]
    if levels and len(levels) == len(found):
        lines["by all of them"] = f"{_change(min(levels))}; a mark is a convention, not a threshold"
    return lines


def _line(of: Margin) -> str:
    if of.level is None:
        return f"no margin: {of.why}"
    return f"{_change(of.level)} (mark {of.yardstick.inaudible:g})"


def _change(level: int) -> str:
    if level < 0:
        return f"it would have to be {-level} dB quieter to be probably inaudible"
    return f"it could be {level} dB louder" if level else "at its mark, to the nearest dB"
