"""Whether a bank's rooms for testing are really other rooms than those that an attack looks at."""

from __future__ import annotations

from typing import Final

import numpy as np

from mondegreen.evaluation.evidence import Leak, Tally
from mondegreen.rooms.bank import Response, RoomBank

LOOKED_AT: Final = ("attack", "validate")  # the splits that an attack searches and chooses in


def leak(bank: RoomBank) -> Leak:
    """Compare the test split with the others: samples with samples, and names with names.

    Raises:
        RoomError: the bank lacks a split.
    """
    known = [response for name in LOOKED_AT for response in bank.split(name).responses()]
    test = list(bank.split("test").responses())
    samples = {_samples(response) for response in known}
    rooms = {response.room.id for response in known}
    return Leak(
        responses=Tally.count(_samples(response) in samples for response in test),
        rooms=tuple(sorted({response.room.id for response in test} & rooms)),
    )


def _samples(response: Response) -> bytes:
    """A response without the zeros at its end, of which a copy may have more or fewer."""
    return np.trim_zeros(response.rir, "b").tobytes()
