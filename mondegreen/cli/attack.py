"""Commands that attack: attack, demo."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mondegreen.cli.app import (
    DEFAULT_VICTIM,
    AsJson,
    AudioFiles,
    Bank,
    Device,
    Dtype,
    Examples,
    VictimName,
    app,
)
from mondegreen.cli.output import Bars, err, print_json, print_result, print_warnings
from mondegreen.cli.report import PAGE, report_of_results
from mondegreen.errors import OptionError

if TYPE_CHECKING:
    from mondegreen.air.rooms import RoomBank
    from mondegreen.attacks.clip import Clip
    from mondegreen.attacks.options import Options
    from mondegreen.attacks.result import Result
    from mondegreen.victims import Victim

DEMO_TARGET = "Everyone can hear what nobody ever said."
# In rooms: which methods, each from the result of the one before it, with how many gradient passes.
DEMO_STEPS: dict[str, list[tuple[str, int | None]]] = {
    "robust": [("robust", 500)],
    "combined": [("robust", 400), ("combined", 300)],
}
UnderThreshold = Annotated[
    float | None,
    typer.Option(
        min=0, help="imperceptible only: dB above the masking threshold that no bin may exceed."
    ),
]
Method = Annotated[
    str, typer.Option(help="imperceptible, carlini-wagner, robust (in rooms), combined (both).")
]


@app.command(
    epilog=Examples + 'mondegreen attack clip.wav --target "open the door"\n\n'
    'mondegreen attack *.flac --target "good morning" --preset paper --out results --json\n\n'
    'mondegreen attack clip.wav --target "open the door" --method robust --rooms bank.rooms'
)
def attack(
    audio: AudioFiles,
    target: Annotated[str, typer.Option(help="The phrase that shall be heard.")],
    victim: VictimName = DEFAULT_VICTIM,
    method: Method = "imperceptible",
    preset: Annotated[str, typer.Option(help="fast, or paper: the paper's numbers.")] = "fast",
    rooms: Bank = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Go on from a finished result of the same clip and target: combined from a robust"
            " one, imperceptible from a carlini-wagner one; its folder, or that of several."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; several clips: one folder each in it.")
    ] = Path("mondegreen-out"),
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    max_passes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Gradient passes at most for each clip; fast plans for them, and takes 500 at"
            " most for imperceptible (700 with --under-threshold).",
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    threads: Annotated[
        int | None, typer.Option(min=1, help="On the CPU; by default one for each processor.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Match case and punctuation too, not just the words.")
    ] = False,
    under_threshold: UnderThreshold = None,
    as_json: AsJson = False,
) -> None:
    """Make recordings that the recogniser hears as TARGET, each proved from its saved file.

    Writes adversarial.wav, delta.safetensors, levels.safetensors and record.json, and a page to
    listen to and look at, report.html. Ctrl-C keeps the best so far.
    """
    import torch

    from mondegreen.attacks.clip import prepare
    from mondegreen.attacks.options import Options
    from mondegreen.attacks.result import make_folder
    from mondegreen.audio.pcm import load
    from mondegreen.search.presets import preset as stages_of
    from mondegreen.victims import load_victim

    options = Options(method, preset, seed, max_passes, exact, under_threshold=under_threshold)
    stages_of(method, preset, under=under_threshold)  # refused before anything is loaded or made
    if threads is not None:
        torch.set_num_threads(threads)
    with err.status("loading the recogniser"):
        attacked = load_victim(victim, device=device, dtype=getattr(torch, dtype))
    for path in audio if options.in_rooms else ():  # refused before rooms are made
        load(path, attacked.sample_rate)
    options = with_rooms(options, rooms, attacked.sample_rate)
    # every clip is checked before any time is spent on the first
    starts = None if start is None else _starts(start, audio)
    clips = prepare(attacked, audio, [target] * len(audio), options, starts)
    folders = [make_folder(out if len(clips) == 1 else out / clip.id) for clip in clips]
    for clip in clips:
        print_warnings(clip.id, clip.warnings)
    verified = True
    saved: list[Path] = []
    for clip, folder in zip(clips, folders, strict=True):
        result = attack_one(attacked, clip, options)
        saved.append(result.save(folder))
        verified &= result.verified
        print_json(result.record.to_json()) if as_json else print_result(result, folder)
        if result.record.interrupted and clip is not clips[-1]:
            err.print("stopped by hand; the clips that remain were not attacked")
            verified = False
            break
    report_of_results(saved, out / PAGE, aside=as_json)
    raise typer.Exit(0 if verified else 1)


def _starts(folder: Path, audio: list[Path]) -> list[Path]:
    """Where an attack on the same recordings, in the same order, has left its results."""
    from mondegreen.attacks.clip import distinct_names

    if len(audio) == 1:
        return [folder]
    return [folder / name for name in distinct_names(audio)]


@app.command(
    epilog=Examples + "mondegreen demo --out demo\n\nmondegreen demo --method robust --out rooms"
)
def demo(
    method: Method = "imperceptible",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("mondegreen-demo"),
    device: Device = "auto",
) -> None:
    """Run the whole of it once, on a recording and a recogniser that come with the installation.

    In rooms, with a small budget and few rooms: see what these buy, not what could be had.
    """
    from mondegreen.attacks.clip import prepare
    from mondegreen.attacks.options import Options
    from mondegreen.attacks.result import make_folder
    from mondegreen.report.figures.plots import draw_item
    from mondegreen.victims import load_victim
    from mondegreen.victims.embedded import bundled

    with err.status("loading the recogniser"):
        victim = load_victim(DEFAULT_VICTIM, device=device)
    bank: RoomBank | None = None
    start: Result | None = None
    saved: list[Path] = []
    for name, passes in DEMO_STEPS.get(method, [(method, None)]):
        options = Options(name, max_passes=passes)
        if options.in_rooms and bank is None:
            bank = few_rooms(victim.sample_rate)
        options = replace(options, rooms=bank)
        starts = None if start is None else [start]
        folder = make_folder(out if name == method else out / name)
        recording = bundled.asset(bundled.RECORDING)
        (clip,) = prepare(victim, [recording], [DEMO_TARGET], options, starts)
        result = start = attack_one(victim, clip, options)
        saved.append(result.save(folder))
        draw_item(folder, folder / "picture.png")
        print_result(result, folder)
        if result.record.interrupted or result.record.found_at is None:
            break
    report_of_results(saved, out / PAGE, aside=False)
    raise typer.Exit(0 if result.verified and result.record.method == method else 1)


def with_rooms(options: Options, name: str | None, sample_rate: int) -> Options:
    """Put in the bank that was named, or the default one for a method that needs one."""
    if not options.in_rooms:
        if name is not None:  # said before it is made, which may take minutes
            raise OptionError(f"{options.method} takes no rooms; leave out --rooms {name}")
        return options
    return replace(options, rooms=bank_of_rooms(name, sample_rate))


def bank_of_rooms(name: str | None, sample_rate: int) -> RoomBank:
    """A bank by its file or preset, or the default one, with a bar while it is made."""
    from mondegreen.air.rooms.cached import named_bank

    with Bars("rooms") as bars:
        return named_bank(name, sample_rate, partial(bars.count, "simulating"))


def few_rooms(sample_rate: int) -> RoomBank:
    """The demo's small bank, with a bar while it is made."""
    from mondegreen.air.rooms.cached import SMALL_COUNTS, default_bank

    with Bars("rooms") as bars:
        return default_bank(sample_rate, SMALL_COUNTS, partial(bars.count, "simulating"))


def attack_one(victim: Victim, clip: Clip, options: Options) -> Result:
    """Attack one clip under a bar of gradient passes, and one for each kind of listening."""
    from mondegreen.attacks.attack import attack_clips
    from mondegreen.search.presets import preset, within

    started, under = clip.start is not None, options.under_threshold
    stages = preset(options.method, options.preset, started=started, under=under)
    passes = sum(stage.passes for stage in within(stages, options.max_passes))
    with Bars(clip.path.name, passes) as bars:
        (result,) = attack_clips(victim, [clip], options, bars.step, bars.count)
    return result
