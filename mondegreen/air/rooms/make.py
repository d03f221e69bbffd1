"""Makes a bank of rooms: in parallel, to the same bits, and resumable.

A room depends only on the seed, its split and its number there, so neither the number of processes
nor an interruption shows in the result, and other sizes make more or fewer of the same rooms. Until
all are done, responses are kept in chunks in a folder beside the bank, `<bank>.part`, each chunk a
small bank of its own. With a lock file, `.<bank>.lock`, a second process waits for the first and
then finds its bank.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

from mondegreen.air.rooms.bank import VERSION, RoomBank, Split
from mondegreen.air.rooms.measured import contents, find_recordings, split_recordings
from mondegreen.air.rooms.processes import processes
from mondegreen.air.rooms.responses import Response, measured, simulated
from mondegreen.air.rooms.settings import (
    FIRST,
    PRESETS,
    Shoebox,
    SplitSizes,
    draw_room,
)
from mondegreen.air.rooms.simulate import library
from mondegreen.errors import RoomError
from mondegreen.files import differences, key_of, locked
from mondegreen.processors import processors

CHUNK: Final = 5  # responses; the most that an interruption costs

OnRoom: TypeAlias = Callable[[int, int], object]  # responses done, and in all


def make_bank(
    out: str | PathLike[str],
    settings: Shoebox = PRESETS["fast"],
    counts: SplitSizes = SplitSizes(),  # noqa: B008 - frozen
    seed: int = 0,
    source: Path | None = None,
    workers: int | None = None,
    on_room: OnRoom | None = None,
) -> RoomBank:
    """Make a bank of simulated rooms, or of a collection of measured ones, save and return it.

    The splits draw rooms from separate numbers: of two simulated banks of one seed, the smaller is,
    split by split, the beginning of the larger. A measured room belongs to one split as a whole;
    see `split_recordings`. An existing bank made from the same is loaded instead.

    Args:
        out: the file to make; its folder is created if needed.
        settings: of simulated rooms, `fast` by default; of measured ones only the sample rate.
        counts: responses in each split; of a measured collection, at most.
        seed: random seed.
        source: folder or CSV file of measured responses; see `find_recordings`.
        workers: processes, one per processor by default. At order 100 each takes 0.6 GB.
        on_room: called with the responses done and wanted after each, and once for those left by an
            interrupted run.

    Raises:
        RoomError: pyroomacoustics is missing; a measured response or the collection is not usable;
            `out` holds something else.
        MondegreenError: a file cannot be written (disk full, no permission).
    """
    out = Path(out)
    plan = (
        _simulated(settings, counts, seed)
        if source is None
        else _measured(Path(source), settings.sample_rate, counts, seed)
    )
    if out.is_dir():
        raise RoomError(f"{out} is a folder, expected a file to make. Name a file in it.")
    with _lock(out):
        if out.exists():
            return _same(out, plan)
        parts = out.with_name(f"{out.name}.part")
        responses = iter(_responses(plan, parts, workers or processors(), on_room))
        splits = {name: Split.of(name, islice(responses, n)) for name, n in plan.sizes.items()}
        RoomBank(plan.sample_rate, key_of(plan.origin), plan.origin, splits).save(out)
        shutil.rmtree(parts, ignore_errors=True)
        return RoomBank.load(out)


@dataclass(frozen=True)
class _Plan:
    """What a bank will hold: one response per job, filling its splits in order."""

    sample_rate: int
    origin: Mapping[str, Any]
    sizes: Mapping[str, int]
    jobs: Sequence[Any]
    response: Callable[[Any], Response]  # goes to other processes, like the jobs

    def chunks(self) -> list[range]:
        """The numbers of all jobs, in ranges whose responses are kept together."""
        numbers = range(len(self.jobs))
        return [numbers[first : first + CHUNK] for first in numbers[::CHUNK]]


# ---- the two kinds of banks -----------------------------------------------------------------


def _simulated(settings: Shoebox, counts: SplitSizes, seed: int) -> _Plan:
    jobs = [(split, number) for split, count in counts.items() for number in range(count)]
    geometries = {draw_room(settings, seed, FIRST[split] + number) for split, number in jobs}
    assert len(geometries) == counts.total, "two splits might share a room"
    origin = {
        "kind": "simulated",
        "format": VERSION,
        "settings": asdict(settings),
        "counts": asdict(counts),
        "seed": seed,
        "versions": {"pyroomacoustics": library().__version__},
    }
    return _Plan(
        settings.sample_rate,
        origin,
        sizes=dict(counts.items()),
        jobs=jobs,
        response=partial(simulated, settings, seed),
    )


def _measured(source: Path, sample_rate: int, counts: SplitSizes, seed: int) -> _Plan:
    recordings = find_recordings(source)
    splits = split_recordings(recordings, counts, seed)
    origin = {
        "kind": "measured",
        "format": VERSION,
        "sample_rate": sample_rate,
        "counts": asdict(counts),
        "seed": seed,
        "recordings": len(recordings),
        "contents": key_of(contents(recordings)),
    }
    return _Plan(
        sample_rate,
        origin,
        sizes={name: len(split) for name, split in splits.items()},
        jobs=[recording for split in splits.values() for recording in split],
        response=partial(measured, sample_rate),
    )


# ---- the work -------------------------------------------------------------------------------


def _responses(plan: _Plan, parts: Path, workers: int, on_room: OnRoom | None) -> list[Response]:
    """All responses in their order: those of existing chunks, and the rest made now."""
    chunks = {chunk: _load_chunk(plan, parts, chunk) for chunk in plan.chunks()}
    missing = [chunk for chunk, responses in chunks.items() if not responses]
    jobs = [plan.jobs[number] for chunk in missing for number in chunk]
    done, total = len(plan.jobs) - len(jobs), len(plan.jobs)
    if done and on_room:
        on_room(done, total)
    with processes(min(workers, len(jobs))) as run:
        made = run(plan.response, jobs)
        for chunk in missing:
            for response in islice(made, len(chunk)):
                chunks[chunk].append(response)
                done += 1
                if on_room:
                    on_room(done, total)
            _save_chunk(plan, parts, chunk, chunks[chunk])
    return [response for responses in chunks.values() for response in responses]


# ---- what lies on disk ----------------------------------------------------------------------


def _lock(out: Path) -> AbstractContextManager[object]:
    """Wait for the bank's lock, and hold it."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return locked(out.with_name(f".{out.name}.lock"))
    except OSError as error:
        raise _cannot_make(out.parent, error) from error


