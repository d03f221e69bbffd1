"""What is only true on a GPU, checked and measured there in about ten minutes, as a table.

python -m bench.gpu [RECOGNISER ...] [--device cuda]

For each recogniser: its contract; whether it hears the same as on the CPU; how near it is to itself
in half precision; how often a step of the search waits for the device; passes per second and memory
by batch size, exact, near and in half precision. Then a run is killed and goes on. Without a GPU it
says so and ends well; `--device cpu` tries its own code, with the two smallest batches.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.passes import recordings, steps, target
from mondegreen.audio.pcm import save
from mondegreen.errors import VictimError
from mondegreen.names import EMBEDDED
from mondegreen.search.presets import PRESETS
from mondegreen.victims import Victim, load_victim
from mondegreen.victims.contract import SAME, examine
from mondegreen.victims.mixed import HALF_TYPES
from mondegreen.victims.near import EVERY, follows, in_half, nearness, trial

VICTIMS = tuple(name for name in EMBEDDED if "int8" not in name)
SIZES = (1, 2, 4, 8, 16, 32)
SECONDS = 3.0  # of a measurement
HALF = torch.bfloat16  # in which speed is measured; what accelerates it accelerates float16 alike
CLIPS, PATIENCE = 4, 150.0  # of the run that is killed; seconds for each of its three parts
RUN = ("--method", "carlini-wagner", "--max-passes", "100", "--checkpoint-seconds", "0.2")


@dataclass(frozen=True)
class Row:
    """One line of the table; `good` is None where nothing was to be judged."""

    of: str
    what: str
    found: str
    good: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "ok", False: "**fails**", None: ""}[self.good]
        return f"| {self.of} | {self.what} | {self.found} | {verdict} |"


def check(name: str, device: str, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """All that is measured of one recogniser."""
    victim = load_victim(name, device=device)
    speech = recordings(1, victim.sample_rate)[0]
    failed = [finding.id for finding in examine(victim, speech) if finding.state == "fails"]
    yield Row(name, "contract", ", ".join(failed) or "kept", not failed)
    yield same_as_on_the_cpu(name, victim)
    for half in sorted(HALF_TYPES, key=str):
        yield near(name, victim, half)
    yield waits(name, victim)
    yield from throughput(name, victim, sizes)
    if follows(victim):
        yield from throughput(name, victim, sizes, "near ", EVERY)
    with contextlib.suppress(VictimError):  # refused, which stands above
        yield from throughput(name, in_half(victim, HALF), sizes, f"{_named(HALF)} ", EVERY)


def same_as_on_the_cpu(name: str, victim: Victim) -> Row:
    """Loss, gradient, match and transcript of two seconds, here and there."""
    clip = recordings(1, victim.sample_rate)[0][: 2 * victim.sample_rate]
    found = []
    for one in (load_victim(name, device="cpu"), victim):
        audio = clip[None].to(one.device, one.dtype).requires_grad_()
        lengths = torch.tensor([len(clip)], device=one.device)
        score = one.score(audio, lengths, [target(one, clip)])
        (gradient,) = torch.autograd.grad(score.loss.sum(), audio)
        heard = bool(score.matched), one.transcribe(clip)
        found.append((float(score.loss.detach()), gradient.double().cpu(), heard))
    (loss, slope, heard), (here, gradient, same) = found
    apart = abs(here - loss) / max(abs(loss), 1.0)
    turned = float((gradient - slope).norm() / slope.norm())
    said = "the same transcript" if same == heard else f"{same[1]!r} instead of {heard[1]!r}"
    told = f"loss differs by {apart:.1e}, gradient by {turned:.1e} of its length; {said}"
    return Row(name, "as on the CPU", told, apart < SAME and same == heard)


def near(name: str, victim: Victim, half: torch.dtype) -> Row:
    """How near it is to itself in half precision: whether `--dtype` takes that."""
    try:
        found = nearness(victim, *trial(victim), half)
    except VictimError as error:
        return Row(name, _named(half), f"cannot be tried: {error}")
    return Row(name, _named(half), f"{found}{'' if found.holds else ', so it is refused'}")


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def waits(name: str, victim: Victim) -> Row:
    """How often a step waits for the device; the first two lay out."""
    if victim.device.type != "cuda":
        return Row(name, "waits of a step", "counted on CUDA alone")
    step = steps(victim, recordings(2, victim.sample_rate), PRESETS["imperceptible"]["paper"][0])
    counts = []
    for number in range(5):
        with warnings.catch_warnings(record=True) as seen, _warning():
            warnings.simplefilter("always")
            step()
        if number > 1:
            counts.append(sum("synchronizing CUDA operation" in str(one.message) for one in seen))
    return Row(name, "waits of a step", ", ".join(map(str, counts)), max(counts) <= 1)


@contextlib.contextmanager
def _warning() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def throughput(
    name: str, victim: Victim, sizes: Sequence[int], kind: str = "", every: int = 1
) -> Iterator[Row]:
    """Passes of stage 2 on ten-second clips, until memory does not suffice.

    Every so many steps, sounds are heard whole; other passes are near ones.
    """
    cuda = victim.device.type == "cuda"
    for size in sizes:
        if cuda:
            torch.cuda.reset_peak_memory_stats(victim.device)
        try:
            rate = _rate(victim, size, every)
        except torch.OutOfMemoryError:
            yield Row(name, f"{kind}passes, batch of {size}", "memory does not suffice")
            return
        held = torch.cuda.max_memory_allocated(victim.device) / 2**30 if cuda else None
        memory = "" if held is None else f", {held:.2f} GiB"
        yield Row(name, f"{kind}passes, batch of {size}", f"{rate:.1f} a second{memory}")


def _rate(victim: Victim, size: int, every: int) -> float:
    """Passes a second, of one clip each, in whole rounds of `every`; the first is not counted."""
    stage = PRESETS["imperceptible"]["paper"][1]
    step, done = steps(victim, recordings(size, victim.sample_rate), stage, every), 0
    rounds = max(2, every)
    for _ in range(rounds):
        step()
    began = _now(victim)
    while done < 3 or (done < stage.steps - 2 * rounds and time.perf_counter() - began < SECONDS):
        for _ in range(every):
            step()
        done += every
    return size * done / (_now(victim) - began)


def _now(victim: Victim) -> float:
    if victim.device.type == "cuda":
        torch.cuda.synchronize(victim.device)
    return time.perf_counter()


def killed_and_resumed(name: str, device: str) -> Row:
    """A run that is killed once it has an item, and goes on, against one that is left in peace."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "clips").mkdir()
        for number, clip in enumerate(recordings(CLIPS, 16_000)):
            save(here / "clips" / f"{number}.wav", clip[:32_000], 16_000)
        calm, killed = here / "calm", here / "killed"
        _run(here, calm, name, device)
        _run(here, killed, name, device, until=1)
        cut = len(_records(killed))
        _run(here, killed, name, device)
        first, second = _records(calm), _records(killed)
    same = sum(first[clip] == second.get(clip) for clip in first)
    told = f"killed with {cut} of {CLIPS} clips, ended with {len(second)}; {same} as undisturbed"
    if len(first) < CLIPS:
        told = f"undisturbed, {len(first)} of {CLIPS} clips in {PATIENCE:g} s: slow, or it fails"
    return Row(name, "killed, and resumed", told, len(second) == same == CLIPS)


