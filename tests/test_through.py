"""A recogniser behind a chain is a recogniser: the contract holds, and every command takes it."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from run_folders import QUICK, make_clips, mondegreen
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech

import mondegreen as mg
from mondegreen import cli, load_victim
from mondegreen.audio.pcm import load, save
from mondegreen.chain.catalogue import entries
from mondegreen.chain.names import LINKS
from mondegreen.chain.names import link as make_link
from mondegreen.chain.text import chained, unchained
from mondegreen.errors import OptionError, VictimError
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.report.page.write import write_report
from mondegreen.runs.config import read_config
from mondegreen.victims import Score, Victim
from mondegreen.victims.contract import examine
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.through import Through, ThroughVictim, through

CPU = torch.device("cpu")
FLOAT, DOUBLE = torch.float32, torch.float64
DERIVATIVE = "finite differences"
EXAMPLE = Path(__file__).parents[1] / "examples" / "own_victim.py"
LINEAR = "toy_victims:linear"
OWN = """
import numpy as np
from torch import Tensor
def halve(audio: Tensor, sample_rate): return audio / 2
def round_off(audio, sample_rate): return (np.round(audio * 128) / 128).astype("float32")
def shorten(audio, sample_rate): return audio[:-1]
def spoil(audio, sample_rate): return audio * np.float32("nan")
def whole(audio, sample_rate): return (audio * 32768).astype("int16")
def breaks(audio, sample_rate): raise RuntimeError("no such model")
def takes_one(audio): return audio
"""


@pytest.fixture(scope="module")
def sound(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links_of_mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "links_of_mine", raising=False)


def example(dtype: torch.dtype) -> Any:
    """The example's victim: a small network that hears letters."""
    spec = importlib.util.spec_from_file_location("own_victim", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.victim(CPU, dtype)


def behind(victim: Any, *links: str) -> Any:
    try:
        return through(victim, *links)
    except VictimError as error:
        pytest.skip(str(error))


# ---- the contract ---------------------------------------------------------------------------


# Their derivative holds for smaller steps than a rounded loss can show: a change of order at every
# step, and sixteen rounds of dividing by a magnitude. Their own tests take it link by link.
ROUGH = ("median", "mel")
CHAINS = [
    ("resample:8000", FLOAT),
    ("noise:20 > pcm:8 > resample:8000", DOUBLE),
    ("also:resample:8000", FLOAT),
    ("halves", FLOAT),
    ("links_of_mine:halve", FLOAT),
    ("links_of_mine:round_off", FLOAT),
    *(pytest.param(name, FLOAT, marks=pytest.mark.slow) for name in LINKS),
]


@pytest.mark.parametrize(("chain", "dtype"), CHAINS)
def test_a_victim_behind_a_chain_keeps_the_contract(
    chain: str, dtype: torch.dtype, sound: Tensor
) -> None:
    victim = behind(example(dtype), *chain.split(" > "))
    assert isinstance(victim, Victim)
    found = list(examine(victim, sound))
    excused = (DERIVATIVE,) if chain in ROUGH else ()
    failed = [f for f in found if f.state == "fails" and f.id not in excused]
    assert not failed, "\n".join(f"{f.id}: {f.detail}" for f in failed)
    skipped = {f.id: f.detail for f in found if f.state == "skipped"} - {
        "features equal": ""
    }.keys()
    exact = all(link.differentiable and not link.random for link in links_of(victim))
    assert (DERIVATIVE in skipped) is not exact


def links_of(victim: Any) -> tuple[Any, ...]:
    return getattr(victim.bare, "links", ())


def test_the_smallest_change_behind_a_linear_link_has_a_closed_form() -> None:
    """w · (g x) > b is (g w) · x > b: behind a gain below 1, the least norm grows."""
    quieter = through(linear_victim(), "gain:-6")
    factor = 10 ** (-6 / 20)
    same = LinearVictim(linear_victim().weight * factor, 150.0)
    clean = speech().float()
    smallest = same.smallest_norm(clean.double())
    step = smallest * same.weight.sign()
    for size, heard in ((0.99, False), (1.01, True)):
        there = (clean.double() + size * step).clamp(-1, 1)
        assert (quieter.transcribe(there.float()) == TARGET) is heard
        score = quieter.score(there[None], torch.tensor([8192]), [torch.tensor([1])])
        assert bool(score.matched[0]) is heard


def test_the_gradient_of_a_chain_is_the_product_of_its_links() -> None:
    halved = through(linear_victim(), "gain:-6.0206", "gain:-6.0206")
    audio = speech()[None].requires_grad_()
    halved.score(audio, torch.tensor([8192]), [torch.tensor([1])]).loss.sum().backward()
    margin = 0.25 * audio.detach()[0] @ linear_victim().weight - 150.0
    expected = -torch.sigmoid(-margin) * 0.25 * linear_victim().weight
    assert audio.grad is not None
    torch.testing.assert_close(audio.grad[0], expected, rtol=1e-4, atol=0)


# ---- what is random -------------------------------------------------------------------------


class Listening(LinearVictim):
    """Keeps what it was given to transcribe."""

    def transcribe(self, audio: Tensor) -> str:
        self.given = audio
        return super().transcribe(audio)


def heard_by(seed: int = 0, change: float = 0.0) -> Tensor:
    inner = Listening(linear_victim().weight, 0.0)
    clip = speech().float()
    clip[17] += change
    Through(inner, [make_link("noise:10", 16_000)], seed).transcribe(clip)
    return inner.given - clip


def test_the_same_file_is_heard_the_same_way_and_another_is_drawn_anew() -> None:
    first = heard_by()
    assert torch.equal(first, heard_by())
    one_step = heard_by(change=1 / 32768)
    alike = torch.corrcoef(torch.stack([first, one_step]))[0, 1]
    assert abs(alike) < 0.5  # pink noise drawn twice; of the same draw it would be 1
    assert not torch.equal(first, heard_by(seed=1))


class Scoring(LinearVictim):
    """Keeps what it was given to score."""

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        self.given = audio
        return super().score(audio, lengths, targets)


def test_a_search_is_scored_in_other_draws_than_its_file_is_heard_in() -> None:
    inner, clip = Scoring(linear_victim().weight, 0.0), speech()
    noisy = ThroughVictim(inner, [make_link("noise:10", 16_000)])
    noisy.score(clip[None], torch.tensor([8192]), [torch.tensor([1])])
    noises = torch.cat([heard_by()[None], (inner.given - clip).float()])
    alike = torch.corrcoef(noises) - torch.eye(len(noises))
    assert alike.abs().max() < 0.5  # of one draw it would be 1


def test_a_clock_drifts_behind_what_is_drawn_several_times() -> None:
    for chain in (["noise:20", "drift:50"], ["also:pcm:6", "drift:50"]):
        victim = through(linear_victim(), *chain)
        score = victim.score(speech()[None], torch.tensor([8192]), [torch.tensor([1])])
        assert score.loss.isfinite().all()


def test_a_folder_or_a_file_may_be_called_as_it_likes(tmp_path: Path) -> None:
    (tmp_path / "a > b").mkdir()
    (tmp_path / "a > c").touch()
    for path in map(str, tmp_path.iterdir()):
        assert unchained(chained(["pcm:8"], path)) == (["pcm:8"], path)
    assert unchained(f"pcm:8 > {'a' * 9_000}") == (["pcm:8"], "a" * 9_000)
    with pytest.raises(VictimError, match="ends with a recogniser"):
        load_victim("telephone >")


def test_a_pass_is_a_mean_over_draws_each_a_row_of_the_recogniser() -> None:
    inner = linear_victim()
    noisy = through(inner, "noise:10")
    audio, lengths = torch.stack([speech(0), speech(1)]), torch.tensor([8192, 6000])
    both = noisy.score(audio, lengths, [torch.tensor([1])] * 2)
    draws = make_link("noise:10", 16_000).draws
    assert inner.heard == 2 * draws > 2
    alone = noisy.score(audio[1:, :6000], lengths[1:], [torch.tensor([1])])
    torch.testing.assert_close(both.loss[1:], alone.loss)


class Saying:
    """An ear that says the next of some transcripts at each hearing."""

    name, sample_rate = "saying", 16_000

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def transcribe(self, audio: Tensor) -> str:
        return self.texts.pop(0)


def test_several_hearings_vote() -> None:
    class Thrice(type(make_link("noise", 16_000))):  # type: ignore[misc]
        @property
        def hearings(self) -> int:
            return 3

    link = Thrice(sample_rate=16_000)
    ear = Saying("open the door", "open a door", "hope in the door")
    assert through(ear, link).transcribe(speech().float()) == "open the door"
    assert ear.texts == []


def test_an_ear_behind_a_chain_can_only_transcribe() -> None:
    ear = through(Saying("yes"), "resample:8000")
    assert not isinstance(ear, Victim)
    assert (ear.name, ear.transcribe(speech().float())) == ("resample:8000 > saying", "yes")


def test_the_recipe_of_the_documentation_works(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "through.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(recipe.splitlines()) <= 10
    (tmp_path / "denoise.py").write_text(recipe)
    heard = Listening(linear_victim().weight, 0.0)
    clip = speech().float()
    through(heard, "denoise:wien").transcribe(clip)
    assert 0 < float((heard.given - clip).norm() / clip.norm()) < 0.5


# ---- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pcm:8>gain:-3>{}", "  pcm:8 >gain:-3   > {} "])
def test_a_chain_is_part_of_the_name(form: str) -> None:
    victim = load_victim(form.format(LINEAR), device="cpu")
    assert victim.name == f"pcm:8 > gain:-3 > {LINEAR}"
    assert load_victim(victim.name, device="cpu").name == victim.name
    assert mg.through(load_victim(LINEAR, device="cpu"), "pcm:8", "gain:-3").name == victim.name


def test_weights_are_those_of_the_recogniser_alone() -> None:
    victim = load_victim(LINEAR, device="cpu")
    chained = load_victim(f"resample:8000 > {LINEAR}", device="cpu")
    before = fingerprint(chained)
    chained.score(speech()[None], torch.tensor([8192]), [torch.tensor([1])])
    assert before == fingerprint(chained) == fingerprint(victim) != fingerprint(Saying())


def test_a_name_that_no_record_can_hold_is_refused() -> None:
    with pytest.raises(VictimError, match="characters"):
        through(linear_victim(), *["gain:-0.123456789"] * 60)


def test_a_link_of_another_rate_is_refused() -> None:
    with pytest.raises(OptionError, match="of 8000 Hz, the recogniser of 16000 Hz"):
        through(linear_victim(), make_link("pcm:8", 8000))


MISTAKES = {
    "telefone": "There is no link 'telefone'",
    "pcm:99": "pcm:99: Got bits = 99",
    "pcm:8:9": "Got 'pcm:8:9', expected pcm:BITS",
    "gain:loud": "gain:loud: Got db = 'loud'",
    "no_module:f": "there is no module no_module in this folder",
    "links_of_mine:takes_one": "must take a sound and its sample rate",
}
FAULTS = {
    "links_of_mine:shorten": "returned samples [8191] for [8192]",
    "links_of_mine:spoil": "NaN or infinite",
    "links_of_mine:whole": "returned int16, expected floats",
    "links_of_mine:breaks": "RuntimeError: no such model",
}


@pytest.mark.parametrize(("link", "said"), [*MISTAKES.items(), *FAULTS.items()])
def test_a_mistake_ends_a_command_with_2_and_one_line(
    link: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save("clip.wav", speech(), 16_000)
    line = ["transcribe", "clip.wav", "--victim", LINEAR, "--through", link]
    monkeypatch.setattr(sys, "argv", ["mondegreen", *line])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    errors = capsys.readouterr().err.replace("loading the recogniser\n", "").strip()
    assert ended.value.code == 2
    assert said in errors
    assert errors.startswith("error: ")
    assert "\n" not in errors


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("pcm:8 > moonshine-tiny", True),
        ("pcm:8 > gain:-3 > .", True),
        ("links_of_mine:halve > moonshine-tiny", False),
        ("pcm:8 > links_of_mine:halve > moonshine-tiny", False),
        (f"pcm:8 > {LINEAR}", False),
        ("pcm:8 > owner/model", False),
    ],
)
def test_a_record_alone_may_have_links_made_but_no_code_run(name: str, loaded: bool) -> None:
    if loaded:
        assert may_be_loaded(name, "record") == name
        return
    with pytest.raises(OptionError, match="may not run code") as refused:
        may_be_loaded(name, "record")
    assert str(refused.value).endswith(f"--victim '{name}'")


def test_a_checkpoint_that_is_gone_is_asked_for_behind_its_chain() -> None:
    with pytest.raises(OptionError, match="--victim 'pcm:8 > PATH'"):
        may_be_loaded("pcm:8 > /no/such/folder", "record")


# ---- the command line -----------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in this process, and read the JSON lines it prints."""

    def call(*arguments: str | Path) -> list[dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit):
            cli.main()
        said = capsys.readouterr()
        assert said.out, said.err
        return [json.loads(line) for line in said.out.splitlines()]

    return call


def test_every_command_takes_a_chain(run: Callable[..., list[dict[str, Any]]]) -> None:
    save("clip.wav", speech(), 16_000)
    chain = ("--victim", LINEAR, "--through", "resample:8000 > pcm:12", "--through", "gain:-1")
    name = f"resample:8000 > pcm:12 > gain:-1 > {LINEAR}"
    given = ("--target", "open the door", "--max-passes", "60", "--out", "out")
    (record,) = run("attack", "clip.wav", *given, *chain, "--dtype", "float64")
    assert (record["victim"], record["verified"]) == (name, True)
    (heard,) = run("transcribe", "out/adversarial.wav", *chain)
    assert (heard["victim"], heard["transcript"]) == (name, TARGET)
    assert run("verify", "out", *chain)[-1]["confirmed"] == 1
    (seen,) = run("evaluate", "out", "--rooms", "none", *chain)
    assert (seen["alone"]["recogniser"], seen["alone"]["transcript"]) == (name, TARGET)
    assert run("sanity", "out", "--sample", "1", *chain)
    assert run("check-victim", LINEAR, *chain[2:])


def test_a_chain_without_a_recogniser_comes_before_that_of_the_record(
    run: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = linear_victim()
    named.name = "moonshine-tiny"
    save("clip.wav", speech(), 16_000)
    mg.attack(through(named, "pcm:12"), "clip.wav", TARGET, max_passes=60).save("out")
    loaded = []

    def load(name: str, **_: object) -> Any:
        loaded.append(name)
        return through(named, *name.split(" > ")[:-1])

    monkeypatch.setattr("mondegreen.victims.load_recogniser", load)
    assert run("verify", "out")[-1]["confirmed"] == 1
    assert run("verify", "out", "--through", "gain:-60")[-1]["confirmed"] == 0
    assert loaded == ["pcm:12 > moonshine-tiny", "gain:-60 > pcm:12 > moonshine-tiny"]


@pytest.mark.slow
def test_a_run_through_a_chain_is_a_run(
    run: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    clips, folder = make_clips(tmp_path / "clips", 2), tmp_path / "run"
    (tmp_path / "run.toml").write_text('through = ["resample", "pcm:12"]\n')
    given = ("--config", "run.toml", "--workers", "2", "--threads", "1", "--json")
    ran = mondegreen("run", clips, "--out", folder, *QUICK, *given, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    name = f"resample:8000 > pcm:12 > {LINEAR}"
    assert run("verify", folder, "--victim", name)[-1]["confirmed"] == 2
    assert run("summary", folder)[0]["victim"] == name
    write_report([[folder]], folder / "report.html")
    assert name.replace(">", "&gt;") in (folder / "report.html").read_text()


def test_flags_put_a_chain_before_the_recogniser_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('victim = "pcm:8 > ears"\nthrough = ["resample"]\n')
    given = {"clips": "clips.tsv"}
    assert read_config(file, given).victim == "resample > pcm:8 > ears"
    over = given | {"through": ["telephone > gain"], "victim": "ears"}
    assert read_config(file, over).victim == "telephone > gain > ears"
    written = tmp_path / "again.toml"
    written.write_text(read_config(file, given).to_toml())
    assert read_config(written, {}).victim == "resample > pcm:8 > ears"
    file.write_text('through = "pcm:8"\n')
    with pytest.raises(OptionError, match="expected a list of links"):
        read_config(file, given)


def test_all_links_are_listed(run: Callable[..., list[dict[str, Any]]]) -> None:
    listed = run("links")
    assert [entry["form"].split(":")[0] for entry in listed] == list(LINKS)
    assert len(listed) == len(entries())
    for entry in listed:
        assert len(entry["parameters"]) == entry["form"].count(":")
