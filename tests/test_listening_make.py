"""A study on disk: what listeners get, what they do not, and that both fit together."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from listening_runs import RATE, Pcm, a_clip, a_delta, listened, write_sounds
from test_tables import a_record
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MondegreenError
from mondegreen.listening.key import read_key
from mondegreen.listening.make import Made, StudyOptions, amplify_change, make
from mondegreen.listening.staircase import LOUDEST


def made(out: Path, *runs: Path, **options: Any) -> Made:
    return make(runs, out, StudyOptions(**options), lambda what, done, total: None)


def two_runs(folder: Path, clips: int = 5) -> list[Path]:
    return [
        listened(folder / "ours", clips),
        listened(folder / "cw", clips, "carlini-wagner", "paper"),
    ]


def key_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "key.json").read_text())
    return found


def page_of(out: Path) -> str:
    return (out / "page" / "index.html").read_text(encoding="utf-8")


def known_to_listeners(out: Path) -> dict[str, Any]:
    text = re.search(r'<script type="application/json" id="study">(.*?)</script>', page_of(out))
    assert text is not None
    found: dict[str, Any] = json.loads(text[1])
    return found


def sound(out: Path, name: str) -> Pcm:
    """The samples in a script."""
    text = (out / "page" / "audio" / f"{name}.js").read_text()
    called = re.fullmatch(r'receive\("([0-9a-f]{16})", "([A-Za-z0-9+/=]+)"\); *\n', text)
    assert called is not None
    assert called[1] == name
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(called[2])), dtype="int16")
    assert rate == RATE
    return np.asarray(samples)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An abx study of two runs."""
    folder = tmp_path_factory.mktemp("made")
    made(folder / "study", *two_runs(folder))
    return folder / "study"


# ---- the folder


def test_the_folder_of_a_study(study: Path) -> None:
    assert sorted(path.name for path in study.iterdir()) == ["answers", "key.json", "page"]
    assert sorted(path.name for path in (study / "page").iterdir()) == ["audio", "index.html"]
    files = {path.name for path in (study / "page" / "audio").iterdir()}
    assert files == {f"{name}.js" for name in key_of(study)["sounds"]}


def test_the_key_can_be_read_back(study: Path) -> None:
    read, key = read_key(study / "key.json"), key_of(study)
    assert read.conditions == ("imperceptible fast", "carlini-wagner paper")
    assert set(read.clips) == {f"clip-{at}" for at in range(5)}
    assert len(read.forms) == 2 * 4
    assert key["versions"].keys() == {"mondegreen", "numpy", "soundfile"}
    assert (key["protocol"], key["seed"]) == ("abx", 0)


def test_sounds_are_exactly_what_the_key_says(study: Path) -> None:
    peaks = {"imperceptible fast": 300, "carlini-wagner paper": 900}
    for name, of in key_of(study)["sounds"].items():
        number = int(of["clip"].removeprefix("clip-"))
        samples, clean = sound(study, name), a_clip(number)
        if of["condition"] == "clean":
            assert np.array_equal(samples, clean)
        elif of["condition"] in peaks:
            delta = a_delta(number, peak=peaks[of["condition"]])
            assert np.array_equal(samples, clean + delta)
        else:
            assert snr_db(clean, samples) == pytest.approx(
                {"obvious": 0, "training": 10}[of["condition"]], abs=0.01
            )


def snr_db(clean: Pcm, samples: Pcm) -> float:
    clip = clean.astype(float)
    return float(10 * np.log10(np.mean(clip**2) / np.mean((samples - clip) ** 2)))


def test_trials_and_key_have_the_same_sounds(study: Path) -> None:
    forms = key_of(study)["forms"]
    played = {name for form in forms for trial in form for name in trial["sounds"].values()}
    assert played == key_of(study)["sounds"].keys()


