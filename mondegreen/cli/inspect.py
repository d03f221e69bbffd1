"""Commands that look and change nothing: transcribe, threshold, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mondegreen.cli.app import DEFAULT_VICTIM, AsJson, AudioFiles, Device, Examples, VictimName, app
from mondegreen.cli.output import err, out, print_fields, print_json


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
            print_json({"audio": str(path), "victim": victim, "heard": heard})
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
    print_fields(
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


@app.command(epilog=Examples + "mondegreen doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Look at versions, devices, caches and known conflicts."""
    from mondegreen.doctor import examine

    findings = examine()
    colours = {"ok": "green", "warning": "yellow", "error": "red"}
    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        for f in findings:
            state = f"[{colours[f.state]}]{f.state:<8}[/]"
            out.print(f"{f.name:<18} {state} {escape(f.detail)}", highlight=False)
    raise typer.Exit(1 if any(f.state == "error" for f in findings) else 0)
