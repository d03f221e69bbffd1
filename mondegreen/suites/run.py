"""Running a suite: an ordinary run over its clips, with its options, in a folder that holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mondegreen.errors import OptionError, StorageError
from mondegreen.files import PART, write_whole
from mondegreen.reading import in_full, is_folder, is_there
from mondegreen.results.folder import SUITE, SUITE_CLIPS
from mondegreen.runs.config import RunConfig
from mondegreen.runs.run import OnWork, Tally, run
from mondegreen.suites.suite import Suite, read_suite, write_suite


def run_suite(
    suite: Suite,
    victim: str,
    out: Path,
    how: dict[str, Any],
    *,
    on_work: OnWork | None = None,
    on_tally: Callable[[Tally], object] | None = None,
) -> Tally:
    """Attack every clip of a suite; the same call again resumes, as with any run.

    A worker has one thread and one clip at a time, however many there are: so the samples, and with
    them the score, do not depend on their number.

    Args:
        suite: of `load_suite`.
        victim: the recogniser.
        out: the folder of the run.
        how: the fields of `RunConfig` that say on what it is run: workers, device.
        on_work: called while recordings and items are read.
        on_tally: called several times a second, as of `mondegreen.runs.run.run`.

    Raises:
        OptionError: the folder is of another suite, or of another run.
        MondegreenError: as `mondegreen.runs.run.run`.
    """
    folder = in_full(out)
    if is_there(folder / SUITE):
        _check_same(suite, folder)
    else:
        _begin(suite, folder)
    write_whole(folder / SUITE_CLIPS, suite.manifest())
    own = suite.options.model_dump()
    config = RunConfig(
        **{"clips": str(folder / SUITE_CLIPS), "victim": victim, "threads": 1, **own, **how}
    )
    return run(config, folder, on_work=on_work, on_tally=on_tally)


def _check_same(suite: Suite, folder: Path) -> None:
    there, asked = read_suite(folder / SUITE).identity, suite.identity
    if there != asked:
        raise OptionError(
            f"{folder} is of the suite {there.name}, version {there.version} ({there.key}), and not"
            f" of {asked.name}, version {asked.version} ({asked.key}). Choose another --out."
        )


def _begin(suite: Suite, folder: Path) -> None:
    """Put the suite into its folder, unless that holds something else."""
    # a killed process may have left something half written
    if is_folder(folder) and any(path.suffix != PART for path in folder.iterdir()):
        raise OptionError(
            f"{folder} is not empty, and holds no run of a suite. Choose another --out."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} could not be made: {error.strerror or error}. Choose another --out."
        ) from error
    write_suite(suite, folder / SUITE)
