"""The price of a clip, the curve of many and its band."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from records import BOUNDED, DRY, IN_ROOMS
from report_runs import a_record, a_run
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MeasureError
from mondegreen.report.numbers.entries import Entry
from mondegreen.report.numbers.prices import PricedClip, PricedClips, Quantile, priced
from mondegreen.results.prices import YARDSTICKS, By, successes
from mondegreen.results.record import Prices, Record, Success

MARGIN = YARDSTICKS["margin"]


def clips(*prices: float | None, by: By = "margin") -> PricedClips:
    found = (PricedClip(f"c{n}", "open the door", None, price) for n, price in enumerate(prices))
    return PricedClips("run", YARDSTICKS[by], tuple(found))


def entry(record: Record) -> Entry:
    return Entry({"status": "done", "key": "k"}, record)


# ---- one clip


@pytest.mark.parametrize(
    ("by", "price"),
    # of what is saved and of what is on the way, see `records`: the less audible of the two
    [("excess", 9.0), ("margin", -6.5), ("snr", 12.0), ("pesq", 3.9), ("zimtohrli", 4.4)],
)
def test_a_clip_costs_the_least_of_its_successes(by: By, price: float) -> None:
    (found,) = priced("run", [entry(DRY)], YARDSTICKS[by]).clips
    assert (found.id, found.aim, found.price) == ("clip", "as 'open the door'", price)


def test_what_is_saved_counts_where_it_is_verified() -> None:
    assert [one.snr_db for one in successes(DRY)] == [12.0, -3.5]
    assert [one.snr_db for one in successes(replace(DRY, verified=False))] == [12.0]
    assert list(successes(replace(IN_ROOMS, verified=False))) == []


def test_a_file_that_only_breaks_its_bound_is_a_success_at_its_price() -> None:
    broken = replace(BOUNDED, verified=False, trail=())
    assert list(successes(broken)) == []  # "Open the door." is not "open the door" to the letter
    assert len(list(successes(replace(broken, heard="open the door")))) == 1


def test_clips_without_a_success_are_beyond_and_unfinished_ones_left_out() -> None:
    failed = replace(DRY, verified=False, trail=())
    found = priced(
        "run", [entry(DRY), entry(failed), Entry({"status": "pending", "key": "c9"})], MARGIN
    )
    assert [one.price for one in found.clips] == [-6.5, None]
    assert (found.beyond, found.unfinished, found.missing) == (1, ("c9",), ())


def test_a_success_without_a_value_is_told() -> None:
    silent = replace(DRY.quality, pesq_c2=None, unmeasured={"pesq_c2": "it finds no speech"})
    without = replace(DRY, id="quiet", quality=silent, trail=())
    found = priced("run", [entry(DRY), entry(without)], YARDSTICKS["pesq"])
    assert ([one.id for one in found.clips], found.missing) == (["clip"], ("quiet",))
    with pytest.raises(MeasureError, match=r"it finds no speech \(quiet\)"):
        priced("run", [entry(without)], YARDSTICKS["pesq"])


# ---- many


def test_prices_are_counted_from_the_least_audible() -> None:
    by_margin = clips(3.0, -2.0, None, 0.0, -9.0)
    assert [by_margin.attackable(at) for at in (4, 3, 0, -1, -2, -100)] == [0, 1, 2, 2, 3, 4]
    by_excess = clips(3.0, 2.0, None, 0.0, 9.0, by="excess")
    assert [by_excess.attackable(at) for at in (-1, 0, 2.5, 9)] == [0, 1, 2, 4]


def test_quantiles_are_those_of_the_clips() -> None:
    ten = clips(*range(10))  # costs -9 to 0
    assert ten.quantile(0.5) == Quantile(0.5, -5.0, -9.0, 0.0)
    assert ten.quantile(0.1) == Quantile(0.1, -9.0, -inf, -4.0)
    assert ten.quantile(0.9) == Quantile(0.9, -1.0, -5.0, inf)


def test_the_band_of_one_clip() -> None:
    """Its share is 1 from its price on: P(max(U, 1 - U) <= d) = 2 d - 1 for a uniform U."""
    assert clips(1.0).band == pytest.approx((1 + 0.965) / 2)


def test_a_share_that_was_not_reached_is_beyond() -> None:
    found = clips(1.0, 2.0, *[None] * 8).quantile(0.5)
    assert (found.cost, found.low, found.high) == (inf, -2.0, inf)


def exponential(draw: np.random.Generator, count: int) -> np.ndarray:
    return draw.exponential(size=count)


def with_a_third_beyond(draw: np.random.Generator, count: int) -> np.ndarray:
    return np.where(draw.random(count) < 1 / 3, inf, draw.normal(size=count))


def to_the_whole_db(draw: np.random.Generator, count: int) -> np.ndarray:
    return np.round(draw.normal(0, 3, count))


@pytest.mark.parametrize("count", [5, 50])
@pytest.mark.parametrize("truth", [with_a_third_beyond, to_the_whole_db])
def test_the_band_holds_the_whole_truth_in_95_of_100_runs(
    truth: Callable[[np.random.Generator, int], np.ndarray], count: int
) -> None:
    """1,000 runs; of the truth, the shares of many clips, at every price that any run saw."""
    draw = np.random.default_rng(0)
    population = np.sort(truth(draw, 300_000))
    held = sum(holds(population, truth(draw, count)) for _ in range(1000))
    assert held >= 950


def test_where_no_two_prices_are_the_same_it_is_no_wider_than_it_must_be() -> None:
    draw = np.random.default_rng(0)
    population = np.sort(exponential(draw, 300_000))
    held = sum(holds(population, exponential(draw, 20)) for _ in range(1000))
    assert 953 <= held <= 977  # 96.5 %, to two standard errors


def holds(population: np.ndarray, costs: np.ndarray) -> bool:
    """Whether the truth is within the band at all prices: just below and at each that was seen."""
    found = clips(*(None if cost == inf else -cost for cost in costs))
    seen = found.costs[np.isfinite(found.costs)]
    for side in ("left", "right"):
        true = np.searchsorted(population, seen, side) / len(population)
        share = np.searchsorted(found.costs, seen, side) / len(costs)
        if (np.abs(true - share) > found.band).any():
            return False
    reached = np.isfinite(population).mean() - np.isfinite(costs).mean()
    return bool(abs(reached) <= found.band)


# ---- the command


@pytest.fixture
def run(tmp_path: Path) -> Path:
    way = (Success(40, "only", Prices(4.0, 1.5, 30.0, None, 4.8)),)
    temporal = asdict(DRY.quality)["temporal"]  # a margin of -6.5 dB
    records = {f"c{n}": a_record(id=f"c{n}", temporal=temporal) for n in range(3)}
    records["c0"] = a_record(id="c0", temporal=temporal, trail=[asdict(one) for one in way])
    records["c1"] = a_record(id="c1", verified=False, heard="Nothing.", trail=[])
    return a_run(tmp_path / "run", records, {"c3": "no"})


def test_the_command_prints_quantiles_and_the_share_at_the_mark(run: Path) -> None:
    ran = CliRunner().invoke(app, ["curve", str(run)])
    assert ran.exit_code == 0, ran.output
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert "clips 3 clips, 1 beyond" in lines
    assert "not finished 1 clip, left out" in lines
    assert "at 0.0, the mark 1 of 3 attackable, 33% (95 % band: 0% to 100%)" in lines
    assert "50% of clips -6.5 unknown to beyond" in lines
    assert "90% of clips beyond 1.5 to beyond" in lines


def test_the_command_draws_several_runs_and_prints_json(run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    arguments = ["curve", str(run), str(run), "--json", "--by", "snr", "--plot", str(picture)]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    first, second = map(json.loads, ran.stdout.splitlines())
    assert first["by"] == second["by"] == "snr"
    assert [clip["price"] for clip in first["clips"]] == [30.0, None, -3.5]
    assert first["quantiles"][2] == {"share": 0.5, "at": -3.5, "low": "unknown", "high": "beyond"}
    assert picture.read_text().startswith("<?xml")


def test_a_run_of_no_clip_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {}, {"c3": "no"})
    ran = CliRunner().invoke(app, ["curve", str(run)])
    assert ran.exit_code != 0
    assert "no results yet" in str(ran.exception)
