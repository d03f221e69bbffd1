"""The pipelines in `examples/ci`: valid, without what a linter warns of, and of flags there are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_group

from mondegreen.cli import app

EXAMPLES = Path(__file__).parents[1] / "examples" / "ci"
GITHUB, GITLAB = EXAMPLES / "github-workflow.yml", EXAMPLES / "gitlab-job.yml"
FOR_GITLAB = ("--data-transform", "gitlab-ci")
# GitHub's own actions may be named by their versions
RULES = """\
rules:
  unpinned-uses:
    config:
      policies:
        actions/*: ref-pin
        github/*: ref-pin
"""


def checked(path: Path, schema: str, *options: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    return subprocess.run([*command, *options, path], capture_output=True, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "schema", "options", "wrong"),
    [
        (GITHUB, "github-workflows", (), ("runs-on:", "run-on:")),
        (GITLAB, "gitlab-ci", FOR_GITLAB, ("when: always", "when: ever")),
    ],
)
def test_they_are_valid(
    tmp_path: Path, path: Path, schema: str, options: tuple[str, ...], wrong: tuple[str, str]
) -> None:
    ran = checked(path, schema, *options)
    assert ran.returncode == 0, ran.stdout
    broken = tmp_path / path.name
    broken.write_text(path.read_text("utf-8").replace(*wrong), encoding="utf-8")
    assert checked(broken, schema, *options).returncode == 1


def test_the_linter_for_workflows_has_nothing_to_say(tmp_path: Path) -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    zizmor = shutil.which("zizmor", path=beside)
    if zizmor is None:
        pytest.skip("zizmor is not installed")
    (tmp_path / "zizmor.yml").write_text(RULES, encoding="utf-8")
    command = [zizmor, "--offline", "--quiet", "--config", tmp_path / "zizmor.yml"]
    assert subprocess.run([*command, GITHUB]).returncode == 0
    careless = tmp_path / "careless.yml"
    text = GITHUB.read_text("utf-8").replace("persist-credentials: false", "")
    careless.write_text(text.replace("github.ref", "github.head_ref"), encoding="utf-8")
    assert subprocess.run([*command, careless], stdout=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.stem)
def test_their_commands_and_flags_are_there(path: Path) -> None:
    text = re.sub(r"\n\s+--", " --", path.read_text("utf-8"))
    calls = [shlex.split(call) for call in re.findall(r"(?<!install )\bmondegreen (\w.*)", text)]
    assert [call[0] for call in calls] == ["suite", "gate"]
    for words in calls:
        command: Any = get_group(app)
        while words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.stem)
def test_what_they_hand_on_is_what_the_gate_writes(path: Path) -> None:
    written = re.findall(r"--(?:junit|sarif|markdown) (\S+)", path.read_text("utf-8"))
    assert written == ["gate.xml", "gate.sarif", "gate.md"]
    for name in written:
        assert path.read_text("utf-8").count(name) >= 2, name
