"""The command line, as a user meets it: what it prints where, and its exit status."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from run_folders import command, environment

import mondegreen.air.rooms.cached
import mondegreen.doctor
import mondegreen.victims
from mondegreen import cli
from mondegreen.attacks import proof
from mondegreen.audio.pcm import load as load_audio
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError
from mondegreen.psychoacoustics.profiles import PROFILES
from mondegreen.results.record import Point
from mondegreen.victims.contract import CHECKS
from mondegreen.victims.guard import attackable
from mondegreen.victims.own import load_own

EXAMPLES = Path(__file__).parents[1] / "examples"
COMMANDS = ["attack", "evaluate", "transcribe", "check-victim", "threshold", "demo", "doctor"]


VICTIM = toy.linear_victim()
VICTIM.name = "moonshine-tiny"  # which a record may have loaded


class Ran:
    """Exit status and what was printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the entry point in this process, with a toy recogniser in place of the embedded one."""
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: VICTIM)

    def call(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        seen = capsys.readouterr()
        return Ran(int(ended.value.code or 0), seen.out, seen.err)

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", toy.speech(), 16_000)
    return tmp_path / "clip.wav"


@pytest.mark.parametrize(
    "command", [[], *([c] for c in COMMANDS), ["rooms", "make"], ["rooms", "show"]]
)
def test_help_has_examples(run, command: list[str]) -> None:
    ran = run(*command, "--help")
    assert ran.status == 0
    assert all(c in ran.out for c in COMMANDS) if not command else "Examples" in ran.out


def test_the_version_is_printed(run) -> None:
    ran = run("--version")
    assert (ran.status, ran.out) == (0, f"mondegreen {version('mondegreen')}\n")


def test_attack_writes_and_prints_what_it_proved(run, clip: Path, tmp_path: Path) -> None:
    ran = run("attack", clip, "--target", "open the door", "--out", tmp_path / "out")
    assert ran.status == 0
    assert "yes, from the saved file" in ran.out
    assert toy.TARGET in ran.out
    for name in ("adversarial.wav", "delta.safetensors", "record.json"):
        assert str(tmp_path / "out" / name) in ran.out
        assert (tmp_path / "out" / name).is_file()


def test_attack_says_before_it_begins_which_result_it_will_replace(
    run, clip: Path, tmp_path: Path
) -> None:
    here = ("attack", clip, "--target", "open the door", "--out", tmp_path / "out")
    assert "earlier result" not in run(*here, "--max-passes", "1").err
    assert "an earlier result (not verified, 1 pass)" in run(*here, "--max-passes", "1").err


def test_a_log_gets_a_line_every_10_seconds_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0]
    monkeypatch.setattr(cli.progress.time, "monotonic", lambda: now[0])
    with cli.progress.Bars("clip.wav") as bars:
        for now[0] in range(1, 101):
            bars.count("proving", now[0], 100)
    assert capsys.readouterr().err.splitlines() == [
        f"clip.wav: proving: {done} of 100" for done in range(10, 101, 10)
    ]


HOSTILE = "a\x1b]0;owned\x07\u202egpj\nverified yes"


def test_a_hostile_name_and_transcript_are_shown_and_not_obeyed(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    """By every command that prints them; what rich sends of its own is not sent to a file."""
    victim = toy.linear_victim()
    victim.name = "moonshine-tiny"
    monkeypatch.setattr(victim, "transcribe", lambda _: HOSTILE)
    for load in ("load_victim", "load_recogniser"):
        monkeypatch.setattr(mondegreen.victims, load, lambda *_, **__: victim)
    named = clip.rename(clip.with_name(f"{HOSTILE}.wav"))
    out = tmp_path / HOSTILE
    lines: list[list[str | Path]] = [
        ["attack", named, "--target", "open the door", "--max-passes", "2", "--out", out],
        ["transcribe", named, clip.with_name("\x1b[2Jmissing.wav")],
        ["threshold", named],
        ["evaluate", named, "--target", "open the door", "--rooms", "none"],
        *([command, out] for command in ("verify", "summary", "compare", "report", "sanity")),
        ["attack", named, "--target", HOSTILE, "--method", HOSTILE],
        [HOSTILE],
    ]
    for line in lines:
        ran = run(*line)
        assert not {"\x1b", "\x07", "\u202e"} & set(ran.out + ran.err), line
        assert not any(text.startswith("verified yes") for text in ran.out.splitlines()), line
        if line[0] in ("attack", "transcribe", "threshold", "evaluate"):  # others leave it out
            assert r"\x1b" in ran.out + ran.err, line


def a_step(passes: int, *, matched: bool) -> Point:
    return Point(passes, "search", 1234.5, matched, int(matched), 1, 1234.5, 1234.5, 1234.5)


def test_progress_says_what_was_found_and_not_what_the_last_step_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with cli.progress.Bars("clip.wav", passes=4) as bars:
        for passes, matched in enumerate((False, True, True, False), 1):
            bars.step("clip", a_step(passes, matched=matched))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("clip.wav: 4 of 4  heard at pass 2  loss")
    with cli.progress.Bars("clip.wav", passes=1) as bars:
        bars.step("clip", a_step(1, matched=False))
    assert "not heard yet" in capsys.readouterr().err


@pytest.mark.parametrize(("width", "told"), [(160, "masking 1234.5"), (80, "loss"), (40, "not")])
def test_a_bar_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int, told: str) -> None:
    """Its count and whether the target was heard are seen at any width."""
    file = io.StringIO()
    console = cli.console.Printer(file=file, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(cli.progress, "err", console)
    with cli.progress.Bars("a-recording-with-a-long-name.wav", passes=1500) as bars:
        bars.step("clip", a_step(1, matched=False))
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).strip().splitlines()[-1].rstrip()
    assert len(last) <= width
    assert "1/1500" in last
    assert "a-record" in last
    assert told in last


def test_attack_loads_the_recogniser_in_the_type_asked_for(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}
    victim = toy.linear_victim()
    monkeypatch.setattr(
        mondegreen.victims, "load_victim", lambda *_, **how: asked.update(how) or victim
    )
    before = torch.get_num_threads()
    try:
        ran = run(
            *("attack", clip, "--target", "open the door", "--max-passes", "60"),
            *("--dtype", "float64", "--threads", before + 1, "--out", tmp_path / "out"),
        )
        threads = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert ran.status == 0
    assert (asked["dtype"], threads) == (torch.float64, before + 1)


def test_attack_json_is_one_object_per_clip_and_nothing_else(
    run, clip: Path, tmp_path: Path
) -> None:
    ran = run(
        *("attack", clip, clip, "--target", "open the door", "--max-passes", "60"),
        *("--out", tmp_path / "out", "--json"),
    )
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert [record["verified"] for record in records] == [True, True]
    assert [list(record)[:2] for record in records] == [["verdict", "verdict_by"]] * 2
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"clip", "clip-2", "report.html"}


def test_attack_that_ran_and_failed_exits_with_1(run, clip: Path, tmp_path: Path) -> None:
    ran = run(
        "attack", clip, "--target", "open the door", "--max-passes", "1", "--out", tmp_path / "out"
    )
    assert ran.status == 1
    assert "NO" in ran.out
    assert "how audible" not in ran.out  # there is no attack that it could be said of
    assert "try more passes (--max-passes) or a shorter target" in ran.err


def test_ctrl_c_leaves_the_clips_that_remain_and_exits_with_1(
    run, monkeypatch, clip: Path, tmp_path: Path
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.progress, "state", stop)  # the first thing done after a pass
    ran = run("attack", clip, clip, "--target", "open the door", "--out", tmp_path / "out")
    assert ran.status == 1
    assert "were not attacked" in ran.err
    saved = [p.parent.name for p in (tmp_path / "out").glob("*/record.json")]
    assert saved == ["clip"]


@pytest.mark.parametrize("during", ["search", "proof"])
def test_ctrl_c_takes_no_earlier_result_away(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path, during: str
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    attack = ("attack", clip, "--target", "open the door", "--out", tmp_path / "out")
    assert run(*attack, "--max-passes", "60").status == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    stopped = {"search": (cli.progress, "state"), "proof": (proof, "_heard")}
    monkeypatch.setattr(*stopped[during], stop)
    ran = run(*attack, "--max-passes", "50")
    assert ran.status == 130
    assert f"the earlier result in {tmp_path / 'out'} is kept" in " ".join(ran.err.split())
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    found = list(elsewhere.iterdir())  # a success that was not proved is not lost either
    assert [(folder / "record.json").is_file() for folder in found] == [True] * (during == "proof")


def test_a_recogniser_that_fails_late_costs_the_status_and_not_the_result(
    run, monkeypatch, clip: Path, tmp_path: Path
) -> None:
    heard = iter(["nothing", "nothing"])  # of the clean clips

    def transcribe(audio: object) -> str:
        try:
            return next(heard)
        except StopIteration:
            sys.exit(0)

    victim = toy.linear_victim()
    victim.transcribe = transcribe
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: attackable(victim))
    ran = run("attack", clip, clip, "--target", "open the door", "--out", tmp_path / "out")
    assert ran.status == 2
    assert "SystemExit: 0" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    (record,) = (tmp_path / "out").glob("*/record.json")
    assert json.loads(record.read_text())["verified"] is False
    assert (record.parent / "adversarial.wav").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "?!"], "no words"),
        (["--target", "anything else"], "expected"),
        (["--target", "open the door", "--method", "magic"], "magic"),
        (["--target", "open the door", "--preset", "slow"], "slow"),
        (["--target", "open the door", "--max-passes", "0"], "max-passes"),
        (["--target", "open the door", "--under-threshold", "-1"], "under-threshold"),
        (["--target", "open the door", "--under-threshold", "nan"], "under-threshold"),
        (["--target", "open the door", "--under-threshold", "inf"], "finite"),
        (["--target", "open the door", "--under-threshold", "3", "--method", "robust"], "bound"),
        ([], "--target"),
    ],
)
def test_bad_input_exits_with_2_and_says_why(
    run, clip: Path, arguments: list[str], message: str
) -> None:
    ran = run("attack", clip, *arguments)
    assert ran.status == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_a_folder_that_cannot_be_made_is_refused_before_any_pass(run, clip: Path) -> None:
    ran = run("attack", clip, "--target", "open the door", "--out", clip)
    assert ran.status == 4
    assert "could not be made" in ran.err
    assert "passes" not in ran.err  # no bar was drawn


def test_a_full_disk_exits_with_4(run, monkeypatch, clip: Path, tmp_path: Path) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    ran = run("attack", clip, "--target", "open the door", "--max-passes", "3", "--out", out)
    assert ran.status == 4
    assert "No space left on device" in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_a_fault_of_the_program_exits_with_3(run, monkeypatch, clip: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(mondegreen.victims, "load_victim", fail)
    ran = run("attack", clip, "--target", "open the door")
    assert ran.status == 3
    assert "out of memory" in ran.err


def test_code_that_ends_the_program_does_not_make_it_a_success(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: sys.exit(0))
    ran = run("attack", clip, "--target", "open the door")
    assert ran.status == 3
    assert "ended the program" in ran.err


def test_a_fault_of_the_system_exits_with_4_and_a_line(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "weights")

    monkeypatch.setattr(mondegreen.victims, "load_victim", denied)
    ran = run("attack", clip, "--target", "open the door")
    assert ran.status == 4
    assert ran.err.splitlines()[-1] == "error: weights: Permission denied"


@pytest.mark.parametrize(("chosen", "threads"), [(None, "3"), ("7", "7")])
def test_torch_gets_the_processors_that_may_be_used_unless_a_user_chose(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, threads: str
) -> None:
    monkeypatch.setattr(cli.entry, "processors", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", chosen or "")
    if chosen is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        cli.entry.prepare()
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert os.environ["OMP_NUM_THREADS"] == threads


def test_doctor_says_what_was_taken(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mondegreen.doctor.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(mondegreen.doctor, "affinity", lambda: 8)
    monkeypatch.setattr(mondegreen.doctor, "processors", lambda: 2)
    ran = run("doctor")
    assert "2 of 64 processors may be used: 8 by CPU affinity, 2 with the container" in ran.out


@pytest.mark.parametrize("command", ["transcribe", "threshold"])
def test_a_missing_file_exits_with_2(run, monkeypatch, tmp_path: Path, command: str) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: toy.linear_victim())
    ran = run(command, tmp_path / "missing.wav")
    assert ran.status == 2
    assert "No such file" in ran.err


def test_transcribe_goes_on_after_a_file_that_cannot_be_read(
    run, monkeypatch, clip: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: toy.linear_victim())
    ran = run("transcribe", tmp_path / "missing.wav", clip)
    assert ran.status == 2
    assert "missing.wav cannot be opened (No such file" in ran.err
    assert ran.out == f"{clip}: Nothing at all.\n"


def test_transcribe_goes_on_after_a_file_that_cannot_be_heard(
    run, monkeypatch, clip: Path, tmp_path: Path
) -> None:
    def shorter(audio: torch.Tensor) -> str:
        if len(audio) > 16_000:
            raise AudioError("the clip lasts too long")
        return "short"

    victim = toy.linear_victim()
    monkeypatch.setattr(victim, "transcribe", shorter)
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: victim)
    save(tmp_path / "long.wav", toy.speech(0, 16_001), 16_000)
    ran = run("transcribe", tmp_path / "long.wav", clip)
    assert (ran.status, ran.out) == (2, f"{clip}: short\n")
    assert f"{tmp_path}/long.wav: the clip lasts too long" in ran.err


def test_transcribe_json(run, monkeypatch, clip: Path) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: toy.linear_victim())
    ran = run("transcribe", clip, "--json")
    assert json.loads(ran.out) == {
        "audio": str(clip),
        "victim": "moonshine-tiny",
        "beams": 1,
        "transcript": "Nothing at all.",
    }


def test_threshold_prints_and_draws(run, clip: Path, tmp_path: Path) -> None:
    ran = run("threshold", clip, "--plot", tmp_path / "t.png", "--json")
    summary = json.loads(ran.out)
    assert summary["frames"] == 1 + (8192 - 2048) // 512
    assert summary["theta_min_db"] < summary["theta_mean_db"] < summary["theta_max_db"]
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    told = run("threshold", clip, "--sample-rate", 8000).out
    assert re.search(r"^sample rate +8,000 Hz$", told, re.M)
    assert re.search(r"^threshold +-?\d+\.\d dB on average, .* loudest bin has 96 dB$", told, re.M)


def test_threshold_takes_every_profile(run, clip: Path) -> None:
    told = [json.loads(run("threshold", clip, "--profile", p, "--json").out) for p in PROFILES]
    assert [summary["profile"] for summary in told] == list(PROFILES)
    mean = {summary["profile"]: summary["theta_mean_db"] for summary in told}
    assert mean["temporal"] > mean["paper"]


def test_threshold_refuses_a_picture_it_cannot_draw(run, clip: Path, tmp_path: Path) -> None:
    ran = run("threshold", clip, "--plot", tmp_path / "t.nonsense")
    assert ran.status == 2
    assert ".png" in ran.err


def test_doctor_finds_a_sound_installation(run) -> None:
    ran = run("doctor", "--json")
    findings = {f["id"]: f for f in map(json.loads, ran.out.splitlines())}
    assert ran.status == 0
    assert {"python", "torch", "moonshine-tiny", "cache", "torchaudio"} <= findings.keys()
    assert all(f["state"] in ("ok", "warning") for f in findings.values())


def test_doctor_finds_a_broken_torchaudio(run, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "torchaudio.py").write_text("raise OSError('libc10_cuda.so is missing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ran = run("doctor")
    assert ran.status == 1
    assert "pip uninstall torchaudio" in " ".join(ran.out.split())
    assert "1 error: mondegreen does not work here until that is mended" in ran.err


# ---- rooms


def test_check_victim_prints_its_table(run, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    victim = load_own("own_victim:victim", torch.device("cpu"), torch.float32)
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: victim)
    ran = run("check-victim", "own_victim:victim")
    assert ran.status == 0
    rows = [line.split()[0] for line in ran.out.splitlines()]
    assert len(rows) == len(CHECKS)
    found = [
        json.loads(line)
        for line in run("check-victim", "own_victim:victim", "--json").out.splitlines()
    ]
    assert [finding["id"] for finding in found] == list(CHECKS)


def test_names_are_printed_as_they_are(run, clip: Path) -> None:
    ran = run("transcribe", clip, "--victim", "nomod:x")
    assert ran.status == 2
    assert "'nomod:x': there is no module nomod in this folder" in ran.err


def test_check_victim_exits_with_1_where_a_check_fails(run, monkeypatch) -> None:
    victim = toy.linear_victim()
    monkeypatch.setattr(victim, "transcribe", lambda audio: str(float(audio.sum())))
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: victim)
    ran = run("check-victim", "toy:linear_victim")
    assert ran.status == 1
    assert "fails" in ran.out
    assert re.search(r"^\d+ checks? failed: attacks on it cannot be believed$", ran.err, re.M)
    assert re.search(r"^note: its name is \S+; call it toy:linear_victim, so", ran.err, re.M)
    assert "note:" not in run("check-victim", "pcm:12>toy:linear_victim").err


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    toy.toy_bank().save(tmp_path / "toy.rooms")
    return tmp_path / "toy.rooms"


def test_rooms_are_made_once_and_shown(run, tmp_path: Path) -> None:
    made = run("rooms", "make", "--out", tmp_path / "b.rooms", "--counts", "3,1,2", "--json")
    assert made.status == 0
    summary = json.loads(made.out)
    assert [summary[s]["responses"] for s in ("attack", "validate", "test")] == [3, 1, 2]
    assert [room["id"] for room in summary["rooms"]["test"]] == ["test-000000", "test-000001"]
    assert all(0.1 < room["rt60"] < 0.5 for room in summary["rooms"]["attack"])
    assert 0.1 < summary["test"]["rt60"]["least"] <= summary["test"]["rt60"]["greatest"] < 0.5
    shown = run("rooms", "show", tmp_path / "b.rooms", "--json", "--plot", tmp_path / "b.png")
    assert json.loads(shown.out) == summary
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    again = run("rooms", "make", "--out", tmp_path / "b.rooms", "--counts", "3,1,3")
    assert again.status == 2
    assert "another bank" in again.err


def test_a_bank_is_not_made_where_a_folder_is(run, tmp_path: Path) -> None:
    ran = run("rooms", "make", "--out", tmp_path, "--counts", "1,1,1")
    assert ran.status == 2
    assert "is a folder" in ran.err


def test_a_recording_is_not_taken_for_a_bank(run, clip: Path) -> None:
    ran = run("rooms", "show", clip)
    assert ran.status == 2
    assert "not a bank of rooms" in ran.err
    assert "elete" not in ran.err  # it is somebody's recording


def test_a_bank_without_a_test_split_is_shown_too(run, tmp_path: Path) -> None:
    toy.toy_bank({"attack": 2}).save(tmp_path / "toy.rooms")
    assert run("rooms", "show", tmp_path / "toy.rooms", "--plot", tmp_path / "b.svg").status == 0
    assert b"<svg" in (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--counts", "3,1"], "three numbers"),
        (["--counts", "a,b,c"], "three numbers"),
        (["--counts", "-1,1,1"], "0 or more"),
        (["--counts", "0,0,0"], "at least one"),
        (["--counts", "1000000000,1,1"], "at most 100,000"),
        (["--preset", "slow"], "slow"),
        (["--from", "nowhere"], "nowhere"),
    ],
)
def test_a_bank_that_cannot_be_made_exits_with_2(
    run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ran = run("rooms", "make", "--out", tmp_path / "b.rooms", *arguments)
    assert ran.status == 2
    assert message in ran.err
    assert not (tmp_path / "b.rooms").exists()


def test_attack_in_rooms_prints_the_rooms_and_the_control(
    run, clip: Path, bank: Path, tmp_path: Path
) -> None:
    ran = run(
        *("attack", clip, "--target", "open the door", "--method", "robust", "--rooms", bank),
        *("--max-passes", "150", "--out", tmp_path / "out"),
    )
    assert ran.status == 0
    assert "test rooms         in paper air: target heard in" in ran.out
    assert "clean, in rooms    target heard in 0 of 10 (0%" in ran.out
    again = run(
        *("attack", clip, "--target", "open the door", "--method", "combined", "--rooms", bank),
        *("--start", tmp_path / "out", "--max-passes", "30", "--out", tmp_path / "quieter"),
        "--json",
    )
    assert json.loads(again.out)["passes"] == 28  # four a step


def test_results_in_rooms_keep_their_bank_and_are_verified_with_it(
    run, monkeypatch: pytest.MonkeyPatch, clip: Path, bank: Path, tmp_path: Path
) -> None:
    """Wherever the bank came from is gone, and the default one is another."""
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: VICTIM)
    other = replace(toy.toy_bank(), key="another")
    monkeypatch.setattr(mondegreen.air.rooms.cached, "default_bank", lambda *_, **__: other)
    how = ("--method", "robust", "--rooms", bank, "--max-passes", "150")
    for clips, out in (([clip], "one"), ([clip, clip], "two")):
        ran = run("attack", *clips, "--target", toy.TARGET, *how, "--out", tmp_path / out)
        assert ran.status == 0
    bank.unlink()
    for folder, claims in (("one", 1), ("two", 2), ("two/clip-2", 1)):
        ran = run("verify", tmp_path / folder)
        assert ran.status == 0, ran.err
        assert re.search(rf"^confirmed +{claims}$", ran.out, re.MULTILINE)
    ran = run("verify", tmp_path / "one", "--rooms", "fast")
    assert ran.status == 2
    assert "proved in another bank of rooms than fast" in ran.err


def test_a_bank_is_named_by_its_preset_too(
    run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def made(rate: int, counts: object = None, on_room: object = None, preset: str = "") -> object:
        asked.append((rate, counts, preset))
        return toy.toy_bank()

    monkeypatch.setattr(mondegreen.air.rooms.cached, "default_bank", made)
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: VICTIM)
    out = ("--method", "robust", "--max-passes", "40", "--out", tmp_path / "out")
    ran = run("attack", clip, "--target", toy.TARGET, "--rooms", "paper", *out)
    assert ran.status in (0, 1)
    ran = run("evaluate", tmp_path / "out", "--rooms", "fast")
    assert asked == [(16_000, None, "paper"), (16_000, None, "fast")]


def test_what_is_not_there_is_no_result_to_evaluate(run, tmp_path: Path) -> None:
    ran = run("evaluate", tmp_path / "nothere")
    assert ran.status == 2
    assert "its record.json, or a recording" in ran.err


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (("there.wav",), "takes no rooms"),
        (("missing.wav", "--method", "robust"), "No such file"),
    ],
)
def test_nothing_is_simulated_for_what_cannot_be_attacked(
    run, clip: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...], told: str
) -> None:
    clip.rename(clip.with_name("there.wav"))
    monkeypatch.chdir(clip.parent)
    monkeypatch.setattr(
        mondegreen.air.rooms.cached, "default_bank", lambda *_, **__: pytest.fail("made")
    )
    ran = run("attack", *how, "--target", toy.TARGET, "--rooms", "paper")
    assert ran.status == 2
    assert told in ran.err


def test_ctrl_c_where_there_is_nothing_to_keep_says_so(
    run, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mondegreen.victims, "load_victim", stopped)
    ran = run("attack", clip, "--target", toy.TARGET)
    assert ran.status == 130
    assert "what was saved before is kept" in ran.err


@pytest.fixture
def toy_demo(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    """The demo on a toy recording, in toy rooms."""
    monkeypatch.setattr(mondegreen.victims.embedded.bundled, "asset", lambda _: clip)
    monkeypatch.setattr(cli.attack, "DEMO_TARGET", toy.TARGET)
    monkeypatch.setattr(cli.attack, "few_rooms", lambda _: toy.toy_bank())


def test_the_demo_goes_from_robust_to_combined(run, toy_demo, tmp_path: Path) -> None:
    ran = run("demo", "--method", "combined", "--out", tmp_path / "out")
    first, second = (
        json.loads((tmp_path / "out" / part / "record.json").read_text()) for part in ("robust", "")
    )
    assert (first["method"], first["passes"]) == ("robust", 600)
    assert (second["method"], second["passes"]) == ("combined", 600)
    assert second["masking"]["loss"] < first["masking"]["loss"]
    assert ran.status == (0 if second["verified"] else 1)
    assert (tmp_path / "out" / "robust" / "picture.png").is_file()


def test_what_the_demo_leaves_in_rooms_is_verified_with_its_bank(
    run, monkeypatch: pytest.MonkeyPatch, toy_demo, tmp_path: Path
) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: VICTIM)
    monkeypatch.setitem(cli.attack.DEMO_STEPS, "robust", [("robust", 150)])
    assert run("demo", "--method", "robust", "--out", tmp_path / "out").status == 0
    ran = run("verify", tmp_path / "out")
    assert ran.status == 0, ran.err
    assert re.search(r"^confirmed +1$", ran.out, re.MULTILINE)


def test_the_demo_stops_where_it_is_stopped(run, monkeypatch, toy_demo, tmp_path: Path) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.progress, "state", stop)
    assert run("demo", "--method", "combined", "--out", tmp_path / "out").status == 1
    saved = [p.parent.name for p in (tmp_path / "out").rglob("record.json")]
    assert saved == ["robust"]


def test_evaluate_counts_the_rooms_of_a_result(
    run, monkeypatch, clip: Path, bank: Path, tmp_path: Path
) -> None:
    victim = toy.linear_victim()
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: victim)
    made = run(
        *("attack", clip, "--target", "open the door", "--method", "robust", "--rooms", bank),
        *("--max-passes", "150", "--out", tmp_path / "out"),
    )
    told = run("evaluate", tmp_path / "out", "--rooms", bank).out
    for printed in (made.out, told):
        assert re.search(r"^how audible +.* to a listener in the median room by", printed, re.M)
        assert re.search(r"^in 10 test rooms +median room, and the worst", printed, re.M)
        assert re.search(r"^  Zimtohrli MOS +4.10, and 4.10 in test-0$", printed, re.M)
    assert re.search(r"^as a file +.* by these yardsticks", made.out, re.M)
    ran = run("evaluate", tmp_path / "out", "--rooms", bank, "--json")
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    seen = json.loads(ran.out)
    assert ran.status == 0
    assert [seen[part] for part in ("rooms", "dry", "clean")] == [
        record[part] for part in ("rooms", "dry", "clean")
    ]
    assert seen["quality_in_rooms"] == record["quality_in_rooms"]
    assert seen["verdict_in_rooms"] == "audible on direct comparison"
    clean = run("evaluate", clip, "--target", "open the door", "--rooms", bank)
    assert clean.status == 1
    assert "test rooms         in paper air: target heard in 0 of 10 (0%" in clean.out


@pytest.mark.parametrize(
    ("target", "status"), [("nothing at all", 0), ("Nothing at all!", 0), ("open the door", 1)]
)
def test_a_recording_is_scored_as_it_is_where_no_rooms_are_wanted(
    run, monkeypatch, clip: Path, target: str, status: int
) -> None:
    def no_bank(*_: object, **__: object) -> None:
        pytest.fail("a bank was made")

    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: VICTIM)
    monkeypatch.setattr(mondegreen.air.rooms.cached, "default_bank", no_bank)
    ran = run("evaluate", clip, "--target", target, "--rooms", "none", "--json")
    seen = json.loads(ran.out)
    assert ran.status == status
    assert (seen["bank"], seen["clean"]) == (None, None)
    assert seen["alone"]["matched"] == (status == 0)
    assert seen["alone"]["transcript"] == "Nothing at all."
    assert "rooms" not in seen
    ran = run("evaluate", clip, "--target", target, "--rooms", "none")
    assert ran.status == status
    assert re.search(r"^the sound +(not )?the target, WER .*: Nothing at all.$", ran.out, re.M)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--target"),
        (["--target", "open the door", "--split", "cellar"], "cellar"),
        (["--target", "open the door", "--rooms", "nowhere.rooms"], "nowhere.rooms"),
    ],
)
def test_evaluate_says_what_is_missing(
    run, monkeypatch, clip: Path, bank: Path, arguments: list[str], message: str
) -> None:
    victim = toy.linear_victim()
    monkeypatch.setattr(mondegreen.victims, "load_recogniser", lambda *_, **__: victim)
    ran = run("evaluate", clip, *([] if "--rooms" in arguments else ["--rooms", bank]), *arguments)
    assert ran.status == 2
    assert message in ran.err


# ---- a process of its own, and the real recogniser


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_best_so_far(clip: Path, tmp_path: Path, number: int) -> None:
    arguments = ("attack", clip, "--victim", "toy_victims:slow", "--target", "open the door")
    process = subprocess.Popen(
        command(*arguments, "--out", tmp_path / "out", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        # a shell starts background jobs deaf to Ctrl-C, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "out").exists() and process.poll() is None:
        time.sleep(0.05)  # the folder is made when all is loaded and the search begins
    time.sleep(1)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    record = json.loads(out)
    verdict = {name: record.pop(name) for name in list(record) if name.startswith("verdict")}
    assert verdict["verdict"]
    assert record["interrupted"] is True
    assert process.returncode == (0 if record["verified"] else 1), err
    kept = json.loads((tmp_path / "out" / "record.json").read_text())
    files = {"adversarial.wav", "delta.safetensors", "levels.safetensors"}
    assert kept["files"].keys() == files
    assert kept == record | {"files": kept["files"]}


@pytest.mark.slow
def test_transcribe_with_the_shipped_model(run, beckett: Path) -> None:
    ran = run("transcribe", beckett, "--victim", "moonshine-tiny-int8", "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["transcript"].lower().startswith("ever tried")


def test_a_passage_is_attacked_and_the_rest_is_kept(run, tmp_path: Path) -> None:
    sound = toy.speech(0, 24_000)
    save(tmp_path / "talk.wav", sound, 16_000)
    cut = "--from", "0.5", "--to", "1.0"
    how = "--method", "carlini-wagner", "--max-passes", "60"
    out = "--out", tmp_path / "out"
    ran = run("attack", tmp_path / "talk.wav", *cut, "--target", toy.TARGET, *how, *out)
    assert ran.status == 0, ran.err
    assert "0.50 s to 1.00 s" in ran.out
    saved = load_audio(tmp_path / "out" / "adversarial.wav", 16_000)
    assert np.array_equal(saved[:8000], sound[:8000].numpy().astype(np.float32))
    assert np.array_equal(saved[16_000:], sound[16_000:].numpy().astype(np.float32))


@pytest.mark.parametrize(
    ("cut", "match"),
    [
        (("--from", "0.4", "--to", "0.2"), "from 0.4 s to 0.2 s, expected one that ends"),
        (("--from", "7"), "from 7 s to the end, and the recording lasts 0.512 s"),
        (("--to", "nan"), "to nan s, expected seconds"),
    ],
)
def test_a_passage_that_is_none(run, clip: Path, cut: tuple[str, ...], match: str) -> None:
    ran = run("attack", clip, *cut, "--target", toy.TARGET)
    assert ran.status == 2
    assert match in " ".join(ran.err.split())
