"""How to attack: what a caller chooses, and every default."""

from __future__ import annotations

from dataclasses import dataclass

from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.transformations import Transformation
from mondegreen.search.presets import IN_ROOMS


@dataclass(frozen=True)
class Options:
    """How to attack.

    Attributes:
        method: a key of `mondegreen.search.presets.PRESETS`.
        preset: "fast" or "paper".
        seed: of everything random.
        max_passes: gradient passes at most for each clip; None: as the preset says.
        exact: the transcript must equal the target to the letter, case and punctuation included.
        rooms: the bank for methods in rooms; None: the one of `default_bank`.
        air: what else happens to the sound after the room, for methods in rooms.
        max_clean_wer: a clip whose words are known is flagged as not understood where the victim
            gets more than this share of them wrong to begin with.
        under_threshold: dB above the clip's masking threshold that no bin of the saved perturbation
            may exceed, for `imperceptible`; None: no bound.
    """

    method: str = "imperceptible"
    preset: str = "fast"
    seed: int = 0
    max_passes: int | None = None
    exact: bool = False
    rooms: RoomBank | None = None
    air: tuple[Transformation, ...] = ()
    max_clean_wer: float = 0.5
    under_threshold: float | None = None

    @property
    def normaliser(self) -> str:
        """The normaliser that success is judged under; see `mondegreen.text`."""
        return "exact" if self.exact else "default"

    @property
    def in_rooms(self) -> bool:
        """Whether the method works in rooms."""
        return self.method in IN_ROOMS
