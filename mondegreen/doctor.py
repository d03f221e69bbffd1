"""Checks of an installation: versions, devices, the embedded model, the cache, known conflicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

import torch

from mondegreen.errors import VictimError
from mondegreen.files import cache_folder
from mondegreen.findings import Finding
from mondegreen.processors import affinity, processors
from mondegreen.victims.embedded import bundled
from mondegreen.wording import number_of

REQUIRED = (
    *("mondegreen", "torch", "transformers", "onnxruntime", "moonshine-voice"),
    *("soundfile", "soxr", "safetensors", "pystoi"),
)
OPTIONAL = {
    "pocketsphinx": "the recogniser pocketsphinx needs it; run: pip install 'mondegreen[ears]'",
    "zimtohrli": "Zimtohrli is not measured; run: pip install zimtohrli (may need a C++ compiler)",
    "pesqc2": "PESQ (Cor. 2) is not measured; run: pip install cython setuptools, then"
    " pip install --no-deps --no-build-isolation pesqc2 (needs a C compiler)",
    "pesq": "PESQ (2007) is not measured; run: pip install pesq (needs a C compiler)",
    "noisereduce": "the defence gate needs it; run: pip install 'mondegreen[denoise]'",
    "av": "the channel aac needs it; run: pip install 'mondegreen[codecs]'",
    "sounddevice": "`air play` needs it; run: pip install 'mondegreen[audio]'",
    "pyroomacoustics": "needed to simulate rooms; run: pip install 'mondegreen[rooms]'",
}
CONFLICTS = ("torchaudio", "torchcodec")  # installed, they have broken transformers' audio models
CONVERTED_BYTES = 150_000_000


def examine() -> list[Finding]:
    """Check versions, devices, the embedded model, the cache and known conflicts."""
    return [*_versions(), *_devices(), _model(), _cache(), *_conflicts()]


def _versions() -> Iterator[Finding]:
    yield Finding("python", "error", "ok", sys.version.split()[0])
    for package in (*REQUIRED, *OPTIONAL):
        try:
            yield Finding(package, "error", "ok", version(package))
        except PackageNotFoundError:
            remedy = OPTIONAL.get(package, "run: pip install mondegreen")
            wrong: Literal["warning", "error"] = "warning" if package in OPTIONAL else "error"
            yield Finding(package, wrong, wrong, f"not installed; {remedy}")


def _devices() -> Iterator[Finding]:
    yield Finding("cpu", "error", "ok", _processors())
    for i in range(torch.cuda.device_count()):
        yield Finding(f"cuda:{i}", "error", "ok", torch.cuda.get_device_name(i))


def _processors() -> str:
    return (
        f"{processors()} of {number_of(os.cpu_count() or 1, 'processor')} may be used: {affinity()}"
        f" by CPU affinity, {processors()} with the container's limit; torch uses"
        f" {number_of(torch.get_num_threads(), 'thread')}"
    )


def _model() -> Finding:
    try:
        path = bundled.asset(bundled.DECODER)
    except VictimError as error:
        return Finding("moonshine-tiny", "error", "error", str(error))
    return Finding("moonshine-tiny", "error", "ok", str(path.parent))


def _cache() -> Finding:
    folder = cache_folder()
    existing = next(f for f in (folder, *folder.parents) if f.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        return Finding(
            "cache", "error", "error", f"{existing} cannot be written; set MONDEGREEN_CACHE"
        )
    if free < CONVERTED_BYTES:
        return Finding(
            "cache", "error", "error", f"{folder}: {free / 1e6:.0f} MB free, 150 MB needed"
        )
    held = sum(f.stat().st_size for f in folder.glob("*") if f.is_file())
    return Finding(
        "cache", "error", "ok", f"{folder}: {held / 1e6:.0f} MB, {free / 1e9:.0f} GB free"
    )


def _conflicts() -> Iterator[Finding]:
    for package in CONFLICTS:
        remedy = f"transformers imports it; run: pip uninstall {package}"
        if find_spec(package) is None:
            yield Finding(package, "error", "ok", "not installed (not needed)")
        elif _imports(package):
            yield Finding(package, "warning", "warning", f"installed, but not needed; {remedy}")
        else:
            yield Finding(package, "error", "error", f"installed, but fails to import; {remedy}")


def _imports(package: str) -> bool:
    """Whether a package can be imported; in another process, which a broken one may crash."""
    command = [sys.executable, "-c", f"import {package}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
