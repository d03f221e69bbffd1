"""What driving a run costs: its start with 10,000 clips, the driver's work and memory, two workers.

    python bench/data_set.py               # everything, in some minutes
    python bench/data_set.py --clips 1000  # fewer for the driver

The driver is timed with an engine whose workers finish at once, so that only its own work counts.
Workers are timed with the embedded recogniser on clips of equal length.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from mondegreen.runs import run as running
from mondegreen.runs.config import read_config
from mondegreen.runs.job import Ended, Event, Finished, Job
from mondegreen.runs.manifest import Attacked

RATE = 16_000


class Instant:
    """An engine that reports every clip as finished at once."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.began: float | None = None
        self.resident: list[int] = []

    def open(self) -> Attacked:
        return Attacked("instant", "0" * 64, RATE, None, ("cpu",))

    def grow(self, *_: object) -> int:
        return 2

    def start(self, job: Job) -> bool:
        self.began = self.began or time.monotonic()
        if len(self.said) == 2:
            return False
        self.said.append(Ended(job, tuple(Finished(key, True) for key in job.wanted)))
        return True

    def wait(self, _: float) -> list[Event]:
        said, self.said = self.said, []
        self.resident.append(resident())
        return said

    def stop(self) -> None: ...

    def close(self) -> None: ...


def resident() -> int:
    """Bytes that this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def make_clips(folder: Path, count: int, seconds: float) -> Path:
    noise = np.random.default_rng(0)
    for i in range(count):
        sound = noise.normal(size=int(seconds * RATE)) * 0.05
        soundfile.write(folder / f"{i:05}.wav", sound, RATE, subtype="PCM_16")
    return folder


def drive(count: int) -> None:
    """The driver alone, in this process."""
    engine = Instant()
    running.make_engine = lambda *_: engine  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as place:
        clips = Path(place) / "clips"
        clips.mkdir()
        make_clips(clips, count, 3.0)
        begun = time.monotonic()
        config = read_config(None, {"clips": str(clips), "target": "open the door"})
        before = resident()
        running.run(config, Path(place) / "run")
        ended = time.monotonic()
    assert engine.began is not None
    flat = engine.resident
    tenth = len(flat) // 10
    print(f"clips                      {count}, of 3 s")
    print(f"until the first job        {engine.began - begun:.2f} s, without loading a recogniser")
    print(f"driver, per clip           {1000 * (ended - engine.began) / count:.3f} ms")
    print(f"memory before, with clips  {before / 2**20:.0f}, {flat[0] / 2**20:.0f} MiB")
    print(
        f"memory, first, last tenth  {statistics.median(flat[:tenth]) / 2**20:.1f},"
        f" {statistics.median(flat[-tenth:]) / 2**20:.1f} MiB"
    )


def workers(clips: int, passes: int) -> None:
    """One worker and two workers, in turn; each has one thread."""
    from mondegreen.audio.pcm import load
    from mondegreen.victims.embedded import bundled

    speech = load(bundled.asset(bundled.RECORDING), RATE)[: 6 * RATE]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clips"
        folder.mkdir()
        for i in range(clips):  # the same speech, but no two files are equal
            soundfile.write(folder / f"{i}.wav", np.roll(speech, 160 * i), RATE, subtype="PCM_16")
        took: dict[int, list[float]] = {1: [], 2: []}
        for number in range(3):
            for count in took:
                took[count].append(search(folder, Path(place) / f"{count}-{number}", count, passes))
    ratios = [one / two for one, two in zip(took[1], took[2], strict=True)]
    print(f"workers                    {clips} clips of 6 s, {passes} passes each, 1 thread each")
    print(f"one, two                   {took[1]} s, {took[2]} s from first job to last")
    print(f"speed-up of two, median    {statistics.median(ratios):.2f} ({ratios})")


def search(clips: Path, out: Path, count: int, passes: int) -> float:
    """Seconds from the manifest, written once the first worker has loaded, to the last item."""
    arguments = ["run", clips, "--target", "good morning", "--out", out, "--workers", count]
    arguments += ["--threads", 1, "--max-passes", passes]
    subprocess.run(
        [sys.executable, "-m", "mondegreen", *map(str, arguments)],
        check=False,  # 1 where a clip is not verified
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    ends = [path.stat().st_mtime for path in out.glob("items/*/record.json")]
    assert len(ends) == len(list(clips.iterdir()))
    return round(max(ends) - (out / "manifest.json").stat().st_mtime, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=60)
    options = parser.parse_args()
    drive(options.clips)
    workers(8, options.passes)


if __name__ == "__main__":
    main()
