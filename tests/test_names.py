"""What is mistyped is told from what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mondegreen.chain.names import LINKS as CLASSES
from mondegreen.cli import app
from mondegreen.errors import MondegreenError, OptionError, VictimError
from mondegreen.names import (
    EARS,
    EMBEDDED,
    LINKS,
    ONLY_JUDGE,
    check_defence,
    check_link,
    check_recogniser,
)
from mondegreen.victims.ears.endpoint import Endpoint
from mondegreen.victims.ears.local import FasterWhisper, PocketSphinx, Vosk
from mondegreen.victims.embedded.ctc import MoonshineCTC
from mondegreen.victims.embedded.int8 import MoonshineInt8
from mondegreen.victims.families.moonshine import Moonshine


def test_every_link_there_is_has_its_name_in_order() -> None:
    assert tuple(CLASSES) == LINKS


def test_who_only_judges_has_no_score() -> None:
    embedded = dict(zip(EMBEDDED, (Moonshine, MoonshineCTC, MoonshineInt8), strict=True))
    every = embedded | dict(zip(EARS, (PocketSphinx, FasterWhisper, Vosk, Endpoint), strict=True))
    assert [name for name, kind in every.items() if not hasattr(kind, "score")] == [*ONLY_JUDGE]


@pytest.mark.parametrize(
    "spec",
    ["telephone", "opus:24", "bandpass:300:3400", "also:pcm:8", "also:also:gain:3", "halves"],
)
def test_links_that_there_are(spec: str) -> None:
    check_link(spec)


@pytest.mark.parametrize(
    ("spec", "near"),
    [
        ("telehpone", "telephone"),
        ("Opus:24", "opus"),
        ("also:telefone", "telephone"),
        ("halve", "halves"),
        ("telephon:alaw", "telephone"),  # it has the form of module:function
    ],
)
def test_a_link_that_was_mistyped(spec: str, near: str) -> None:
    with pytest.raises(OptionError, match=f"There is no link .*did you mean {near}"):
        check_link(spec)


@pytest.mark.parametrize(
    "spec", ["", ":", "xyzzy", "also", "also:", "also:halves", "temporal", "disagree:pcm:6"]
)
def test_what_is_no_link_and_near_none(spec: str) -> None:
    with pytest.raises(OptionError, match=r"There is no link .*mondegreen links"):
        check_link(spec)


def test_what_can_be_put_to_the_test() -> None:
    for spec in ("temporal", "disagree:pcm:6", "opus:24"):
        check_defence(spec)
    for spec, near in (("disagre:pcm:6", "disagree:LINK"), ("disagree:pmc:6", "pcm")):
        with pytest.raises(OptionError, match=f"did you mean {near}"):
            check_defence(spec)


@pytest.mark.parametrize(
    "name",
    [
        *EMBEDDED,
        *("pocketsphinx", "vosk:folder", "faster-whisper:tiny.en", "https://host/v1#model"),
        *("owner/model", "owner/model@main", "./folder", "~/folder", "toy_victims:linear"),
    ],
)
def test_recognisers_that_there_may_be(name: str) -> None:
    check_recogniser(name)


def test_a_folder_may_be_called_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VictimError, match="There is no recogniser 'mine'"):
        check_recogniser("mine")
    (tmp_path / "mine").mkdir()
    check_recogniser("mine")


def test_what_was_given_in_place_of_a_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("")
    for name, told in (
        ("mine", r"mine\.py is here: give mine:FUNCTION"),
        ("mine.py", r"mine\.py is here: give mine:FUNCTION"),
        ("model.onnx", "ONNX, which has no gradients"),
        ("whisper", "did you mean openai/whisper-tiny"),
    ):
        with pytest.raises(VictimError, match=told):
            check_recogniser(name)


def test_one_s_own_module_is_looked_for_in_this_folder_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MondegreenError, match="no module ears_here in this folder"):
        check_recogniser("ears_here:mine")
    (tmp_path / "ears_here.py").write_text("raise SystemExit(3)")
    check_recogniser("ears_here:mine")
    check_link("ears_here:mine")


def test_the_list_says_who_can_be_attacked_and_fits_a_terminal() -> None:
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "80"}).stdout.splitlines()
    assert sum(line.startswith("name ") for line in shown) == 1  # one table
    rows = {line.split()[0]: " ".join(line.split()[1:4]) for line in shown}
    assert rows["moonshine-tiny"] == "recogniser: attack, judge"
    assert rows["pocketsphinx"] == "recogniser: judge only"


def test_ears_without_their_model_are_none() -> None:
    for ear in EARS[1:3]:
        kind = ear.partition(":")[0]
        for name in (kind, f"{kind}:"):
            with pytest.raises(VictimError, match=f"did you mean {ear}"):
                check_recogniser(name)
