"""What is installed, what it is for, and where it comes from: list."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, NamedTuple

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.output import print_json, print_table
from mondegreen.names import EARS, EMBEDDED, ONLY_JUDGE, STORED

ATTACKED, JUDGES = "attack, judge", "judge only"
UNKNOWN: Final = "see check-victim"  # of a package's recogniser, before it is loaded


class Installed(NamedTuple):
    """Something that can be named on the command line."""

    name: str
    kind: str
    use: str  # what it can be named for
    origin: str  # the package that it comes with


@app.command("list", epilog=Examples + "mondegreen list\n\nmondegreen list --json")
def list_installed(as_json: AsJson = False) -> None:
    """List recognisers, links, yardsticks and engines, their use, and their packages.

    A recogniser that only judges has no gradient: it can check an attack, but not be attacked.
    Other packages can add to the list: see docs/plugins.md.
    """
    rows = list(_installed())
    if as_json:
        for row in rows:
            print_json(row._asdict())
        return
    shown = [[one.name, f"{one.kind}: {one.use}", one.origin] for one in rows]
    print_table(["name", "what for", "comes with"], shown)


def _installed() -> Iterator[Installed]:
    from mondegreen.chain.catalogue import entries
    from mondegreen.plugins import DEFENCES, ENGINES, METRICS, VICTIMS, plugins
    from mondegreen.results.prices import YARDSTICKS

    judges = {
        name: JUDGES if name in ONLY_JUDGE else ATTACKED for name in (*EMBEDDED, *STORED, *EARS)
    }
    own: dict[str, tuple[dict[str, str], str, str]] = {
        "recogniser": (judges, VICTIMS, UNKNOWN),
        "link": ({entry.form: "--through" for entry in entries()}, DEFENCES, "--through"),
        "yardstick": (dict.fromkeys(YARDSTICKS, "prices: --by"), METRICS, "in every record"),
        "engine": (dict.fromkeys(("local", "ray"), "run --engine"), ENGINES, "run --engine"),
    }
    for kind, (uses, group, theirs) in own.items():
        for name, use in uses.items():
            yield Installed(name, kind, use, f"mondegreen {version('mondegreen')}")
        for plugin in plugins(group).values():
            yield Installed(plugin.name, kind, theirs, plugin.origin)
