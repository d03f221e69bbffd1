"""The command line: parsing and printing, nothing else.

Exit status: 0 every result is verified, 1 it ran and something is not, 2 bad input, 3 a fault of
the program. Progress, tables and errors go to stderr, results to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mondegreen.errors import MondegreenError

DEFAULT_VICTIM = "moonshine-tiny"
DEMO_TARGET = "Everyone can hear what nobody ever said."

app = typer.Typer(
    help="Measure how easily speech recognisers can be made to mishear. For models that you own"
    " or may test: see RESPONSIBLE_USE.md.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

AudioFiles = Annotated[list[Path], typer.Argument(help="Recordings: wav, flac, ogg or mp3.")]
VictimName = Annotated[str, typer.Option(help="The recogniser, by name.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
Examples = "[bold]Examples[/bold]\n\n"


def main() -> None:
    """Entry point: user errors become one line and exit status 2."""
    try:
        app()
    except MondegreenError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}")
        sys.exit(2)
    except Exception:  # a fault of ours; 1 would say that the attack ran
        err.print_exception()
        sys.exit(3)


@app.command(
    epilog=Examples + 'mondegreen attack clip.wav --target "open the door"\n\n'
    'mondegreen attack *.flac --target "good morning" --preset paper --out results --json'
)
def attack(
    audio: AudioFiles,
    target: Annotated[str, typer.Option(help="The phrase that shall be heard.")],
    victim: VictimName = DEFAULT_VICTIM,
    method: Annotated[str, typer.Option(help="imperceptible or carlini-wagner.")] = "imperceptible",
    preset: Annotated[str, typer.Option(help="fast, or paper: the paper's numbers.")] = "fast",
    out: Annotated[
        Path, typer.Option(help="Folder for the results; several clips: one folder each in it.")
    ] = Path("mondegreen-out"),
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    max_passes: Annotated[
        int | None, typer.Option(min=1, help="Gradient passes at most for each clip.")
    ] = None,
    device: Device = "auto",
    exact: Annotated[
        bool, typer.Option("--exact", help="Match case and punctuation too, not just the words.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make recordings that the recogniser hears as TARGET, each proved from its saved file.

    Writes adversarial.wav, delta.safetensors and record.json. Ctrl-C keeps the best so far.
    """
    from mondegreen.runs.attack import Options, attack_clips, prepare
    from mondegreen.runs.item import make_folder
    from mondegreen.victims import load_victim

    options = Options(method, preset, seed, max_passes, exact)
    with err.status("loading the recogniser"):
        attacked = load_victim(victim, device=device)
    # every clip is checked before any time is spent on the first
    clips = prepare(attacked, audio, [target] * len(audio), options)
    folders = [make_folder(out if len(clips) == 1 else out / clip.id) for clip in clips]
    for clip in clips:
        _print_warnings(clip.id, clip.warnings)
    verified = True
    for clip, folder in zip(clips, folders, strict=True):
        with _progress(clip.path.name, options) as on_pass:
            (result,) = attack_clips(attacked, [clip], options, on_pass)
        result.save(folder)
        verified &= result.verified
        _print_json(result.record.to_json()) if as_json else _print_result(result, folder)
        if result.record.interrupted and clip is not clips[-1]:
            err.print("stopped by hand; the clips that remain were not attacked")
            verified = False
            break
    raise typer.Exit(0 if verified else 1)


