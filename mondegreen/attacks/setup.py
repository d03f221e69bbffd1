"""How to attack, and in which air: the options, the rooms, and what else happens to the sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mondegreen.air.noises import settled
from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.cached import named_bank
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.through import through
from mondegreen.air.transformations import Rooms, Transformation
from mondegreen.airs import Air, named_air
from mondegreen.errors import OptionError
from mondegreen.options import Options
from mondegreen.search.presets import Stages, stages_for
from mondegreen.victims.base import Victim


@dataclass(frozen=True)
class Setup:
    """How to attack."""

    options: Options = field(default_factory=Options)  # what the user chose
    rooms: RoomBank | None = None  # the bank, for methods in rooms; None for others
    air: Air = field(default_factory=Air)  # what else happens to the sound, for methods in rooms

    @classmethod
    def of(
        cls,
        options: Options,
        sample_rate: int,
        rooms: RoomBank | str | None = None,
        air: Air | str | Path | None = None,
        on_room: Callable[[int, int], object] | None = None,
    ) -> Setup:
        """A setup whose parts fit each other, and a victim of that rate.

        Args:
            options: how to attack.
            sample_rate: the victim's, Hz.
            rooms: a bank, or the name of one (see `named_bank`); None: the default one where the
                method works in rooms.
            air: what happens to the sound, or its name or file (see `named_air`); its rooms are
                used where no bank is given.
            on_room: called while a bank is made, with the rooms done and wanted.

        Raises:
            OptionError: rooms or an air for a method without, a bank of another rate, no such air
                or no noise for it, or as `stages_for`.
            RoomError: the bank cannot be read or made, or lacks a split.
        """
        stages_for(options)
        options.check_rooms(rooms is not None or air is not None)
        if not options.in_rooms:
            return cls(options)
        happens = settled(named_air(air), sample_rate)
        bank = (
            rooms
            if isinstance(rooms, RoomBank)
            else named_bank(rooms, sample_rate, on_room, happens.rooms)
        )
        if bank.sample_rate != sample_rate:
            raise OptionError(
                f"The bank of rooms is of {bank.sample_rate} Hz, the recogniser of {sample_rate}"
                " Hz. Make a bank at that rate."
            )
        for split in ("attack", "validate", "test"):
            bank.split(split)
        return cls(options, bank, happens)

    def stages(self, victim: Victim, started: bool = False) -> Stages:
        """The stages of an attack on a victim; see `stages_for`."""
        over: tuple[Transformation, ...] = ()
        if self.rooms is not None:
            rirs = self.rooms.split("attack").rirs
            room = Rooms(Reverb(rirs.to(victim.device, victim.dtype)))
            over = through(self.air, room, victim.sample_rate)
        return stages_for(self.options, over, started)
