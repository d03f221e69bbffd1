"""The file of measurements: rows by part, merged safely, each with where it was measured.

A row is plain data. The fields of `KEYS` identify a row within its part; a new row replaces an old
one. Machine, versions and threads are listed in `circumstances`, to which each row refers by
`where`.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import torch
from filelock import FileLock

from mondegreen.files import key_of, write_whole

Row: TypeAlias = dict[str, Any]
Results: TypeAlias = dict[str, Any]  # a list of rows for each part, and `circumstances`

PATH = Path(__file__).with_name("results.json")
KEYS: Mapping[str, tuple[str, ...]] = {
    "quality": ("victim", "preset", "clip", "budget"),
    "in_rooms": ("victim", "method", "preset", "air", "clip", "budget"),
    "passes": ("victim", "kind"),
    "batches": ("victim", "size"),
    "memory": ("victim", "size"),
    "threshold": ("kind",),
    "rooms": ("kind",),
}
PACKAGES = (
    "mondegreen",
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "pesq",
    "pesqc2",
    "zimtohrli",
    "pystoi",
)


def read(path: Path = PATH) -> Results:
    """All measurements; none if there is no file yet."""
    empty: Results = {"circumstances": {}, **{part: [] for part in KEYS}}
    return empty | json.loads(path.read_text("utf-8")) if path.exists() else empty


def add(part: str, row: Row, path: Path = PATH, here: Row | None = None) -> None:
    """Add or replace a row, even while other processes write.

    Args:
        part: a key of `KEYS`.
        row: with the fields that identify it within its part.
        path: the file.
        here: where it was measured; default: here and now.
    """
    here = here or circumstances()
    dated = row if "date" in row else {**row, "date": date.today().isoformat()}
    with FileLock(path.with_name(f".{path.name}.lock")):
        results = read(path)
        results["circumstances"][key_of(here)[:8]] = here
        kept = [other for other in results[part] if key(part, other) != key(part, row)]
        kept.append({**dated, "where": key_of(here)[:8]})
        results[part] = sorted(kept, key=lambda one: key(part, one))
        _write(path, results)


def find(results: Results, part: str, **wanted: object) -> list[Row]:
    """The rows of a part whose fields are as wanted."""
    return [row for row in results[part] if all(row[k] == v for k, v in wanted.items())]


def key(part: str, row: Row) -> tuple[Any, ...]:
    """What identifies a row within its part."""
    return tuple(row[field] for field in KEYS[part])


def circumstances() -> Row:
    """Where this process measures: the machine, the versions, and its threads."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": dict(_versions(PACKAGES)),
    }


def _versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "missing"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _write(path: Path, results: Results) -> None:
    """One row per line, for readable diffs; only the circumstances that rows refer to."""
    used = {row["where"] for part in KEYS for row in results[part]}
    known = {k: v for k, v in sorted(results["circumstances"].items()) if k in used}
    parts = [f'"circumstances": {json.dumps(known, indent=1)}']
    for part in KEYS:
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in results[part])
        parts.append(f'"{part}": [\n{rows}\n]')
    write_whole(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())
