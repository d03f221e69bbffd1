"""The Dockerfile, as far as it can be checked without building an image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import dockerfile
import pytest

ROOT = dockerfile.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def of(name: str) -> list[str]:
    return [rest for one, rest in dockerfile.instructions() if one == name]


def test_a_linter_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    linted = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_everything_that_the_package_is_built_from_is_sent_and_nothing_else() -> None:
    project = PROJECT["project"]
    needed = {"pyproject.toml", project["readme"], *project["license-files"]}
    needed |= set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert set(dockerfile.copied()) == needed | {"constraints.txt"}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(dockerfile.copied())


def test_what_it_installs_is_what_was_tested() -> None:
    installs = [rest for rest in of("RUN") if "pip install" in rest]
    assert all(
        rest.count("pip install -c constraints.txt") == rest.count("pip install")
        for rest in installs
    )
    extras = next(rest.partition("=")[2] for rest in of("ARG") if rest.startswith("EXTRAS="))
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    assert ".[$EXTRAS]" in installs[-1]


def test_nobody_in_it_is_root() -> None:
    *_, last = [name for name, _ in dockerfile.instructions() if name in ("USER", "RUN", "COPY")]
    assert last == "USER"
    assert re.fullmatch(r"[1-9]\d*", of("USER")[-1])
    assert of("ENTRYPOINT") == ['["mondegreen"]']


def test_its_steps_are_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pip and a python that only write down what they are asked for."""
    for name in ("pip", "python"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        stand_in = tmp_path / "bin" / name
        stand_in.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n')
        stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("TORCH", "ELSEWHERE")
    image = tmp_path / "image"
    dockerfile.run(image)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        f"python -m venv {image}/opt/mondegreen",
        "pip install -c constraints.txt --extra-index-url ELSEWHERE torch",
        "pip install -c constraints.txt pesq cython numpy setuptools",
        "pip install -c constraints.txt --no-deps --no-build-isolation pesqc2",
        "pip install -c constraints.txt .[rooms]",
    ]
    assert (image / "source" / "mondegreen" / "runs" / "run.py").is_file()
    assert (image / "source" / "LICENSE").is_file()
    assert [path.stat().st_mode & 0o7777 for path in (image / "cache", image / "work")] == [
        0o1777
    ] * 2
