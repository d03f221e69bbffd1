"""All links there are, in words: what `mondegreen links` and the documentation list."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Literal

from mondegreen.chain.link import Link
from mondegreen.chain.names import LINKS


@dataclass(frozen=True)
class Entry:
    """A link in words."""

    form: str  # as a chain names it, each parameter in capitals: "resample:HZ"
    kind: Literal["channel", "defence"]
    what: str  # it does
    parameters: tuple[str, ...]  # each with its meaning, and the value that it has unless given
    gradient: str  # what an attack through it follows
    source: str


def entries() -> list[Entry]:
    """Every link that comes with mondegreen, in the order of the names' table."""
    return [_entry(kind) for kind in LINKS.values()]


def _entry(kind: type[Link]) -> Entry:
    takes = {name: kind.model_fields[name] for name in kind.parameters()}
    return Entry(
        form=":".join([kind.name, *map(str.upper, takes)]),
        kind=kind.kind,
        what=inspect.getdoc(kind).partition("\n\n")[0].replace("\n", " "),  # type: ignore[union-attr]
        parameters=tuple(
            f"{name.upper()}: {field.description} Default: {field.default}."
            for name, field in takes.items()
        ),
        gradient=("its own" if kind.differentiable else "approximate")
        + (", a mean over draws" if kind.random else ""),
        source=kind.source,
    )
