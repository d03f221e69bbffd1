"""Gauges and waveforms of a page: their marks are the verdict's, their shapes are the sound's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from records import DRY, QUALITY
from test_tables import QUALITY_IN_ROOMS, a_record

from mondegreen.report.page.gauges import gauges
from mondegreen.report.page.waves import CHANGE, COLUMNS, HALF, SOUND, wave
from mondegreen.results.record import Record
from mondegreen.results.verdict import verdict

SVG = "{http://www.w3.org/2000/svg}"


# ---- gauges


def rated(mos: float | None, pesq: float | None = None) -> Record:
    return replace(DRY, quality=replace(QUALITY, zimtohrli_mos=mos, pesq_c2=pesq, temporal=None))


@pytest.mark.parametrize(
    ("mos", "word"),
    [
        (1.0, "plainly audible"),
        (3.99, "plainly audible"),
        (4.0, "audible on direct comparison"),
        (4.69, "audible on direct comparison"),
        (4.7, "probably inaudible"),
        (5.0, "probably inaudible"),
    ],
)
def test_a_gauge_stands_where_the_verdict_says(mos: float, word: str) -> None:
    ((where, (gauge,)),) = gauges(rated(mos))
    assert where == ""
    zones = {
        "plainly audible": gauge.at < gauge.plain,
        "audible on direct comparison": gauge.plain <= gauge.at < gauge.inaudible,
        "probably inaudible": gauge.at >= gauge.inaudible,
    }
    found = verdict(rated(mos).quality)
    assert found is not None
    assert [name for name, inside in zones.items() if inside] == [word] == [found.word]


def test_places_are_linear_in_ratings_and_by_powers_of_ten_in_the_masking_loss() -> None:
    ((_, (one,)),) = gauges(rated(2.0))
    assert (one.value, one.mark) == ("2.00", "from 4.7")
    assert (one.at, one.plain, one.inaudible) == (25.0, 75.0, 92.5)  # of 1 to 5
    places = []
    for loss in (0.0, 0.5, 1.0, 100.0, 1e9):
        quality = replace(QUALITY, temporal=replace(QUALITY.masking, loss=loss))
        ((_, found),) = gauges(replace(DRY, quality=quality))
        places.append(found[-1].at)
        assert (found[-1].plain, found[-1].mark) == (0.0, "up to 0.5")
        assert found[-1].inaudible == pytest.approx(100 * (4 - np.log10(0.5)) / 6, abs=0.01)
    assert places == pytest.approx(
        [100, 100 * (4 - np.log10(0.5)) / 6, 400 / 6, 200 / 6, 0], abs=0.01
    )


def test_what_is_not_known_has_no_gauge_and_rooms_have_their_own() -> None:
    assert gauges(rated(None)) == []
    there = Record.from_json({**a_record(zimtohrli_mos=4.5), "quality_in_rooms": QUALITY_IN_ROOMS})
    found = {where: {one.label: one.value for one in some} for where, some in gauges(there)}
    assert found["In the median room"]["Zimtohrli MOS"] == "3.50"
    assert found["Without a room"]["Zimtohrli MOS"] == "4.50"


# ---- waveforms


def outlines(svg: bytes) -> list[tuple[str, np.ndarray]]:
    """The fill and the outline [N, 2] of every path, in steps from the upper left corner."""
    root = ET.fromstring(svg)
    found = []
    for path in root.iter(f"{SVG}path"):
        at, points = np.zeros(2, int), []
        for kind, words in re.findall(r"([MlV])([-\d ]+)", path.get("d") or ""):
            numbers = [int(word) for word in words.split()]
            if kind == "V":
                at = np.array([at[0], numbers[0]])
            else:
                at = np.array(numbers) + (at if kind == "l" else 0)
            points.append(at)
        found.append((path.get("fill") or "", np.array(points)))
    return found


def test_a_waveform_reaches_from_the_lowest_to_the_highest_sample_of_each_column() -> None:
    sound = np.zeros(10 * COLUMNS, np.int16)
    sound[100], sound[205] = 20_000, -10_000  # in columns 10 and 20
    ((fill, points),) = outlines(wave((sound, SOUND)))
    assert fill == SOUND
    assert len(points) == 2 * COLUMNS
    tops, bottoms = points[:COLUMNS], points[COLUMNS:][::-1]
    assert tops[:, 0].tolist() == bottoms[:, 0].tolist() == list(range(COLUMNS))
    loud, half = 1, HALF + (HALF - 1) // 2
    assert tops[10, 1] <= loud
    assert abs(bottoms[20, 1] - half) <= 2
    quiet = np.delete(np.arange(COLUMNS), [10, 20])
    assert set((bottoms - tops)[quiet, 1]) == {2}  # silence is a thin line
    assert set(tops[quiet, 1]) == {HALF - 1}


def test_layers_share_one_scale() -> None:
    loud, quiet = np.full(COLUMNS, 30_000), np.full(COLUMNS, 300)
    (_, first), (fill, second) = outlines(wave((loud, SOUND), (quiet, CHANGE)))
    assert fill == CHANGE
    assert first[0, 1] == 0
    assert second[0, 1] >= HALF - 2  # a hundredth


@pytest.mark.parametrize("samples", [0, 1, 7])
def test_a_short_or_silent_sound_is_a_line(samples: int) -> None:
    ((_, points),) = outlines(wave((np.zeros(samples, np.int16), SOUND)))
    assert set(points[:, 1]) == {HALF - 1, HALF + 1}
