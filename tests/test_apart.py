"""PESQ's C code in a process of its own: its scores are the same, and its end is not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from records import QUALITY

from mondegreen.measures import apart
from mondegreen.measures.apart import pesq_apart
from mondegreen.measures.quality import rated, stoi

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype(np.float32)


def dialled(seconds: float) -> np.ndarray:
    """Tones of a quarter of a second, with as much silence between them."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 700 * t) * (t % 0.5 < 0.25)).astype(np.float32)


def test_the_score_is_that_of_the_package() -> None:
    package = pytest.importorskip("pesq")
    clean = dialled(3)
    noisy = clean + 0.01 * np.tile(NOISE[1], 3)
    assert pesq_apart(clean, noisy, RATE) == package.pesq(RATE, clean, noisy, "wb")


def test_without_speech_there_is_none() -> None:
    pytest.importorskip("pesq")
    assert pesq_apart(np.zeros(RATE, np.float32), NOISE[0], RATE) is None


def test_a_crash_of_its_code_costs_one_number() -> None:
    """Sixty utterances in thirty seconds overflow its tables."""
    pytest.importorskip("pesq")
    clean = dialled(30)
    noisy = clean + 0.01 * np.tile(NOISE[1], 30)
    quality, missing = rated(QUALITY, clean, noisy, RATE)
    assert missing == ["PESQ was not measured: its code crashed (SIGSEGV)"]
    assert quality.pesq is None
    assert quality.stoi == stoi(clean, noisy, RATE)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import time; time.sleep(60)", "it had not ended after 1 s"),
        ("import os; os.kill(os.getpid(), 6)", r"its code crashed \(SIGABRT\)"),
        ("raise MemoryError('no room')", "its code failed: MemoryError: no room"),
        ("import os; os._exit(3)", "its code failed: it ended with status 3"),
        ("print('half a sco')", "its code failed: it ended with status 0"),
    ],
)
def test_whatever_it_does_is_said(monkeypatch: pytest.MonkeyPatch, program: str, told: str) -> None:
    monkeypatch.setattr(apart, "PROGRAM", program)
    monkeypatch.setattr(apart, "TIMEOUT", 1.0)
    with pytest.raises(RuntimeError, match=told):
        pesq_apart(NOISE[0], NOISE[1], RATE)


def test_a_file_that_happens_to_be_called_pesq_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pesq")
    (tmp_path / "pesq.py").write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert pesq_apart(NOISE[0], NOISE[0], RATE) == pytest.approx(4.64, abs=0.01)
    assert list(tmp_path.iterdir()) == [tmp_path / "pesq.py"]


def test_other_code_that_raises_costs_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise IndexError("list index out of range")

    monkeypatch.setattr("mondegreen.measures.quality.pystoi", broken)
    clean, noisy = NOISE
    quality, missing = rated(QUALITY, clean, noisy, RATE)
    assert missing == ["STOI was not measured: list index out of range"]
    assert quality.stoi is None
