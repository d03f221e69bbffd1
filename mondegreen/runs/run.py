"""A run over a data set: plan, give out, note what comes back; the same call again goes on.

The driver is light: it needs no torch, holds a row a clip, and leaves recordings, recogniser and
results to the workers of its engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.drive import Drive, Tally
from mondegreen.runs.engines.base import Engine, make_engine
from mondegreen.runs.folder import BEGUN, is_run
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import check_same, item_identity, write_manifest
from mondegreen.runs.plan import choose_clips, make_rows, read_rows, with_keys, write_rows

OnWork = Callable[[str, int, int], object]  # what is being done, how much of it, of how much


def run(
    config: RunConfig,
    out: str | Path,
    *,
    force_new: bool = False,
    on_work: OnWork | None = None,
    on_tally: Callable[[Tally], object] | None = None,
) -> Tally:
    """Attack every clip of a data set, and leave a run folder; see `mondegreen.runs.folder`.

    The same call again goes on where an earlier one stopped, however it did. SIGINT and SIGTERM end
    it cleanly: searches under way are written down first; a second one ends it at once.

    Args:
        config: what is run, and how.
        out: the run folder.
        force_new: move an earlier run in that folder aside, and begin another.
        on_work: called while recordings and items are looked at.
        on_tally: called several times a second with the same object, as it changes.

    Raises:
        OptionError: the folder has another run, or an option is outside of what is offered.
        MondegreenError: the clips, the recogniser or the rooms cannot be had; another process
            drives this run; nothing can be written.
    """
    folder = Path(out).resolve()
    _check_folder(folder)
    if force_new and is_run(folder):
        move_aside(folder)
    if is_run(folder):
        check_same(folder, config)
    ledger, on_work = Ledger(folder), on_work or (lambda *_: None)
    with ledger.alone(), _engine(str(folder), config) as engine:
        before = read_rows(folder) if is_run(folder) else []
        clips = choose_clips(config, folder, before)
        found = make_rows(clips, before, partial(on_work, "looking at recordings"))
        on_work("loading the recogniser", 0, 1)
        attacked = engine.open()
        on_work("loading the recogniser", 1, 1)
        if before:
            check_same(folder, config, attacked)
        rows = with_keys(found, item_identity(config, attacked))
        write_rows(folder, rows)
        write_manifest(folder, config, attacked, len(rows))
        finished, complaints = ledger.survey(rows, partial(on_work, "looking at items"))
        drive = Drive(ledger, engine, rows, finished, config.batch)
        drive.tally.notes += complaints
        if before:
            begun = len(list(ledger.searches.iterdir()))
            drive.tally.notes.append(
                f"going on: {len(finished)} finished, {begun} under way, of {drive.tally.clips}"
            )
        drive.tally.workers = engine.staff(attacked, len(drive.todo))
        return drive.run(on_tally or (lambda _: None))


def move_aside(folder: Path) -> Path:
    """Rename a run's folder to the first free name of FOLDER-1, FOLDER-2, ...

    Raises:
        MondegreenError: another process drives that run, or the folder cannot be renamed.
    """
    place = next(p for n in count(1) if not (p := folder.with_name(f"{folder.name}-{n}")).exists())
    with Ledger(folder).alone():
        try:
            return folder.rename(place)
        except OSError as error:
            raise MondegreenError(
                f"{folder} cannot be moved to {place}: {error.strerror}. Choose another --out."
            ) from error


def _check_folder(folder: Path) -> None:
    """See that a folder is a run's, or is none's."""
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file, expected a folder. Choose another --out.")
    if folder.is_dir() and not is_run(folder):
        strange = {path.name for path in folder.iterdir()} - BEGUN
        if strange:
            raise OptionError(
                f"{folder} is not empty and holds no run ({', '.join(sorted(strange)[:3])}, ...)."
                " Choose another --out."
            )


@contextmanager
def _engine(folder: str, config: RunConfig) -> Iterator[Engine]:
    engine = make_engine(folder, config)
    try:
        yield engine
    finally:
        engine.close()
