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
from mondegreen.defending.hearing import Heard, hashes, listen
from mondegreen.defending.row import Evidence, Row, row
from mondegreen.errors import MondegreenError, OptionError, RecogniserError, VictimError
from mondegreen.files import as_json, write_whole
from mondegreen.findings import Finding
from mondegreen.judging import checks
from mondegreen.judging.evaluate import may_be_loaded
from mondegreen.judging.sanity import examine
from mondegreen.reading import is_file
from mondegreen.results.folder import CONFIG, ITEMS, is_run, item_folders, read_object
from mondegreen.results.item import read_record
from mondegreen.results.record import Record, typed
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.runs.manifest import check_same
from mondegreen.runs.plan import read_rows
from mondegreen.runs.run import Tally, run
from mondegreen.victims import load_recogniser, load_victim
from mondegreen.victims.fingerprint import fingerprint

WITHOUT, BEHIND, HEARD, CHECKS = "without", "behind", "heard", "checks"
BELIEVED_BY: Final = (  # a row that fails one of these is not evaluated
    checks.GRADIENT_ZERO,
    checks.GRADIENT_NOT_FINITE,
    checks.NOT_DETERMINISTIC,
    checks.TRANSFER_WINS,  # but for detectors: what was made without one is still heard
    checks.UNBOUNDED_FAILS,
    checks.PASSES_DO_NOT_HELP,
)
FAILED: Final = "defence-fails"
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
        source: the folder of a finished run, whose recogniser, clips and options are taken; or
            clips, as for a run.
        flags: fields of `RunConfig` that were given; with a run, only how to work, and `limit`.
        specs: the defences' names.
        folder: where everything goes.
        sample: see `Trial`.
        on_missing: called with what a defence lacks, which is then left out; None: it is an error.

    Raises:
        OptionError: a defence or an option is not offered, or the run is not one to compare with.
        VictimError: the recogniser, or what a defence needs, is not there.
    """
    given = Path(source)
    if is_run(given):
        config, without = _of_run(given, flags), given
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


def _of_run(run: Path, flags: Mapping[str, Any]) -> RunConfig:
    """The options of a finished run, which what is compared with it must have as well."""
    kept, config = (read_config(run / CONFIG, given) for given in ({}, flags))
    what, asked = kept.what(), config.what()
    if other := [name for name in asked if asked[name] != what[name] and name != "limit"]:
        raise OptionError(
            f"{run} was made with another {', '.join(other)}, so what it cost cannot be compared."
            " Leave that out, or give the clips instead of the run."
        )
    if "victim" not in flags:
        may_be_loaded(config.victim, run)
    if left := sum(not (run / ITEMS / one.key).is_dir() for one in read_rows(run)):
        raise OptionError(
            f"{run} is not finished: {left} of its clips have no result. Run its command again."
        )
    return config


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
        try:
            yield _row(trial, defence, before, on_work, on_run)
        except RecogniserError as fault:  # the others can still be tried
            yield row(Evidence(defence, [], before, [], [], len(before), [_failed(fault)]))


def _failed(fault: RecogniserError) -> Finding:
    """What is found of a defence that fails on a clip."""
    return Finding(FAILED, "error", "fires", str(fault))


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
    anew: tuple[Heard, ...] = ()
    if defence.random or defence.detector:
        anew = listen(behind, hears, defence, place / f"{defence.slug}-adaptive.json", say).heard
    return row(
        Evidence(
            defence=defence,
            heard=heard.heard,
            before=before,
            adaptive=records(behind),
            heard_adaptive=anew,
            clips=len({one.key for one in read_rows(behind)}),
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

    of: dict[str, str]  # the hashes of the records, of this run and of the one without
    victim: str  # its name, and the hash of what it is
    sample: int
    findings: tuple[Finding, ...]


def _findings(trial: Trial, defence: Defence, on_work: OnWork) -> tuple[Finding, ...]:
    """Whether a row can be believed: checks of the attack that knows of the defence."""
    behind, kept = trial.behind(defence), trial.folder / CHECKS / f"{defence.slug}.json"
    if not item_folders(behind):
        return ()
    victim = load_victim(defence.opponent(trial.config.victim), device=trial.config.device)
    of = hashes(behind) | {f"without/{k}": v for k, v in hashes(trial.without).items()}
    about = of, f"{victim.name} {fingerprint(victim)}", trial.sample
    if is_file(kept):
        with suppress(MondegreenError):
            known = typed(_Checked, read_object(kept))
            if (known.of, known.victim, known.sample) == about:
                return known.findings
    made = [one for one in BELIEVED_BY if not defence.detector or one is not checks.TRANSFER_WINS]
    transfers = [] if defence.detector else [trial.without]
    found = tuple(
        examine(
            behind,
            victim,
            transfers=transfers,
            sample=trial.sample,
            only=made,
            on_work=lambda what, done, total: on_work(f"{defence.spec}: {what}", done, total),
        )
    )
    if not any("could not be examined" in one.detail for one in found):
        write_whole(kept, as_json(asdict(_Checked(*about, found))))
    return found
