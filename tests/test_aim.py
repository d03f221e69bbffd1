"""What an attack is to achieve: when a transcript is that, and what cannot be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from mondegreen.aim import Aim, says
from mondegreen.errors import OptionError, TargetError
from mondegreen.options import Options

SAID = "Open the door to the garden."  # six words


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("OPEN THE DOOR TO THE GARDEN", 0),
        ("Open the floor to the garden.", 1),
        ("Open the floor to the guard.", 2),
        ("Open a floor to the guard.", 3),
        ("Open the door.", 3),
        ("", 6),
        ("Open the door to the garden and come in at once, my friend.", 7),
    ],
)
@pytest.mark.parametrize("least", [0.1, 0.5, 1.0])
def test_untargeted_is_met_from_a_share_of_wrong_words_on(
    heard: str, errors: int, least: float
) -> None:
    assert Aim(None, SAID, min_wer=least).met(heard) == (errors / 6 >= least)


@pytest.mark.parametrize(
    ("transcript", "phrase", "said"),
    [
        ("Open the door.", "door", True),
        ("Open the DOOR!", "Door", True),
        ("Open the doors.", "door", False),
        ("Open the door.", "the door", True),
        ("Open the old door.", "the door", False),
        ("", "door", False),
        ("It isn't open.", "isn’t", True),
        ("我打开门", "开门", True),
    ],
)
def test_a_forbidden_word_must_not_be_there(transcript: str, phrase: str, said: bool) -> None:
    assert says(transcript, phrase) is said
    assert Aim(None, SAID, forbidden=phrase).met(transcript) is not said


@pytest.mark.parametrize(
    ("options", "target", "words"),
    [
        ({}, "open the door", "as 'open the door'"),
        ({"method": "untargeted"}, None, "with at least 50% of its words wrong"),
        ({"method": "untargeted", "min_wer": 0.8}, None, "with at least 80% of its words wrong"),
        ({"method": "untargeted", "forbid": "door"}, None, "without the word 'door'"),
    ],
)
def test_it_follows_from_the_options_and_says_what_it_is(
    options: dict[str, Any], target: str | None, words: str
) -> None:
    assert Aim.of(Options(**options), target, SAID).words == words


@pytest.mark.parametrize(
    ("options", "target", "error", "said"),
    [
        ({}, None, TargetError, "no target.*choose the method untargeted"),
        ({}, "...", TargetError, "no words"),
        ({"method": "untargeted"}, "open", OptionError, "'open' for the method untargeted"),
        ({"method": "untargeted", "forbid": "?!"}, None, OptionError, "forbid = '\\?!'"),
    ],
)
def test_what_cannot_be_aimed_for_is_refused(
    options: dict[str, Any], target: str | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Aim.of(Options(**options), target, None)
