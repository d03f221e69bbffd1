"""Commands that attack: attack, demo."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mondegreen.chain.text import chained
from mondegreen.cli.app import (
    ADVANCED,
    DEFAULT_VICTIM,
    AirName,
    AsJson,
    AudioFiles,
    Bank,
    Device,
    Examples,
    Through,
    VictimName,
    app,
    takes,
)
from mondegreen.cli.console import err
from mondegreen.cli.output import (
    print_fields,
    print_json,
    print_result,
    print_warnings,
    verdict_in_rooms_json,
    verdict_json,
    warn_of_earlier,
)
from mondegreen.cli.progress import Bars, working
from mondegreen.cli.refusals import (
    check_aim,
    check_air,
    check_bank,
    check_place,
    check_recogniser,
    check_recordings,
    check_results,
)
from mondegreen.cli.report import PAGE, report_of_results
from mondegreen.options import DTYPE, Dtype, Method, Options
from mondegreen.processors import MOST_THREADS, check_threads
from mondegreen.reading import is_there

if TYPE_CHECKING:
    from mondegreen.air.rooms import RoomBank
    from mondegreen.attacks.clip import Clip
    from mondegreen.attacks.result import Result
    from mondegreen.attacks.setup import Setup
    from mondegreen.victims import Victim

DEMO_TARGET = "Everyone can hear what nobody ever said."
# In rooms: which methods, each from the result of the one before it, with how many gradient passes.
DEMO_STEPS: dict[str, list[tuple[Method, int | None]]] = {
    "robust": [("robust", 800)],
    "combined": [("robust", 600), ("combined", 600)],
}


@app.command(
    epilog=Examples + 'mondegreen attack clip.wav --target "open the door"\n\n'
    'mondegreen attack *.flac --target "good morning" --preset paper --out results --json\n\n'
    'mondegreen attack clip.wav --target "open the door" --method robust --rooms bank.rooms\n\n'
    'mondegreen attack meeting.wav --from 12.0 --to 18.5 --target "good morning"\n\n'
    'mondegreen attack clip.wav --target "open the door" --through resample:8000'
    " --through pcm:8\n\n"
    "mondegreen attack clip.wav --method untargeted --snr 30\n\n"
    "mondegreen attack clip.wav --method untargeted --forbid door"
)
@takes(Options, but=frozenset({"max_clean_wer"}))
def attack(
    audio: AudioFiles,
    target: Annotated[
        str | None,
        typer.Option(help="The phrase that the recogniser should hear; untargeted: none."),
    ] = None,
    victim: VictimName = DEFAULT_VICTIM,
    through: Through = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; with several clips, one folder each.")
    ] = Path("mondegreen-out"),
    as_json: AsJson = False,
    begin: Annotated[
        float | None,
        typer.Option(
            "--from", help="Attack the passage from this second on; the rest stays as it is."
        ),
    ] = None,
    end: Annotated[
        float | None, typer.Option("--to", help="Attack the passage up to this second.")
    ] = None,
    rooms: Bank = None,
    air: AirName = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Start from a finished result of the same clip and target: combined from a robust"
            " one, imperceptible from a carlini-wagner one. Its folder, or that of several.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    device: Device = "auto",
    dtype: Annotated[Dtype, typer.Option(help=DTYPE, rich_help_panel=ADVANCED)] = "float32",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_THREADS,
            help="CPU threads. Default: one per processor that may be used.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    *,
    chosen: dict[str, Any],
) -> None:
    """Make recordings that the recogniser mishears, each proved from its saved file.

    Writes adversarial.wav, delta.safetensors, levels.safetensors and record.json, and a page to
    listen to and look at, report.html, in place of an earlier result in the folder. Ctrl-C or
    SIGTERM saves the best result so far; an earlier one gives way only to one that is verified.
    With --from or --to, adversarial.wav is all of the recording, which may last up to an hour.
    """
    from mondegreen.audio.passage import Passage

    options = Options(**chosen)
    passage = None if begin is None and end is None else Passage(begin or 0.0, end)
    options.check_rooms(rooms is not None or air is not None)
    options.check_dtype(dtype)
    check_threads(threads)
    check_aim(options, target)
    check_recogniser(through, victim)
    check_recordings(audio, passage)
    check_bank(rooms)
    check_air(air)
    check_place(out)
    if start is not None:
        check_results(start)
    warn_of_earlier(_folders(out, audio))
    import torch

    from mondegreen.attacks.clip import prepare
    from mondegreen.attacks.recording import Recording
    from mondegreen.attacks.result import make_folder
    from mondegreen.results.folder import BANK
    from mondegreen.search.presets import stages_for
    from mondegreen.victims import load_victim

    stages_for(options, started=start is not None)  # refused before anything is loaded or made
    recordings = [Recording(path, passage) for path in audio]
    if threads is not None:
        torch.set_num_threads(threads)
    with working("loading the recogniser"):
        behind = chained(through or (), victim)
        attacked = load_victim(behind, device=device, dtype=getattr(torch, dtype))
    setup = set_up(options, attacked.sample_rate, rooms, air)
    # every clip is checked before any time is spent on the first
    starts = None if start is None else _folders(start, audio)
    clips = prepare(attacked, recordings, [target] * len(audio), options, starts)
    folders = [make_folder(out if len(clips) == 1 else out / clip.id) for clip in clips]
    for clip in clips:
        print_warnings(clip.id, clip.warnings)
    verified = True
    saved: list[Path] = []
    try:
        for clip, folder in zip(clips, folders, strict=True):
            result = attack_one(attacked, clip, setup, folder)
            if setup.rooms is not None and not saved:  # not before: an earlier result has its own
                setup.rooms.save(out / BANK)
            saved.append(folder)
            verified &= result.verified
            _print(result, folder, as_json)
            if result.fault is not None:
                raise result.fault
            if result.record.interrupted and clip is not clips[-1]:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        if not saved:
            raise
        verified = False
        err.print("interrupted; the remaining clips were not attacked")
    finally:
        if saved:
            report_of_results(saved, out / PAGE, aside=as_json)
    raise typer.Exit(0 if verified else 1)


def _print(result: Result, folder: Path, as_json: bool) -> None:
    """Print a result, with how audible it is."""
    if not as_json:
        print_result(result, folder)
        return
    quality, in_rooms = result.record.quality, result.record.quality_in_rooms
    print_json(verdict_json(quality) | verdict_in_rooms_json(in_rooms) | result.record.to_json())


def _folders(folder: Path, audio: list[Path]) -> list[Path]:
    """Where an attack on these recordings, in this order, leaves its results."""
    from mondegreen.attacks.recording import distinct_names

    if len(audio) == 1:
        return [folder]
    return [folder / name for name in distinct_names(audio)]


@app.command(
    epilog=Examples + "mondegreen demo --out demo\n\nmondegreen demo --method robust --out rooms"
)
def demo(
    method: Annotated[
        Method, typer.Option(help="See `mondegreen attack`; robust and combined work in rooms.")
    ] = "imperceptible",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("mondegreen-demo"),
    device: Device = "auto",
) -> None:
    """Attack a recording and a recogniser that come with the installation, from search to proof.

    In rooms with a reduced budget and few rooms: expect weaker results.
    """
    check_place(out)
    warn_of_earlier([out])
    from mondegreen.attacks.clip import prepare
    from mondegreen.attacks.result import make_folder
    from mondegreen.report.figures.plots import draw_item
    from mondegreen.results.folder import BANK
    from mondegreen.victims import load_victim
    from mondegreen.victims.embedded import bundled

    with working("loading the recogniser"):
        victim = load_victim(DEFAULT_VICTIM, device=device)
    steps = DEMO_STEPS.get(method, [(method, None)])
    bank = few_rooms(victim.sample_rate) if method in DEMO_STEPS else None
    start: Result | None = None
    saved: list[Path] = []
    for name, passes in steps:
        setup = set_up(Options(method=name, max_passes=passes), victim.sample_rate, bank)
        starts = None if start is None else [start]
        folder = make_folder(out if name == method else out / name)
        recording = bundled.asset(bundled.RECORDING)
        (clip,) = prepare(victim, [recording], [DEMO_TARGET], setup.options, starts)
        result = start = attack_one(victim, clip, setup, folder)
        saved.append(folder)
        draw_item(folder, folder / "picture.png")
        print_result(result, folder)
        print_fields({"picture": folder / "picture.png"})
        if result.record.interrupted or result.record.found_at is None:
            break
    if bank is not None:
        bank.save(out / BANK)
    report_of_results(saved, out / PAGE, aside=False)
    raise typer.Exit(0 if result.verified and result.record.options.method == method else 1)


def set_up(
    options: Options, sample_rate: int, rooms: RoomBank | str | None, air: str | None = None
) -> Setup:
    """How to attack, with a bar while rooms are made."""
    from mondegreen.attacks.setup import Setup

    with Bars("rooms") as bars:
        return Setup.of(options, sample_rate, rooms, air, partial(bars.count, "simulating once"))


def few_rooms(sample_rate: int) -> RoomBank:
    """The demo's small bank, with a bar while it is made."""
    from mondegreen.air.rooms.cached import SMALL_COUNTS, default_bank

    with Bars("rooms") as bars:
        return default_bank(sample_rate, SMALL_COUNTS, partial(bars.count, "simulating once"))


def attack_one(victim: Victim, clip: Clip, setup: Setup, folder: Path) -> Result:
    """Attack one clip under a bar of gradient passes, and one for each kind of listening.

    What was found is saved, and only then measured: it is safe whatever that comes to.

    Raises:
        KeyboardInterrupt: it was stopped with nothing that an earlier result would give way to.
        RecogniserError: the recogniser has failed, likewise.
    """
    from mondegreen.attacks.attack import attack_clips
    from mondegreen.results.folder import RECORD
    from mondegreen.search.presets import stages_for

    stages = stages_for(setup.options, started=clip.start is not None)
    with Bars(clip.path.name, sum(stage.passes for stage in stages)) as bars:
        (found,) = attack_clips(victim, [clip], setup, bars.step, bars.count)
        if found.record.interrupted and not found.verified and is_there(folder / RECORD):
            err.say(f"stopped with nothing verified: the earlier result in {folder} is kept")
            if found.record.found_at is not None:  # a success, which may have taken hours
                err.say(found.rescued())
            raise found.fault or KeyboardInterrupt
        found.save(folder)
        result = found.measured(setup.rooms, bars.count)
        result.save(folder)
    return result
