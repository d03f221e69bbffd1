"""Which clip gets which treatment: balance over all forms and within each, for any numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mondegreen.listening.design import Slot, assign, spread

DESIGNS = {
    "clips": st.integers(1, 40),
    "treatments": st.integers(1, 10),
    "arrangements": st.integers(1, 4),
    "most": st.integers(1, 50),
    "seed": st.integers(0, 2**32),
}


def forms_of(
    clips: int, treatments: int, arrangements: int, most: int, seed: int
) -> list[list[Slot]]:
    return assign(clips, treatments, arrangements, most, Random(seed))


def even(values: Iterable[Any], among: int) -> bool:
    """Whether what is counted differs by one at most, including those that do not occur."""
    counts = Counter(values)
    least = min(counts.values()) if len(counts) == among else 0
    return max(counts.values(), default=0) - least <= 1


def test_a_latin_square_by_hand() -> None:
    forms = assign(clips=3, treatments=3, arrangements=1, most=3, rng=Random(1))
    assert len(forms) == 3
    squares = [sorted((slot.clip, slot.treatment) for slot in form) for form in forms]
    assert len({tuple(square) for square in squares}) == 3
    for clip in range(3):
        assert sorted(at for square in squares for c, at in square if c == clip) == [0, 1, 2]


@given(**DESIGNS)
def test_every_clip_gets_every_treatment_in_every_arrangement_once(**design: int) -> None:
    forms = forms_of(**design)
    got = Counter((slot.clip, slot.treatment, slot.arrangement) for form in forms for slot in form)
    assert set(got.values()) == {1}
    assert len(got) == design["clips"] * design["treatments"] * design["arrangements"]


@given(**DESIGNS)
def test_the_first_listeners_get_every_treatment_of_every_clip_once(**design: int) -> None:
    forms = forms_of(**design)
    first = forms[: len(forms) // design["arrangements"]]
    got = Counter((slot.clip, slot.treatment) for form in first for slot in form)
    assert set(got.values()) == {1}
    assert len(got) == design["clips"] * design["treatments"]


@given(**DESIGNS)
def test_nobody_gets_a_clip_twice_or_too_many(**design: int) -> None:
    forms = forms_of(**design)
    for form in forms:
        clips = [slot.clip for slot in form]
        assert len(clips) == len(set(clips)) <= design["most"]
    lengths = [len(form) for form in forms]
    assert max(lengths) - min(lengths) <= 1


@given(**DESIGNS)
def test_treatments_and_arrangements_are_even_within_a_form(**design: int) -> None:
    treatments, arrangements = design["treatments"], design["arrangements"]
    for form in forms_of(**design):
        assert even((slot.treatment for slot in form), treatments)
        assert even((slot.arrangement for slot in form), arrangements)
        for treatment in range(treatments):
            assert even(
                (slot.arrangement for slot in form if slot.treatment == treatment), arrangements
            )


def test_the_seed_decides_the_order_of_clips() -> None:
    design = {"clips": 12, "treatments": 2, "arrangements": 4, "most": 12}
    assert forms_of(**design, seed=3) == forms_of(**design, seed=3)
    assert forms_of(**design, seed=3) != forms_of(**design, seed=4)
    assert len({form[0].clip for form in forms_of(**design, seed=3)}) > 1


@given(
    ordinary=st.integers(0, 40),
    rare=st.integers(0, 8),
    seed=st.integers(0, 2**32),
)
def test_rare_items_are_spread_over_the_session(ordinary: int, rare: int, seed: int) -> None:
    mixed = spread(list(range(ordinary)), [f"rare {at}" for at in range(rare)], Random(seed))
    assert [one for one in mixed if isinstance(one, int)] == list(range(ordinary))
    assert sorted(str(one) for one in mixed if isinstance(one, str)) == [
        f"rare {at}" for at in range(rare)
    ]
    before = [  # how many ordinary ones stand before each rare one
        sum(isinstance(one, int) for one in mixed[:at])
        for at, one in enumerate(mixed)
        if isinstance(one, str)
    ]
    for at, count in enumerate(before):
        assert ordinary * at // rare <= count <= ordinary * (at + 1) // rare


def test_which_rare_item_comes_first_is_random() -> None:
    first = {spread([0] * 10, ["a", "b"], Random(seed))[:10].count("a") for seed in range(20)}
    assert first == {0, 1}
