"""Defences put to the test, one after another, each in three ways.

    FOLDER/without/          a run without a defence, unless one was given
           behind/DEFENCE/   a run of the attack that knows of it
           heard/, checks/   what was heard behind it, and whether its row can be believed
           defend.json, .csv the table

A part that is there is not done again: the same command resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mondegreen.defending.defence import Defence
from mondegreen.defending.hearing import Hearing, listen
from mondegreen.defending.row import Evidence, Row, row
from mondegreen.errors import MondegreenError, OptionError, VictimError
from mondegreen.files import as_json, write_whole
from mondegreen.findings import Finding
from mondegreen.judging import checks
from mondegreen.judging.sanity import examine
from mondegreen.reading import is_file
from mondegreen.results.folder import (
    CLIPS,
    CONFIG,
    ITEMS,
    hash_of,
    is_run,
    item_folders,
    read_object,
)
from mondegreen.results.item import read_record
from mondegreen.results.record import Record, typed
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.runs.manifest import check_same
from mondegreen.runs.plan import read_rows
from mondegreen.runs.run import Tally, run
from mondegreen.victims import load_recogniser, load_victim

WITHOUT, BEHIND, HEARD, CHECKS = "without", "behind", "heard", "checks"
BELIEVED_BY: Final = (  # a row that fails one of these is not evaluated
    checks.GRADIENT_ZERO,
    checks.GRADIENT_NOT_FINITE,
    checks.TRANSFER_WINS,
    checks.UNBOUNDED_FAILS,
    checks.PASSES_DO_NOT_HELP,
)
OnWork = Callable[[str, int, int], object]
OnTally = Callable[[Tally], object]


@dataclass(frozen=True)
class Trial:
    """Defences that are put to the test on the clips of a run."""

    folder: Path
    config: RunConfig  # of the run without a defence
    without: Path  # its folder
    defences: Sequence[Defence]
    sample: int  # clips that the checks which attack again draw

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader of the table has to know."""
        return {
            "recogniser": self.config.victim,
            "clips": self.config.clips,
            "method": self.config.method,
            "preset": self.config.preset,
            "passes": self.config.max_passes,
            "mondegreen": version("mondegreen"),
        }

    def config_of(self, defence: Defence) -> RunConfig:
        """The run of the attack that knows of a defence."""
        return self.config.model_copy(update={"victim": defence.opponent(self.config.victim)})

    def behind(self, defence: Defence) -> Path:
        """The folder of that run."""
        return self.folder / BEHIND / defence.slug


def plan(
    source: str,
    flags: Mapping[str, Any],
    specs: Sequence[str],
    folder: Path,
    sample: int,
    on_missing: Callable[[str], object] | None = None,
) -> Trial:
    """What is to be done.

    Args:
        source: the folder of a finished run without a defence, whose clips and options are taken;
            or clips, as for a run.
        flags: fields of `RunConfig` that were given.
        specs: the defences' names.
        folder: where everything goes.
        sample: see `Trial`.
        on_missing: called with what a defence lacks, which is then left out; None: it is an error.

    Raises:
        OptionError: a defence or an option is not offered; the run was behind something already.
        VictimError: the recogniser, or what a defence needs, is not there.
    """
    given = Path(source)
    if is_run(given):
        config, without = read_config(given / CONFIG, flags), given
    else:
        config, without = read_config(None, {**flags, "clips": source}), folder / WITHOUT
    rate = load_recogniser(config.victim, device="cpu").sample_rate
    defences: dict[str, Defence] = {}
    for spec in specs:
        try:
            one = Defence.of(spec, rate)
        except VictimError as error:
            if on_missing is None:
                raise
            on_missing(f"{spec} is left out: {error}")
        else:
            defences[one.spec] = one
    return Trial(folder, config, without, list(defences.values()), sample)


