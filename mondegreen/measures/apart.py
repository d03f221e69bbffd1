"""PESQ in a process of its own, because its C code may crash: it counts on few pauses in speech.

A process takes 0.2 s to start, imports neither torch nor this package, and takes nothing along when
it dies.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

TIMEOUT: Final = 300.0  # s; 30 s of speech take one or two, on a machine with nothing else to do

# Both clips come on stdin, one after the other; the score goes to stdout.
PROGRAM: Final = """
import sys
import numpy as np
from pesq import PesqError, pesq
clean, adversarial = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(2, -1)
try:
    print(pesq(int(sys.argv[1]), clean, adversarial, "wb"))
except PesqError:
    print("no speech")
"""


def pesq_apart(
    clean: NDArray[np.float32], adversarial: NDArray[np.float32], rate: int
) -> float | None:
    """Wide-band PESQ of clips `[T]` at `rate` Hz; None: there is no speech to judge.

    Raises:
        RuntimeError: it crashed, took too long or failed, and how.
    """
    # -P: a pesq.py in the current folder is not the package
    command = [sys.executable, "-P", "-c", PROGRAM, str(rate)]
    try:
        ended = subprocess.run(
            command,
            input=np.stack([clean, adversarial]).tobytes(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it had not ended after {TIMEOUT:.0f} s") from None
    if ended.returncode < 0:
        raise RuntimeError(f"its code crashed ({signal.Signals(-ended.returncode).name})")
    if ended.stdout.strip() == b"no speech":
        return None
    try:
        return float(ended.stdout)
    except ValueError:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"it ended with status {ended.returncode}"
        raise RuntimeError(f"its code failed: {why}") from None
