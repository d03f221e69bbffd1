"""The curve: the share of clips that are attackable at or below each price, with its band."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from mondegreen.report.figures.ink import COLUMN, INK, legend, look
from mondegreen.report.numbers.prices import PricedClips

HEIGHT = 2.4  # inches


def draw_prices(figure: Figure, curves: Sequence[PricedClips]) -> None:
    """The curves of several runs by the same yardstick, the lowest prices on the left."""
    by = curves[0].by
    figure.set_size_inches(COLUMN, HEIGHT + 0.15 * len(curves))
    axes = figure.subplots()
    seen = np.concatenate([one.costs[np.isfinite(one.costs)] for one in curves])
    if by.mark is not None:
        axes.axvline(by.mark, color=INK, lw=0.6, ls=":")
        seen = np.append(seen, by.cost(by.mark))
    begin, end = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    apart = 0.05 * (end - begin) or 1.0
    ends = begin - apart, end + apart
    for index, one in enumerate(curves):
        costs = np.array([ends[0], *one.costs[one.costs < inf], ends[1]])
        shares = np.arange(len(costs)) / len(one.clips)
        shares[-1] = shares[-2]
        at = [by.cost(cost) for cost in costs]
        colour, _, dashes = look(index)
        low, high = np.maximum(shares - one.band, 0), np.minimum(shares + one.band, 1)
        axes.fill_between(at, low, high, step="post", color=colour, alpha=0.15, lw=0)
        axes.step(at, shares, where="post", color=colour, ls=dashes)
    axes.set_xlim(*map(by.cost, ends))
    axes.set(ylim=(-0.03, 1.03), xlabel=f"{by.label}: less audible on the left")
    axes.set_title("clips attackable at or below this price; 95 % band")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    names = [f"{one.label} ({len(one.clips)} clips)" for one in curves]
    lines = [Line2D([], [], color=look(n).color, ls=look(n).linestyle) for n in range(len(names))]
    legend(figure, list(zip(lines, names, strict=True)))
