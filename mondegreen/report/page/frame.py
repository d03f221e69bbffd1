"""Web pages of one file: style and script inside, nothing from a network, no text taken for markup.

A page NAME of a package is three files in its `templates/`: NAME.html, which extends base.html of
this package, NAME.css and NAME.js. Jinja escapes whatever is put in; the page's own policy lets the
browser run that one script and apply that one style, and load nothing but what lies beside it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from mondegreen.errors import OptionError, StorageError

SUFFIXES: Final = (".html", ".htm")  # by which browsers, mail and servers know a page
BESIDE: Final = "'self' file:"  # a page opened from a disk has no origin to be the same as
POLICY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "img-src": f"data: {BESIDE}",
        "media-src": f"data: blob: {BESIDE}",
    }
)

UNREADABLE: Final = re.compile(  # control characters, and halves of surrogate pairs
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
)


def check_name(page: Path) -> None:
    """See that a page can be written where it is to go, before there is any work for it.

    Raises:
        OptionError: its name is not that of a page.
        StorageError: it is a folder, or its folder is not there.
    """
    if page.is_dir():
        raise StorageError(
            f"{page} is a folder. Name the page in it, such as {page / 'report.html'}."
        )
    if page.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{page} is no name of a page: browsers know one by its ending. Name a file that ends"
            f" in .html, such as {page.with_name('report.html')}."
        )
    if not page.resolve().parent.is_dir():
        raise StorageError(f"{page} cannot be written: its folder is not there. Make it first.")


def render(
    package: str,
    name: str,
    allowed: Mapping[str, str] | None = None,
    scripts: Sequence[str] = (),
    **content: Any,
) -> str:
    """A page as HTML; what no file of text may hold is replaced.

    Args:
        package: the package whose `templates/` the page is in.
        name: of the page.
        allowed: what else its policy allows, by directive, such as {"script-src": "'self'"}.
        scripts: names of others of its package that come before its own, in the same element.
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
    """A Content-Security-Policy that knows the page's own style and script by their hashes."""
    rules = {**POLICY, "style-src": _hash(style), "script-src": _hash(script)}
    for directive, source in allowed.items():
        rules[directive] = f"{rules.get(directive, '')} {source}".strip()
    return "; ".join(f"{directive} {sources}" for directive, sources in rules.items())


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
