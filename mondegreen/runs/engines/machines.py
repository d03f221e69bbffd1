"""What the machines of a Ray cluster have: mondegreen, and the run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mondegreen.errors import VictimError, first_line
from mondegreen.wording import number_of

LOOK_SECONDS: Final = 120.0  # for a machine to start a process and answer
OURS: Final = version("mondegreen")


def look_around(run: str, mark: Path, needs: Mapping[str, int]) -> list[str]:
    """What to tell the user of the machines that workers may be put on.

    Args:
        run: the run folder.
        mark: a file in it that is nowhere else.
        needs: the resources of a worker, by Ray's names.

    Raises:
        VictimError: some cannot be worked on: they have no mondegreen, or another one.
    """
    answers = list(_asked(mark, needs))
    if faults := [f"{name} {fault}" for name, fault in answers if isinstance(fault, str)]:
        raise VictimError(
            f"{len(faults)} of {number_of(len(answers), 'machine')} of the cluster cannot be worked"
            f" on: {'; '.join(faults)}. Install mondegreen {OURS} with the same extras on each, or"
            " take those out of the cluster."
        )
    if not answers:
        return []
    seeing = [name for name, sees in answers if sees]
    told = f"{run} is seen by {len(seeing)} of {number_of(len(answers), 'machine')}"
    others = "the others are sent what they lack, and their items come back, through Ray"
    return [told if len(seeing) == len(answers) else f"{told}; {others}"]


def _asked(mark: Path, needs: Mapping[str, int]) -> Iterator[tuple[str, bool | str]]:
    """Each machine's name, and whether it sees the file, or what is wrong with it."""
    asked = {}
    for node in ray.nodes():
        resources = node["Resources"]
        if node["Alive"] and all(resources.get(name, 0) >= n for name, n in needs.items()):
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(num_cpus=0, scheduling_strategy=where)(_looker())
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            asked[task.remote(str(mark))] = name
    ready = ray.wait(list(asked), num_returns=len(asked), timeout=LOOK_SECONDS)[0] if asked else []
    for reference, name in asked.items():
        yield name, _answer(reference) if reference in ready else "does not answer"


def _answer(reference: Any) -> bool | str:
    try:
        lacking, found, sees = ray.get(reference)
    except RayError as error:
        return f"does not work ({first_line(error)})"
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    return sees if found == OURS else f"has mondegreen {found}"


def _looker() -> Callable[[str], tuple[list[str], str | None, bool]]:
    """A function that Ray sends as a whole: there may be no mondegreen to find it in."""

    def look(mark: str) -> tuple[list[str], str | None, bool]:
        from importlib.metadata import version
        from importlib.util import find_spec
        from os.path import lexists

        def is_installed(name: str) -> bool:
            try:
                return find_spec(name) is not None
            except ModuleNotFoundError:  # nor what it is a part of
                return False

        # a part of it: of any folder of its name, Python makes a package
        lacking = [name for name in ("mondegreen.errors", "torch") if not is_installed(name)]
        names = [name.partition(".")[0] for name in lacking]
        return names, None if lacking else version("mondegreen"), lexists(mark)

    return look
