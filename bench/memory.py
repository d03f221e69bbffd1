"""Peak memory of a batch of ten-second clips, measured in a new process.

python -m bench.memory moonshine-tiny 8
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.results import Row

STEPS = 3  # of each stage


def peak(victim: str, size: int) -> Row:
    """Measure in a new process, which has held nothing else."""
    asked = subprocess.run(
        [sys.executable, "-m", "bench.memory", victim, str(size)],
        capture_output=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return {"victim": victim, "size": size, **json.loads(asked.stdout)}


def main() -> None:
    from bench.passes import recordings, steps
    from bench.subjects import loaded
    from mondegreen.search.presets import PRESETS

    name, size = sys.argv[1], int(sys.argv[2])
    victim = loaded(name)
    before = resident_peak()
    clips = recordings(size, victim.sample_rate)
    for stage in PRESETS["imperceptible"]["paper"]:
        step = steps(victim, clips, stage)
        for _ in range(STEPS):
            step()
    print(json.dumps({"loaded_gib": before, "peak_gib": resident_peak()}))


def resident_peak() -> float:
    """Peak memory of this process, in GiB.

    VmHWM starts anew with a program; `getrusage` includes what the process held that started it.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 2**20, 3)  # KiB


if __name__ == "__main__":
    main()
