"""The command line: parsing and printing, nothing else.

Exit status: 0 it went well; 1 it ran, and the answer is no, or not all was done; 2 bad input; 3 a
fault of the program; 4 a fault of the system, such as a full disk. What that means for each command
is in `docs/exit-status.md`. Progress, tables and errors go to stderr, results to stdout. Commands
import what they need when they run: torch takes seconds, and `--help` does without it.
"""

from mondegreen.cli import (
    air,
    attack,
    curve,
    defend,
    gate,
    inspect,
    judge,
    listen,
    listing,
    measure,
    output,
    report,
    rooms,
    run,
    suite,
)
from mondegreen.cli.app import app
from mondegreen.cli.entry import main

__all__ = [
    "air",
    "app",
    "attack",
    "curve",
    "defend",
    "gate",
    "inspect",
    "judge",
    "listen",
    "listing",
    "main",
    "measure",
    "output",
    "report",
    "rooms",
    "run",
    "suite",
]
