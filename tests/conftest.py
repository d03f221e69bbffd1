"""Where the tests find real speech: always in the wheel, maybe in a folder by the checkout."""

from __future__ import annotations

import csv
import os
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared"


class Clip(NamedTuple):
    """One LibriSpeech utterance with the phrase it is to be heard as."""

    id: str
    path: Path
    text: str
    target: str


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"{variable} is not set and its folder is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def librispeech() -> Path:
    """Folder of the LibriSpeech clips and their `clips.tsv`."""
    return _folder("MONDEGREEN_LIBRISPEECH", BESIDE / "data" / "librispeech")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Folder of reference numbers for those clips."""
    return _folder("MONDEGREEN_VECTORS", BESIDE / "vectors")


@pytest.fixture(scope="session")
def clips(librispeech: Path) -> list[Clip]:
    """The clips of `clips.tsv`, in its order."""
    with (librispeech / "clips.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Clip(r["id"], librispeech / r["audio"], r["text"], r["target"]) for r in rows]


def _recording(name: str) -> Path:
    # Through the metadata: importing the package would load audio drivers.
    wheel = distribution("moonshine-voice")
    return Path(str(wheel.locate_file(f"moonshine_voice/assets/{name}")))


@pytest.fixture(scope="session")
def beckett() -> Path:
    """Ten seconds of speech, 16 kHz mono."""
    return _recording("beckett.wav")


@pytest.fixture(scope="session")
def two_cities() -> Path:
    """Forty-four seconds of speech, 48 kHz."""
    return _recording("two_cities.wav")
