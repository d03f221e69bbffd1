"""Runs with sounds: item folders as an attack writes them, of known clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from safetensors.numpy import save_file
from test_tables import a_record, a_run

from mondegreen.results.folder import hash_of

RATE = 16_000
Pcm = NDArray[np.int16]


def a_clip(number: int, length: int = 2400) -> Pcm:
    """[T] int16: noise that differs by number."""
    return np.random.default_rng(number).integers(-8000, 8000, length).astype(np.int16)


def a_delta(number: int, length: int = 2400, peak: int = 300) -> Pcm:
    """[T] int16: a perturbation of it."""
    return np.random.default_rng(1000 + number).integers(-peak, peak, length).astype(np.int16)


def write_sounds(
    folder: Path, clean: Pcm, delta: Pcm, record: Mapping[str, Any], rate: int = RATE
) -> Path:
    """An item folder."""
    folder.mkdir(parents=True)
    soundfile.write(folder / "adversarial.wav", clean + delta, rate, subtype="PCM_16")
    save_file({"delta": (delta / np.float32(32768))}, folder / "delta.safetensors")
    names = ("adversarial.wav", "delta.safetensors")
    files = {name: hash_of(folder / name) for name in names}
    whole = {**record, "sample_rate": rate, "files": files}
    (folder / "record.json").write_text(json.dumps(whole))
    return folder


def listened(
    folder: Path,
    clips: int = 5,
    method: str = "imperceptible",
    preset: str = "fast",
    length: int = 2400,
    **changes: Any,
) -> Path:
    """A run over clips 0, 1, ..., with ids clip-0, clip-1, ...; perturbations differ by method."""
    run = a_run(folder, pending=[f"key{number}" for number in range(clips)])
    peak = {"imperceptible": 300, "carlini-wagner": 900}.get(method, 600)
    for number in range(clips):
        record = a_record(id=f"clip-{number}", method=method, preset=preset, **changes)
        write_sounds(
            run / "items" / f"key{number}",
            a_clip(number, length),
            a_delta(number, length, peak),
            record,
        )
    return run