@app.command(epilog=Examples + "mondegreen transcribe clip.wav --victim moonshine-tiny-int8")
def transcribe(
    audio: AudioFiles,
    victim: VictimName = DEFAULT_VICTIM,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print what a recogniser hears."""
    import torch

    from mondegreen.audio import load
    from mondegreen.victims import load_recogniser

    with err.status("loading the recogniser"):
        recogniser = load_recogniser(victim, device=device)
    for path in audio:
        heard = recogniser.transcribe(torch.from_numpy(load(path, recogniser.sample_rate)))
        if as_json:
            _print_json({"audio": str(path), "victim": victim, "heard": heard})
        else:
            out.print(f"{path}: {heard}", markup=False, highlight=False)


@app.command(epilog=Examples + "mondegreen threshold clip.wav --plot threshold.png")
def threshold(
    clip: Annotated[Path, typer.Argument(help="A recording: wav, flac, ogg or mp3.")],
    profile: Annotated[
        str, typer.Option(help="paper, or authors: as their released code computes it.")
    ] = "paper",
    sample_rate: Annotated[
        int, typer.Option(min=1000, max=768_000, help="Rate to analyse at, Hz.")
    ] = 16_000,
    plot: Annotated[Path | None, typer.Option(help="Draw it: a .png, .svg or .pdf file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print, and draw, the masking threshold of a clip."""
    from mondegreen.audio import load
    from mondegreen.evaluation.spectra import spectra

    seen = spectra(load(clip, sample_rate), sample_rate, profile=profile)
    if plot:
        from mondegreen.report.figures import draw_threshold

        draw_threshold(seen, plot, clip.name)
    audible = seen.theta[:, seen.heard]
    _print_fields(
        {
            "audio": str(clip),
            "profile": profile,
            "sample_rate": sample_rate,
            "frames": len(seen.seconds),
            "maskers_per_frame": round(float(seen.maskers.sum(1).mean()), 3),
            "theta_mean_db": round(float(audible.mean()), 3),
            "theta_min_db": round(float(audible.min()), 3),
            "theta_max_db": round(float(audible.max()), 3),
            "plot": str(plot) if plot else None,
        },
        as_json,
    )


@app.command(epilog=Examples + "mondegreen demo --out demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("mondegreen-demo"),
    device: Device = "auto",
) -> None:
    """Run the whole of it once, on a recording and a recogniser that come with the installation."""
    from mondegreen.evaluation.spectra import spectra
    from mondegreen.report.figures import draw_example
    from mondegreen.runs.attack import Options, attack_clips, prepare
    from mondegreen.runs.item import make_folder
    from mondegreen.victims import bundled, load_victim

    options = Options()
    with err.status("loading the recogniser"):
        victim = load_victim(DEFAULT_VICTIM, device=device)
    make_folder(out)
    clips = prepare(victim, [bundled.asset(bundled.RECORDING)], [DEMO_TARGET], options)
    with _progress(clips[0].path.name, options) as on_pass:
        (result,) = attack_clips(victim, clips, options, on_pass)
    result.save(out)
    seen = spectra(result.clean, result.record.sample_rate, result.delta)
    heard = result.record.heard_clean, result.record.heard
    draw_example(seen, out / "picture.png", result.record.id, heard)
    _print_result(result, out)
    raise typer.Exit(0 if result.verified else 1)


@app.command(epilog=Examples + "mondegreen doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Look at versions, devices, caches and known conflicts."""
    from mondegreen.doctor import examine

    findings = examine()
    colours = {"ok": "green", "warning": "yellow", "error": "red"}
    if as_json:
        for finding in findings:
            _print_json(asdict(finding))
    else:
        for f in findings:
            state = f"[{colours[f.state]}]{f.state:<8}[/]"
            out.print(f"{f.name:<18} {state} {escape(f.detail)}", highlight=False)
    raise typer.Exit(1 if any(f.state == "error" for f in findings) else 0)


@contextmanager
def _progress(name: str, options: Any) -> Iterator[Any]:
    """A bar of gradient passes; yields what `attack_clips` calls after each of them."""
    from mondegreen.attacks.presets import preset

    total = sum(stage.passes for stage in preset(options.method, options.preset))
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} passes"),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=err,
    )
    with bar:
        task = bar.add_task(escape(name), total=min(total, options.max_passes or total), state="")
        yield lambda seen: bar.update(task, advance=1, state=_state(seen))


def _state(seen: Any) -> str:
    """The first clip of the pass in a line: loss, ε or α, masking loss, and whether it is heard."""
    parts = [f"loss {float(seen.loss[0]):.1f}"]
    if seen.eps is not None:
        parts.append(f"ε {float(seen.eps[0]) * 32768:.0f}")
    if seen.alpha is not None:
        parts.append(f"α {float(seen.alpha[0]):.3g}")
    if seen.masking_loss is not None:
        parts.append(f"masking {float(seen.masking_loss[0]):.1f}")
    return "  ".join([*parts, "heard" if seen.matched[0] else "not heard"])


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, allow_nan=False), flush=True)


def _print_fields(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(fields)
        return
    for name, value in fields.items():
        shown = "-" if value is None else value
        out.print(f"{name.replace('_', ' '):<18} {shown}", markup=False, highlight=False)


def _print_result(result: Any, folder: Path) -> None:
    record, quality = result.record, result.record.quality
    fields = {
        "clip": record.audio,
        "target": record.target,
        "heard before": record.heard_clean,
        "heard after": record.heard,
        "verified": "yes, from the saved file" if record.verified else "NO",
        "passes": f"{record.passes} in {record.seconds:.0f} s, first heard at"
        f" {record.first_match or 'none'}",
        "largest change": f"{quality.max_abs:.0f} of 32768",
        "signal to noise": _number(quality.snr_db, "dB"),
        "PESQ, STOI": f"{_number(quality.pesq)}, {_number(quality.stoi)}",
    }
    if quality.masking:
        fields["masking loss"] = f"{quality.masking.loss:.2f}"
        fields["above threshold"] = (
            f"{quality.masking.share_above:.1%} of bins, by {quality.masking.mean_excess_db:.1f} dB"
            f" on average and {quality.masking.max_excess_db:.1f} dB at most"
        )
    fields["files"] = " ".join(str(path) for path in sorted(folder.glob("[!.]*")))
    _print_fields(fields, as_json=False)
    _print_warnings(record.id, record.warnings)


def _print_warnings(name: str, warnings: Sequence[str]) -> None:
    for warning in warnings:
        err.print(f"[yellow]warning:[/yellow] {escape(name)}: {escape(warning)}")


def _number(value: float | None, unit: str = "") -> str:
    return "not measured" if value is None else f"{value:.2f} {unit}".strip()
