"""Compiled yardsticks, each in a process of its own, because their code may crash.

PESQ's C code counts on few pauses in speech, and Zimtohrli's C++ on sounds of some length whose
samples are numbers. A process takes 0.2 s to start, imports neither torch nor this package, and
takes nothing along when it dies.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mondegreen.errors import MeasureError

Package = Literal["pesq", "pesqc2", "zimtohrli", "visqol"]

TIMEOUT: Final = 300.0  # s; 30 s of speech take one or two, on a machine with nothing else to do

# Both clips come on stdin, one after the other; the numbers go to stdout.
READ: Final = """
import sys
import numpy as np
clean, adversarial = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(2, -1)
"""
PESQ: Final = """
from {package} import PesqError, pesq
try:
    print(pesq(16_000, clean, adversarial, "wb"))
except PesqError:
    print("no speech")
"""
ZIMTOHRLI: Final = """
from zimtohrli import Pyohrli, mos_from_zimtohrli
distance = Pyohrli().distance(clean, adversarial)
print(distance, mos_from_zimtohrli(distance))
"""
VISQOL: Final = """
from visqol import VisqolApi
api = VisqolApi()
api.create(mode="audio")
print(api.measure_from_arrays(clean.astype(float), adversarial.astype(float), 48_000).moslqo)
"""
PROGRAMS: Final[dict[Package, str]] = {
    "pesq": READ + PESQ.format(package="pesq"),
    "pesqc2": READ + PESQ.format(package="pesqc2"),
    "zimtohrli": READ + ZIMTOHRLI,
    "visqol": READ + VISQOL,
}


def measured_apart(
    package: Package, clean: NDArray[np.float32], adversarial: NDArray[np.float32]
) -> list[float]:
    """What a package says of clips `[T]`, at its rate: its score; of Zimtohrli, distance and MOS.

    Raises:
        MeasureError: it is not installed, finds no speech, crashed, took too long or failed.
    """
    if find_spec(package) is None:
        raise MeasureError(f"the package {package} is not installed")
    both = np.stack([clean, adversarial])
    if not np.isfinite(both).all():  # Zimtohrli takes gigabytes and a minute to fail
        raise MeasureError("it has samples that are not numbers")
    # -P: a pesq.py in the current folder is not the package
    command = [sys.executable, "-P", "-c", PROGRAMS[package]]
    try:
        ended = subprocess.run(
            command,
            input=both.tobytes(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    except subprocess.TimeoutExpired:
        raise MeasureError(f"it had not ended after {TIMEOUT:.0f} s") from None
    if ended.returncode < 0:
        raise MeasureError(f"its code crashed ({signal.Signals(-ended.returncode).name})")
    if ended.stdout.strip() == b"no speech":
        raise MeasureError("it finds no speech to judge")
    return _numbers(ended)


def _numbers(ended: subprocess.CompletedProcess[bytes]) -> list[float]:
    """The numbers that a process printed, if it ended as it should."""
    try:
        numbers = [float(word) for word in ended.stdout.split()]
    except ValueError:
        numbers = []
    if ended.returncode == 0 and numbers and np.isfinite(numbers).all():
        return numbers
    said = ended.stderr.decode(errors="replace").strip().splitlines()
    why = said[-1] if said else f"it ended with status {ended.returncode}"
    raise MeasureError(f"its code failed: {why}")