def defend(trial: Trial, on_work: OnWork, on_run: Callable[[str], OnTally]) -> Iterator[Row]:
    """Put defences to the test, and yield the row of each as it is done.

    Args:
        trial: what is to be done.
        on_work: called with what is being done, how much of it, and of how much.
        on_run: called with the name of a run before it begins; what it returns gets the tallies.

    Raises:
        Stopped: a run was asked to stop; the same call resumes.
        MondegreenError: as `mondegreen.runs.run.run`.
    """
    if trial.without == trial.folder / WITHOUT:
        _attack(trial.config, trial.without, "without a defence", on_work, on_run)
    before = records(trial.without)
    if not before:
        raise OptionError(f"{trial.without} has no results to put a defence to the test on.")
    for name in (BEHIND, HEARD, CHECKS):
        (trial.folder / name).mkdir(parents=True, exist_ok=True)
    for defence in trial.defences:
        yield _row(trial, defence, before, on_work, on_run)


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """A run was asked to stop."""


def _row(
    trial: Trial,
    defence: Defence,
    before: Sequence[Record],
    on_work: OnWork,
    on_run: Callable[[str], OnTally],
) -> Row:
    behind, place = trial.behind(defence), trial.folder / HEARD
    hears = load_recogniser(defence.before(trial.config.victim), device=trial.config.device)
    say = partial(on_work, f"{defence.spec}: listening")
    # first, because what cannot hear anything is known in seconds
    heard = listen(trial.without, hears, defence, place / f"{defence.slug}.json", say)
    _attack(trial.config_of(defence), behind, defence.spec, on_work, on_run)
    anew = Hearing({}, hears.name, ())
    if defence.random or defence.detector:
        anew = listen(behind, hears, defence, place / f"{defence.slug}-adaptive.json", say)
    return row(
        Evidence(
            defence=defence,
            heard=heard.heard,
            before=before,
            adaptive=records(behind),
            heard_adaptive=anew.heard,
            clips=len(read_rows(behind)),
            findings=_findings(trial, defence, on_work),
        )
    )


def _attack(
    config: RunConfig, folder: Path, name: str, on_work: OnWork, on_run: Callable[[str], OnTally]
) -> None:
    """Run an attack to its end; one that is there already needs no workers to say so."""
    if is_run(folder):
        check_same(folder, config)
        if all((folder / ITEMS / row.key).is_dir() for row in read_rows(folder)):
            return
    tally = run(config, folder, on_work=partial(_named, on_work, name), on_tally=on_run(name))
    if tally.done < tally.clips:
        raise Stopped


def _named(on_work: OnWork, name: str, what: str, done: int, total: int) -> None:
    on_work(f"{name}: {what}", done, total)


def records(folder: Path) -> list[Record]:
    """The records of a folder's results that can be read."""
    found = []
    for item in item_folders(folder):
        with suppress(MondegreenError):
            found.append(read_record(item))
    return found


@dataclass(frozen=True)
class _Checked:
    """What the checks found, and of what."""

    of: str  # the hash of the run's list of clips with their results
    findings: tuple[Finding, ...]


def _findings(trial: Trial, defence: Defence, on_work: OnWork) -> tuple[Finding, ...]:
    """Whether a row can be believed: checks of the attack that knows of the defence."""
    behind, kept = trial.behind(defence), trial.folder / CHECKS / f"{defence.slug}.json"
    of = hash_of(behind / CLIPS)
    if is_file(kept):
        with suppress(MondegreenError):
            known = typed(_Checked, read_object(kept))
            if known.of == of:
                return known.findings
    if not item_folders(behind):
        return ()
    victim = load_victim(defence.opponent(trial.config.victim), device=trial.config.device)
    found = tuple(
        examine(
            behind,
            victim,
            transfers=[trial.without],
            sample=trial.sample,
            only=BELIEVED_BY,
            on_work=lambda what, done, of: on_work(f"{defence.spec}: {what}", done, of),
        )
    )
    write_whole(kept, as_json(asdict(_Checked(of, found))))
    return found
