"""Compiled code in processes of its own: its numbers are the same, and its end is not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from records import QUALITY

from mondegreen.errors import MeasureError
from mondegreen.measures import apart
from mondegreen.measures.apart import Package, measured_apart
from mondegreen.measures.ratings import rated

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype(np.float32)


def dialled(seconds: float) -> np.ndarray:
    """Tones of a quarter of a second, with as much silence between them."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 700 * t) * (t % 0.5 < 0.25)).astype(np.float32)


@pytest.mark.parametrize("name", ["pesq", "pesqc2"])
def test_the_score_is_that_of_the_package(name: Package) -> None:
    package = pytest.importorskip(name)
    clean = dialled(3)
    noisy = clean + 0.01 * np.tile(NOISE[1], 3)
    assert measured_apart(name, clean, noisy) == [package.pesq(RATE, clean, noisy, "wb")]


def test_the_distance_is_that_of_the_package() -> None:
    zimtohrli = pytest.importorskip("zimtohrli")
    distance = zimtohrli.Pyohrli().distance(*NOISE)
    found = [distance, zimtohrli.mos_from_zimtohrli(distance)]
    assert measured_apart("zimtohrli", *NOISE) == found


@pytest.mark.parametrize("name", ["pesq", "pesqc2"])
def test_without_speech_there_is_none(name: Package) -> None:
    pytest.importorskip(name)
    with pytest.raises(MeasureError, match="it finds no speech to judge"):
        measured_apart(name, np.zeros(RATE, np.float32), NOISE[0])


def test_a_crash_of_its_code_is_said() -> None:
    """Sixty utterances in thirty seconds overflow PESQ's tables."""
    pytest.importorskip("pesqc2")
    clean = dialled(30)
    noisy = clean + 0.01 * np.tile(NOISE[1], 30)
    with pytest.raises(MeasureError, match=r"its code crashed \(SIGSEGV\)"):
        measured_apart("pesqc2", clean, noisy)


@pytest.mark.parametrize(
    ("package", "lost"),
    [("pesq", {"pesq"}), ("pesqc2", {"pesq_c2"}), ("zimtohrli", {"zimtohrli", "zimtohrli_mos"})],
)
def test_a_crash_costs_the_numbers_of_one_package(
    monkeypatch: pytest.MonkeyPatch, package: Package, lost: set[str]
) -> None:
    for name in ("pesq", "pesqc2", "zimtohrli"):
        pytest.importorskip(name)
        monkeypatch.setitem(
            apart.PROGRAMS, name, "print(1.0, 2.0)" if name == "zimtohrli" else "print(1.0)"
        )
    monkeypatch.setitem(apart.PROGRAMS, package, "import os; os.kill(os.getpid(), 11)")
    quality = rated(QUALITY, *NOISE, RATE)
    missing = {
        name
        for name in ("pesq", "stoi", "pesq_c2", "zimtohrli", "zimtohrli_mos")
        if getattr(quality, name) is None
    }
    assert missing == lost
    assert quality.unmeasured == {min(lost, key=len): "its code crashed (SIGSEGV)"}


@pytest.mark.parametrize("samples", [0, 1, 1000])
def test_what_ends_zimtohrli_does_not_end_us(samples: int) -> None:
    pytest.importorskip("zimtohrli")
    with pytest.raises(MeasureError, match=r"its code (crashed \(SIG|failed)"):
        measured_apart("zimtohrli", NOISE[0, :samples], NOISE[1, :samples])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_cost_a_number(value: float) -> None:
    pytest.importorskip("zimtohrli")
    with pytest.raises(MeasureError, match="samples that are not numbers"):
        measured_apart("zimtohrli", NOISE[0], np.full_like(NOISE[0], value))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import time; time.sleep(60)", "it had not ended after 1 s"),
        ("import os; os.kill(os.getpid(), 6)", r"its code crashed \(SIGABRT\)"),
        ("raise MemoryError('no room')", "its code failed: MemoryError: no room"),
        ("import os; os._exit(3)", "its code failed: it ended with status 3"),
        ("print('half a sco')", "its code failed: it ended with status 0"),
        ("print(float('nan'))", "its code failed: it ended with status 0"),
    ],
)
def test_whatever_it_does_is_said(monkeypatch: pytest.MonkeyPatch, program: str, told: str) -> None:
    pytest.importorskip("zimtohrli")
    monkeypatch.setitem(apart.PROGRAMS, "zimtohrli", program)
    monkeypatch.setattr(apart, "TIMEOUT", 1.0)
    with pytest.raises(MeasureError, match=told):
        measured_apart("zimtohrli", NOISE[0], NOISE[1])


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "find_spec", lambda _: None)
    with pytest.raises(MeasureError, match="the package pesqc2 is not installed"):
        measured_apart("pesqc2", *NOISE)


def test_a_file_that_happens_to_be_called_pesq_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pesq")
    (tmp_path / "pesq.py").write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert measured_apart("pesq", NOISE[0], NOISE[0]) == pytest.approx([4.64], abs=0.01)
    assert list(tmp_path.iterdir()) == [tmp_path / "pesq.py"]


def test_other_code_that_raises_costs_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise IndexError("list index out of range")

    monkeypatch.setattr("pystoi.stoi", broken)
    quality = rated(QUALITY, *NOISE, RATE)
    assert quality.unmeasured["stoi"] == "list index out of range"
    assert quality.stoi is None
