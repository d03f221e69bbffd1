"""Cards: written and read, compared, and judged by a gate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MondegreenError, OptionError
from mondegreen.gating.tested import read_tested
from mondegreen.results.card import (
    Card,
    CardClip,
    Cost,
    MishearScore,
    Model,
    Spent,
    SuiteName,
    read_card,
    write_card,
)
from mondegreen.results.folder import items_in
from mondegreen.results.prices import YARDSTICKS
from mondegreen.suites.compare import rank
from mondegreen.suites.text import card_text, interval_text
from mondegreen.wording import By


def a_card(*margins: float | None, name: str = "model", at: float | str = 0.0) -> Card:
    """A card whose clips are attackable at these margins; None: beyond."""
    clips = tuple(
        CardClip(f"c{n:03}", "open the door", f"{n:064}", margin is not None, _prices(margin))
        for n, margin in enumerate(margins)
    )
    return Card(
        suite=SuiteName("ours", 1, "0123456789abcdef"),
        score=MishearScore("margin", at, "unknown", "beyond"),
        model=Model(name, "f" * 16, 16_000),
        clips=clips,
        understood=len(clips),
        texts=len(clips),
        how={"method": "imperceptible", "stages": "abc"},
        doubt=None,
        spent=Spent(9_000, 0.5, "cpu; 2 processors; Linux"),
        made="2026-11-30T10:00:00+00:00",
        versions={"mondegreen": "0.1.0", "torch": "2.13.0"},
        revision=None,
    )


def _prices(margin: float | None) -> dict[str, float | None]:
    return {} if margin is None else {"margin": margin, "pesq": None}


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    card = a_card(1.5, None, -3.0)
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card


def test_a_card_says_that_understanding_was_not_checked() -> None:
    told = b"not checked | whether it understands the clean clips"
    assert told not in card_text(a_card(1.0))
    assert told in card_text(replace(a_card(1.0), understood=0, texts=0))


def test_two_cards_of_one_name_are_told_apart_by_their_files(tmp_path: Path) -> None:
    for name, margins in (("last", (1.0, 2.0)), ("this", (3.0, 4.0))):
        write_card(a_card(*margins), tmp_path / f"{name}.json")
    both = [str(tmp_path / f"{name}.json") for name in ("last", "this")]
    ran = CliRunner().invoke(app, ["suite", "compare", *both], env={"COLUMNS": "400"})
    assert all(f"({tmp_path.name}/{name}.json)" in ran.stdout for name in ("last", "this")), (
        ran.stdout
    )


def test_a_card_edited_by_hand_is_refused(tmp_path: Path) -> None:
    write_card(a_card(1.5), tmp_path / "card.json")
    data = json.loads((tmp_path / "card.json").read_text())
    data["clips"][0]["prices"]["margin"] = -9.0
    (tmp_path / "card.json").write_text(json.dumps(data))
    with pytest.raises(MondegreenError, match="changed after mondegreen wrote it"):
        read_card(tmp_path / "card.json")


def test_a_card_that_counts_a_clip_twice_is_refused(tmp_path: Path) -> None:
    card = a_card(1.5, 2.0)
    write_card(replace(card, clips=card.clips[:1] * 2), tmp_path / "card.json")
    with pytest.raises(MondegreenError, match="has 2 clips, 1 with an id of their own"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize("text", ["{}", '{"format": 99}', "no JSON", "[]"])
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(MondegreenError, match="Expected"):
        read_card(tmp_path / "card.json")


def test_a_card_that_is_not_there_or_where_a_run_is_wanted_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="does not exist, or is not a file"):
        read_card(tmp_path / "card.json")
    write_card(a_card(1.5), tmp_path / "card.json")
    with pytest.raises(MondegreenError, match="taken by gate and suite compare alone"):
        items_in(tmp_path / "card.json")


# ---- the gate takes cards


def gate(*arguments: str | Path) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["gate", *map(str, arguments), "--below", "margin:0"])
    return ran.exit_code, ran.output


def kept(folder: Path, card: Card) -> Path:
    path = folder / f"{card.model.name}.json"
    write_card(card, path)
    return path


@pytest.mark.parametrize(("attackable", "status"), [(0, 0), (9, 1), (2, 2)])
def test_a_gate_judges_a_card_as_it_would_its_run(
    tmp_path: Path, attackable: int, status: int
) -> None:
    card = kept(tmp_path, a_card(*[1.0] * attackable, *[-5.0] * (59 - attackable)))
    found, said = gate(card, "--allow", "5%")
    assert found == status
    assert f"{attackable} of 59 clips attackable" in said


def test_a_gate_compares_a_card_with_an_earlier_one(tmp_path: Path) -> None:
    last = kept(tmp_path, a_card(*[-5.0] * 100, name="last"))
    this = kept(tmp_path, a_card(*[5.0] * 20, *[-5.0] * 80, name="this"))
    assert gate(this, "--against", last, "--worse-by", "3%")[0] == 1
    assert gate(last, "--against", last, "--worse-by", "3%")[0] == 0
    other = replace(a_card(*[-5.0] * 100, name="other"), how={"method": "imperceptible"})
    status, said = gate(this, "--against", kept(tmp_path, other), "--worse-by", "3%")
    assert status == 2
    assert "not attacked alike" in said


def test_a_card_in_doubt_or_without_the_yardstick_cannot_be_judged(tmp_path: Path) -> None:
    doubtful = kept(tmp_path, replace(a_card(*[-5.0] * 59), doubt="a sanity check fires: x"))
    assert gate(doubtful, "--allow", "5%")[0] == 2
    run = CliRunner().invoke(app, ["gate", str(doubtful), "--below", "pesq:4.5", "--allow", "5%"])
    assert run.exit_code == 2
    (tmp_path / "model.json").write_text("{}")
    assert gate(doubtful, "--allow", "5%")[0] == 2


def test_what_is_not_known_of_a_clip_stays_unknown(tmp_path: Path) -> None:
    clips = (
        CardClip("dear", "x", None, True, {"margin": -3.0, "pesq": None}),
        CardClip("beyond", "x", None, False, {}),
        CardClip("failed", "x", None, None, {}),
    )
    card = kept(tmp_path, replace(a_card(), clips=clips))
    by_margin = read_tested(card, YARDSTICKS["margin"]).clips
    assert [(one.id, one.price) for one in by_margin.clips] == [("dear", -3.0), ("beyond", None)]
    assert by_margin.unknown == ("failed",)
    assert read_tested(card, YARDSTICKS["pesq"]).clips.unknown == ("dear", "failed")


# ---- compare


def test_the_easiest_to_fool_comes_first_and_clips_tell_how_surely() -> None:
    easy = a_card(*[5.0] * 10, name="easy", at=5.0)
    hard = a_card(*[-5.0] * 8, 6.0, None, name="hard", at=-5.0)
    none = a_card(*[None] * 10, name="none", at="beyond")
    ranked = rank([none, easy, hard])
    assert [one.card.model.name for one in ranked] == ["easy", "hard", "none"]
    assert (ranked[1].harder, ranked[1].easier) == (9, 1)
    assert ranked[1].p == pytest.approx(2 * (1 + 10) / 2**10)  # at most one of ten coins
    assert (ranked[2].harder, ranked[2].easier) == (9, 0)  # one is beyond in both
    assert ranked[2].p == pytest.approx(2 / 2**9)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"suite": SuiteName("ours", 2, "0123456789abcdef")}, "version 2"),
        ({"suite": SuiteName("ours", 1, "f" * 16)}, "f{16}"),
        ({"how": {"method": "imperceptible", "stages": "abd"}}, "stages"),
    ],
)
def test_what_is_not_comparable_is_refused(other: dict[str, object], why: str) -> None:
    with pytest.raises(OptionError, match=f"cannot be compared.*|{why}") as told:
        rank([a_card(1.0), replace(a_card(1.0), **other)])  # type: ignore[arg-type]
    assert told.match(why)
    with pytest.raises(OptionError, match="two or more"):
        rank([a_card(1.0)])
    with pytest.raises(OptionError, match="one and the same"):
        rank([a_card(1.0), a_card(2.0), a_card(1.0)])


# ---- as text


@pytest.mark.parametrize(
    ("by", "least", "most", "told"),
    [
        ("margin", 0.31, -2.4, "-2.4 to 0.3"),  # the less audible, the larger the margin
        ("margin", 14.0, "beyond", "beyond to 14.0"),
        ("excess", 3.0, 12.5, "3.0 to 12.5"),  # the less audible, the smaller the excess
        ("excess", 3.0, "beyond", "3.0 to beyond"),
    ],
)
def test_an_interval_goes_from_the_lower_number_to_the_higher(
    by: By, least: Cost, most: Cost, told: str
) -> None:
    assert interval_text(MishearScore(by, 0.0, least, most)) == told


def test_a_card_as_text_says_what_a_reader_needs() -> None:
    text = card_text(a_card(1.0, 2.0, None, -4.0, name="my `model`", at=1.0)).decode()
    for part in (
        "`my 'model'`",
        "`ours`, version 1",
        "**Mishear score: 1.0",
        "4 of 4 whose words are known",
    ):
        assert part in text
    rows = [line for line in text.splitlines() if line.startswith("| margin")]
    assert rows == ["| margin, dB | 2.0 | 2.0 | 1.0 | -4.0 | beyond |"]
