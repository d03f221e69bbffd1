"""Pages of one file: what is put in stays text, and the policy knows the script and the style."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from mondegreen import MondegreenError
from mondegreen.report.page.frame import POLICY, check_name, render

TEMPLATE = """{% extends "base.html" %}
{% block title %}{{ title }}{% endblock %}
{% block body %}<p title="{{ title }}">{{ title }}</p>{% endblock %}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A package with one page of its own, whose script is in two files."""
    folder = tmp_path_factory.mktemp("packages") / "own_pages"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "templates/own.html").write_text(TEMPLATE)
    (folder / "templates/own.css").write_text("p { color: red }\n")
    (folder / "templates/first.js").write_text('"use strict";\n')
    (folder / "templates/own.js").write_text("done(1 < 2 && 3);\n")
    sys.path.insert(0, str(folder.parent))
    return folder.name


def inside(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
    assert found is not None
    return found[1]


def policy(page: str) -> dict[str, list[str]]:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    rules = (rule.split() for rule in html.unescape(found[1]).split(";"))
    return {name: sources for name, *sources in rules}


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_script_and_style_are_inside_and_known_by_their_hashes(package: str) -> None:
    page = render(package, "own", scripts=["first"], title="a page")
    assert inside(page, "script") == '"use strict";\ndone(1 < 2 && 3);\n'
    assert inside(page, "style").endswith("p { color: red }\n")
    rules = policy(page)
    assert rules["script-src"] == [sha256(inside(page, "script"))]
    assert rules["style-src"] == [sha256(inside(page, "style"))]


def test_nothing_else_is_allowed(package: str) -> None:
    rules = policy(render(package, "own", title="a page"))
    assert rules["default-src"] == ["'none'"]
    assert rules.keys() == {*POLICY, "script-src", "style-src"}
    assert not any("unsafe" in source or "http" in source for s in rules.values() for source in s)


def test_a_page_may_allow_more_of_one_kind(package: str) -> None:
    plain = policy(render(package, "own", title="a page"))
    more = policy(
        render(package, "own", {"script-src": "'self'", "connect-src": "'self'"}, title="")
    )
    assert more["script-src"] == [*plain["script-src"], "'self'"]
    assert more["connect-src"] == ["'self'"]
    assert more["default-src"] == ["'none'"]


@given(st.text())
def test_text_stays_text(package: str, text: str) -> None:
    page = render(package, "own", title=text)
    shown = re.search(r'<p title="([^"]*)">([^<]*)</p>', page)
    assert shown is not None
    assert shown[1] == shown[2]
    readable = "".join(c if c in "\t\n\r" or ord(c) >= 32 else "\ufffd" for c in text)
    readable = re.sub("[\x7f-\x9f]", "\ufffd", readable)
    assert html.unescape(shown[1]) == readable


def test_what_no_file_of_text_may_hold_is_replaced(package: str) -> None:
    page = render(package, "own", title="a\x00b\ud800c\x1b[31m")
    assert "a\ufffdb\ufffdc\ufffd[31m" in page
    page.encode("utf-8")


def test_what_is_forgotten_is_an_error(package: str) -> None:
    with pytest.raises(UndefinedError):
        render(package, "own")


def test_the_frame_itself_is_a_page_in_english_for_any_screen() -> None:
    base = (Path(__file__).parents[1] / "mondegreen/report/templates/base.html").read_text()
    assert '<html lang="en">' in base
    assert "width=device-width" in base


@pytest.mark.parametrize("name", ["page.html", "page.HTML", "page.htm", "run-1.2.html"])
def test_a_page_is_named_as_browsers_know_it(name: str, tmp_path: Path) -> None:
    check_name(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("page.txt", r"page\.txt does not end in \.html.* such as .*report\.html"),
        ("page", r"does not end in \.html"),
        ("run-1.2", r"does not end in \.html"),
        (".html", r"does not end in \.html"),
        ("", r"is a folder\. Name the page in it"),
        ("none/page.html", "there is no such folder"),
    ],
)
def test_what_is_no_page_is_told_what_to_give(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match=reason):
        check_name(tmp_path / name)
