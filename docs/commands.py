"""Write commands.md: what every command prints for `--help`. `make docs` runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typer import Context
from typer.core import TyperGroup
from typer.main import get_group
from typer.testing import CliRunner

from mondegreen.cli import app

HEAD = "# Commands\n\nWhat `--help` prints; a test compares this page with it.\n"
PLAIN = {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb"}


def commands(group: TyperGroup, name: str = "") -> Iterator[str]:
    """The names of all commands, a group before those in it, in the order of its help."""
    yield name
    for inner in group.list_commands(Context(group)):
        whole, command = f"{name} {inner}".strip(), group.commands[inner]
        yield from commands(command, whole) if isinstance(command, TyperGroup) else [whole]


def section(command: str) -> str:
    """A command's part of the page."""
    ran = CliRunner(env=PLAIN).invoke(app, [*command.split(), "--help"], prog_name="mondegreen")
    lines = "\n".join(map(str.rstrip, ran.stdout.strip().splitlines()))
    return f"## {f'mondegreen {command}'.strip()}\n\n```\n{lines}\n```\n"


if __name__ == "__main__":
    page = "\n".join([HEAD, *map(section, commands(get_group(app)))])
    Path(__file__).with_name("commands.md").write_text(page, encoding="utf-8")
