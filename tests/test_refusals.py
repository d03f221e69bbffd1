"""What is refused before torch, a recogniser or matplotlib is loaded; help needs none of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy import speech

from mondegreen.audio.pcm import save
from mondegreen.cli.refusals import check_place
from mondegreen.errors import StorageError

HEAVY = ("torch", "transformers", "matplotlib", "onnxruntime", "scipy")
EACH = """
import contextlib, io, json, sys
from mondegreen.cli import main
for line in json.loads(sys.stdin.read()):
    sys.argv = ["mondegreen", *line]
    out, err, status = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
    loaded = sorted({heavy} & sys.modules.keys())
    print(json.dumps([status, loaded, out.getvalue() + err.getvalue()]))
"""


def told(lines: list[list[str]]) -> list[tuple[int, list[str], str]]:
    """Status, heavy modules and text of command lines, one after the other in one process."""
    code = EACH.replace("{heavy}", repr(set(HEAVY)))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


def test_what_was_mistyped_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    clip, torn, missing = (str(tmp_path / name) for name in ("clip.wav", "torn.wav", "missing"))
    save(clip, speech(), 16_000)
    Path(torn).write_bytes(Path(clip).read_bytes()[:100])
    (tmp_path / "empty").mkdir()
    text, mistyped = str(tmp_path / "text.txt"), ["--through", "telehpone"]
    Path(text).write_text("no sound")
    phrase = ["--target", "open the door"]
    lines = {
        ("attack", missing, *phrase): "No such file",
        ("attack", clip, torn, *phrase): "torn.wav",
        ("attack", str(tmp_path), *phrase): "is a folder",
        ("attack", clip, "--target", "?!"): "no words",
        (
            "attack",
            clip,
            *phrase,
            "--rooms",
            missing,
            "--method",
            "robust",
        ): "does not exist, or is not a file",
        ("attack", clip, *phrase, "--rooms", "fast"): "takes no rooms",
        ("attack", clip, *phrase, "--start", missing): "missing does not exist",
        ("attack", clip, *phrase, "--threads", "1000000000"): "1024",
        ("attack", clip, *phrase, "--threads", "1024"): "processors",
        ("transcribe", missing): "No such file",
        ("transcribe", clip, "--beams", "1000000000"): "100",
        ("threshold", missing): "No such file",
        ("threshold", clip, "--plot", "t.nonsense"): ".png",
        ("threshold", clip, "--profile", "guess"): "guess",
        ("evaluate", missing): "its record.json, or a recording",
        ("evaluate", clip): "--target",
        ("evaluate", text): "text.txt cannot be read as audio",
        ("evaluate", clip, *phrase, "--with", "moonshine"): "moonshine-tiny or moonshine-tiny-ctc?",
        (
            "check-victim",
            "boom",
        ): "There is no recogniser 'boom'. Expected one that `mondegreen list`",
        ("check-victim", "vosk"): "did you mean vosk:FOLDER?",
        ("check-victim", "moonshin-tiny"): "did you mean moonshine-tiny",
        ("check-victim", "tunes:f"): "no module tunes in this folder",
        ("transcribe", clip, *mistyped): "did you mean telephone?",
        ("attack", clip, *phrase, *mistyped): "did you mean telephone?",
        ("verify", str(tmp_path), *mistyped): "no results",
        ("run", str(tmp_path), "--out", "out", *phrase, *mistyped): "did you mean telephone?",
        ("suite", "run", "quick", "--out", "out", *mistyped): "did you mean telephone?",
        ("air", "score", clip, "--of", clip, *mistyped): "did you mean telephone?",
        ("defend", str(tmp_path), "--out", "out", "--with", "opsu:24"): "did you mean opus?",
        ("defend", str(tmp_path), "--out", "out", "--with", "temporl"): "did you mean temporal?",
        ("defend", str(tmp_path), "--out", "out", "--victim", "boom"): "no recogniser 'boom'",
        ("suite", "make"): "Missing argument 'path': The file to write, such as ours.suite.",
        ("gate", missing): "Missing option '--below': A clip counts if it is attackable",
        ("gate", missing, "--below", "margin:0", "--allow", "5%"): f"{missing} does not exist",
        ("evaluate", clip, *phrase, "--rooms", missing): "does not exist, or is not a file",
        ("evaluate", str(tmp_path / "empty")): "is not a result",
        ("verify", missing): "missing does not exist",
        ("verify", str(tmp_path / "empty")): "no results",
        ("sanity", missing): "missing does not exist",
        ("run", missing, "--out", str(tmp_path / "run"), *phrase): "missing",
        ("run", clip, "--out", str(tmp_path / "run"), "--workers", "1000000000"): "1024",
        ("rooms", "make", "--out", missing, "--counts", "3,1"): "three numbers",
        ("rooms", "make", "--out", missing, "--preset", "slow"): "slow",
        ("rooms", "show", missing): "does not exist, or is not a file",
        ("report", missing): "missing does not exist",
        ("plot", missing, "--out", "p.nonsense"): ".png",
        ("summary", missing): "missing does not exist",
        ("listen", "serve", missing): "missing",
    }
    for (line, message), (status, loaded, text) in zip(
        lines.items(), told([list(line) for line in lines]), strict=True
    ):
        assert (status, loaded) == (2, []), (line, text)
        assert message in " ".join(text.split()), line
        assert "Traceback" not in text


def test_help_and_a_folder_that_cannot_be_made_need_nothing_heavy(tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    clip = str(tmp_path / "clip.wav")
    commands = ["attack", "run", "verify", "evaluate", "sanity", "report", "demo", "doctor"]
    lines = [["--help"], *([command, "--help"] for command in commands)]
    within = ["attack", clip, "--target", "open the door", "--out", f"{clip}/within"]
    *helped, refused = told([*lines, within])
    assert [(status, loaded) for status, loaded, _ in helped] == [(0, [])] * len(lines)
    assert (refused[0], refused[1]) == (4, [])
    assert "is not a folder" in refused[2]


def test_numpy_is_not_loaded_for_help() -> None:
    code = "import sys; from mondegreen.cli import main; sys.argv = ['mondegreen', '--help']"
    check = "assert not {'numpy', 'soundfile', 'jiwer', 'jinja2'} & sys.modules.keys()"
    ran = f"{code}\ntry:\n    main()\nexcept SystemExit:\n    {check}"
    subprocess.run([sys.executable, "-c", ran], check=True, stdout=subprocess.DEVNULL)


def test_a_place_may_be_a_folder_or_what_can_be_made(tmp_path: Path) -> None:
    check_place(tmp_path)
    check_place(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is not a folder"):
        check_place(tmp_path / "file" / "b")
