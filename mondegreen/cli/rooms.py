"""Commands about rooms: rooms make, rooms show, evaluate."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mondegreen.chain.text import chained
from mondegreen.cli.app import (
    DEFAULT_VICTIM,
    ROOMS,
    AirName,
    AsJson,
    Beams,
    Device,
    Examples,
    Listener,
    Picture,
    Through,
    app,
    group_of,
    rate_option,
)
from mondegreen.cli.console import err
from mondegreen.cli.output import (
    aim_field,
    in_rooms_fields,
    print_fields,
    print_json,
    print_transfers,
    print_warnings,
    survival_fields,
    transfer_fields,
    verdict_in_rooms_json,
    verdict_in_rooms_line,
)
from mondegreen.cli.progress import Bars, working
from mondegreen.cli.refusals import (
    BANKS,
    check_air,
    check_bank,
    check_picture,
    check_recogniser,
    check_sound,
)
from mondegreen.errors import OptionError
from mondegreen.processors import MOST_THREADS
from mondegreen.wording import number_of

if TYPE_CHECKING:
    from mondegreen.air.rooms import RoomBank
    from mondegreen.air.rooms.survey import Range, SplitSurvey

group = group_of("rooms", "Make and inspect banks of rooms.")

NO_ROOMS: Final = "none"  # in place of a bank


@group.command(
    epilog=Examples + "mondegreen rooms make --out small.rooms --counts 200,20,50\n\n"
    "mondegreen rooms make --out paper.rooms --preset paper\n\n"
    "mondegreen rooms make --out real.rooms --from responses.csv"
)
def make(
    out: Annotated[Path, typer.Option(help="The file to make.")],
    preset: Annotated[
        str,
        typer.Option(
            help="fast; paper: the same rooms to a higher order of reflections; or real: furnished."
        ),
    ] = "fast",
    counts: Annotated[
        str, typer.Option(help="How many responses to search in, to choose by, and to prove in.")
    ] = "1000,100,100",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed.")] = 0,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Read measured responses instead: one, a folder, or a CSV with path,room_id.",
        ),
    ] = None,
    sample_rate: Annotated[int, rate_option("The recogniser's rate, Hz.")] = 16_000,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_THREADS, help="Number of processes. Default: one per processor."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate impulse responses of random rooms, or read measured ones, into a bank.

    Run the same command again to resume after an interruption.
    """
    if preset not in BANKS:
        raise OptionError(f"rooms have no preset {preset!r}; there are: {', '.join(BANKS)}")
    sizes = _counts(counts)
    from mondegreen.air.rooms import PRESETS, SplitSizes, make_bank

    settings = replace(PRESETS[preset], sample_rate=sample_rate)
    with Bars(out.name) as bars:
        what = "simulating" if source is None else "reading"
        try:
            bank = make_bank(
                out, settings, SplitSizes(*sizes), seed, source, workers, partial(bars.count, what)
            )
        except KeyboardInterrupt:
            err.print("interrupted; run the same command again to resume")
            raise typer.Exit(1) from None
    _print_bank(out, bank, as_json)


