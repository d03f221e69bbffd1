"""The Dockerfile, read; and its steps run in a folder, where there is no daemon to build an image.

`python tests/dockerfile.py FOLDER` installs all of it there, torch included. What changes the
system, apt-get and useradd, is left out. Arguments of the build are taken from the environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = re.compile(r"(?<![\w./:])/(?=(opt|source|cache|work)\b)")  # those of the image
OF_THE_SYSTEM = ("apt-get", "useradd")


def instructions() -> list[tuple[str, str]]:
    """Each with what stands behind it, in one line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [
        (name, rest.strip())
        for name, _, rest in (
            line.partition(" ") for line in lines.replace("\\\n", " ").splitlines() if line
        )
    ]


def copied() -> list[str]:
    """The files and folders of this repository that go into the image."""
    rest = [words for name, words in instructions() if name == "COPY" and "--from" not in words]
    return [source for words in rest for source in words.split()[:-1]]


def run(folder: Path) -> None:
    """Run the steps, with the folders of the image in another one."""
    environment, here = dict(os.environ), folder
    folder.mkdir(parents=True)
    for name, rest in instructions():
        words = FOLDERS.sub(f"{folder}/", rest)
        match name:
            case "WORKDIR":
                here = Path(words)
                here.mkdir(parents=True, exist_ok=True)
            case "ARG":
                environment = dict(_settings(words, environment)) | environment
            case "ENV":
                environment |= dict(_settings(words, environment))
            case "COPY" if "--from" not in rest:
                *sources, to = words.split()
                for source in sources:
                    _copy(ROOT / source, here / to)
            case "RUN" if not rest.startswith(OF_THE_SYSTEM):
                subprocess.run(["sh", "-exc", words], cwd=here, env=environment, check=True)


def _settings(words: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    for word in shlex.split(words):
        name, _, value = word.partition("=")
        yield name, value.replace("$PATH", environment["PATH"])


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, to)


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
