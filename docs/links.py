"""Write links.md: every link there is. `make docs` runs it."""

from __future__ import annotations

from pathlib import Path

from mondegreen.chain.catalogue import Entry, entries

HEAD = """# Links

What a sound can go `--through`: see [through.md](through.md). `mondegreen links` prints the same; a
test compares this page with it. Parameters come after colons, in their order, and may be left out.
*Gradient*: what an attack follows backwards, the link's own, or an approximation
(BPDA): mostly that of the identity, of `gate` that of the gains it had.

| link | what it does | parameters | gradient | source |
|---|---|---|---|---|
"""


def row(entry: Entry) -> str:
    """A link's line of the table."""
    cells = [f"`{entry.form}`", f"{entry.kind}: {entry.what}", " ".join(entry.parameters)]
    cells += [entry.gradient, entry.source]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(row, entries()))


if __name__ == "__main__":
    Path(__file__).with_name("links.md").write_text(page(), encoding="utf-8")
