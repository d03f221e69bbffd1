"""A card in Markdown, to paste into a model card."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

from mondegreen.gating.gate import UNDERSTANDING
from mondegreen.gating.markdown import code, table
from mondegreen.gating.tested import tested_card
from mondegreen.report.numbers.prices import PricedClips
from mondegreen.results.card import Card, Cost, MishearScore
from mondegreen.results.prices import YARDSTICKS, Yardstick

SHARES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
SHOWN: Final = ("mondegreen", "torch", "transformers")


def card_text(card: Card) -> bytes:
    """The file."""
    by = YARDSTICKS[card.score.by]
    clips = tested_card(card, by).clips
    lines = [
        f"### How easily {code(card.model.name)} is made to mishear",
        "",
        f"**Mishear score: {score_text(card)}.** Each clip of the suite {code(card.suite.name)} has"
        " a price: how audible a change it takes to have it heard as another sentence. Prices are"
        f" in {by.label}: {by.meaning}. Half of the clips are attackable at the score or less"
        f" audibly; {_direction(by)}.",
        "",
        *table(["", ""], _facts(card, clips)),
        "",
        "Attackable at or below each price:",
        "",
        *table(["share of clips", *(f"{share:.0%}" for share in SHARES)], [_curve(clips)]),
        "",
        "White-box, targeted, one file at a time, and nothing between the file and the recogniser:"
        f" what an attacker can do who has the model. A {'low' if by.rising else 'high'} score is"
        " no proof of robustness: it says what this search found within its passes.",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def score_text(card: Card) -> str:
    """A score with its interval."""
    by, score = YARDSTICKS[card.score.by], card.score
    return f"{cost_text(score.at, by)} (95 % interval: {interval_text(score)})"


def interval_text(score: MishearScore) -> str:
    """The interval of a score, its lower number first."""
    by = YARDSTICKS[score.by]
    ends = [cost_text(end, by) for end in (score.least_audible, score.most_audible)]
    return " to ".join(reversed(ends) if by.rising else ends)


def cost_text(cost: Cost, by: Yardstick) -> str:
    """A price with its digits, or the word in its place."""
    return cost if isinstance(cost, str) else by.text(cost)


def _direction(by: Yardstick) -> str:
    return f"the {'higher' if by.rising else 'lower'}, the easier to fool"


def _facts(card: Card, clips: PricedClips) -> Iterator[tuple[str, str]]:
    suite, model, spent = card.suite, card.model, card.spent
    yield "recogniser", f"{code(model.name)}, weights {code(model.weights)}"
    yield "suite", f"{code(suite.name)}, version {suite.version}, {code(suite.key)}"
    yield "clips", f"{len(card.clips)}"
    yield "understood before the attack", f"{card.understood} of {card.texts} whose words are known"
    yield "heard as the target", f"{sum(one.heard is True for one in card.clips)}"
    if clips.unknown:
        yield "price not known", f"{len(clips.unknown)}"
    if (mark := clips.by.mark) is not None:
        yield f"attackable at {clips.by.text(mark)}, the mark", f"{clips.attackable(mark)}"
    yield "may be believed", "yes, no sanity check fires" if card.doubt is None else card.doubt
    if not card.texts:
        yield "not checked", UNDERSTANDING
    yield "cost", f"{spent.passes:,} gradient passes, {spent.hours:g} hours of searching"
    yield "machine", code(spent.machine)
    versions = (f"{name} {card.versions[name]}" for name in SHOWN if name in card.versions)
    yield "made", f"{card.made[:10]} by {', '.join(versions)}"


def _curve(clips: PricedClips) -> list[str]:
    costs = (clips.quantile(share).cost for share in SHARES)
    return [
        clips.by.label,
        *("beyond" if cost == inf else clips.by.text(clips.by.cost(cost)) for cost in costs),
    ]
