"""What several transcripts agree on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mondegreen.chain.vote import vote

words = st.lists(st.sampled_from(["open", "the", "door", "now", "please"]), max_size=6)
texts = words.map(" ".join)


@settings(deadline=None, max_examples=60)
@given(texts, st.lists(texts, max_size=3), st.randoms())
def test_what_more_than_half_say_wins_wherever_it_stands(
    said: str, others: list[str], random: object
) -> None:
    every = [said] * (len(others) + 1) + others
    random.shuffle(every)  # type: ignore[attr-defined]
    assert vote(every) == said


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=5))
def test_no_word_comes_from_nowhere(every: list[str]) -> None:
    heard = {word for text in every for word in text.split()}
    assert set(vote(every).split()) <= heard
    assert vote(every) == vote(every)


@settings(deadline=None, max_examples=30)
@given(texts, texts)
def test_of_two_the_first_wins(first: str, second: str) -> None:
    """Where both are as far from each other, and every place is a draw."""
    assert vote([first, second]) == first


@pytest.mark.parametrize(
    ("every", "said"),
    [
        (["open the door"], "open the door"),
        (["open", "shut", "lock"], "open"),  # all differ: the first
        (["open a door", "open the door", "open the floor"], "open the door"),
        (["", "", "open"], ""),
        (["", "open", "open"], "open"),
        (["", ""], ""),
        (["the door", "open the door", "open the door"], "open the door"),  # a word at the front
        (["open door", "open the door", "open the door now"], "open the door"),
        (["Hello,  there", "Hello,  there"], "Hello, there"),  # words as they were spelled
        (["Open the door.", "open a door", "Oh, open the door!"], "Open the door."),
        (["shut the door", "Open the door.", "open the door"], "Open the door."),
        (["the door, now", "the DOOR.", "the floor"], "the DOOR."),
        (["Well - now", "well now", "Well, now."], "Well - now"),
        (["50 of it", "50% of it", "50 % of it"], "50% of it"),  # a symbol that is read aloud
        (["打开窗", "打开门。", "打 开 门"], "打开门。"),  # writing without spaces between words
        (["?!", "...", "open"], ""),
        # each word as most spell it, where no transcript says all of it
        (["Go to a Door", "Go at the Door", "Go to the floor"], "Go to the Door"),
    ],
)
def test_word_by_word(every: list[str], said: str) -> None:
    assert vote(every) == said


def test_each_error_is_outvoted_though_no_transcript_is_right() -> None:
    every = ["please shut the door now", "please open a door now", "please open the floor now"]
    assert vote(every) == "please open the door now"