def test_over_all_forms_every_clip_gets_every_condition_equally(study: Path) -> None:
    met: dict[tuple[str, ...], int] = {}
    for form in key_of(study)["forms"]:
        for trial in form:
            if trial["role"] == "test":
                met[trial["clip"], *trial["conditions"]] = (
                    met.get((trial["clip"], *trial["conditions"]), 0) + 1
                )
    assert len(met) == 5 * 2
    assert set(met.values()) == {4}


# ---- what listeners do not learn


def test_the_page_knows_the_forms_but_nothing_that_reveals_conditions(study: Path) -> None:
    page, key = known_to_listeners(study), key_of(study)
    assert page.keys() == {
        *("study", "protocol", "rate", "levels", "tone", "gain", "staircase", "headphones"),
        *("code", "forms"),
    }
    assert page["gain"] == 1
    assert len(page["forms"]) == len(key["forms"])
    for shown, whole in zip(page["forms"], key["forms"], strict=True):
        for trial, known in zip(shown, whole, strict=True):
            assert {n: trial[n] for n in ("id", "kind", "sounds")} == {
                n: known[n] for n in ("id", "kind", "sounds")
            }
            extra = {"training"} if known["role"] == "training" else set()
            assert trial.keys() == {"id", "kind", "sounds"} | extra
    text = page_of(study)
    for secret in ("clip-0", "imperceptible", "carlini", "catch same", "obvious"):
        assert secret not in text.lower()


def test_length_name_and_order_of_a_script_do_not_reveal_its_condition(study: Path) -> None:
    key = key_of(study)
    assert list(key["sounds"]) == sorted(key["sounds"])
    sizes: dict[str, set[int]] = {}
    for name, of in key["sounds"].items():
        size = (study / "page" / "audio" / f"{name}.js").stat().st_size
        sizes.setdefault(of["clip"], set()).add(size)
    assert all(len(of_clip) == 1 for of_clip in sizes.values())


def test_the_page_may_load_sounds_beside_it_and_nothing_else(study: Path) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page_of(study))
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in html.unescape(policy[1]).split("; "))
    assert rules["connect-src"] == rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-\S{44}' 'self' file:", rules["script-src"])


@pytest.mark.parametrize("protocol", ["abx", "paper", "staircase"])
def test_the_level_is_set_by_clean_speech_that_is_not_tested(tmp_path: Path, protocol: str) -> None:
    found = made(tmp_path / "study", *two_runs(tmp_path), protocol=protocol, trials=2)
    assert not found.heard_before
    key, levels = key_of(tmp_path / "study"), known_to_listeners(tmp_path / "study")["levels"]
    for form, level in zip(key["forms"], levels, strict=True):
        assert key["sounds"][level]["condition"] == "clean"
        tested = {trial["clip"] for trial in form if trial["role"] == "test"}
        assert key["sounds"][level]["clip"] not in tested


def test_the_tone_has_the_mean_level_of_the_clips(study: Path) -> None:
    clips = np.concatenate([a_clip(number) for number in range(5)]) / 32768
    tone = known_to_listeners(study)["tone"]
    assert tone == pytest.approx(np.sqrt(np.mean(clips**2)), abs=1e-6)


@pytest.mark.parametrize(
    ("clips", "trials", "advice"),
    [(3, 20, "choose --trials 2 or fewer"), (3, 2, None), (1, 20, "of more clips")],
)
def test_clips_that_are_heard_before_they_are_tested_give_a_warning(
    tmp_path: Path, clips: int, trials: int, advice: str | None
) -> None:
    run, out = listened(tmp_path / "run", clips), tmp_path / "study"
    command = ["listen", "make", str(run), "--out", str(out), "--trials", str(trials)]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0
    said = " ".join(ran.stderr.split())
    assert ("listeners may learn where to listen" in said) == (advice is not None)
    assert advice is None or advice in said
    assert clips > 1 or "--trials" not in said


# ---- the seed


