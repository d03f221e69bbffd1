"""The listening page in a real browser: the whole test, and the samples that are played."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, TypeAlias

import numpy as np
import pytest
from browser import Watched, watched
from listening_runs import RATE, a_clip, a_delta, listened, write_sounds
from literal_staircase import Staircases, weibull
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from test_tables import a_record

from mondegreen.listening.answers import Session, judge, read_answers
from mondegreen.listening.key import read_key
from mondegreen.listening.make import StudyOptions, make
from mondegreen.listening.score import score
from mondegreen.listening.serve import make_server

Trial: TypeAlias = dict[str, Any]
Listener = Callable[[Trial], dict[str, str]]  # what to choose, by field
SECTIONS = ("consent", "level", "trial", "ready", "done")


def make_study(out: Path, *runs: Path, **options: Any) -> Path:
    settings = StudyOptions(**{"headphones": False, **options})
    make(runs, out, settings, lambda what, done, total: None)
    return out


@pytest.fixture(scope="module")
def abx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips in two conditions, of 0.15 s."""
    folder = tmp_path_factory.mktemp("abx")
    runs = [listened(folder / "ours", 2), listened(folder / "cw", 2, "carlini-wagner", "paper")]
    return make_study(folder / "study", *runs)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    runs = [listened(folder / "ours", 6), listened(folder / "cw", 6, "carlini-wagner", "paper")]
    return make_study(folder / "study", *runs, protocol="paper")


