"""Messages say what is wrong in the user's terms, not in Python's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mondegreen.errors import MondegreenError, reason
from mondegreen.results.folder import read_clip_list, read_object
from mondegreen.results.item import read_item
from mondegreen.runs.config import read_config
from mondegreen.victims.load import resolve_device


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    return caught.value


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Path("/none/at/all").read_text(), "No such file or directory"),
        (lambda: b"\xff".decode(), "it is not UTF-8 text"),
        (lambda: json.loads('{\n"id":'), "it is not JSON from line 2 on"),
        (lambda: {}["delta"], "it has no delta"),
        (lambda: int("a"), "invalid literal for int() with base 10: 'a'"),
        (lambda: fail(ValueError("\n  the weights\n\nare gone.")), "the weights"),
        (lambda: fail(ValueError("\nmissing:\n - a\n - b")), "missing: - a"),
        (lambda: fail(OSError("\n\nno such model\n")), "no such model"),
        (lambda: fail(RuntimeError(" \n ")), "RuntimeError"),
        (lambda: fail(KeyError()), "it has no such entry"),
    ],
)
def test_a_reason_is_what_a_reader_understands(call: Callable[[], object], said: str) -> None:
    assert reason(raised(call)) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "(No such file or directory)"),
        (b"\xff", "(it is not UTF-8 text)"),
        (b'{"id":', "(it is not JSON from line 1 on)"),
        (b"[]", "(it holds no object)"),
    ],
)
def test_an_object_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    assert f"{path} cannot be read {said}. Expected" in str(raised(lambda: read_object(path)))


@pytest.mark.parametrize("line", ["{", "[]", "\0"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "clips.jsonl"
    path.write_text('{"key": "a"}\n' + line)
    with pytest.raises(MondegreenError, match="line 2 holds no object"):
        list(read_clip_list(tmp_path))


def test_a_folder_without_a_record_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(
        MondegreenError, match=r"is not a result: there is no record\.json\. Expected"
    ):
        read_item(tmp_path)


def test_a_record_that_is_damaged_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{")
    assert str(raised(lambda: read_item(tmp_path))).count("Expected") == 1


def test_a_configuration_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="configuration: No such file"):
        read_config(tmp_path / "none.toml", {})


def test_no_device_of_that_name_says_which_there_are() -> None:
    with pytest.raises(MondegreenError, match="no device is called 'foo'; expected auto, cpu"):
        resolve_device("foo")
