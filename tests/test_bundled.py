"""The embedded recogniser's conversion and its cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from transformers import MoonshineConfig, MoonshineForConditionalGeneration

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.victims import load_recogniser, load_victim
from mondegreen.victims.embedded import bundled
from mondegreen.victims.embedded.ort_weights import read_ort_weights
from mondegreen.victims.load import resolve_device


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MONDEGREEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A cache, and the weights that were converted into it."""
    folder = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONDEGREEN_CACHE", str(folder))
        return folder, bundled.float_weights()


def weights_file(cache: Path) -> Path:
    (path,) = cache.glob("*.safetensors")
    return path


def test_the_model_is_converted_once_and_then_read(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = bundled.float_weights()
    expected = MoonshineForConditionalGeneration(MoonshineConfig()).state_dict()
    assert {n: w.shape for n, w in converted.items()} == {n: w.shape for n, w in expected.items()}

    def refuse(path: Path) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(bundled, "read_ort_weights", refuse)
    again = bundled.float_weights()
    assert all(torch.equal(converted[name], again[name]) for name in converted)


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "no checksum", "junk checksum", "junk", "folders"]
)
def test_a_damaged_cache_is_made_again(
    cache: Path, converted: tuple[Path, dict[str, torch.Tensor]], damage: str
) -> None:
    made, whole = converted
    shutil.copytree(made, cache)
    path = weights_file(cache)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "junk":
        path.write_bytes(b"junk")
        path.with_suffix(".sha256").write_text(hashlib.sha256(b"junk").hexdigest())
    elif damage == "junk checksum":
        path.with_suffix(".sha256").write_bytes(b"\xff\xfe\x00")
    else:
        path.with_suffix(".sha256").unlink()
    if damage == "folders":
        path.unlink()
        (path / "in").mkdir(parents=True)
        path.with_suffix(".sha256").mkdir()
    again = bundled.float_weights()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert [p.suffix for p in cache.iterdir() if p.name.endswith(".part")] == []


def test_two_processes_at_once_convert_it_safely(cache: Path) -> None:
    module = bundled.__name__
    count = [sys.executable, "-c", f"from {module} import *; print(len(float_weights()))"]
    own = os.environ | {"MONDEGREEN_CACHE": str(cache)}
    pair = [subprocess.Popen(count, env=own, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (int(process.communicate()[0]) for process in pair)
    assert first == second == len(bundled.float_weights())


def test_a_cache_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MONDEGREEN_CACHE", str(blocked / "cache"))
    with pytest.raises(MondegreenError, match="MONDEGREEN_CACHE"):
        bundled.float_weights()


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(bundled, "distribution", missing)
    with pytest.raises(VictimError, match=r"pip install moonshine-voice==0\.0\.49"):
        bundled.asset(bundled.ENCODER)


def test_a_wheel_without_the_model_says_which_has_it() -> None:
    with pytest.raises(VictimError, match=r"nothing\.ort.*pip install"):
        bundled.asset("moonshine_voice/assets/nothing.ort")


def test_a_file_that_is_no_ort_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ort"
    path.write_bytes(b"not a flatbuffer at all, but long enough to look at")
    with pytest.raises(VictimError, match="not an ONNX Runtime model"):
        read_ort_weights(path)


def test_an_unknown_recogniser_is_refused_with_where_names_are_listed() -> None:
    with pytest.raises(VictimError, match=r"There is no recogniser 'no-such-model'\. Expected one"):
        load_recogniser("no-such-model")


def test_a_recogniser_without_a_gradient_cannot_be_attacked() -> None:
    with pytest.raises(VictimError, match="only transcribe"):
        load_victim("moonshine-tiny-int8")


def test_float64_is_refused_where_the_device_has_none() -> None:
    with pytest.raises(VictimError, match=r"mps.* has no float64; use float32"):
        load_victim("moonshine-tiny", device="mps", dtype=torch.float64)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(VictimError, match=device):
        resolve_device(device)
