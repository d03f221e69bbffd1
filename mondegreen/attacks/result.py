"""The result of an attack on one clip, and how it is saved."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as safetensors_bytes

from mondegreen.air.rooms.bank import RoomBank, Split
from mondegreen.audio.passage import Excerpt
from mondegreen.audio.pcm import ADVERSARIAL_MARK, Pcm, encode, to_pcm16
from mondegreen.errors import MondegreenError, RecogniserError, StorageError, reason
from mondegreen.files import as_json, discard, locked, part_name, sweep, undisturbed, write_whole
from mondegreen.measures.in_rooms import cut_short, quality_in_rooms
from mondegreen.measures.ratings import pesq_c2, rated, zimtohrli
from mondegreen.measures.spectra import levels, spectra
from mondegreen.reading import read_bytes
from mondegreen.results.folder import DELTA, LEVELS, LOCK, RECORD, WAV
from mondegreen.results.levels import Levels
from mondegreen.results.place import replacing
from mondegreen.results.record import Record, Success
from mondegreen.results.verdict import verdict

OnRoom = Callable[[str, int, int], None]  # what is being done, how much of it, of how much
LOCKED: Final = 60.0  # s to wait for another attack that writes into the same folder; that is short


@dataclass(frozen=True)
class Waypoint:
    """A success on the way of a search, and the samples that proved it."""

    success: Success
    adversarial: NDArray[np.float32]  # [T], as read back from a 16-bit file

    def rated(self, clean: NDArray[np.float32], sample_rate: int) -> Success:
        """The same with the prices that take time, of the clean clip [T]; None where they fail."""
        prices, what = self.success.prices, (clean, self.adversarial, sample_rate)
        with suppress(Exception):  # whatever that code does, it costs no more than this number
            prices = replace(prices, zimtohrli_mos=zimtohrli(*what).mos)
        with suppress(Exception):
            prices = replace(prices, pesq_c2=pesq_c2(*what))
        return replace(self.success, prices=prices)


@dataclass(frozen=True, repr=False)
class Result:
    """The result of an attack on one clip; a notebook shows it as a player with pictures."""

    record: Record  # what is claimed
    clean: NDArray[np.float32]  # [T] float32, the clip on the 16-bit grid
    adversarial: NDArray[np.float32]  # [T] float32, the samples that were proved
    levels: Levels | None = None  # for pictures; None: see `measured`
    # what the recogniser's own code failed with after the first success, which ended the search or
    # the proof; None: it did not
    fault: RecogniserError | None = None
    excerpt: Excerpt | None = None  # the recording that the clip is a passage of; None: it is all
    waypoints: tuple[Waypoint, ...] = ()  # the successes of `record.trail`
    loudest: float = 0.0  # power of the loudest bin of that recording, eq. (12); 0: it is all

    def __repr__(self) -> str:
        found = verdict(self.record.quality)
        audible = f"; {found.word}" if found else ""
        return f"<result: {self.record!r}{audible}>"

    @property
    def verified(self) -> bool:
        """Whether the saved file was transcribed as the target; see `Record`."""
        return self.record.verified

    @property
    def delta(self) -> NDArray[np.float32]:
        """[T] the perturbation, exactly adversarial - clean."""
        return self.adversarial - self.clean

    @property
    def saved(self) -> Pcm:
        """[N] the samples of the saved file: the clip, or all of the recording around it."""
        return (
            self.excerpt.replaced(self.adversarial) if self.excerpt else to_pcm16(self.adversarial)
        )

    def measured(self, rooms: RoomBank | None = None, on_room: OnRoom = lambda *_: None) -> Result:
        """The same with what takes time, may fail, and is not needed to save it.

        That is what `rated` adds, the levels for pictures, and how audible the change is in the
        test rooms of the bank, unless the search or the proof was interrupted. What cannot be had
        is missing in the new result, and its record says why; so does Ctrl-C, which ends only this.
        """
        result = self._rated()
        if rooms is None or result.record.interrupted:
            return result
        return result._measured_in(rooms.split("test"), on_room)

    def _rated(self) -> Result:
        record, rate = self.record, self.record.sample_rate
        try:
            quality = rated(record.quality, self.clean, self.adversarial, rate)
            trail = tuple(waypoint.rated(self.clean, rate) for waypoint in self.waypoints)
            shown, why = _levels(self.clean, rate, self.delta, self.loudest)
            warnings = (*record.warnings, *why)
            record = replace(record, quality=quality, trail=trail, warnings=warnings)
            return replace(self, record=record, levels=shown)
        except KeyboardInterrupt:
            told = (
                "it was interrupted while it was measured: PESQ, Zimtohrli, STOI and pictures are"
                " missing"
            )
            warnings = (*record.warnings, told)
            return replace(self, record=replace(record, interrupted=True, warnings=warnings))

    def _measured_in(self, test: Split, on_room: OnRoom) -> Result:
        record, seen = self.record, None
        on = partial(on_room, "measuring in rooms")
        with suppress(KeyboardInterrupt):
            seen = quality_in_rooms(self.clean, self.adversarial, record.sample_rate, test, on)
        told = tuple(cut_short(seen, test))
        record = replace(
            record,
            quality_in_rooms=seen,
            interrupted=bool(told),
            warnings=(*record.warnings, *told),
        )
        return replace(self, record=record)

    def save(self, folder: str | Path) -> Path:
        """Write the item folder in one step, and check that it reads back as it was written.

        What was found is not lost with a full disk: it is then saved elsewhere.

        Raises:
            StorageError: it cannot be written there; the message names where it is instead. An
                earlier result in the folder is as it was.
        """
        with undisturbed():
            try:
                folder = make_folder(folder)
                with locked(folder / LOCK, LOCKED), replacing(folder) as part:
                    self.write(part)
            except Exception as error:  # whatever it is, a search may have taken hours
                raise StorageError(f"{str(error).rstrip('.')}. {self.rescued()}") from error
        return folder

    def rescued(self) -> str:
        """Save it in a new folder, in the first place that takes it, and say where that is."""
        places: tuple[Callable[[], object], ...] = (tempfile.gettempdir, Path.home, Path.cwd)
        for place in places:
            folder: str | None = None
            try:
                folder = tempfile.mkdtemp(prefix="mondegreen-result-", dir=str(place()))
                self.write(Path(folder))
            except Exception:  # the next may take it
                if folder is not None:
                    discard(Path(folder))
            else:
                return f"What was found is saved in {folder} instead."
        return (
            "Neither the temporary folder nor the home folder nor the current one takes what was"
            " found: it is lost."
        )

    def write(self, folder: Path, key: str | None = None) -> None:
        """Write the files of an item into a folder of its own; see `save`.

        Args:
            folder: it exists.
            key: the item's name in its run.

        Raises:
            StorageError: they cannot be written.
            MondegreenError: one does not read back as it was written.
        """
        rate = self.record.sample_rate
        contents = {
            WAV: encode(self.saved, rate, comment=ADVERSARIAL_MARK),
            DELTA: safetensors_bytes({"delta": self.delta}),
        }
        if self.levels is not None:
            contents[LEVELS] = self.levels.to_bytes()
        files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        contents[RECORD] = as_json(replace(self.record, key=key, files=files).to_json())
        for name, content in contents.items():
            write_whole(folder / name, content)
            if read_bytes(folder / name, len(content)) != content:
                raise MondegreenError(
                    f"{folder / name} does not read back as it was written. Check the disk, and"
                    " save to another."
                )


def _levels(
    clean: NDArray[np.float32], rate: int, delta: NDArray[np.float32], loudest: float
) -> tuple[Levels | None, list[str]]:
    """Levels for pictures, and why there are none."""
    try:
        return levels(spectra(clean, rate, delta, loudest=loudest)), []
    except Exception as error:  # out of memory, say: pictures are not worth a result
        return None, [f"there will be no pictures: {reason(error)}"]


def make_folder(folder: str | Path) -> Path:
    """Make a folder that results can be written to, and see that they can, before any search.

    Raises:
        StorageError: it cannot be made or written to, or a folder has the name of one of the files.
    """
    folder = Path(folder)
    there = False
    try:
        there = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        for name in (WAV, DELTA, LEVELS, RECORD, LOCK):
            if (folder / name).is_dir():
                raise IsADirectoryError(f"{name} is a folder in it")
        with locked(folder / LOCK, LOCKED):
            sweep(folder)
        probe = folder / part_name()
        probe.mkdir()
        probe.rmdir()
    except (OSError, ValueError) as error:
        what = "cannot be written to" if there else "could not be made"
        taken = isinstance(error, FileExistsError)
        why = "there is a file of that name" if taken else reason(error)
        raise StorageError(f"{folder} {what}: {why}. Choose another folder.") from error
    return folder
