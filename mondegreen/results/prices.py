"""What a success costs the ear: the prices of the curve and the gate, and which of two is lower."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from mondegreen.results import verdict
from mondegreen.results.record import Prices, Quality, Record
from mondegreen.wording import By


@dataclass(frozen=True)
class Yardstick:
    """One yardstick that a success is priced by."""

    name: By
    label: str
    meaning: str  # what it says of a change
    value: Callable[[Prices], float | None]
    rising: bool  # the less audible, the more; then the lower price is the larger number
    mark: float | None  # from which on a change is taken for inaudible; None: there is none
    field: str  # of `Quality.unmeasured`, which says why it is missing
    digits: int = 1  # after the point
    scale: tuple[float, float] | None = None  # its least and its largest value; None: any number

    def cost(self, value: float) -> float:
        """The value as a number that rises with audibility; of such a number, the value."""
        return -value if self.rising else value

    def text(self, value: float) -> str:
        """A price with its digits, as "-3.2"."""
        return f"{value:.{self.digits}f}"


RATING: Final = "an estimated rating by listeners; {:g}: no difference"
ALL: Final = (
    Yardstick(
        "excess",
        "largest excess, dB",
        "how far it exceeds the masking threshold at most",
        lambda of: of.excess_db,
        rising=False,
        mark=None,
        field="masking",
    ),
    Yardstick(
        "margin",
        "margin, dB",
        "how much louder it could be before it is taken for audible",
        lambda of: of.margin_db,
        rising=True,
        mark=0.0,
        field="temporal",
    ),
    Yardstick(
        "snr",
        "SNR, dB",
        "how much weaker it is than the clip",
        lambda of: of.snr_db,
        rising=True,
        mark=None,
        field="snr_db",
    ),
    Yardstick(
        "pesq",
        "PESQ (Cor. 2)",
        RATING.format(4.64),
        lambda of: of.pesq_c2,
        rising=True,
        mark=verdict.PESQ.inaudible,
        field="pesq_c2",
        digits=2,
        scale=(1.0, 4.65),
    ),
    Yardstick(
        "zimtohrli",
        "Zimtohrli MOS",
        RATING.format(5),
        lambda of: of.zimtohrli_mos,
        rising=True,
        mark=verdict.ZIMTOHRLI.inaudible,
        field="zimtohrli",
        digits=2,
        scale=(1.0, 5.0),
    ),
)
YARDSTICKS: Final[Mapping[By, Yardstick]] = {one.name: one for one in ALL}


def prices_of(quality: Quality) -> Prices:
    """What a panel says of the prices."""
    return Prices(
        excess_db=quality.masking.max_excess_db,
        margin_db=quality.temporal.margin_db if quality.temporal else None,
        snr_db=quality.snr_db,
        pesq_c2=quality.pesq_c2,
        zimtohrli_mos=quality.zimtohrli_mos,
    )


def successes(record: Record) -> Iterable[Prices]:
    """The prices of every success of a search: those on its way, and what is saved.

    What is saved counts where it is verified. A file that is heard as it should be and only breaks
    the bound that was asked for is a success as well, at its own price.
    """
    yield from (one.prices for one in record.trail)
    if record.verified or (record.options.bound_words is not None and record.reached):
        yield prices_of(record.quality)


class Lowest(NamedTuple):
    """The lowest price of a search's successes, by one yardstick."""

    succeeded: bool
    price: float | None  # None: it did not succeed, or the yardstick has no value of any success


def lowest(record: Record, by: Yardstick) -> Lowest:
    """What it took to attack a clip."""
    found = [by.value(prices) for prices in successes(record)]
    known = [value for value in found if value is not None]
    return Lowest(bool(found), min(known, key=by.cost) if known else None)
