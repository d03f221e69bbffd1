"""Commands of the loop through the air: air sweep, air play, air response, air score."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mondegreen.chain.text import chained
from mondegreen.cli.app import (
    DEFAULT_VICTIM,
    AsJson,
    AudioFile,
    Beams,
    Device,
    Examples,
    Listener,
    Through,
    group_of,
    rate_option,
)
from mondegreen.cli.console import err
from mondegreen.cli.output import (
    aim_field,
    number,
    one_transcript,
    print_fields,
    print_json,
    print_warnings,
    quality_fields,
)
from mondegreen.cli.progress import Bars, working
from mondegreen.cli.refusals import check_new, check_recogniser

if TYPE_CHECKING:
    from mondegreen.air.loop.response import Response, Take
    from mondegreen.judging.played import Played
    from mondegreen.judging.played import Take as Hearing

group = group_of(
    "air", "Measure your room with loudspeaker and microphone, and score what was played in it."
)

HIGHEST: Final = 20_000.0  # Hz
LEAD, PAUSE = 0.5, 1.0  # s of silence before what is played, and after each time


@group.command(
    epilog=Examples + "mondegreen air sweep --out sweep.wav\n\n"
    "mondegreen air sweep --out sweep.wav --seconds 20 --tail 5 --low 80"
)
def sweep(
    out: Annotated[Path, typer.Option(help="The WAV file to make.")],
    seconds: Annotated[
        float, typer.Option(help="Duration, s. Twice as long: 3 dB less noise in the response.")
    ] = 10.0,
    low: Annotated[float, typer.Option(help="Lowest frequency, Hz.")] = 50.0,
    high: Annotated[
        float | None,
        typer.Option(help="Highest frequency, Hz. Default: 20,000, or half the sample rate."),
    ] = None,
    sample_rate: Annotated[int, rate_option("Sample rate, Hz.")] = 48_000,
    level: Annotated[float, typer.Option(help="Peak level, dBFS.")] = -6.0,
    tail: Annotated[
        float, typer.Option(help="Silence after it, s: the longest response that it can measure.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Make a sine sweep to play in a room, between two markers that show the clocks.

    Turn the volume down before you play it for the first time: it is loud.
    """
    check_new(out)
    from mondegreen.air.loop.sweep import make_sweep

    made = make_sweep(
        seconds=seconds,
        low=low,
        high=min(HIGHEST, sample_rate / 2) if high is None else high,
        sample_rate=sample_rate,
        level=level,
        tail=tail,
    )
    made.save(out)
    lasts = (made.last + len(made.marker())) / made.sample_rate + made.tail
    print_fields({"sweep": str(out), "lasts_s": round(lasts, 3), **made.model_dump()}, as_json)


@group.command(
    epilog=Examples + "mondegreen air play sweep.wav --record take-1.wav\n\n"
    "mondegreen air play result/adversarial.wav --record takes.wav --takes 5"
)
def play(
    file: AudioFile,
    record: Annotated[Path, typer.Option(help="The WAV file to record to; it must be new.")],
    takes: Annotated[int, typer.Option(min=1, max=100, help="How many times to play it.")] = 1,
    sample_rate: Annotated[
        int | None, rate_option("Rate of the devices, Hz. Default: that of the file.")
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(help="Part of the loudspeaker's name. Default: the system's.")
    ] = None,
    microphone: Annotated[
        str | None, typer.Option(help="Part of the microphone's name. Default: the system's.")
    ] = None,
) -> None:
    """Play a file on this machine's loudspeaker and record it by its microphone.

    People within hearing must know and agree; begin with the volume turned down. What is recorded
    of an adversarial file is marked as one.
    """
    check_new(record)
    import numpy as np

    from mondegreen.air.loop.card import play as play_and_record
    from mondegreen.audio.pcm import load, wav_bytes
    from mondegreen.audio.recording import open_recording
    from mondegreen.files import write_new

    with open_recording(file) as opened:
        rate, comment = sample_rate or int(opened.samplerate), opened.comment
    audio = load(file, rate)
    lead, pause = (np.zeros(round(seconds * rate), np.float32) for seconds in (LEAD, PAUSE))
    sound = np.concatenate([lead, *[audio, pause] * takes])
    with working(f"playing and recording {len(sound) / rate:.0f} s"):
        heard = play_and_record(sound, rate, speaker, microphone)
    write_new(record, wav_bytes(heard, rate, comment=_mark(comment)))
    peak = float(np.abs(heard).max())
    err.say(f"{record}: {len(heard) / rate:.1f} s, peak {20 * np.log10(max(peak, 1e-6)):.0f} dBFS")


def _mark(comment: str) -> str | None:
    """The mark of an adversarial file, which a recording of one keeps."""
    from mondegreen.audio.pcm import ADVERSARIAL_MARK

    return ADVERSARIAL_MARK if comment == ADVERSARIAL_MARK else None


