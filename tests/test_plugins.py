"""What installed packages add, by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from records import DRY
from run_folders import environment
from toy import speech

from mondegreen import load_victim
from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import save
from mondegreen.chain.names import link
from mondegreen.errors import OptionError, VictimError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.measures.ratings import rated
from mondegreen.plugins import DEFENCES, METRICS, VICTIMS, plugins
from mondegreen.runs.config import RunConfig

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Pretend that a package is installed which has these entry points, by group."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))

    def installed(package: str, **groups: dict[str, str]) -> None:
        folder = tmp_path / f"{package}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
        lines = (
            line
            for group, points in groups.items()
            for line in (f"[mondegreen.{group}]", *(f"{n} = {v}" for n, v in points.items()))
        )
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
        plugins.cache_clear()

    yield installed
    plugins.cache_clear()


def test_a_recogniser_of_a_package_goes_by_its_name(install: Install) -> None:
    with pytest.raises(VictimError, match="There is no recogniser 'example-letters'"):
        load_victim("example-letters")
    install("theirs", victims={"example-letters": "mondegreen_example.recogniser:letters"})
    victim = load_victim("gain:-6 > example-letters", device="cpu")
    assert victim.name == "gain:-6 > example-letters"
    assert may_be_loaded("example-letters", "a record") == "example-letters"
    with pytest.raises(VictimError, match="did you mean example-letters"):
        load_victim("exmple-letters")


def test_a_link_of_a_package_has_its_parameters(install: Install) -> None:
    install(
        "theirs",
        defences={
            "example-softer": "mondegreen_example.defences:Softer",
            "example-coarse": "mondegreen_example.defences:coarse",
        },
    )
    sound = torch.tensor([0.5, -0.25, 0.3])
    softer = link("example-softer:20", 16_000)
    assert softer.spec == "example-softer:20"
    torch.testing.assert_close(softer.real(sound, Draws(())), sound / 10)
    coarse = link("example-coarse", 16_000)
    assert coarse.spec == "example-coarse"  # which a record holds, and finds again
    assert coarse.real(sound, Draws(())).tolist() == [0.5, -0.25, 38 / 128]
    with pytest.raises(OptionError, match="expected example-softer:DB"):
        link("example-softer:1:2", 16_000)
    with pytest.raises(OptionError, match="did you mean example-softer"):
        link("example-sofer", 16_000)


def test_a_link_that_calls_itself_otherwise_is_refused(install: Install) -> None:
    install("theirs", defences={"soft": "mondegreen_example.defences:Softer"})
    with pytest.raises(OptionError, match=r"soft of theirs 1\.5 calls itself 'example-softer'"):
        link("soft", 16_000)


def test_a_yardstick_of_a_package_costs_no_more_than_its_number(install: Install) -> None:
    install(
        "theirs",
        metrics={
            "loudest": "mondegreen_example.yardsticks:loudest",
            "missing": "mondegreen_example.yardsticks:nothing",
        },
    )
    clean = speech(0, 8000).numpy()
    changed = clean.copy()
    changed[17] += 0.1
    found = rated(replace(DRY.quality, unmeasured={}), clean, changed, 16_000)
    assert found.others == {"loudest": pytest.approx(-20.0, abs=1e-4)}
    assert "no function 'nothing'" in found.unmeasured["missing"]


def test_an_engine_that_nobody_has_is_refused(install: Install) -> None:
    install("theirs", engines={"alone": "mondegreen_example.engines:Alone"})
    assert RunConfig(clips="x", engine="alone").engine == "alone"
    with pytest.raises(OptionError, match="'lokal', expected one of: local, ray, alone"):
        RunConfig(clips="x", engine="lokal")


def test_one_name_for_two_things_is_refused_and_ours_cannot_be_replaced(install: Install) -> None:
    install("one", victims={"asr": "one:asr", "moonshine-tiny": "one:asr"})
    assert load_victim("moonshine-tiny", device="cpu").sample_rate == 16_000
    install("other", victims={"asr": "other:asr"})
    with pytest.raises(OptionError, match=r"have a mondegreen\.victims 'asr': .* 1\.5 and"):
        plugins(VICTIMS)


@pytest.mark.slow
def test_the_example_is_installed_and_used(tmp_path: Path) -> None:
    here = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", here, EXAMPLE]
    subprocess.run(pip, check=True, capture_output=True)
    own = environment()
    own["PYTHONPATH"] = f"{here}:{own['PYTHONPATH']}"

    def mondegreen(*arguments: str | Path) -> str:
        command = [sys.executable, "-m", "mondegreen", *map(str, arguments)]
        ran = subprocess.run(command, env=own, capture_output=True, encoding="utf-8", check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    listed = [json.loads(line) for line in mondegreen("list", "--json").splitlines()]
    theirs = {one["name"] for one in listed if one["origin"] == "mondegreen-example 1.0"}
    assert theirs == {
        *("example-letters", "example-softer", "example-coarse"),
        *("example-loudest", "example-alone"),
    }
    (tmp_path / "clips").mkdir()
    save(tmp_path / "clips" / "a.wav", speech(0, 8000), 16_000)
    mondegreen(
        *("run", tmp_path / "clips", "--target", "go", "--out", tmp_path / "run"),
        *("--victim", "example-letters", "--through", "example-softer:12"),
        *("--engine", "example-alone", "--workers", "2", "--max-passes", "110"),
    )
    (record,) = (tmp_path / "run").glob("items/*/record.json")
    data = json.loads(record.read_text())
    assert data["victim"] == "example-softer:12 > example-letters"
    assert data["verified"]
    assert "example-loudest" in data["others"]


def test_what_is_listed_is_what_there_is() -> None:
    assert plugins(DEFENCES) == {}
    assert plugins(METRICS) == {}