def _run(here: Path, out: Path, name: str, device: str, until: int = CLIPS + 1) -> None:
    """A run in a process group of its own, which is killed once there are so many items, or late.

    One that is left in peace ends by itself.
    """
    command = [sys.executable, "-m", "mondegreen", *_asked(here, out, name, device)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **quiet)
    late = time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < late:
            if sum(1 for _ in out.glob("items/[!.]*")) >= until:
                break
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _asked(here: Path, out: Path, name: str, device: str) -> list[str]:
    """The arguments of the run."""
    asked = ["run", here / "clips", "--victim", name, "--device", device, *RUN]
    asked += ["--target", "send the money", "--workers", "1", "--out", out]
    return [*map(str, asked)]


def _records(run: Path) -> dict[str, dict[str, Any]]:
    """The records of a run by clip, without what a clock wrote."""
    found = [json.loads(path.read_text()) for path in run.glob("items/[!.]*/record.json")]
    return {one["id"]: {k: v for k, v in one.items() if k != "seconds"} for one in found}


def main(asked: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("victims", nargs="*", default=VICTIMS, metavar="RECOGNISER")
    parser.add_argument("--device", default="cuda")
    chosen = parser.parse_args(asked)
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing is checked. To try the script itself:")
        print("python -m bench.gpu moonshine-tiny-ctc --device cpu")
        return 0
    cuda = chosen.device.startswith("cuda")
    sizes = SIZES if cuda else SIZES[:2]
    on = torch.cuda.get_device_name(chosen.device) if cuda else "the CPU"
    print(
        f"On {on}, torch {torch.__version__}:\n\n| recogniser | what | found | |\n|---|---|---|---|"
    )
    rows = [row for name in chosen.victims for row in _shown(check(name, chosen.device, sizes))]
    rows += _shown(iter([killed_and_resumed(chosen.victims[0], chosen.device)]))
    return int(any(row.good is False for row in rows))


def _shown(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(row, flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