def test_the_same_command_makes_the_same_study(tmp_path: Path) -> None:
    runs = two_runs(tmp_path)
    for name in ("one", "two"):
        made(tmp_path / name, *runs, seed=5)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    made(tmp_path / "three", *runs, seed=6)
    assert key_of(tmp_path / "three")["study"] != key_of(tmp_path / "one")["study"]
    assert not key_of(tmp_path / "three")["sounds"].keys() & key_of(tmp_path / "one")["sounds"]


def test_other_recordings_make_another_study(tmp_path: Path) -> None:
    for name, length in (("a", 2400), ("b", 2401)):
        made(tmp_path / name, listened(tmp_path / f"run-{name}", 2, length=length))
    assert key_of(tmp_path / "a")["study"] != key_of(tmp_path / "b")["study"]


# ---- options


def test_fewer_trials_make_more_forms(tmp_path: Path) -> None:
    study = made(tmp_path / "study", *two_runs(tmp_path), trials=2)
    assert len(study.key.forms) == 3 * 2 * 4
    assert (study.roles("test"), study.roles("catch"), study.roles("training")) == (2, 4, 3)


def test_the_protocol_of_the_paper(tmp_path: Path) -> None:
    study = made(tmp_path / "study", *two_runs(tmp_path), protocol="paper")
    read = read_key(tmp_path / "study" / "key.json")
    assert len(read.forms) == 10 * 2
    kinds = {trial.kind for form in read.forms for trial in form}
    assert kinds == {"noise", "natural", "identical"}
    assert study.roles("training") == 4


def test_a_staircase_needs_two_sounds_of_each_clip_and_never_clips(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 5)
    study = made(tmp_path / "study", run, protocol="staircase")
    assert (study.roles("test"), study.roles("catch"), study.roles("training")) == (42, 4, 2)
    tested = {
        name
        for form in study.key.forms
        for trial in form
        if trial.role == "test"
        for letter, name in trial.sounds.items()
        if letter != "x"
    }
    assert len(tested) == 2 * 5
    known = known_to_listeners(tmp_path / "study")
    loudest = [a_clip(at) + 10 ** (LOUDEST / 20) * a_delta(at).astype(float) for at in range(5)]
    peak = max(float(np.abs(one).max()) for one in loudest) / 32768
    assert known["gain"] == pytest.approx(min(1, 1 / peak), abs=1e-5)
    assert known["gain"] * peak <= 1
    assert all(trial["kind"] == "changed" for form in known["forms"] for trial in form)


def test_a_staircase_that_would_clip_is_turned_down(tmp_path: Path) -> None:
    clean = np.full(2400, 30_000, np.int16)
    write_sounds(tmp_path / "run" / "item", clean, a_delta(0, peak=2000), a_record(id="loud"))
    made(tmp_path / "study", tmp_path / "run", protocol="staircase")
    gain = known_to_listeners(tmp_path / "study")["gain"]
    peak = np.abs(clean + 10.0 * a_delta(0, peak=2000)).max() / 32768
    assert gain == pytest.approx(1 / peak, abs=1e-5)
    assert gain < 0.7


def test_a_file_without_a_change_has_no_staircase(tmp_path: Path) -> None:
    still = np.zeros(2400, np.int16)
    write_sounds(tmp_path / "run" / "item", a_clip(0), still, a_record(id="same"))
    with pytest.raises(MondegreenError, match=r"item is its original, sample by sample"):
        made(tmp_path / "study", tmp_path / "run", protocol="staircase")


