"""Commands that look and change nothing: transcribe, check-victim, links, threshold, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mondegreen.chain.text import chained
from mondegreen.cli.app import (
    DEFAULT_VICTIM,
    AsJson,
    AudioFile,
    AudioFiles,
    Beams,
    Device,
    Examples,
    Picture,
    Through,
    VictimName,
    app,
    rate_option,
)
from mondegreen.cli.console import err, out
from mondegreen.cli.output import print_fields, print_finding, print_json
from mondegreen.cli.progress import working
from mondegreen.cli.refusals import check_picture, check_recogniser, check_recordings
from mondegreen.errors import AudioError, RecogniserError
from mondegreen.foreign import SPEC
from mondegreen.options import ThresholdProfile
from mondegreen.wording import number_of


@app.command(
    epilog=Examples + "mondegreen transcribe clip.wav --victim moonshine-tiny-int8\n\n"
    "mondegreen transcribe clip.wav --through resample:8000"
)
def transcribe(
    audio: AudioFiles,
    victim: VictimName = DEFAULT_VICTIM,
    through: Through = None,
    beams: Beams = 1,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print a recogniser's transcript of recordings.

    Exit status 2: some recordings cannot be read or heard; the others are transcribed all the same.
    """
    check_recogniser(through, victim)
    readable = [path for path in audio if _can_be_read(path)]
    if not readable:
        raise typer.Exit(2)
    import torch

    from mondegreen.audio.pcm import load
    from mondegreen.victims import load_recogniser

    name = chained(through or (), victim)
    with working("loading the recogniser"):
        recogniser = load_recogniser(name, device=device, beams=beams)
    unheard = len(audio) - len(readable)
    for path in readable:
        sound = torch.from_numpy(load(path, recogniser.sample_rate))
        try:
            heard = recogniser.transcribe(sound)
        except (AudioError, RecogniserError) as error:
            err.print(f"[red]error:[/red] {escape(f'{path}: {error}')}")
            unheard += 1
            continue
        if as_json:
            print_json({"audio": str(path), "victim": name, "beams": beams, "transcript": heard})
        else:
            out.say(f"{path}: {heard}")
    raise typer.Exit(2 if unheard else 0)


def _can_be_read(path: Path) -> bool:
    """Whether a recording can be read; if not, why is said."""
    try:
        check_recordings([path])
    except AudioError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}")
        return False
    return True


@app.command(
    "check-victim",
    epilog=Examples + "mondegreen check-victim openai/whisper-tiny.en\n\n"
    "mondegreen check-victim ./my-checkpoint --json\n\n"
    "mondegreen check-victim my_module:my_victim",
)
def check_victim(
    spec: Annotated[
        str,
        typer.Argument(
            help="A name, a model hub's ID or ID@REVISION, a folder, a file of Whisper, or"
            " module:function."
        ),
    ] = DEFAULT_VICTIM,
    through: Through = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Check that attacks on a recogniser can be believed.

    Checks gradients, padding and batch invariance, determinism, and `matched` against the decoder.
    Exit status 1: a check fails.
    """
    check_recogniser(through, spec)
    import torch

    from mondegreen.audio.pcm import load
    from mondegreen.victims import load_victim
    from mondegreen.victims.contract import examine
    from mondegreen.victims.embedded import bundled

    with working("loading the recogniser"):
        victim = load_victim(chained(through or (), spec), device=device)
    speech = torch.from_numpy(load(bundled.asset(bundled.RECORDING), victim.sample_rate))
    findings = []
    with err.status("checking") as status:
        for finding in examine(victim, speech):
            status.update(f"checked: {finding.id}")
            findings.append(finding)
            print_finding(finding, as_json)
    if SPEC.fullmatch(spec) and not through and victim.name != spec:
        err.say(
            f"note: its name is {victim.name}; call it {spec}, so that verify and sanity can say"
            " how to load it again"
        )
    failed = sum(finding.state == "fails" for finding in findings)
    if failed:
        err.say(f"{number_of(failed, 'check')} failed: attacks on it cannot be believed")
    else:
        err.say("no check failed: what attacks on it say can be believed")
    raise typer.Exit(1 if failed else 0)


@app.command(epilog=Examples + "mondegreen links --json")
def links(as_json: AsJson = False) -> None:
    """List what a sound can go --through: channels and defences, with their parameters."""
    from mondegreen.chain.catalogue import entries

    for entry in entries():
        if as_json:
            print_json(asdict(entry))
        else:
            out.print(f"[bold]{escape(entry.form)}[/]  {escape(entry.what)}", highlight=False)
            for parameter in entry.parameters:
                out.print(f"    {escape(parameter)}", highlight=False)


@app.command(epilog=Examples + "mondegreen threshold clip.wav --plot threshold.png")
def threshold(
    clip: AudioFile,
    profile: Annotated[
        ThresholdProfile,
        typer.Option(
            help="paper: as in the paper; authors: as the authors' released code computes it;"
            " temporal: as paper, and a sound also masks what follows it."
        ),
    ] = "paper",
    sample_rate: Annotated[int, rate_option("Sample rate of the analysis, Hz.")] = 16_000,
    plot: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Print the masking threshold of a clip, and draw it."""
    check_picture(plot)
    import numpy as np

    from mondegreen.audio.pcm import load

    sound = load(clip, sample_rate)
    from mondegreen.measures.spectra import spectra

    seen = spectra(sound, sample_rate, profile=profile)
    if plot:
        from mondegreen.report.figures.pictures import draw_threshold

        draw_threshold(seen, plot, clip.name)
    audible, maskers = seen.theta[:, seen.heard], float(seen.maskers.sum(1).mean())
    mean, least, most = (float(of(audible)) for of in (np.mean, np.min, np.max))
    if as_json:
        print_json(
            {
                "audio": str(clip),
                "profile": profile,
                "sample_rate": sample_rate,
                "frames": len(seen.seconds),
                "maskers_per_frame": round(maskers, 3),
                "theta_mean_db": round(mean, 3),
                "theta_min_db": round(least, 3),
                "theta_max_db": round(most, 3),
                "plot": str(plot) if plot else None,
            }
        )
        return
    print_fields(
        {
            "clip": clip,
            "profile": profile,
            "sample rate": f"{sample_rate:,} Hz",
            "frames": f"{len(seen.seconds):,}, with {maskers:.1f} maskers each on average",
            "threshold": f"{mean:.1f} dB on average, {least:.1f} dB to {most:.1f} dB, where the"
            " clip's loudest bin has 96 dB",
            **({"picture": plot} if plot else {}),
        }
    )


@app.command(epilog=Examples + "mondegreen doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Check versions, devices, caches and known conflicts."""
    from mondegreen.doctor import examine

    findings = examine()
    for finding in findings:
        print_finding(finding, as_json)
    broken, worse = (sum(f.state == state for f in findings) for state in ("error", "warning"))
    if broken:
        err.say(f"{number_of(broken, 'error')}: mondegreen does not work here until that is mended")
    elif worse:
        err.say(f"everything needed is there; {number_of(worse, 'warning')}: some parts are not")
    else:
        err.say("everything is there")
    raise typer.Exit(1 if broken else 0)
