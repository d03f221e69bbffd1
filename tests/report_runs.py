"""Run folders with real sounds and levels, made in no time: what pages are written of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from safetensors.numpy import save as safetensors_bytes
from test_tables import DRY, IN_ROOMS, QUALITY_IN_ROOMS, a_record, a_run, write_item

from mondegreen.results.folder import DELTA, LEVELS, RECORD, WAV, hash_of
from mondegreen.results.levels import Levels

RATE = 16_000
HOSTILE = "<script>alert(1)</script>\"'</template><!-- \u202e\u0007&amp; {{ 7*7 }}"
LONG = "word " * 2_000


def steps(seconds: float = 1.0, noise: int = 0, peak: int = 200) -> tuple[NDArray[Any], ...]:
    """A clip and a perturbation [T] in 16-bit steps."""
    random, length = np.random.default_rng(noise), round(seconds * RATE)
    tone = 8_000 * np.sin(np.arange(length) * 2 * np.pi * 330 / RATE)
    delta = random.integers(-peak, peak + 1, length)
    delta[length // 2] = peak
    return np.rint(tone).astype(np.int16), delta


def some_levels(seconds: float = 1.0, bands: int = 257) -> Levels:
    """Levels that rise with the band and with time."""
    frames = max(1, 1 + (round(seconds * RATE) - 2048) // 512)
    rise = np.add.outer(np.arange(frames), np.arange(bands)) % 193
    level, excess = rise.astype(np.uint8), (rise % 60).astype(np.uint8)
    return Levels(512 / RATE, RATE / 2048 * 4, level, level // 2, level // 3, excess)


def write_sounds(folder: Path, clean: NDArray[Any], delta: NDArray[Any]) -> None:
    """The audio of an item, and its perturbation."""
    soundfile.write(folder / WAV, (clean + delta).astype(np.int16), RATE, subtype="PCM_16")
    full_scale = (delta / 32768).astype(np.float32)
    (folder / DELTA).write_bytes(safetensors_bytes({"delta": full_scale}))


def sound_item(
    folder: Path, seconds: float = 1.0, noise: int = 0, pictured: bool = True, **changes: Any
) -> Path:
    """An item with its sounds; the record is `a_record` with changes."""
    write_item(folder, "{}")
    write_sounds(folder, *steps(seconds, noise))
    if pictured:
        (folder / LEVELS).write_bytes(some_levels(seconds).to_bytes())
    sign(folder, a_record(**changes))
    return folder


def sign(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a record that knows the files beside it."""
    files = {n: hash_of(folder / n) for n in (WAV, DELTA, LEVELS) if (folder / n).is_file()}
    (folder / RECORD).write_text(json.dumps({**record, "files": files}))


def sound_run(folder: Path, items: Mapping[str, Mapping[str, Any]], **others: Any) -> Path:
    """A run whose finished clips have sounds, by their keys; other clips as of `a_run`.

    The order is that of `pending`, which names them all, or finished ones first.
    """
    run = a_run(folder, pending=[*items, *others.pop("pending", ())], **others)
    for noise, (key, changes) in enumerate(items.items()):
        sound_item(run / "items" / key, noise=noise, **{"id": f"id-{key}", **changes})
    return run


def every_kind(folder: Path) -> Path:
    """A run with a clip of each outcome, one hostile and one long."""
    failed = {"verified": False, "heard": "open a window", "wer_target": 2 / 3, "pesq_c2": 1.5}
    stopped = {"verified": False, "heard": "", "interrupted": True, "found_at": None}
    clean = {"rooms": {**IN_ROOMS, "heard": 0.0}, "dry": DRY}
    rooms = {"bank": "b" * 64, "rooms": IN_ROOMS, "clean": clean}
    rooms |= {"quality_in_rooms": QUALITY_IN_ROOMS}
    run = sound_run(
        folder,
        {
            "good": {"snr_db": 30.0, "pesq_c2": 4.5, "zimtohrli_mos": 4.8},
            "failed": {**failed, "snr_db": 9.5},
            "stopped": stopped,
            "deaf": {"understood": False, "wer_clean": 1.5, "heard_clean": "", "snr_db": None},
            "bare": {
                **{"pictured": False, "pesq_c2": None, "pesq": None, "stoi": None},
                **{"zimtohrli": None, "zimtohrli_mos": None, "temporal": None},
                "unmeasured": {"pesq_c2": HOSTILE, HOSTILE: HOSTILE},
            },
            "rooms": rooms,
            "hostile": {
                **{"id": HOSTILE, "heard": HOSTILE, "target": HOSTILE},
                "warnings": [HOSTILE],
            },
            "long": {"heard": LONG, "heard_clean": LONG, "verified": False},
            "changed": {},
        },
        errors={"broken": "the recording is silent: " + HOSTILE},
        pending=["later"],
    )
    write_item(run / "items" / "later2", '{"id": ')
    with (run / "clips.jsonl").open("a") as clips:
        clips.write(
            json.dumps({"key": "later2", "id": "id-later2", "audio_filepath": "later2.wav"}) + "\n"
        )
    (run / "items" / "changed" / WAV).write_bytes(b"RIFF")
    return run