@pytest.fixture(scope="module")
def staircase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of 0.15 s, in tracks of one condition."""
    folder = tmp_path_factory.mktemp("staircase")
    return make_study(
        folder / "study", listened(folder / "ours", 3), protocol="staircase", trials=2
    )


# ---- listeners


def key_of(study: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study / "key.json").read_text())
    return found


def hears_everything(trial: Trial) -> dict[str, str]:
    """Right wherever there is a right answer."""
    if trial["kind"] != "abx":
        return {"answer": trial["correct"] or ("a" if trial["kind"] == "natural" else "no")}
    heard = "no" if trial["correct"] is None else "yes"
    return {"answer": trial["correct"] or "a", "heard_difference": heard}


def guesses(trial: Trial) -> dict[str, str]:
    """Answers at random."""
    rng = Random(trial["id"])
    return {"answer": rng.choice("ab"), "heard_difference": rng.choice(["yes", "no"])}


def fails_catch_trials(trial: Trial) -> dict[str, str]:
    """Claims differences that are not there, and misses obvious ones."""
    right = hears_everything(trial)
    if trial["role"] == "catch same":
        return {**right, "heard_difference": "yes"}
    if trial["role"] == "catch obvious":
        return {**right, "answer": {"a": "b", "b": "a"}[right["answer"]]}
    return right


def showing(page: Page) -> str:
    """The section that is shown; waits for one."""
    shown = page.wait_for_selector("section:not([hidden])")
    assert shown is not None
    return str(shown.get_attribute("id"))


def begin(tab: Watched, study: Path, query: str = "?listener=me&form=0") -> Page:
    """Open the page and go to the first trial."""
    page = tab.open(study / "page" / "index.html", query)
    return past_consent(page)


def past_consent(page: Page) -> Page:
    page.click("#agree")
    page.click("#speech")
    page.click("#level-set")
    page.wait_for_selector("#trial:not([hidden])")
    return page


def listen(page: Page, letters: str = "abx") -> None:
    """Listen to every sound of the trial."""
    for letter in letters:
        if page.is_visible("#versions"):
            page.click(f"[data-version={letter}]")
        else:
            page.click("#play")
        page.wait_for_function(
            "letter => !document.getElementById('missing').textContent.includes(letter)",
            arg="isten" if page.is_hidden("#versions") else letter.upper(),
        )


def choose(page: Page, choices: dict[str, str]) -> None:
    for field, value in choices.items():
        page.check(f"[name={field}][value={value}]")
    page.click("#next")


def take(page: Page, form: list[Trial], listener: Listener, first: int = 0) -> list[str]:
    """Answer all trials from one on; the feedback after those of training."""
    said = []
    for trial in form[first:]:
        if showing(page) == "ready":
            page.click("#start")
        page.wait_for_function("where => wherever() === where", arg=place(form, trial))
        listen(page, "".join(trial["sounds"]))
        choose(page, listener(trial))
        if trial["role"] == "training":
            said.append(page.inner_text("#feedback"))
            page.click("#next")
    page.wait_for_selector("#done:not([hidden])")
    return said


def place(form: list[Trial], trial: Trial) -> str:
    """The text above a trial."""
    training = sum(other["role"] == "training" for other in form)
    at = form.index(trial)
    if at < training:
        return f"Practice {at + 1} of {training}"
    return f"Question {at + 1 - training} of {len(form) - training}"


WHEREVER = "window.wherever = () => document.getElementById('where').textContent"


@pytest.fixture
def tab(tab: Watched) -> Watched:
    """A page that knows its place in the test."""
    tab.page.add_init_script(WHEREVER)
    return tab


def downloaded(page: Page, button: str, to: Path) -> Path:
    with page.expect_download() as download:
        page.click(button)
    name = download.value.suggested_filename
    assert re.fullmatch(r"answers-[0-9a-f]{16}-[A-Za-z0-9_-]+\.(json|csv)", name)
    download.value.save_as(to / name)
    return to / name


def read_back(page: Page, study: Path, to: Path) -> Session:
    """The session as downloaded in both formats, as the score reads it."""
    known = read_key(study / "key.json")
    (as_json,) = read_answers([downloaded(page, "#as-json", to)], known)
    (as_csv,) = read_answers([downloaded(page, "#as-csv", to)], known)
    assert as_csv.answers == as_json.answers
    assert (as_csv.listener, as_csv.form, as_csv.headphones) == (
        *(as_json.listener, as_json.form, as_json.headphones),
    )
    return as_json


def given(session: Session) -> list[dict[str, str]]:
    """The choices of a session in the order of their trials."""
    words = {True: "yes", False: "no"}
    return [
        {"answer": answer.answer}
        | (
            {}
            if answer.heard_difference is None
            else {"heard_difference": words[answer.heard_difference]}
        )
        for answer in session.answers
    ]


# ---- the whole test


@pytest.mark.slow
def test_a_listener_who_hears_everything_finishes_the_test(
    tab: Watched, abx: Path, tmp_path: Path
) -> None:
    form = key_of(abx)["forms"][0]
    page = begin(tab, abx)
    said = take(page, form, hears_everything)
    assert said[0].startswith("Right: X was ")
    assert said[2] == "Right: A, B and X were all the same."
    session = read_back(page, abx, tmp_path)
    assert list(session.by_trial) == [trial["id"] for trial in form]
    assert given(session) == [hears_everything(trial) for trial in form]
    assert judge(session, read_key(abx / "key.json")).reasons == ()
    whole = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert whole.keys() == {
        *("study", "protocol", "listener", "form", "started", "finished", "complete", "code"),
        *("headphones", "answers"),
    }
    assert (whole["listener"], whole["complete"], whole["headphones"]) == ("me", True, None)
    assert whole["started"] < whole["answers"][0]["at"] < whole["finished"]
    assert whole["code"] == page.inner_text("#code")
    assert re.fullmatch(r"[A-HJ-NP-Z2-9]{8}", whole["code"])
    for answer in whole["answers"]:
        assert answer["plays"] == {"a": 1, "b": 1, "x": 1}
    assert tab.console == tab.from_elsewhere == []


@pytest.mark.slow
def test_a_listener_who_fails_the_catch_trials_is_excluded(
    tab: Watched, abx: Path, tmp_path: Path
) -> None:
    page = begin(tab, abx)
    take(page, key_of(abx)["forms"][0], fails_catch_trials)
    reasons = judge(read_back(page, abx, tmp_path), read_key(abx / "key.json")).reasons
    assert [reason.split()[0] for reason in reasons] == ["right", "claimed"]


@pytest.mark.slow
def test_a_reload_loses_nothing(tab: Watched, abx: Path, tmp_path: Path) -> None:
    form = key_of(abx)["forms"][1]
    page = begin(tab, abx, "?listener=you&form=1")
    chosen: list[dict[str, str]] = []

    def listener(trial: Trial) -> dict[str, str]:
        chosen.append(guesses(trial))
        return chosen[-1]

    for trial in form[:2]:
        listen(page)
        choose(page, listener(trial))
        page.click("#next")
    listen(page, "ab")
    before = page.inner_text("#missing")
    page.reload()
    assert showing(page) == "back"
    page.click("#continue")
    page.wait_for_selector("#trial:not([hidden])")
    assert (before, page.inner_text("#missing")) == ("Still to hear: X.",) * 2
    assert page.inner_text("#where") == place(form, form[2])
    listen(page, "x")
    choose(page, listener(form[2]))
    page.reload()  # while the feedback is shown
    page.click("#continue")
    take(page, form, listener, 3)
    session = read_back(page, abx, tmp_path)
    assert given(session) == chosen
    third = json.loads(next(tmp_path.glob("*.json")).read_text())["answers"][2]
    assert third["plays"] == {"a": 1, "b": 1, "x": 1}
    page.reload()
    assert showing(page) == "done"
    assert tab.console == tab.from_elsewhere == []


@pytest.mark.slow
def test_the_three_questions_of_the_paper(tab: Watched, paper: Path, tmp_path: Path) -> None:
    form = key_of(paper)["forms"][0]
    assert {trial["kind"] for trial in form} == {"noise", "natural", "identical"}
    page = begin(tab, paper)
    said = take(page, form, hears_everything)
    assert said == [
        *("Right: there was noise in it.", "There is no wrong answer to this question."),
        *("Right: they differed.", "Right: they were identical."),
    ]
    assert given(read_back(page, paper, tmp_path)) == [hears_everything(trial) for trial in form]
    assert tab.console == tab.from_elsewhere == []


@pytest.mark.slow
def test_answers_to_a_served_page_arrive(tab: Watched, abx: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(abx, tmp_path / "study"))
    lines: list[str] = []
    server = make_server(study, 0, lines.append)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        page = tab.page
        page.goto(f"{address}/?PROLIFIC_PID=5f2a&STUDY_ID=x")
        assert page.url == f"{address}/?PROLIFIC_PID=5f2a&STUDY_ID=x&form=0"
        form = key_of(study)["forms"][0]
        take(past_consent(page), form, hears_everything)
        page.wait_for_function("() => document.getElementById('sent').textContent !== ''")
        assert page.inner_text("#sent").startswith("Your answers have arrived.")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    (session,) = read_answers([study], read_key(study / "key.json"))
    assert (session.listener, given(session)) == ("5f2a", [hears_everything(t) for t in form])
    assert lines[0] == f"5f2a: 1 of {len(form)} answers"
    assert lines[-1] == f"5f2a: {len(form)} of {len(form)} answers"
    assert tab.console == []
    assert all(request.startswith((address, "blob:")) for request in tab.requests)


@pytest.mark.slow
def test_answers_that_could_not_be_sent_can_be_sent_again(tab: Watched, abx: Path) -> None:
    server = make_server(abx, 0, lambda line: None)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    page = tab.page
    page.goto(f"http://127.0.0.1:{server.server_port}/?listener=me")
    past_consent(page)
    server.shutdown()
    server.server_close()
    thread.join()
    page.evaluate(
        "for (const { id } of session.form) session.record({ trial: id, answer: 'a', at: 'now' })"
    )
    page.evaluate("enter('done')")
    page.wait_for_selector("#resend:not([hidden])")
    assert "could not be sent" in page.inner_text("#sent")


# ---- staircases


def rule(page: Page, steps: list[dict[str, Any]], track: list[int]) -> Any:
    return page.evaluate("([steps, track]) => nextLevel(steps, track)", [steps, track])


def test_the_levels_follow_from_the_answers(tab: Watched, staircase: Path) -> None:
    """As the literal rule in Python gives them, over four tracks and beside another staircase."""
    page, rng = tab.open(staircase / "page" / "index.html"), Random(0)
    steps: list[dict[str, Any]] = []
    twins = [Staircases(1, 4), Staircases(1, 4)]
    for at in range(60):
        track = [int(at % 3 == 2), rng.randrange(4)]
        level = rule(page, steps, track)
        assert level == twins[track[0]].level(track[1])[0]
        right = rng.random() < 0.8
        steps.append({"track": track, "level": level, "right": right})
        twins[track[0]].answer(track[1], np.array([float(level)]), np.array([right]))
    assert len({step["level"] for step in steps}) > 10
    assert rule(page, [], [0, 0]) == 0
    away = page.evaluate("[-30, -3, 0, 3, 30].map(chance)")
    assert away == pytest.approx(weibull(np.array([-30.0, -3, 0, 3, 30])))


def test_levels_stay_within_those_that_can_be_played(tab: Watched, staircase: Path) -> None:
    page = tab.open(staircase / "page" / "index.html")
    for right, end in ((True, -40), (False, 20)):
        steps: list[dict[str, Any]] = []
        for _ in range(40):
            steps.append({"track": [0, 0], "level": rule(page, steps, [0, 0]), "right": right})
        assert steps[-1]["level"] == end
        assert all(-40 <= step["level"] <= 20 for step in steps)


@pytest.mark.parametrize("level", [0, -12, 20])
def test_the_change_is_played_at_its_level(tab: Watched, staircase: Path, level: int) -> None:
    page = tab.open(staircase / "page" / "index.html")
    clean, delta = a_clip(0) / 32768, a_delta(0) / 32768
    samples = page.evaluate(
        """([clean, changed, level]) => {
             const sound = (samples) => {
               const made = new AudioBuffer({ length: samples.length, sampleRate: 16000 });
               made.copyToChannel(Float32Array.from(samples), 0);
               return made;
             };
             const [original, file] = [sound(clean), sound(changed)];
             const made = atLevel(file, original, level);
             return [
               changedOf({ a: file, b: original, x: original }),
               changedOf({ a: original, b: file, x: original }),
               [...made.getChannelData(0)],
             ]; }""",
        [clean.tolist(), (clean + delta).tolist(), level],
    )
    assert samples[:2] == ["a", "b"]
    assert np.asarray(samples[2]) == pytest.approx(clean + 10 ** (level / 20) * delta, abs=1e-7)


ANSWERED = """([trial, answer, level]) => {
  const step = { track: trial.track, level, changed: trial.correct };
  const made = { trial: trial.id, answer, heard_difference: null, level, seconds: 1, at: "now" };
  session.record(made, stepsAfter(step, answer));
}"""


@pytest.mark.slow
def test_a_staircase_from_the_first_trial_to_the_score(
    tab: Watched, staircase: Path, tmp_path: Path
) -> None:
    """A listener who hears down to -9 dB; the levels are those of the literal rule."""
    form = key_of(staircase)["forms"][0]
    page = begin(tab, staircase)
    assert page.inner_text("#question") == "X is the original. Which of A and B was changed?"
    tracks = sorted({tuple(trial["track"]) for trial in form if trial["role"] == "test"})
    twin, levels = Staircases(1, len(tracks)), []

    def listener(trial: Trial, level: float | None) -> dict[str, str]:
        levels.append(level)
        right = trial["correct"]
        if trial["role"] != "test":
            assert level == (None if trial["role"] == "training" else 0)
            return {"answer": right}
        assert level is not None
        track = tracks.index(tuple(trial["track"]))
        assert level == twin.level(track)[0]
        twin.answer(track, np.array([float(level)]), np.array([level >= -9]))
        return {"answer": right if level >= -9 else {"a": "b", "b": "a"}[right]}

    for trial in form[:7]:
        if showing(page) == "ready":
            page.click("#start")
        page.wait_for_function("where => wherever() === where", arg=place(form, trial))
        listen(page, "xab")
        choose(page, listener(trial, page.evaluate("shown.step?.level ?? null")))
        if trial["role"] == "training":
            right = trial["correct"].upper()
            assert page.inner_text("#feedback") == f"Right: {right} was changed."
            page.click("#next")
    page.wait_for_function("where => wherever() === where", arg=place(form, form[7]))
    before = page.evaluate("shown.step.level")
    page.reload()
    page.click("#continue")
    page.wait_for_selector("#trial:not([hidden])")
    assert page.evaluate("shown.step.level") == before
    for trial in form[7:]:  # without the sounds, which take a minute
        level = page.evaluate("track => nextLevel(session.state.steps, track)", trial["track"])
        page.evaluate(ANSWERED, [trial, listener(trial, level)["answer"], level])
    page.evaluate("enter('done')")
    page.wait_for_selector("#done:not([hidden])")
    found = read_back(page, staircase, tmp_path)
    assert [answer.level for answer in found.answers] == levels
    (result,) = score(read_key(staircase / "key.json"), [found]).results
    assert result.threshold is not None
    assert result.threshold.db == pytest.approx(-9, abs=3)
    assert tab.console == tab.from_elsewhere == []


def test_a_staircase_is_accessible(tab: Watched, staircase: Path) -> None:
    page = begin(tab, staircase)
    listen(page, "xab")
    assert tab.accessibility() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- what a listener may do


def test_no_answer_is_possible_before_all_sounds_are_heard(tab: Watched, abx: Path) -> None:
    page = begin(tab, abx)
    assert page.is_disabled("#next")
    for field in page.query_selector_all("#fields input"):
        assert field.is_disabled()
    for letters, left in (("a", "B, X"), ("x", "B")):
        listen(page, letters)
        assert page.inner_text("#missing") == f"Still to hear: {left}."
        page.keyboard.press("1")
        page.evaluate("document.getElementById('answers').requestSubmit()")
        assert page.is_disabled("[name=answer][value=a]")
    listen(page, "b")
    assert page.is_disabled("#next")
    page.check("[name=answer][value=a]")
    assert page.is_disabled("#next")
    page.evaluate("document.getElementById('answers').requestSubmit()")
    assert page.inner_text("#where") == "Practice 1 of 3"
    page.check("[name=heard_difference][value=no]")
    assert page.is_enabled("#next")


def test_a_sound_that_just_started_does_not_count_as_heard(tab: Watched, tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 1, length=3 * RATE)
    page = begin(tab, make_study(tmp_path / "study", run))
    for letter in "abx":
        page.click(f"[data-version={letter}]")
    page.keyboard.press(" ")
    assert page.inner_text("#missing") == "Still to hear: A, B, X."


def test_the_keyboard_is_enough(tab: Watched, abx: Path) -> None:
    page = begin(tab, abx)
    for letter in "abx":
        page.keyboard.press(letter)
        page.wait_for_function(
            "letter => !document.getElementById('missing').textContent.includes(letter)",
            arg=letter.upper(),
        )
        assert page.get_attribute(f"[data-version={letter}]", "aria-pressed") == "true"
    for state in ("Play", "Pause", "Play"):
        page.keyboard.press(" ")
        assert page.inner_text("#play") == state
    page.keyboard.press("2")
    page.keyboard.press("y")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('feedback').textContent !== ''")
    page.keyboard.press("Enter")
    page.wait_for_function("() => wherever() === 'Practice 2 of 3'")
    assert page.evaluate("session.state.answers.map((a) => [a.answer, a.heard_difference])") == [
        ["b", True]
    ]


def test_the_focus_is_visible(tab: Watched, abx: Path) -> None:
    page = begin(tab, abx)
    listen(page)
    page.click("#play")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(100)
    without, order = page.screenshot(), []
    page.focus("#question")
    for _ in range(8):
        page.keyboard.press("Tab")
        where = "({ id, name, dataset }) => id || name || dataset.version || ''"
        order.append(page.evaluate(f"({where})(document.activeElement)"))
        assert page.screenshot() != without
    assert order == ["a", "b", "x", "play", "from", "to", "answer", "heard_difference"]


def test_declining_stores_nothing(tab: Watched, abx: Path) -> None:
    page = tab.open(abx / "page" / "index.html", "?listener=me")
    page.click("#decline")
    assert showing(page) == "declined"
    assert page.evaluate("Object.keys(localStorage)") == []


def test_a_missing_sound_is_reported_and_retried(tab: Watched, abx: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(abx, tmp_path / "study"))
    audio = study / "page" / "audio"
    audio.rename(audio.with_name("away"))
    page = tab.open(study / "page" / "index.html", "?listener=me")
    page.click("#agree")
    assert showing(page) == "problem"
    assert "could not be loaded" in page.inner_text("#what")
    audio.with_name("away").rename(audio)
    page.click("#retry")
    page.wait_for_selector("#level:not([hidden])")


def test_a_device_with_a_fixed_rate_works(tab: Watched, abx: Path) -> None:
    tab.page.add_init_script(
        """window.AudioContext = class extends AudioContext {
             constructor(options) {
               if (options?.sampleRate) throw new DOMException("no", "NotSupportedError");
               super({ sampleRate: 44100 });
             }
           };"""
    )
    page = begin(tab, abx)
    assert page.evaluate("device.sampleRate") == 44_100
    assert page.evaluate("player.buffers.a.sampleRate") == 44_100
    listen(page)
    choose(page, guesses({"id": 0}))
    assert page.inner_text("#feedback") != ""


# ---- listener and form


def state(page: Page) -> tuple[str, int]:
    listener, form = page.evaluate("[session.listener, session.state.form]")
    return listener, form


def test_the_address_may_set_listener_and_form(tab: Watched, abx: Path) -> None:
    index = abx / "page" / "index.html"
    assert state(tab.open(index, "?listener=me&form=3")) == ("me", 3)
    assert state(tab.open(index, "?PROLIFIC_PID=abc&form=7")) == ("abc", 7)
    assert state(tab.open(index, "?listener=me&PROLIFIC_PID=abc&form=0"))[0] == "me"


def test_without_a_form_it_comes_from_the_name(tab: Watched, abx: Path) -> None:
    index = abx / "page" / "index.html"
    page = tab.open(index)
    names = "Array.from({ length: 800 }, (_, i) => `listener ${i}`)"
    forms = page.evaluate(f"{names}.map((name) => formOf(new URLSearchParams(), name))")
    assert all(70 <= forms.count(form) <= 130 for form in range(8))
    # FNV-1a, as its authors give it: 0xe40c292c for "a"
    assert state(tab.open(index, "?listener=a"))[1] == 0xE40C292C % 8


def test_without_a_name_one_is_drawn_and_stored(tab: Watched, abx: Path) -> None:
    index = abx / "page" / "index.html"
    first = state(tab.open(index))
    assert re.fullmatch(r"\d+-\d+", first[0])
    assert state(tab.open(index)) == first
    assert begin(tab, abx, "").evaluate("session.state.started") is not None
    assert state(tab.open(index)) == first


@pytest.mark.parametrize("form", ["8", "-1", "1.5", "x", "", "1e400", "%00", "0x1"])
def test_a_form_that_does_not_exist(tab: Watched, abx: Path, form: str) -> None:
    page = tab.open(abx / "page" / "index.html", f"?listener=me&form={form}")
    assert showing(page) == "problem"
    assert "The forms are 0 to 7" in page.inner_text("#what")
    assert page.is_hidden("#retry")


NAMES = [
    *("<img src=x onerror=alert(1)>", "\u202eevil\u2066", '"; DROP', "=1+1", "+cmd()", "a,b\nc"),
    *("x" * 10_000, "\U0001f600" * 100, "__proto__", "../../etc/passwd", "a\0b"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_just_a_name(tab: Watched, abx: Path, tmp_path: Path, name: str) -> None:
    tab.open(abx / "page" / "index.html")
    page = tab.page
    query = page.evaluate(
        "name => new URLSearchParams({ listener: name, form: 0 }).toString()", name
    )
    page = begin(tab, abx, f"?{query}")
    form = key_of(abx)["forms"][0]
    for trial in form:
        answer = {"trial": trial["id"], "answer": "a", "heard_difference": None}
        answer |= {"seconds": 1, "plays": {}, "at": "2026-01-01T00:00:00Z"}
        page.evaluate("answer => session.record(answer)", answer)
    page.evaluate("enter('done')")
    saved = downloaded(page, "#as-json", tmp_path)
    assert json.loads(saved.read_text())["listener"] == name[:64]
    table = downloaded(page, "#as-csv", tmp_path)
    (session,) = read_answers([table], read_key(abx / "key.json"))
    assert session.listener == name[:64]
    assert not re.search(r'(^|,)"\s*[=+@-]', table.read_text(), re.M)  # no formula
    assert tab.console == tab.from_elsewhere == []


def test_the_study_may_set_the_code(tab: Watched, tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", listened(tmp_path / "run", 1), code="C0FFEE")
    page = begin(tab, study)
    assert page.evaluate("session.toJson().code") is None
    page.evaluate("for (const { id } of session.form) session.record({ trial: id })")
    page.evaluate("enter('done')")
    assert page.inner_text("#code") == page.evaluate("session.toJson().code") == "C0FFEE"


# ---- appearance


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_section_is_accessible_and_fits(
    chromium: Browser, abx: Path, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 800}
    with watched(chromium, color_scheme=scheme, viewport=viewport) as tab:
        page = tab.open(abx / "page" / "index.html", "?listener=me&form=0")
        for section in page.query_selector_all("section"):
            page.evaluate("name => show(name)", section.get_attribute("id"))
            assert tab.accessibility() == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate("show('consent')")
        past_consent(page)
        for wanted in (
            lambda: None,
            lambda: listen(page),
            lambda: choose(page, guesses({"id": 0})),
        ):
            wanted()
            assert tab.accessibility() == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- the sound output

TAP = """
const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[samples]]) {
    this.port.postMessage(samples ? samples.slice() : new Float32Array(128));
    return true;
  }
});`;
window.recorded = [];
const taps = new Map();
const connect = AudioNode.prototype.connect;
window.listening = async (context) => {
  await context.audioWorklet.addModule("data:text/javascript," + encodeURIComponent(code));
  const mono = { channelCount: 1, channelCountMode: "explicit" };
  const tap = new AudioWorkletNode(context, "tap", mono);
  tap.port.onmessage = ({ data }) => window.recorded.push(...data);
  connect.call(tap, context.destination);
  taps.set(context, tap);
};
AudioNode.prototype.connect = function (to, ...rest) {
  const tap = to instanceof AudioDestinationNode && taps.get(this.context);
  if (tap) connect.call(this, tap);
  return connect.call(this, to, ...rest);
};
"""
LENGTH = 12_000  # samples of the clip that tells where it is


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that counts: its sample i is i, and in the adversarial version, -i."""
    folder = tmp_path_factory.mktemp("counting")
    count = np.arange(1, LENGTH + 1, dtype=np.int16)
    write_sounds(folder / "run" / "item", count, -2 * count, a_record(id="count"))
    return make_study(folder / "study", folder / "run")


@pytest.fixture
def tapped(chromium: Browser, counting: Path) -> Iterator[Page]:
    """The first test trial, with its output recorded, which the page's own policy would forbid."""
    with watched(chromium, bypass_csp=True) as tab:
        tab.page.add_init_script(WHEREVER)
        tab.page.add_init_script(TAP)
        page = begin(tab, counting)
        skip_to_a_test(page, counting)
        page.evaluate("listening(device)")
        yield page


def skip_to_a_test(page: Page, study: Path) -> None:
    for trial in key_of(study)["forms"][0]:
        if trial["role"] == "test":
            break
        page.evaluate("id => session.record({ trial: id, answer: 'a' })", trial["id"])
    page.evaluate("session.save({ ready: true })")
    page.evaluate("trialStep()")
    page.wait_for_selector("#trial:not([hidden])")


def heard(page: Page) -> NDArray[np.float64]:
    """[T] the output since the last call, in 16-bit steps."""
    page.wait_for_timeout(150)
    samples = page.evaluate("JSON.stringify(window.recorded.splice(0))")  # which is faster
    return np.asarray(json.loads(samples)) * 32768


def counts(sound: Any) -> tuple[Any, Any, Any]:
    """Where the clip counts undisturbed: the samples' times, where the clip is, and its sign."""
    size = np.abs(sound)
    steady = (np.abs(np.diff(size) - 1) < 1e-3) & (sound[1:] * sound[:-1] > 0)
    steady &= np.abs(size - np.rint(size))[:-1] < 1e-3  # not by chance within a fade
    at = np.flatnonzero(steady)
    where = np.rint(size[at]).astype(int)
    inside = (where > 200) & (where < LENGTH - 100)
    return at[inside], where[inside], np.sign(sound[at]).astype(int)[inside]


def signs(study: Path) -> dict[str, int]:
    """Which of A, B and X counts upwards in the first test trial."""
    key = key_of(study)
    (trial,) = (trial for trial in key["forms"][0] if trial["role"] == "test")
    return {
        letter: 1 if key["sounds"][name]["condition"] == "clean" else -1
        for letter, name in trial["sounds"].items()
    }


@pytest.mark.slow
def test_a_switch_is_instant_and_at_the_same_sample(tapped: Page, counting: Path) -> None:
    sign = signs(counting)
    presses = "abxabaxbxbabxaxbaxbab"
    for number, letter in enumerate(presses):
        tapped.keyboard.press(letter)
        tapped.wait_for_timeout(40 + 7 * number)
    at, where, which = counts(heard(tapped))
    assert len(set((at - where) % LENGTH)) == 1  # one phase, whichever is heard: no frame is lost
    turns = np.flatnonzero(np.diff(which))
    changes = sum(sign[one] != sign[other] for one, other in pairwise(presses))
    assert len(turns) == changes  # X is A, or is B: from one to the other there is nothing to hear
    before, after = turns, turns + 1
    whole = (where[before] > 400) & (where[after] < LENGTH - 400) & (where[after] > where[before])
    assert (
        whole.sum() > changes / 2
    )  # the others came about the end of the loop, with its own fades
    gaps = (at[after] - at[before])[whole]
    assert gaps.max() <= 0.005 * RATE + 2  # the crossfade, and nothing more
    assert (which == 1).sum() > RATE / 2
    assert (which == -1).sum() > RATE / 2


@pytest.mark.slow
def test_no_version_is_louder_than_it_was(tapped: Page, counting: Path) -> None:
    for letter in "abx":
        tapped.keyboard.press(letter)
        tapped.wait_for_timeout(LENGTH * 1000 / RATE + 100)
        _, where, which = counts(heard(tapped))
        assert set(where) == set(range(201, LENGTH - 100))  # the count itself, and all of it
        assert which[-1] == signs(counting)[letter]


@pytest.mark.slow
def test_rapid_switches_end_with_the_last_one(tapped: Page, counting: Path) -> None:
    tapped.keyboard.press("a")
    tapped.wait_for_timeout(200)
    tapped.evaluate("for (const letter of 'bxaxbab') turnTo(letter)")
    tapped.wait_for_timeout(400)
    sound = heard(tapped)
    at, where, which = counts(sound)
    assert len(set((at - where) % LENGTH)) == 1
    assert which[-1] == signs(counting)["b"]
    assert np.abs(sound).max() <= LENGTH  # never two at once
    assert len(at) > 0.8 * len(sound[at[0] : at[-1]]) - 8 * 0.005 * RATE


@pytest.mark.slow
def test_a_part_is_repeated_and_pauses_keep_the_position(tapped: Page, counting: Path) -> None:
    tapped.keyboard.press("a")
    tapped.evaluate("setLoop(0.125, 0.625)")
    heard(tapped)
    tapped.wait_for_timeout(1200)
    at, where, _ = counts(heard(tapped))
    assert (where.min(), where.max()) == pytest.approx((2000, 10_000), abs=0.005 * RATE + 2)
    assert set((at - where) % 8000) == {(at[0] - where[0]) % 8000}
    tapped.keyboard.press(" ")
    last = counts(heard(tapped))[1][-1]
    tapped.wait_for_timeout(200)
    assert not heard(tapped).any()
    tapped.keyboard.press("b")
    first = counts(heard(tapped))[1][0]
    assert (first - last) % 8000 <= 2 * 0.005 * RATE + 128  # what the two fades take


# ---- the level


def test_the_tone_has_its_frequency_and_its_level(tab: Watched, abx: Path) -> None:
    page = tab.open(abx / "page" / "index.html")
    samples = np.asarray(
        page.evaluate("[...toneBeside({ length: 1600, sampleRate: 16000 }, 0.1).getChannelData(0)]")
    )
    assert samples == pytest.approx(
        np.sqrt(2) * 0.1 * np.sin(2 * np.pi * 1000 * np.arange(1600) / RATE), abs=1e-6
    )


def test_the_level_can_be_confirmed_only_after_the_speech(tab: Watched, abx: Path) -> None:
    page = tab.open(abx / "page" / "index.html", "?listener=me&form=0")
    page.click("#agree")
    page.click("#tone")
    assert page.get_attribute("#tone", "aria-pressed") == "true"
    assert page.is_disabled("#level-set")
    page.click("#speech")
    pressed = [page.get_attribute(f"#{name}", "aria-pressed") for name in ("speech", "tone")]
    assert pressed == ["true", "false"]
    page.click("#speech")
    assert page.get_attribute("#speech", "aria-pressed") == "false"
    page.click("#level-set")
    page.wait_for_selector("#trial:not([hidden])")
    assert tab.console == []


# ---- headphones


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headphones")
    return make_study(folder / "study", listened(folder / "run", 1), headphones=True)


def test_the_tone_is_in_one_burst_and_in_neither_ear(tab: Watched, checking: Path) -> None:
    page = tab.open(checking / "page" / "index.html")
    left, right = (
        np.asarray(ear)
        for ear in json.loads(
            page.evaluate(
                """() => { const all = bursts(16000, 2);
                     return JSON.stringify([0, 1].map((ear) => [...all.getChannelData(ear)])); }"""
            )
        )
    )
    assert len(left) == 3 * 1.5 * RATE
    for at in (0, 2):
        burst = slice(at * 24_000, at * 24_000 + RATE)
        assert np.array_equal(left[burst], right[burst])
        assert np.sqrt(np.mean(left[burst] ** 2)) == pytest.approx(0.05, rel=0.03)
    middle = slice(24_000 + 160, 24_000 + RATE - 160)  # without its fades
    spectra = [np.fft.rfft(ear[middle] * np.hanning(RATE - 320)) for ear in (left, right)]
    hertz = np.fft.rfftfreq(RATE - 320, 1 / RATE)
    ratio = spectra[1] / spectra[0]
    inside = (hertz > 570) & (hertz < 630)
    outside = (hertz < 555) | (hertz > 645)
    assert np.median(ratio[inside].real) == pytest.approx(-1, abs=0.01)
    assert np.median(np.abs(ratio[outside] - 1)) < 0.001
    power = [np.mean(np.abs(s[inside]) ** 2) for s in spectra]
    assert power[1] == pytest.approx(power[0], rel=0.05)  # no ear alone can tell
    silent = np.r_[left[RATE:24_000], right[RATE:24_000]]
    assert not silent.any()


@pytest.mark.parametrize("second", [True, False])
def test_a_failed_check_may_be_repeated_once_even_after_a_reload(
    tab: Watched, checking: Path, second: bool
) -> None:
    page = tab.open(checking / "page" / "index.html", "?listener=me")
    page.evaluate(
        """() => { let results = [{ right: 0, of: 6, passed: false }];
             window.checkHeadphones = async () => results.pop();
             window.then = (result) => results.push(result); }"""
    )
    page.click("#agree")
    page.wait_for_selector("#again:not([hidden])")
    outcome = {"right": 6 * second, "of": 6, "passed": second}
    page.evaluate("window.then", outcome)
    page.click("#again")
    page.wait_for_selector("#again", state="hidden")
    assert page.evaluate("session.toJson().headphones") == outcome | {"tries": 2}
    page.reload()
    page.click("#continue")
    page.wait_for_selector("#level:not([hidden])")
    assert page.evaluate("session.toJson().headphones") == outcome | {"tries": 2}
    assert tab.console == []


@pytest.mark.parametrize(("right", "passed"), [(6, True), (5, True), (4, False)])
def test_five_of_six_rounds_are_enough(
    tab: Watched, checking: Path, right: int, passed: bool
) -> None:
    page = tab.open(checking / "page" / "index.html", "?listener=me")
    page.evaluate(  # bursts as short as can be, and which of them is odd
        """() => { window.bursts = (sampleRate, odd) => { window.odd = odd;
             return new AudioBuffer({ numberOfChannels: 2, length: 800, sampleRate }); }; }"""
    )
    page.click("#agree")
    for number in range(6):
        page.wait_for_function(
            "number => document.getElementById('round').textContent === `Round ${number} of 6`",
            arg=number + 1,
        )
        assert page.is_disabled("[data-burst='1']")
        page.click("#noises")
        odd = page.evaluate("window.odd")
        page.click(f"[data-burst='{odd if number < right else odd % 3 + 1}']")
    page.wait_for_selector("#checked:not([hidden])")
    found = page.evaluate("session.toJson().headphones")
    assert found == {"right": right, "of": 6, "passed": passed, "tries": 1}
    assert page.is_visible("#again") == (not passed)
    assert ("do not seem to be wearing" in page.inner_text("#verdict")) == (not passed)
    page.click("#to-level")
    page.wait_for_selector("#level:not([hidden])")
    assert tab.console == []