@group.command(
    epilog=Examples + "mondegreen air response take-1.wav take-2.wav --sweep sweep.wav"
    " --out room.wav"
)
def response(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of the sweep, all at the same place.")
    ],
    sweep: Annotated[Path, typer.Option(help="The file that `air sweep` made.")],
    out: Annotated[Path, typer.Option(help="The WAV file for the response.")],
    as_json: AsJson = False,
) -> None:
    """Compute a room's impulse response from recordings of a sweep, which are averaged.

    `rooms make --from` takes it, or a folder of several, into a bank.
    """
    check_new(out)
    from mondegreen.air.loop.recorded import read_recorded
    from mondegreen.air.loop.response import measure_response
    from mondegreen.air.loop.sweep import read_sweep
    from mondegreen.audio.pcm import save

    played = read_sweep(sweep)
    recorded = [read_recorded(path) for path in recordings]
    with working("measuring"):
        measured = measure_response(recorded, played)
    save(out, measured.audio, measured.sample_rate)
    fields = asdict(measured) | {"audio": str(out)}
    if as_json:
        print_json(fields | {"seconds": len(measured.audio) / measured.sample_rate})
    else:
        for take in measured.takes:
            print_fields({"recording": take.recording, **_take(take)})
        print_fields({"response": str(out), **_response(measured)})
    print_warnings(out.name, measured.warnings)


def _take(take: Take) -> dict[str, Any]:
    distortion = "below the noise" if take.distortion is None else f"{take.distortion:.1%}"
    return {
        "  begins at": f"{take.offset:.4f} s",
        "  clock drift": f"{take.drift_ppm:+.1f} ppm",
        "  signal to noise": f"{take.snr_db:.1f} dB",
        "  distortion": distortion,
        "  clipped": f"{take.clipped} samples" if take.clipped else "none",
    }


def _response(measured: Response) -> dict[str, Any]:
    seconds = len(measured.audio) / measured.sample_rate
    fields = {
        "  length": f"{seconds:.2f} s at {measured.sample_rate:,} Hz",
        "  above the noise": f"{measured.range_db:.0f} dB",
        "  RT60": number(measured.rt60, "s"),
        "  direct to reverb": number(measured.drr_db, "dB"),
    }
    if measured.agreement_db is not None:
        fields["  takes agree to"] = f"{measured.agreement_db:.0f} dB"
    return fields


@group.command(
    epilog=Examples + "mondegreen air score takes.wav --of result\n\n"
    "mondegreen air score desk.wav sofa.wav --of result --clean clean.wav --json"
)
def score(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of the adversarial file, played once or more.")
    ],
    of: Annotated[Path, typer.Option(help="The result: its folder or record.json.")],
    clean: Annotated[
        Path | None,
        typer.Option(help="A recording of the clean clip, same place and volume, to compare with."),
    ] = None,
    victim: Listener = None,
    through: Through = None,
    beams: Beams = 1,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Find a result in recordings of it, and count in how many takes the target is heard.

    No room is simulated. Exit status 0: it is heard in at least half of the takes.
    """
    check_recogniser(through, victim)
    from mondegreen.air.loop.recorded import read_recorded
    from mondegreen.judging.evaluate import attacked
    from mondegreen.judging.played import score as score_takes
    from mondegreen.measures.survival import SURVIVES
    from mondegreen.results.item import read_item
    from mondegreen.victims import load_recogniser

    read_item(of)
    name = chained(through or (), victim or attacked(of) or DEFAULT_VICTIM)
    for path in (*recordings, *([clean] if clean else [])):
        read_recorded(path)  # refused before the recogniser is loaded
    with working("loading the recogniser"):
        recogniser = load_recogniser(name, device=device, beams=beams)
    with Bars(of.name) as bars:
        found = score_takes(
            recogniser, recordings, of, clean, lambda *done: bars.count("listening", *done)
        )
    if as_json:
        print_json(found.to_json() | {"beams": beams})
    else:
        _print_played(found)
    raise typer.Exit(0 if found.heard >= SURVIVES else 1)


def _print_played(found: Played) -> None:
    from mondegreen.report.numbers.measures import error_rate

    hits = sum(take.heard.matched for take in found.takes)
    success, to_target = "aim met", ""
    if found.wer_target is not None:
        success, to_target = "target heard", f"{error_rate(found.wer_target)} to the target, "
    print_fields(
        {
            "result": found.result,
            "heard by": found.victim,
            **aim_field(found.target, found.aim),
            "original": found.original,
            "over the air": f"{success} in {hits} of {len(found.takes)} takes"
            f" ({found.heard:.0%}; 95 %: {found.heard_low:.0%} to {found.heard_high:.0%}),"
            f" WER {to_target}{error_rate(found.wer_original)} to the original",
        }
    )
    for nth, take in enumerate(found.takes, 1):
        print_fields(_hearing(f"take {nth}", take))
    for nth, take in enumerate(found.clean, 1):
        print_fields(_hearing(f"clean take {nth}", take))
    if found.quality is not None:
        print_fields({"against the clean take": "", **_indented(quality_fields(found.quality))})
    if found.floor is not None:
        print_fields(
            {"two clean takes": "no change at all", **_indented(quality_fields(found.floor))}
        )


def _hearing(name: str, take: Hearing) -> dict[str, str]:
    return {
        name: f"{take.recording} from {take.begins:.4f} s, clock drift {take.drift_ppm:+.1f} ppm,"
        f" {take.explained:.0%} explained by the file, peak {take.peak_db:.0f} dBFS",
        "  heard": one_transcript(take.heard),
    }


def _indented(fields: dict[str, str]) -> dict[str, str]:
    return {f"  {name}": value for name, value in fields.items()}
