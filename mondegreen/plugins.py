"""What other packages add: recognisers, links, yardsticks and engines, found by their entry points.

A package names what it adds in its metadata, as in `[project.entry-points."mondegreen.victims"]`
with `my-asr = "my_package:my_asr"`; once it is installed, the name works wherever such a name does.
Nothing of a package is imported before its name is asked for. What comes with mondegreen cannot be
replaced: its names come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from mondegreen.errors import OptionError

VICTIMS: Final = "mondegreen.victims"  # functions of device and dtype that return a recogniser
DEFENCES: Final = "mondegreen.defences"  # subclasses of `Link`, or functions of a sound, its rate
METRICS: Final = "mondegreen.metrics"  # functions of a clean clip, a changed one, their rate
ENGINES: Final = "mondegreen.engines"  # classes with the members of `runs.engines.base.Engine`


@dataclass(frozen=True)
class Plugin:
    """Something that an installed package adds."""

    name: str
    spec: str  # where it is: module:name
    package: str
    version: str

    @property
    def origin(self) -> str:
        """The package that it comes with, and its version."""
        return f"{self.package} {self.version}"


@cache
def plugins(group: str) -> Mapping[str, Plugin]:
    """What is installed of a group, by name.

    Raises:
        OptionError: two packages give the same name to different things.
    """
    from importlib.metadata import entry_points  # which `--help` does without

    found: dict[str, Plugin] = {}
    for point in entry_points(group=group):
        package = point.dist
        told = (package.name, package.version) if package else ("unknown", "unknown")
        plugin = Plugin(point.name, point.value.replace(" ", ""), *told)
        other = found.setdefault(point.name, plugin)
        if other.spec != plugin.spec:
            raise OptionError(
                f"Two installed packages have a {group} {point.name!r}: {other.origin} and"
                f" {plugin.origin}. Uninstall one of them."
            )
    return found
