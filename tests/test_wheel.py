"""The wheel holds the whole package, and what its README shows works with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    subprocess.run(pip, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
def test_nothing_of_the_package_is_left_out(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mondegreen").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == there


@pytest.mark.slow
def test_the_readme_s_lines_run_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    here = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", here, wheel]
    subprocess.run(pip, check=True, capture_output=True)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall("```python\n(.*?)```", readme, re.S)
    fewer = lines.replace("max_passes=150", "max_passes=30")
    assert fewer != lines
    check = "import mondegreen; print(mondegreen.__file__, result.verified)"
    ran = subprocess.run(
        [sys.executable, "-c", f"{fewer}\n{check}"],
        env=os.environ | {"PYTHONPATH": str(here)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    where, verified = ran.stdout.split()[-2:]
    assert Path(where).is_relative_to(here)
    assert verified == "True"
    assert (tmp_path / "result" / "record.json").is_file()
    heard = subprocess.run(  # all of the saved file, as anybody would check it
        [sys.executable, "-m", "mondegreen", "transcribe", "result/adversarial.wav"],
        env=os.environ | {"PYTHONPATH": str(here)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert heard.stdout == "result/adversarial.wav: Good evening everyone.\n"
