"""What is installed, and where it comes from: list."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from mondegreen.cli.app import AsJson, Examples, app
from mondegreen.cli.output import print_json, print_table


@app.command("list", epilog=Examples + "mondegreen list\n\nmondegreen list --json")
def list_installed(as_json: AsJson = False) -> None:
    """List recognisers, links, yardsticks and engines, and the packages that they come from.

    Other packages can add some: see docs/plugins.md.
    """
    rows = list(_installed())
    if as_json:
        for kind, name, origin in rows:
            print_json({"kind": kind, "name": name, "origin": origin})
        return
    print_table(["name", "kind", "comes with"], [[name, kind, by] for kind, name, by in rows])


def _installed() -> Iterator[tuple[str, str, str]]:
    from mondegreen.chain.catalogue import entries
    from mondegreen.plugins import DEFENCES, ENGINES, METRICS, VICTIMS, plugins
    from mondegreen.results.prices import YARDSTICKS
    from mondegreen.victims.ears import EARS
    from mondegreen.victims.embedded import NAMES

    own = {
        "recogniser": ((*NAMES, *EARS), VICTIMS),
        "link": ([entry.form for entry in entries()], DEFENCES),
        "yardstick": (YARDSTICKS, METRICS),
        "engine": (("local", "ray"), ENGINES),
    }
    for kind, (names, group) in own.items():
        for name in names:
            yield kind, name, f"mondegreen {version('mondegreen')}"
        for plugin in plugins(group).values():
            yield kind, plugin.name, plugin.origin