def test_consent_and_code_are_shown_as_they_are(tmp_path: Path) -> None:
    hostile = 'One <script>alert(1)</script>\nline.\n\n\n"Two" \u202eeurt'
    options = {"consent": hostile, "code": '"</script><script>', "headphones": False}
    made(tmp_path / "study", listened(tmp_path / "run", 1), **options)
    known = known_to_listeners(tmp_path / "study")
    assert (known["code"], known["headphones"]) == ('"</script><script>', False)
    paragraphs = re.findall(r"<p>(One.*|&#34;Two.*)</p>", page_of(tmp_path / "study"))
    assert [html.unescape(p) for p in paragraphs] == [
        *("One <script>alert(1)</script> line.", '"Two" \u202eeurt')
    ]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(MondegreenError, match="is in use"):
        made(tmp_path / "study", listened(tmp_path / "run", 1))
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["mine.txt"]


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="not one of abx, paper"):
        made(tmp_path / "study", listened(tmp_path / "run", 1), protocol="abc")


# ---- degraded sounds


@given(seed=st.integers(0, 1000), snr_db_=st.floats(-6, 20), changed=st.booleans())
def test_a_change_is_amplified_to_the_requested_ratio(
    seed: int, snr_db_: float, changed: bool
) -> None:
    clean = (a_clip(seed, 4000) // 8).astype(np.int16)
    change = a_delta(seed, 4000, 5) * changed
    heard = amplify_change(clean, (clean + change).astype(np.int16), snr_db_)
    assert heard.dtype == np.int16
    assert snr_db(clean, heard) == pytest.approx(snr_db_, abs=0.05)
    if changed:
        assert np.corrcoef(heard - clean, change)[0, 1] > 0.99


def test_what_exceeds_full_scale_is_clipped() -> None:
    clean = np.array([30_000, -30_000, 0, 0], np.int16)
    heard = amplify_change(clean, clean + np.array([1, -1, 0, 0], np.int16), 0.0)
    assert heard.tolist() == [32_767, -32_768, 0, 0]


# ---- the command


def test_the_command_says_what_it_made_and_left_out(tmp_path: Path) -> None:
    runs = [str(run) for run in two_runs(tmp_path, 3)]
    (tmp_path / "cw" / "items" / "key1" / "record.json").unlink()
    arguments = ["listen", "make", *runs, "--out", str(tmp_path / "study"), "--clips", "1"]
    ran = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    made_study = json.loads(ran.stdout)
    assert made_study["left_out"] == {
        "damaged": 1,
        "not in every condition with the same recording": 1,
        "not drawn": 1,
    }
    assert (made_study["clips"], made_study["forms"], made_study["trials"]) == (1, 8, 1)
    assert made_study["conditions"] == ["imperceptible fast", "carlini-wagner paper"]
    assert Path(made_study["for_listeners"], "index.html").is_file()


def test_the_output_of_the_command_as_text(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 2)
    arguments = ["listen", "make", str(run), "--out", str(tmp_path / "study")]
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    lines = dict(re.findall(r"^(\S.{17}) (.*)$", ran.stdout, re.M))
    assert lines["left out          "] == "-"
    assert lines["for you alone     "] == str(tmp_path / "study" / "key.json")


@pytest.mark.parametrize("text", [None, " \n", b"\xff\xfe\x00"])
def test_a_missing_empty_or_binary_consent_is_refused(
    tmp_path: Path, text: str | bytes | None
) -> None:
    consent = tmp_path / "consent.txt"
    if text is not None:
        consent.write_bytes(text if isinstance(text, bytes) else text.encode())
    run = listened(tmp_path / "run", 1)
    arguments = ["listen", "make", str(run), "--out", str(tmp_path / "study"), "--consent"]
    ran = CliRunner().invoke(app, [*arguments, str(consent)])
    assert isinstance(ran.exception, MondegreenError)
    assert "consent.txt" in str(ran.exception)
    assert not (tmp_path / "study").exists()


def test_making_and_serving_need_no_torch() -> None:
    modules = "mondegreen.listening.make, mondegreen.listening.serve, mondegreen.listening.mushra"
    check = f"import sys, {modules}; assert not sys.modules.keys() & {{'torch', 'transformers'}}"
    subprocess.run([sys.executable, "-c", check], check=True)