@group.command(epilog=Examples + "mondegreen rooms show paper.rooms --plot paper.png")
def show(
    bank: Annotated[Path, typer.Argument(help="A bank that `rooms make` made.")],
    plot: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Describe the rooms of a bank, and draw them; with --json, room by room."""
    check_bank(str(bank))
    check_picture(plot)
    from mondegreen.air.rooms import RoomBank
    from mondegreen.air.rooms.survey import portrait

    read = RoomBank.load(bank)
    if plot:
        from mondegreen.report.figures.pictures import draw_rooms

        draw_rooms(portrait(read, list(read.splits)[-1]), plot, bank.name)
    _print_bank(bank, read, as_json)


@app.command(
    epilog=Examples + "mondegreen evaluate mondegreen-out --rooms bank.rooms\n\n"
    'mondegreen evaluate song.wav --target "open the door" --rooms none --json\n\n'
    "mondegreen evaluate mondegreen-out --with moonshine-tiny-int8 --with pocketsphinx"
)
def evaluate(
    sound: Annotated[
        Path, typer.Argument(help="A result: its folder or record.json; or any recording.")
    ],
    rooms: Annotated[
        str | None,
        typer.Option(
            help="Bank file, or fast, paper or real: a bank that is made once and kept. Default:"
            " the air's own. none: score the sound as it is.",
            rich_help_panel=ROOMS,
        ),
    ] = None,
    air: AirName = None,
    split: Annotated[
        str, typer.Option(help="Which rooms of the bank; attacks never use those of test.")
    ] = "test",
    target: Annotated[
        str | None, typer.Option(help="The phrase. Default: the result's own.")
    ] = None,
    original: Annotated[
        str | None,
        typer.Option(
            help="What was said. Default, for a result: the transcript of its clean clip."
        ),
    ] = None,
    victim: Listener = None,
    through: Through = None,
    beams: Beams = 1,
    device: Device = "auto",
    exact: Annotated[
        bool, typer.Option("--exact", help="Match case and punctuation too, not just the words.")
    ] = False,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Let another recogniser transcribe it too, without a room: any --victim,"
            " pocketsphinx, faster-whisper:SIZE_OR_FOLDER, vosk:FOLDER, or a server,"
            " https://HOST/v1#MODEL. Repeatable.",
        ),
    ] = None,
    authorised: Annotated[
        bool,
        typer.Option(
            "--i-am-authorised",
            help="Confirm that you may send these sounds to the servers you name: see"
            " RESPONSIBLE_USE.md.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count in how many unseen rooms a sound, and its clean clip, are transcribed as the target.

    With --rooms none, score the sound as it is. Exit status 0: it is the target in at least half of
    the rooms, or as it is, and no room or recogniser was left out.
    """
    check_sound(sound, target)
    check_recogniser(through, victim)
    for name in others or ():
        check_recogniser(None, name)
    check_bank(rooms, NO_ROOMS)
    check_air(air)
    if air is not None and rooms == NO_ROOMS:
        raise OptionError("Got --air and --rooms none; an air needs rooms. Leave one of them out.")
    from mondegreen.air.rooms.cached import named_bank
    from mondegreen.airs import named_air
    from mondegreen.judging.evaluate import attacked, recorded_air
    from mondegreen.judging.evaluate import evaluate as evaluate_sound
    from mondegreen.victims import load_recogniser

    with working("loading the recogniser"):
        judge = chained(through or (), victim or attacked(sound) or DEFAULT_VICTIM)
        recogniser = load_recogniser(judge, device=device, beams=beams)
        named = [
            load_recogniser(name, device=device, authorised=authorised) for name in others or ()
        ]
    bank = None
    if rooms != NO_ROOMS:
        with Bars("rooms") as bars:
            rate = recogniser.sample_rate
            happens = named_air(air or recorded_air(sound))
            bank = named_bank(rooms, rate, partial(bars.count, "simulating once"), happens.rooms)
    with Bars(sound.name) as bars:
        seen = evaluate_sound(
            recogniser,
            sound,
            bank,
            air=air,
            in_rooms=bank is not None,
            split=split,
            target=target,
            original=original,
            exact=exact,
            others=named,
            on_room=partial(bars.count, "listening"),
            on_measured=partial(bars.count, "measuring in rooms"),
            on_other=partial(bars.count, "other recognisers"),
        )
    if as_json:
        verdict = verdict_in_rooms_json(seen.quality_in_rooms)
        print_json(seen.to_json() | verdict | {"beams": beams})
    else:
        listener = judge if beams == 1 else f"{judge}, with {beams} beams"
        fields = {"sound": seen.sound, "heard by": listener}
        fields |= {**aim_field(seen.target, seen.aim), "original": seen.original or "-"}
        if seen.survival is not None:
            fields |= survival_fields(seen.survival, seen.clean, seen.air)
        if seen.quality_in_rooms is not None:
            fields |= {"how audible": verdict_in_rooms_line(seen.quality_in_rooms)}
            fields |= in_rooms_fields(seen.quality_in_rooms)
        if seen.alone is not None:
            fields |= transfer_fields(seen.alone)
        print_fields(fields)
        print_transfers(seen.transfers)
    print_warnings(sound.name, seen.warnings)
    whole = len(seen.transfers) == len(named)  # else interrupted
    if bank is not None and seen.survival is not None:
        whole &= seen.survival.rooms.count == len(bank.split(split).rooms)
    raise typer.Exit(0 if whole and seen.holds else 1)


def _counts(text: str) -> tuple[int, int, int]:
    try:
        attack, validate, test = (int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(
            f"Got the counts {text!r}, expected three numbers such as 1000,100,100."
        ) from error
    return attack, validate, test


def _print_bank(path: Path, bank: RoomBank, as_json: bool) -> None:
    from mondegreen.air.rooms.survey import survey

    splits = survey(bank)
    named = {"bank": str(path), "sample_rate": bank.sample_rate, "key": bank.key}
    if as_json:
        rooms = {name: [asdict(room) for room in s.rooms] for name, s in bank.splits.items()}
        summary = {name: asdict(split) for name, split in splits.items()}
        print_json({**named, "origin": bank.origin, **summary, "rooms": rooms})
        return
    if bank.origin.get("kind") == "measured":
        used = sum(split.responses for split in splits.values())
        named["recordings"] = f"{used} of {bank.origin['recordings']} used"
    print_fields(named)
    print_fields({name: _line(split) for name, split in splits.items()})


def _line(split: SplitSurvey) -> str:
    """A split in a line."""
    return (
        f"{number_of(split.responses, 'response')} from {number_of(split.rooms, 'room')},"
        f" up to {split.seconds:.2f} s;"
        f" RT60 {_spread(split.rt60, 's')}; direct to reverberant {_spread(split.drr, 'dB')}"
    )


def _spread(spread: Range | None, unit: str) -> str:
    if spread is None:
        return "unknown"
    return f"{spread.least:.2f} to {spread.greatest:.2f} {unit}, median {spread.median:.2f}"
