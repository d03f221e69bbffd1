"""The documentation says what the program does."""

from __future__ import annotations

import doctest
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from records import IN_ROOMS
from toy import speech
from typer import TyperException
from typer.main import get_group

from docs.commands import commands, section
from docs.links import page as links_page
from mondegreen.audio.pcm import save
from mondegreen.cli import app, main
from mondegreen.names import EARS, EMBEDDED
from mondegreen.victims.families.checkpoint import families

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS = list(commands(get_group(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_page_shows_the_help(command: str) -> None:
    assert section(command) in PAGE, "run: make docs"


def test_the_page_of_links_has_all_of_them() -> None:
    shown = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    assert shown == links_page(), "run: make docs"


def test_every_command_is_on_the_page_in_the_order_of_its_help() -> None:
    assert re.findall(r"^## (mondegreen.*)$", PAGE, re.M) == [
        f"mondegreen {command}".strip() for command in COMMANDS
    ]
    listed = re.findall(r"^│ ([\w-]+)  ", section("").split("Commands")[-1], re.M)
    assert listed == list(dict.fromkeys(command.split()[0] for command in COMMANDS[1:]))


def test_every_command_answers_a_question() -> None:
    page = (ROOT / "docs" / "which-command.md").read_text(encoding="utf-8")
    assert [c for c in COMMANDS if " " not in c and f"mondegreen {c}" not in page] == []


def test_every_command_has_its_exit_status() -> None:
    page = (ROOT / "docs" / "exit-status.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(r"^\| (`.*?) \|", page, re.M))
    named = re.findall("`([^`]+)`", rows)
    bare = [name for name in named if " --" not in name]
    groups = {command.split()[0] for command in COMMANDS if " " in command}
    assert bare == [command for command in COMMANDS if command and command not in groups]


CALL = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(mondegreen \w.*?)(?:  +#.*)?$", re.M)
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def shown_commands() -> set[str]:
    """The lines of code blocks of the pages that call the program, without their comments."""
    blocks = [block for page in PAGES for block in BLOCK.findall(page.read_text("utf-8"))]
    return {line.strip() for block in blocks for line in CALL.findall(block)}


def mentioned_commands() -> set[str]:
    """Those within a sentence or a table, which may leave out what is clear."""
    texts = [BLOCK.sub("", page.read_text("utf-8")) for page in PAGES]
    return {line for text in texts for line in re.findall(r"`(mondegreen [a-z][^`\n|]*)`", text)}


def found(line: str) -> tuple[Any, list[str]]:
    """The command that a line calls, and the words after its name."""
    _, *words = shlex.split(line)
    command: Any = get_group(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    return command, words


@pytest.mark.parametrize("line", sorted(shown_commands()))
def test_every_command_shown_can_be_typed(line: str) -> None:
    command, words = found(line)
    assert not hasattr(command, "commands"), "there is no such command"
    if "--help" not in words:
        command.make_context(command.name, words)


def test_a_command_that_cannot_be_typed_is_noticed() -> None:
    for line in ("mondegreen defend a-run --with mp3", "mondegreen report a-run --htlm"):
        command, words = found(line)
        with pytest.raises(TyperException):
            command.make_context(command.name, words)


@pytest.mark.parametrize("line", sorted(mentioned_commands()))
def test_every_command_mentioned_has_the_flags_that_it_is_given(line: str) -> None:
    command, words = found(line)
    assert not (words and hasattr(command, "commands")), "there is no such command"
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings that the page of troubles speaks of."""
    folder = tmp_path_factory.mktemp("troubled")
    save(folder / "clip.wav", speech(length=32_000), 16_000)
    save(folder / "silence.wav", 0 * speech(length=32_000), 16_000)
    both = np.stack([channel := speech(length=32_000).numpy(), -channel], axis=1)
    soundfile.write(folder / "swapped.wav", both, 16_000)
    save(folder / "long.wav", speech(length=130 * 8_000), 8_000)
    (folder / "cut.wav").write_bytes((folder / "clip.wav").read_bytes()[:20_000])
    (folder / "talk.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    (folder / "first-run").mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("line", "answer"), re.findall(r"^\$ (.*)\n(error: .*)$", TROUBLE, re.M))
def test_the_page_of_troubles_has_the_messages_that_come(
    line: str,
    answer: str,
    troubled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(troubled)
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == answer


def test_a_word_is_explained_in_one_place() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    users = {word.lower() for word in re.findall("^### (.*)$", glossary, re.M)}
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ours = page.split("## Glossary")[1].split("\n## ")[0]
    developers = set(re.findall(r"^\| ([^|]+) \|", ours, re.M)) - {"word"}
    assert len(users) > 30
    assert len(developers) > 5
    assert users & developers == set()


def test_examples_in_python_come_out_as_shown() -> None:
    tried = [doctest.testfile(str(page), module_relative=False) for page in PAGES]
    assert sum(one.attempted for one in tried) > 0
    assert [one.failed for one in tried] == [0] * len(tried)


def test_the_page_of_numbers_names_fields_of_records() -> None:
    page = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    record = IN_ROOMS.to_json()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    cells = [row[1] for row in rows if len(row) == 4 and row[1].startswith("`")]
    assert len(cells) > 15
    for cell in cells:
        first, *others = re.findall(r"`([a-z0-9_.]+)`", cell)
        inside = first.rpartition(".")[0]
        for name in [first, *(f"{inside}.{other}".lstrip(".") for other in others)]:
            found: Any = record
            for part in name.split("."):
                assert part in found, name
                found = found[part]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [page for folder in ("", "docs", "training") for page in (ROOT / folder).glob("*.md")]
    for page in [*pages, ROOT / "bench" / "fast.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_contributing_names_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+\.(?:py|js|md|html))`", page))
    assert len(named) > 50
    folders = ("mondegreen", "tests", "docs", "bench", "examples", "training")
    files = [*ROOT.iterdir(), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    lost = [name for name in named if not any(str(path).endswith(f"/{name}") for path in files)]
    assert lost == []


def test_nothing_is_left_to_be_filled_in() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        left = re.findall(r"^(?:[A-Z]{3,}|TODO.*|.*\bTBD\b.*)$", page.read_text("utf-8"), re.M)
        assert left == [], page.name


def test_the_victim_shown_is_the_example() -> None:
    page = (ROOT / "docs" / "victims.md").read_text(encoding="utf-8")
    source = (ROOT / "examples" / "own_victim.py").read_text(encoding="utf-8")
    shown = re.search(r"```python\n(import torch.*?)```", page, re.S)
    assert shown is not None
    assert shown[1].strip() in source


def test_every_family_and_ear_is_on_the_page() -> None:
    page = (ROOT / "docs" / "victims.md").read_text(encoding="utf-8")
    for name in [*EMBEDDED, *(ear.split("://")[0] for ear in EARS), *families()]:
        assert name in page, name
