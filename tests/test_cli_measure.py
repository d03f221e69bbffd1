"""The command `mondegreen measure`; what the compiled yardsticks say is made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy
from records import QUALITY
from typer.testing import CliRunner

from mondegreen.audio.pcm import save
from mondegreen.cli import app
from mondegreen.cli.output import margin_fields, quality_fields
from mondegreen.errors import AudioError, MeasureError, OptionError
from mondegreen.measures import curve, ratings
from mondegreen.results.verdict import MASKING, PESQ, ZIMTOHRLI


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """A recording, and the same with white noise at some 40 dB."""
    clean = toy.speech().numpy()
    noise = np.random.default_rng(0).normal(0, clean.std() / 100, len(clean))
    paths = [tmp_path / "clip.wav", tmp_path / "noisy.wav"]
    save(paths[0], clean, 16_000)
    save(paths[1], clean + noise, 16_000)
    return paths


def called(*arguments: str | Path) -> str:
    ran = CliRunner().invoke(app, ["measure", *map(str, arguments)])
    if ran.exception:
        raise ran.exception
    return ran.stdout


def fields(text: str) -> dict[str, str]:
    return {line[:18].strip(): line[19:] for line in text.splitlines()}


def test_the_panel_is_printed(pair: list[Path]) -> None:
    lines = fields(called(*pair))
    assert list(lines)[2:6] == ["how audible", "Zimtohrli MOS", "PESQ (Cor. 2)", "PESQ (2007)"]
    assert lines["how audible"].startswith("Audible on direct comparison by these yardsticks: Zimt")
    assert lines["Zimtohrli MOS"] == "4.10"
    assert 39 < float(lines["signal to noise"].removesuffix(" dB")) < 41


def test_the_margin_and_the_edges_are_lines() -> None:
    lines = margin_fields(QUALITY)  # of the loss with temporal masking: the other has none
    assert lines["margin"].startswith("-6.5 dB, as scores and gates count it: it would have to be")
    assert lines["margin"].endswith("6.5 dB quieter for a temporal masking loss of 0.5")
    assert lines["edges"].startswith("0.0 dB above the threshold")
    assert margin_fields(replace(QUALITY, temporal=None))["margin"] == "not measured"


@pytest.mark.parametrize(
    ("loss", "line"), [(3117708.504, "3117708.50, "), (224044173675.01, "2.2e11, ")]
)
def test_a_loss_of_many_digits_is_rounded(loss: float, line: str) -> None:
    masking = replace(QUALITY.masking, loss=loss)
    assert quality_fields(replace(QUALITY, masking=masking))["masking loss"].startswith(line)


def test_json_is_one_object(pair: list[Path]) -> None:
    found = json.loads(called(*pair, "--json"))
    assert (found["zimtohrli_mos"], found["pesq_c2"], found["pesq"]) == (4.1, 3.6, 3.6)
    assert found["verdict"] == "audible on direct comparison"
    assert found["temporal"]["profile"] == "temporal"
    assert "margins_db" not in found


def test_what_is_not_measured_says_why(pair: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str, *_: object) -> list[float]:
        raise MeasureError(f"the package {package} is not installed")

    monkeypatch.setattr(ratings, "measured_apart", missing)
    lines = fields(called(*pair))
    assert lines["PESQ (Cor. 2)"] == "not measured: the package pesqc2 is not installed"
    assert lines["how audible"] == "none: neither Zimtohrli nor PESQ (Cor. 2) was measured"
    assert json.loads(called(*pair, "--json"))["verdict"] is None


def test_margins_are_told_in_words(pair: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def level_db(clean: np.ndarray, changed: np.ndarray, _: int) -> float:
        return float(20 * np.log10(np.std(changed - clean) / np.std(clean)))  # about -40 at 0 dB

    for one, passes_below in ((ZIMTOHRLI, -44.5), (PESQ, -36.5)):
        monkeypatch.setitem(
            curve.VALUES, one.name, lambda *of, b=passes_below: 5.0 if level_db(*of) < b else 1.0
        )
    monkeypatch.setitem(curve.VALUES, MASKING.name, lambda *of: 0.0 if level_db(*of) < -30.5 else 1)
    text = called(*pair, "--curve")
    assert "it would have to be 5 dB quieter to be probably inaudible (mark 4.7)" in text
    assert "it could be 3 dB louder (mark 4.35)" in text
    assert "it could be 9 dB louder (mark 0.5)" in text
    assert "by all of them            it would have to be 5 dB quieter" in text
    margins = json.loads(called(*pair, "--curve", "--json"))["margins_db"]
    assert margins == {"zimtohrli_mos": -5, "pesq_c2": 3, "temporal_loss": 9}
    monkeypatch.setitem(curve.VALUES, MASKING.name, lambda *_: 0.0)
    text = called(*pair, "--curve")
    assert "no margin: it does not cross its mark within 40 dB" in text
    assert "by all of them" not in text


def test_visqol_is_asked_for_by_name(pair: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mondegreen.cli.measure.find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"run: pip install 'mondegreen\[visqol\]'"):
        called(*pair, "--visqol")
    monkeypatch.setattr("mondegreen.cli.measure.find_spec", lambda _: object())
    assert "ViSQOL             3.60" in called(*pair, "--visqol")


def test_a_failure_of_visqol_costs_its_line(
    pair: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> float:
        raise MeasureError("its code failed: out of patience")

    monkeypatch.setattr("mondegreen.cli.measure.find_spec", lambda _: object())
    monkeypatch.setattr(ratings, "visqol", failing)
    assert "ViSQOL             not measured: its code failed" in called(*pair, "--visqol")
    assert json.loads(called(*pair, "--visqol", "--json"))["visqol"] is None


def test_what_is_no_recording_is_refused(pair: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"text\.wav"):
        called(pair[0], tmp_path / "text.wav")
    save(tmp_path / "silence.wav", np.zeros(8_000), 16_000)
    with pytest.raises(AudioError, match="is silent"):
        called(pair[0], tmp_path / "silence.wav")
