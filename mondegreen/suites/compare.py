"""Cards side by side: which recogniser is the harder to fool, and whether that can be told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import inf
from typing import Final, NamedTuple

from mondegreen.errors import OptionError
from mondegreen.gating.tested import incomparable, tested_card
from mondegreen.results.card import Card, Cost
from mondegreen.results.prices import YARDSTICKS, Yardstick
from mondegreen.wording import number_of

ALIKE: Final = 1e-9  # of prices that are equal but for rounding


class Ranked(NamedTuple):
    """A card, and how it compares with the one before it, which is easier to fool."""

    card: Card
    harder: int | None  # clips that cost more than there; None: it is the first
    easier: int | None  # clips that cost less
    p: float | None  # of the exact sign test: how likely so unequal counts are by chance


def rank(cards: Sequence[Card]) -> list[Ranked]:
    """Cards from the easiest to fool to the hardest, by their scores.

    Raises:
        OptionError: there are fewer than two, or one is there twice, or two of them cannot be
            compared, and why.
    """
    if len(cards) < 2:
        raise OptionError(
            f"Got {number_of(len(cards), 'card')}, expected two or more to compare. Name another"
            " card.json."
        )
    if any(one == other for one, other in combinations(cards, 2)):
        raise OptionError("Two of these cards are one and the same. Name each once.")
    first = cards[0]
    for other in cards[1:]:
        _check(first, other)
    by = YARDSTICKS[first.score.by]
    ordered = sorted(cards, key=lambda one: _order(one.score.at, by))
    ranked = [Ranked(ordered[0], None, None, None)]
    for before, card in pairwise(ordered):
        ranked.append(Ranked(card, *_sign_test(_costs(before, by), _costs(card, by))))
    return ranked


def _check(one: Card, other: Card) -> None:
    if one.suite != other.suite:
        a, b = one.suite, other.suite
        raise OptionError(
            f"The card of {one.model.name} is of the suite {a.name}, version {a.version} ({a.key}),"
            f" and that of {other.model.name} of {b.name}, version {b.version} ({b.key}): they"
            " cannot be compared. Run the same suite for both."
        )
    by = YARDSTICKS[one.score.by]
    if why := incomparable(tested_card(one, by), tested_card(other, by)):
        raise OptionError(
            f"The cards of {one.model.name} and {other.model.name} cannot be compared: {why}. Run"
            " the same suite for both, by the same version of mondegreen."
        )


def _order(at: Cost, by: Yardstick) -> float:
    match at:
        case "beyond":
            return inf
        case "unknown":
            return -inf
        case float() | int():
            return by.cost(at)


def _costs(card: Card, by: Yardstick) -> dict[str, float]:
    """What each clip whose price is known costs, rising with audibility."""
    clips = tested_card(card, by).clips.clips
    return {one.id: inf if one.price is None else by.cost(one.price) for one in clips}


def _sign_test(before: dict[str, float], now: dict[str, float]) -> tuple[int, int, float]:
    from scipy.stats import binomtest  # takes a second to import

    both = before.keys() & now.keys()
    harder = sum(now[one] > before[one] + ALIKE for one in both)
    easier = sum(now[one] < before[one] - ALIKE for one in both)
    p = float(binomtest(harder, harder + easier).pvalue) if harder + easier else 1.0
    return harder, easier, p
