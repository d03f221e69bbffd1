"""Web pages of one file: style and script inside, nothing from a network, all text escaped.

A page NAME of a package is three files in its `templates/`: NAME.html, which extends base.html of
this package, NAME.css and NAME.js. Jinja escapes the content; the page's own policy lets browsers
run that one script, apply that one style, and load nothing but the files beside it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from mondegreen.errors import OptionError, StorageError
from mondegreen.reading import in_full, is_folder

SUFFIXES: Final = (".html", ".htm")  # by which browsers, mail programs and servers know a page
BESIDE: Final = "'self' file:"  # a page opened from a disk has no origin
POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "img-src": f"data: {BESIDE}",
    "media-src": f"data: blob: {BESIDE}",
}

UNREADABLE: Final = re.compile(  # control characters, and halves of surrogate pairs
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
)


def check_name(page: Path) -> None:
    """Check that a page can be written where it is to go, before any work is done for it.

    Raises:
        OptionError: its name is not that of a page.
        StorageError: it is a folder, or its folder is not there.
    """
    if is_folder(page):
        raise StorageError(
            f"{page} is a folder. Name the page in it, such as {page / 'report.html'}."
        )
    if page.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{page} does not end in .html, by which browsers know a page. Name a file such as"
            f" {page.with_name('report.html')}."
        )
    if not is_folder(in_full(page).parent):
        raise StorageError(f"{page} cannot be written: there is no such folder. Make it first.")


def render(
    package: str,
    name: str,
    allowed: Mapping[str, str] | None = None,
    scripts: Sequence[str] = (),
    **content: Any,
) -> str:
    """A page as HTML; characters that a text file cannot hold are replaced.

    Args:
        package: the package whose `templates/` the page is in.
        name: of the page.
        allowed: what else its policy allows, by directive, such as {"script-src": "'self'"}.
        scripts: scripts of its package that come before its own.
        content: what its template shows.
    """
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("mondegreen.report")])
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = _source(environment, "base.css") + _source(environment, f"{name}.css")
    script = "".join(_source(environment, f"{part}.js") for part in (*scripts, name))
    page = environment.get_template(f"{name}.html").render(
        style=style, script=script, policy=_policy(style, script, allowed or {}), **content
    )
    return UNREADABLE.sub("\ufffd", page)


def _source(environment: Environment, file: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, file)[0]


def _policy(style: str, script: str, allowed: Mapping[str, str]) -> str:
    """A Content-Security-Policy that allows the page's own style and script, by their hashes."""
    rules = {**POLICY, "style-src": _hash(style), "script-src": _hash(script)}
    for directive, source in allowed.items():
        rules[directive] = f"{rules.get(directive, '')} {source}".strip()
    return "; ".join(f"{directive} {sources}" for directive, sources in rules.items())


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
