"""What is printed, and what becomes of it where it cannot be."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from mondegreen.cli.console import Printer, visible

CLEAR, TITLE = "\x1b[2J", "\x1b]0;owned\x07"
HOSTILE = [CLEAR, TITLE, "\x07", "\r", "\x7f", "\x9b2J", "\u202egpj", "\u2066x", "\u2028", "\udce9"]


def printer() -> Printer:
    """A console that takes its file for a terminal of 200 columns."""
    return Printer(
        file=io.StringIO(), force_terminal=True, width=200, soft_wrap=True, color_system="truecolor"
    )


def printed(console: Printer) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202ewav.exe", r"\u202ewav.exe"),
        ("caf\udce9.wav", r"caf\xe9.wav"),  # a byte of a file name
        ("\ud800", r"\ud800"),
        ("naïve ε 東京 שלום\n\tnext", "naïve ε 東京 שלום\n\tnext"),
    ],
)
def test_what_steers_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_way_of_printing_lets_it_through(hostile: str) -> None:
    """Whatever rich itself sends, for colours and bars, it sends as for a harmless text."""

    def everything(text: str) -> str:
        console, table = printer(), Table()
        table.add_column(text)
        table.add_row(text)
        console.print(text, f"[bold]{text}[/]", Text(text), table, markup=True)
        console.print(text, markup=False, highlight=False)
        with Progress(console=console, auto_refresh=False) as bars:
            bars.add_task(text, total=2)
        with console.status(text):
            pass
        try:
            raise ValueError(text)
        except ValueError:
            console.print_exception()
        return printed(console)

    seen = everything(hostile)
    assert visible(hostile) in seen
    assert hostile not in seen.replace("\r", "" if hostile == "\r" else "\r")
    own = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")  # what rich sends for colours and bars
    assert visible(own.sub("", seen)) == own.sub("", seen)


def test_the_guard_would_notice_a_console_of_rich() -> None:
    console = Console(file=(file := io.StringIO()), force_terminal=True)
    console.print(CLEAR, markup=False, highlight=False)
    assert CLEAR in file.getvalue()


# ---- output that cannot be written, in processes of its own


def mondegreen(*arguments: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mondegreen", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **how)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["plot", "--help"]])
def test_a_full_device_exits_with_4_and_a_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = mondegreen(*arguments, stdout=full)
    assert ran.returncode == 4
    assert ran.stderr.count(b"\n") == 1
    assert b"No space left on device" in ran.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_a_pipe_that_nobody_reads_ends_it_quietly(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = mondegreen(*arguments, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_without_stdout_nothing_is_done() -> None:
    ran = mondegreen("--version", preexec_fn=lambda: os.close(1))
    assert ran.returncode == 4
    assert b"stdout is closed" in ran.stderr


def test_progress_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """What is lost on stderr is no result; the status is that of the command."""
    command = [sys.executable, "-m", "mondegreen", "summary", str(tmp_path / "missing")]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, stderr=full, check=False).returncode == 2


def test_what_the_encoding_lacks_is_escaped() -> None:
    code = "from mondegreen.cli.console import out; from mondegreen.cli.entry import prepare;"
    code += "prepare(); out.print('ε 東')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert ran.stdout == b"\\u03b5 \\u6771\n"