def _cannot_make(folder: Path, error: OSError) -> RoomError:
    return RoomError(
        f"No bank can be made in {folder} ({error.strerror or error}). Expected a folder with"
        " permission to write; choose another."
    )


def _same(out: Path, plan: _Plan) -> RoomBank:
    """The bank in `out`, if it is the one that would be made."""
    bank = RoomBank.load(out)
    if bank.key != key_of(plan.origin):
        different = "; ".join(differences(bank.origin, plan.origin))
        raise RoomError(
            f"{out} is another bank: {different}. Choose another file to make, or delete it."
        )
    return bank


def _chunk_origin(plan: _Plan, chunk: range) -> dict[str, Any]:
    return {"part of": plan.origin, "numbers": [chunk.start, chunk.stop]}


def _chunk_path(parts: Path, chunk: range) -> Path:
    return parts / f"{chunk.start:06}.safetensors"


def _save_chunk(plan: _Plan, parts: Path, chunk: range, responses: list[Response]) -> None:
    origin = _chunk_origin(plan, chunk)
    part = RoomBank(plan.sample_rate, key_of(origin), origin, {"part": Split.of("part", responses)})
    try:
        parts.mkdir(exist_ok=True)
    except OSError as error:
        raise _cannot_make(parts, error) from error
    part.save(_chunk_path(parts, chunk))


def _load_chunk(plan: _Plan, parts: Path, chunk: range) -> list[Response]:
    """The responses of a chunk; none if it is missing, damaged or of another bank."""
    try:
        part = RoomBank.load(_chunk_path(parts, chunk))
    except RoomError:
        return []
    if part.key != key_of(_chunk_origin(plan, chunk)):
        return []
    return list(part.split("part").responses())
