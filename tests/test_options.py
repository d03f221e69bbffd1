"""One configuration: an option is a keyword, a flag, a TOML key, part of a record, a column."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy
from pydantic import Field, ValidationError
from records import DRY
from typer import Typer
from typer.main import get_command

import mondegreen.victims
from mondegreen import attack, cli
from mondegreen.audio.pcm import save
from mondegreen.cli.app import takes
from mondegreen.errors import OptionError
from mondegreen.options import Options
from mondegreen.report.numbers.entries import COLUMNS
from mondegreen.results.record import Record
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.runs.manifest import Attacked, item_identity

OTHER: dict[str, Any] = {  # for each option, a value that is not its default
    **{"method": "carlini-wagner", "preset": "paper", "max_passes": 120, "under_threshold": 30.0},
    **{"band": "keep", "exact": True, "seed": 7, "max_clean_wer": 0.25},
    **{"snr": 25.0, "min_wer": 0.75, "forbid": "door", "in_context": True},
}
ALONE = {"snr", "min_wer", "forbid"}  # of the method untargeted


def with_other(name: str) -> dict[str, Any]:
    """Options in which one has another value; the method that it needs as well."""
    return {name: OTHER[name]} | ({"method": "untargeted"} if name in ALONE else {})


ATTACKED = Attacked("linear", "w" * 64, 16_000, None, None, "s" * 16, ("cpu",))
each_option = pytest.mark.parametrize("name", Options.model_fields)


def flags_of(command: str) -> dict[str, Any]:
    """The parameters of a command by the names of their flags."""
    found = get_command(cli.app).commands[command].params
    return {flag: parameter for parameter in found for flag in parameter.opts}


def as_flags(name: str) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    return [flag] if OTHER[name] is True else [flag, str(OTHER[name])]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The entry point with a toy recogniser: what it prints on stdout."""
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: toy.linear_victim())

    def call(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments)])
        with pytest.raises(SystemExit):
            cli.main()
        return capsys.readouterr().out

    return call


# ---- a field is everywhere


def test_every_option_is_tried_here() -> None:
    assert OTHER.keys() == Options.model_fields.keys()
    assert all(value != getattr(Options(), name) for name, value in OTHER.items())


@each_option
def test_an_option_is_a_flag_with_its_description(name: str) -> None:
    for command in ("run",) if name == "max_clean_wer" else ("attack", "run"):
        flag = flags_of(command)[f"--{name.replace('_', '-')}"]
        assert flag.help.startswith(Options.model_fields[name].description)


@each_option
def test_an_option_is_a_key_of_the_configuration(name: str, tmp_path: Path, run) -> None:
    """From the file, from a flag, and printed to be run again."""
    asked = replace_in(RunConfig(clips="c"), name)
    (tmp_path / "run.toml").write_text(asked.to_toml())
    assert read_config(tmp_path / "run.toml", {}).options == asked.options
    assert asked.options == Options(**with_other(name))
    method = ["--method", "untargeted"] if name in ALONE else []
    printed = tomllib.loads(run("run", "c", *as_flags(name), *method, "--print-config"))
    assert printed[name] == OTHER[name]


def replace_in(config: RunConfig, name: str) -> RunConfig:
    return RunConfig(**{**config.model_dump(), **with_other(name)})


@each_option
def test_an_option_is_part_of_a_record_and_a_column(name: str) -> None:
    options = Options(**with_other(name))
    record = replace(DRY, options=options, target=None if options.untargeted else DRY.target)
    assert record.to_json()[name] == OTHER[name]
    assert Record.from_json(record.to_json()) == record
    assert name in COLUMNS


@each_option
def test_an_option_is_part_of_what_makes_a_run_and_an_item(name: str) -> None:
    plain = RunConfig(clips="c", **({"method": "untargeted"} if name in ALONE else {}))
    other = replace_in(plain, name)
    assert plain.what() != other.what()
    assert item_identity(plain, ATTACKED) != item_identity(other, ATTACKED)


