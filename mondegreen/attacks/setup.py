"""How to attack, and in which air: the options, and the rooms and transformations they apply to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.cached import named_bank
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import Rooms, Transformation
from mondegreen.errors import OptionError
from mondegreen.options import Options
from mondegreen.search.presets import Stages, stages_for
from mondegreen.victims.base import Victim


@dataclass(frozen=True)
class Setup:
    """How to attack."""

    options: Options = field(default_factory=Options)  # what the user chose
    rooms: RoomBank | None = None  # the bank, for methods in rooms; None for others
    # what else happens to the sound after the room, for methods in rooms
    air: Sequence[Transformation] = ()

    @classmethod
    def of(
        cls,
        options: Options,
        sample_rate: int,
        rooms: RoomBank | str | None = None,
        air: Sequence[Transformation] = (),
        on_room: Callable[[int, int], object] | None = None,
    ) -> Setup:
        """A setup whose parts fit each other, and a victim of that rate.

        Args:
            options: how to attack.
            sample_rate: the victim's, Hz.
            rooms: a bank, or the name of one (see `named_bank`); None: the default one where the
                method works in rooms.
            air: see `Setup`.
            on_room: called while a bank is made, with the rooms done and wanted.

        Raises:
            OptionError: rooms for a method without, a bank of another rate, or as `stages_for`.
            RoomError: the bank cannot be read or made, or lacks a split.
        """
        stages_for(options)
        options.check_rooms(rooms is not None or bool(air))
        if not options.in_rooms:
            return cls(options)
        bank = rooms if isinstance(rooms, RoomBank) else named_bank(rooms, sample_rate, on_room)
        if bank.sample_rate != sample_rate:
            raise OptionError(
                f"The bank of rooms is of {bank.sample_rate} Hz, the recogniser of {sample_rate}"
                " Hz. Make a bank at that rate."
            )
        for split in ("attack", "validate", "test"):
            bank.split(split)
        return cls(options, bank, tuple(air))

    def stages(self, victim: Victim, started: bool = False) -> Stages:
        """The stages of an attack on a victim; see `stages_for`."""
        over: tuple[Transformation, ...] = ()
        if self.rooms is not None:
            rirs = self.rooms.split("attack").rirs
            over = (Rooms(Reverb(rirs.to(victim.device, victim.dtype))), *self.air)
        return stages_for(self.options, over, started)
