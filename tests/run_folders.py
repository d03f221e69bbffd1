"""What the tests of runs share: clips, the command, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import toy

from mondegreen.audio.pcm import save

TESTS = Path(__file__).parent
QUICK = ("--victim", "toy_victims:linear", "--target", "open the door", "--dtype", "float64")


def make_clips(folder: Path, count: int, length: int = 6000) -> Path:
    """A folder of so many short clips, each a little longer than the one before."""
    folder.mkdir()
    for i in range(count):
        save(folder / f"c{i:02}.wav", toy.speech(i, length + 100 * i), 16_000)
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mondegreen", *map(str, arguments)]


def environment() -> dict[str, str]:
    """That of a process which finds the toy recognisers, and which they spare real yardsticks."""
    own = {"PYTHONPATH": str(TESTS), "MADE_UP_RATINGS": "1", "TERM": "dumb", "NO_COLOR": "1"}
    return os.environ | own


def mondegreen(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments), env=environment(), capture_output=True, encoding="utf-8", cwd=cwd
    )


def records(run: Path) -> dict[str, dict[str, Any]]:
    """The records of a run's items by their ids, without what a clock wrote."""
    found = {}
    for path in sorted(run.glob("items/[!.]*/record.json")):
        record = json.loads(path.read_text())
        assert record["key"] == path.parent.name
        assert record["id"] not in found, "a clip twice"
        del record["seconds"]
        found[record["id"]] = record
    return found


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "clips.jsonl").read_text().splitlines()]