def test_flags_reach_the_attack(run, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", toy.speech(), 16_000)
    chosen = {**OTHER, "method": "imperceptible", "preset": "fast"}
    chosen |= {name: getattr(Options(), name) for name in ALONE}
    given = sorted(set(chosen) - ALONE - {"max_clean_wer"})
    flags = [flag for name in given for flag in as_flags(name)]
    arguments = ("attack", tmp_path / "clip.wav", "--target", toy.TARGET, *flags)
    again = ("--method", "imperceptible", "--preset", "fast", "--out", tmp_path / "out", "--json")
    record = json.loads(run(*arguments, *again))
    expected = {**chosen, "max_clean_wer": Options().max_clean_wer}
    assert {name: record[name] for name in Options.model_fields} == expected


def test_a_new_field_is_a_new_flag(capsys: pytest.CaptureFixture[str]) -> None:
    class Wider(Options):
        haste: int = Field(default=3, ge=1, description="How fast.")

    app, got = Typer(), list[dict[str, Any]]()

    @app.command()
    @takes(Wider, but=frozenset({"method"}))
    def hurry(*, chosen: dict[str, Any]) -> None:
        got.append(chosen)

    app(["--haste", "4"], standalone_mode=False)
    app([], standalone_mode=False)
    assert got == [{"haste": 4}, {}]
    for wrong in (["--haste", "0"], ["--method", "robust"]):
        with pytest.raises(Exception, match=r"greater than or equal to 1|No such option"):
            app(wrong, standalone_mode=False)
    app(["--help"], standalone_mode=False)
    assert "How fast. Default: 3." in capsys.readouterr().out


# ---- what is not offered


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metod": "robust"}, "There is no option 'metod'; did you mean method?"),
        ({"zebra": 1}, "There is no option 'zebra'; there are: method, preset,"),
        ({"method": "magic"}, "Got method = 'magic': input should be 'imperceptible', "),
        ({"preset": None}, "preset = None"),
        ({"max_passes": 0}, "max_passes = 0: input should be greater than or equal to 1"),
        ({"max_passes": 1.5}, "max_passes = 1.5"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**63}, "less than"),
        ({"seed": True}, "seed = True"),
        ({"exact": 1}, "exact = 1"),
        ({"max_clean_wer": -0.1}, "max_clean_wer = -0.1"),
        ({"under_threshold": float("inf")}, "finite"),
        ({"under_threshold": 3.0, "method": "robust"}, "robust cannot keep a bound"),
        ({"snr": 30.0}, "snr is for the method untargeted, and the method is imperceptible"),
        ({"forbid": "door", "method": "robust"}, "forbid is for the method untargeted"),
        ({"min_wer": 0.8}, "min_wer is for the method untargeted"),
        ({"method": "untargeted", "min_wer": 0.0}, "greater than 0"),
        ({"method": "untargeted", "snr": -1.0}, "greater than or equal to 0"),
        ({"method": "untargeted", "preset": "paper"}, "the paper has no untargeted attack"),
        ({"method": "untargeted", "exact": True}, "untargeted has none"),
        ({"method": "untargeted", "forbid": "a", "min_wer": 0.8}, "two aims"),
        ({"method": "untargeted", "snr": 9.0, "under_threshold": 1.0}, "two bounds"),
        ({"seed": -1, "preset": "slow"}, "preset = 'slow'.*; Got seed = -1"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_is_not_offered_is_refused_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said) as refused:
        Options(**given)
    assert "pydantic" not in str(refused.value)
    with pytest.raises(OptionError, match=said):
        attack(toy.linear_victim(), "none.wav", toy.TARGET, **given)


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Options().seed = 1


def test_what_follows_from_options() -> None:
    assert [Options(exact=exact).normaliser for exact in (False, True)] == ["default", "exact"]
    in_rooms = {
        method: Options(method=method).in_rooms
        for method in ("imperceptible", "carlini-wagner", "robust", "combined", "untargeted")
    }
    assert list(in_rooms.values()) == [False, False, True, True, False]
    assert [Options(under_threshold=dB).bound for dB in (None, 0, 3)] == [None, 0.0, 3.0]
