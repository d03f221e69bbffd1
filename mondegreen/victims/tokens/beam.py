"""Prefix beam search for CTC (Hannun et al. 2014), without a language model.

The best path is not always the best text: many paths that collapse to one text may together be more
probable. A beam of prefixes adds up such paths.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from torch import Tensor

from mondegreen.victims.ctc_loss import best_path

Prefix = tuple[int, ...]
NEVER = -math.inf


def decode(logits: Tensor, blank: int, beams: int) -> Sequence[int]:
    """The symbols of logits [F, V]: of the best path, or with `beams` over one by beam search."""
    if beams == 1:
        return best_path(logits, blank)
    return prefix_beam_search(logits.log_softmax(-1), blank, beams)


def prefix_beam_search(log_probs: Tensor, blank: int, beams: int) -> Prefix:
    """The most probable symbols of log_probs [F, V], by beam search.

    At every frame, the `beams` best prefixes are kept, and as many symbols and the blank are tried.
    """
    kept: dict[Prefix, tuple[float, float]] = {(): (0.0, NEVER)}  # log p ending in blank, in symbol
    for frame in log_probs.detach().cpu():
        tried = set(frame.topk(min(beams, len(frame))).indices.tolist()) | {blank}
        likely = {symbol: float(frame[symbol]) for symbol in tried}
        kept = _best(_extend(kept, likely, blank), beams)
    return max(kept, key=lambda prefix: _add(*kept[prefix]))


def _extend(
    kept: dict[Prefix, tuple[float, float]], frame: dict[int, float], blank: int
) -> dict[Prefix, tuple[float, float]]:
    """All prefixes after one more frame: log p [ending in blank], [ending in their last symbol]."""
    in_blank: dict[Prefix, float] = defaultdict(lambda: NEVER)
    in_symbol: dict[Prefix, float] = defaultdict(lambda: NEVER)
    for prefix, (p_blank, p_symbol) in kept.items():
        for symbol, log_p in frame.items():
            either = _add(p_blank, p_symbol) + log_p
            if symbol == blank:
                in_blank[prefix] = _add(in_blank[prefix], either)
            elif prefix and symbol == prefix[-1]:  # a repeat merges, unless a blank is between
                in_symbol[prefix] = _add(in_symbol[prefix], p_symbol + log_p)
                longer = (*prefix, symbol)
                in_symbol[longer] = _add(in_symbol[longer], p_blank + log_p)
            else:
                longer = (*prefix, symbol)
                in_symbol[longer] = _add(in_symbol[longer], either)
    return {p: (in_blank[p], in_symbol[p]) for p in {*in_blank, *in_symbol}}


def _best(
    prefixes: dict[Prefix, tuple[float, float]], beams: int
) -> dict[Prefix, tuple[float, float]]:
    order = sorted(prefixes, key=lambda prefix: (-_add(*prefixes[prefix]), prefix))
    return {prefix: prefixes[prefix] for prefix in order[:beams]}


def _add(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    low, high = min(a, b), max(a, b)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))
