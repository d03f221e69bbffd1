"""What results look like when they are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from mondegreen.cli.console import err, one_line, out
from mondegreen.errors import MondegreenError
from mondegreen.reading import is_there
from mondegreen.report.numbers.measures import ABOVE_ONE, OVER, error_rate
from mondegreen.wording import number_of

if TYPE_CHECKING:
    from mondegreen.airs import Air
    from mondegreen.attacks.result import Result
    from mondegreen.findings import Finding
    from mondegreen.measures.transfer import Transcribed, Transfer
    from mondegreen.results.record import (
        Dry,
        InRooms,
        OverRooms,
        Quality,
        QualityInRooms,
        Record,
        Survival,
    )

FULL_SCALE = 32_768  # of 16-bit samples
NAMES = 18  # characters of the names of fields, unless one is longer
NARROWEST, GAP = 16, 2  # characters of a column that can still be read, and between two
LARGE = 1e7  # from which on a loss has no digits after the point
NO_VERDICT = "none: neither Zimtohrli nor PESQ (Cor. 2) was measured"
STATES = {
    "ok": "green",
    "warning": "yellow",
    "skipped": "yellow",
    "error": "red",
    "fails": "red",
    "fires": "red",
}


def print_json(value: Mapping[str, Any]) -> None:
    """One object on one line of stdout."""
    out.say(json.dumps(value, allow_nan=False))


def print_fields(fields: Mapping[str, Any], as_json: bool = False) -> None:
    """Names and values, a line each; or as JSON."""
    if as_json:
        print_json(fields)
        return
    width = max([NAMES, *(len(name) + 1 for name in fields)])
    for name, value in fields.items():
        shown = "-" if value is None else value
        out.say(f"{name.replace('_', ' '):<{width}} {shown}")


def print_finding(found: Finding, as_json: bool = False) -> None:
    """What was checked, its state, and the details: a row of a table, or JSON."""
    if as_json:
        print_json(asdict(found))
        return
    state = f"[{STATES[found.state]}]{found.state:<8}[/]"
    out.print(f"{found.id:<24} {state} {escape(one_line(found.detail))}", highlight=False)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a row of headings; of more columns than can be read at once, several.

    Each has the first column, which names the rows.
    """
    names = max(len(row[0]) for row in (header, *rows))
    columns = max(1, (out.width - names) // (NARROWEST + GAP))
    for first in range(1, len(header), columns):
        if first > 1:
            out.print()
        shown = slice(first, first + columns)
        out.print(_table([header[0], *header[shown]], [[row[0], *row[shown]] for row in rows]))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of which no name of a row is broken, and nothing is cut off."""
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(escape(name), overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def print_result(result: Result, folder: Path) -> None:
    """Print the result of an attack, and where its files are."""
    from mondegreen.results.folder import DELTA, LEVELS, RECORD, WAV

    record, quality = result.record, result.record.quality
    proof = "yes, from the saved file"
    if record.survival:
        proof += ", in at least half of the test rooms"
    first = f"first match at {record.first_match}" if record.first_match else "never matched"
    fields = {
        "clip": record.audio,
        **aim_field(record.target, record.aim.words),
        "original heard as": record.heard_clean,
        "result heard as": record.heard,
        **_words_wrong(record),
        **_passage(record),
        "verified": proof if record.verified else "NO",
        **(_verdicts(record) if record.verified else {}),
        "passes": f"{record.passes} in {record.seconds:.0f} s, {first}",
        **quality_fields(quality),
        **margin_fields(quality),
    }
    if (bound := record.options.bound) is not None:
        kept = "kept" if quality.masking.max_excess_db <= bound else "NOT kept"
        fields["bound"] = f"at most {bound:g} dB above the threshold: {kept}"
    if (least := record.options.snr) is not None:
        kept = "kept" if quality.snr_db is None or quality.snr_db >= least else "NOT kept"
        fields["bound"] = f"signal to noise of at least {least:g} dB: {kept}"
    if record.survival:
        fields |= survival_fields(record.survival, record.clean, record.air)
    if record.quality_in_rooms:
        fields |= in_rooms_fields(record.quality_in_rooms)
    own = (WAV, DELTA, *((LEVELS,) if result.levels else ()), RECORD)  # and no older report
    fields["files"] = " ".join(str(folder / name) for name in own)
    print_fields(fields)
    print_warnings(record.id, record.warnings)
    if record.first_match is None and not record.interrupted:
        shorter = "" if record.target is None else " or a shorter target"
        err.say(
            f"hint: try more passes (--max-passes){shorter}; mondegreen check-victim tells whether"
            " the recogniser's gradient is right"
        )


def aim_field(target: str | None, aim: str) -> dict[str, str]:
    """The target; or, where there is none, as what the file is to be heard."""
    return {"aim": f"heard {aim}"} if target is None else {"target": target}


def _words_wrong(record: Record) -> dict[str, str]:
    """The share of words that an untargeted attack has lost, and how many were wrong before."""
    if record.target is not None or not record.transcribed:
        return {}
    before = 0.0 if record.wer_clean is None else record.wer_clean
    to = "what was heard in the original" if record.text is None else "what is said"
    lost = f"{error_rate(record.wer_original)} of {to}"
    return {"words wrong": f"{lost} (before the attack {error_rate(before)})"}


def verdict_line(quality: Quality) -> str:
    """How audible a change may be, in a sentence."""
    from mondegreen.results.verdict import verdict

    found = verdict(quality)
    return found.sentence if found else NO_VERDICT


def verdict_json(quality: Quality) -> dict[str, Any]:
    """The same for programs."""
    from mondegreen.results.verdict import verdict

    found = verdict(quality)
    return {"verdict": found and found.word, "verdict_by": found.by if found else ()}


def _verdicts(record: Record) -> dict[str, str]:
    """How audible it is; where it was measured in rooms, there first, and then as it is."""
    dry = verdict_line(record.quality)
    there = record.quality_in_rooms and verdict_in_rooms_line(record.quality_in_rooms)
    return {"how audible": there, "as a file": dry} if there else {"how audible": dry}


def verdict_in_rooms_line(seen: QualityInRooms) -> str:
    """How audible a change may be to a listener in a room, in a sentence."""
    from mondegreen.results.verdict import verdict_in_rooms

    found = verdict_in_rooms(seen)
    return found.sentence if found else NO_VERDICT


def verdict_in_rooms_json(seen: QualityInRooms | None) -> dict[str, Any]:
    """The same for programs."""
    from mondegreen.results.verdict import verdict_in_rooms

    found = verdict_in_rooms(seen)
    return {
        "verdict_in_rooms": found and found.word,
        "verdict_in_rooms_by": found.by if found else (),
    }


def quality_fields(quality: Quality) -> dict[str, str]:
    """The panel: names, and a line for each number, or why it is missing."""
    masking, why = quality.masking, quality.unmeasured
    temporal = f", {_loss(quality.temporal.loss)} with temporal masking" if quality.temporal else ""
    peak = f", {20 * log10(quality.max_abs / FULL_SCALE):.0f} dBFS" if quality.max_abs else ""
    return {
        "Zimtohrli MOS": rating(quality.zimtohrli_mos, why.get("zimtohrli")),
        "PESQ (Cor. 2)": rating(quality.pesq_c2, why.get("pesq_c2")),
        "PESQ (2007)": rating(quality.pesq, why.get("pesq")),
        "STOI": rating(quality.stoi, why.get("stoi")),
        "masking loss": f"{_loss(masking.loss)}{temporal} (0 = below the masking threshold"
        " everywhere)",
        "above threshold": f"{masking.share_above:.1%} of time-frequency bins, by"
        f" {masking.mean_excess_db:.1f} dB on average and {masking.max_excess_db:.1f} dB at most"
        " (lower is better)",
        "signal to noise": number(quality.snr_db, "dB"),
        "largest change": f"{quality.max_abs:.0f} of {FULL_SCALE}{peak}",
        **{name: number(value) for name, value in quality.others.items()},
    }


def _loss(value: float) -> str:
    """A masking loss; of a large one, which spans orders of magnitude, as 2.2e11."""
    return f"{value:.2f}" if value < LARGE else f"{value:.1e}".replace("e+", "e")


def margin_fields(quality: Quality) -> dict[str, str]:
    """The margin that scores and gates go by, and what is heard at the edges, a line each."""
    from mondegreen.results.verdict import MASKING

    margin = quality.temporal.margin_db if quality.temporal else None
    line = "not measured"
    if margin is not None:
        change = "louder" if margin >= 0 else "quieter"
        must = "could be" if margin >= 0 else "would have to be"
        line = f"{margin:.1f} dB, as scores and gates count it: it {must} {abs(margin):.1f} dB"
        line += f" {change} for a {MASKING.label} of {MASKING.inaudible:g}"
    edges = f"{quality.masking.edges_db:.1f} dB above the threshold at most, at start and end"
    return {"margin": line, "edges": edges}


def in_rooms_fields(seen: QualityInRooms) -> dict[str, str]:
    """The panel in rooms: a line for each yardstick, its median and its worst."""
    panel = {
        "Zimtohrli MOS": (seen.zimtohrli_mos, "zimtohrli"),
        "PESQ (Cor. 2)": (seen.pesq_c2, "pesq_c2"),
        "PESQ (2007)": (seen.pesq, "pesq"),
        "STOI": (seen.stoi, "stoi"),
        "masking loss": (seen.masking_loss, ""),
        "temporal loss": (seen.temporal_loss, ""),
        "SNR, dB": (seen.snr_db, ""),
    }
    return {
        f"in {number_of(seen.count, f'{seen.split} room')}": "median room, and the worst; against"
        " the clean clip in the same room",
        **{
            f"  {label}": _over_rooms(over, seen, seen.unmeasured.get(name))
            for label, (over, name) in panel.items()
        },
    }


def _over_rooms(over: OverRooms | None, seen: QualityInRooms, why: str | None) -> str:
    if over is None:
        return rating(None, why)
    some = f" (in {over.count} of the {seen.count} rooms)" if over.count < seen.count else ""
    return f"{over.median:.2f}, and {over.worst:.2f} in {over.room}{some}"


def rating(value: float | None, why: str | None) -> str:
    """Two decimals; or that there are none, and why if that is known."""
    return f"not measured: {why}" if value is None and why else number(value)


def _passage(record: Record) -> dict[str, str]:
    """Which passage of the recording all other lines are about, and what the whole is heard as."""
    if record.where is None:
        return {}
    begin, end = record.where
    place = f"{begin:.2f} s to {end:.2f} s"
    if record.replaced is not None:
        return {"passage": f"{place}, in its context, in place of {record.replaced!r}"}
    heard = "not taken" if record.heard_whole is None else record.heard_whole or "(nothing)"
    return {"passage": place, "whole heard as": heard}


def survival_fields(survival: Survival, clean: Survival | None, air: Air | None) -> dict[str, str]:
    """In how many rooms a sound matches the target, and the clean clip beside it."""
    from mondegreen.airs import air_name

    fields = {
        f"{survival.rooms.split} rooms": f"in {air_name(air)}: {in_rooms(survival.rooms)}",
        "without a room": in_no_room(survival.dry),
    }
    if clean:
        fields["clean, in rooms"] = in_rooms(clean.rooms)
        fields["clean, without"] = in_no_room(clean.dry)
    return _explained(fields)


def _explained(fields: dict[str, str]) -> dict[str, str]:
    """Fields, and what a word error rate above 100 % means where one is among them."""
    return fields | ({OVER: ABOVE_ONE} if any(OVER in line for line in fields.values()) else {})


def in_rooms(rooms: InRooms) -> str:
    """A line: count and share with its interval, and word error rates."""
    return (
        f"{_success(rooms)} in {round(rooms.heard * rooms.count)} of {rooms.count}"
        f" ({rooms.heard:.0%}; 95 %: {rooms.heard_low:.0%} to {rooms.heard_high:.0%}),"
        f" {error_rates(rooms)}"
    )


def _success(seen: InRooms | Dry) -> str:
    return "aim met" if seen.wer_target is None else "target heard"


def _failure(dry: Dry) -> str:
    return "aim not met" if dry.wer_target is None else "target not heard"


def in_no_room(dry: Dry) -> str:
    """A line: whether the target is heard, and word error rates."""
    return f"{_success(dry) if dry.heard else _failure(dry)}, {error_rates(dry)}"


def error_rates(seen: InRooms | Dry | Transcribed) -> str:
    """Word error rates to the target, and to the original where it is known."""
    to = {"wer_target": "the target", "wer_original": "the original"}
    known = [name for name in to if getattr(seen, name) is not None]
    return "WER " + ", ".join(f"{_rate(seen, name)} to {to[name]}" for name in known)


def _rate(seen: InRooms | Dry | Transcribed, name: str) -> str:
    """A word error rate; of several rooms, beside the pooled one the median where it differs."""
    rate, median = error_rate(getattr(seen, name)), getattr(seen, f"{name}_median", None)
    several = "" if median is None or error_rate(median) == rate else error_rate(median)
    return f"{rate} (median room {several})" if several else rate


def print_transfers(transfers: Sequence[Transfer]) -> None:
    """What other recognisers make of it, some lines each."""
    for seen in transfers:
        print_fields({"recogniser": seen.recogniser, **transfer_fields(seen, "  ")})


def transfer_fields(seen: Transfer, indent: str = "") -> dict[str, str]:
    """What a recogniser makes of a sound, and of its clean clip, without a room."""
    fields = {f"{indent}the sound": one_transcript(seen.sound)}
    if seen.clean:
        fields[f"{indent}the clean clip"] = one_transcript(seen.clean)
    return _explained(fields)


def one_transcript(seen: Transcribed) -> str:
    """A line: whether it is the target, word error rates, and the transcript."""
    what = "the aim" if seen.wer_target is None else "the target"
    match = what if seen.matched else f"not {what}"
    return f"{match}, {error_rates(seen)}: {seen.transcript or '(nothing)'}"


def print_warnings(name: str, warnings: Sequence[str]) -> None:
    """Reasons to doubt a result, on stderr."""
    for warning in warnings:
        err.print(f"[yellow]warning:[/yellow] {escape(one_line(f'{name}: {warning}'))}")


def warn_of_earlier(folders: Sequence[Path]) -> None:
    """Say, while there is time to stop, which earlier results new ones will take the place of."""
    from mondegreen.results.folder import RECORD
    from mondegreen.results.item import read_record

    for folder in folders:
        if is_there(folder / RECORD):
            try:
                earlier = read_record(folder)
                verified = "verified" if earlier.verified else "not verified"
                what = f"{verified}, {number_of(earlier.passes, 'pass', 'passes')}"
            except MondegreenError:
                what = "one that cannot be read"
            kept = "the new one takes its place when it is done; to keep this one, stop now and"
            kept += " choose another --out"
            print_warnings(str(folder), [f"it holds an earlier result ({what}): {kept}"])


def number(value: float | None, unit: str = "") -> str:
    """Two decimals and a unit, or that there is none."""
    return "not measured" if value is None else f"{value:.2f} {unit}".strip()
