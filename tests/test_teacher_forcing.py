"""Teacher forcing and generation settings, in closed form and against plain loops."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GenerationConfig

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import Generation, check_room, longest

FREE = torch.zeros(2, 5)


def test_even_odds_cost_the_log_of_their_number() -> None:
    forced = TeacherForcing.of([0], torch.tensor([1, 2, 4]), torch.tensor([4]))
    found = forced.score(torch.zeros(4, 5), FREE)
    assert found.loss.tolist() == pytest.approx([3 * math.log(5), math.log(5)])


def test_what_is_barred_leaves_the_odds() -> None:
    barred = torch.tensor([[0, -math.inf, 0, -math.inf, 0], [0, 0, 0, -math.inf, 0]])
    found = TeacherForcing.of([0], torch.tensor([2, 2, 4])).score(torch.zeros(3, 5), barred)
    assert found.loss.item() == pytest.approx(math.log(3) + 2 * math.log(4))


def test_the_decoder_is_fed_the_prompt_and_all_but_the_last() -> None:
    forced = TeacherForcing.of([7, 8], torch.tensor([1, 2, 9]), torch.tensor([9]))
    assert forced.inputs.tolist() == [[7, 8, 1, 2], [7, 8, 0, 0]]
    places = torch.arange(8).view(2, 4, 1)
    # of the first clip, from the prompt's last place on; of the second, the place before its end
    assert forced.predicting(places)[:, 0].tolist() == [1, 2, 3, 5]


def test_prompts_may_differ() -> None:
    forced = TeacherForcing([[7, 8, 8], [7]], [torch.tensor([1, 2]), torch.tensor([3, 4])])
    assert forced.inputs.tolist() == [[7, 8, 8, 1], [7, 3, 0, 0]]
    places = torch.arange(8).view(2, 4, 1)
    assert forced.predicting(places)[:, 0].tolist() == [2, 3, 4, 5]


TARGETS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(deadline=None, max_examples=50)
@given(TARGETS, st.integers(1, 3), st.integers(0, 10_000))
def test_the_batch_is_its_targets_one_by_one(
    targets: list[list[int]], prompt: int, seed: int
) -> None:
    """The slow twin: a loop over clips and places, on logits that often favour the target."""
    draw = torch.Generator().manual_seed(seed)
    width = prompt - 1 + max(map(len, targets))
    hidden = torch.randn(len(targets), width, 5, generator=draw)
    for row, target in enumerate(targets):
        for place, symbol in enumerate(target):
            hidden[row, prompt - 1 + place, symbol] += 3
    forced = TeacherForcing.of([0] * prompt, *(torch.tensor(target) for target in targets))
    found = forced.score(forced.predicting(hidden), FREE)
    for row, target in enumerate(targets):
        rows = [hidden[row, prompt - 1 + place] for place in range(len(target))]
        own = -sum(float(logits.log_softmax(0)[i]) for logits, i in zip(rows, target, strict=True))
        said = [int(logits.argmax()) for logits in rows]
        assert float(found.loss[row]) == pytest.approx(own, rel=1e-5)
        assert bool(found.matched[row]) == (said == target)


# ---- the generation config


def config(**settings: Any) -> GenerationConfig:
    return GenerationConfig(**({"decoder_start_token_id": 1, "eos_token_id": 2} | settings))


def test_nothing_is_barred_by_default() -> None:
    found = Generation.of(config(), 5)
    assert (found.prompt, found.end) == ((1,), 2)
    assert torch.equal(found.barred(), FREE)


def test_the_first_row_bars_the_first_choice() -> None:
    found = Generation.of(config(suppress_tokens=[3, 99], begin_suppress_tokens=[4]), 5).barred()
    assert (found[0] < 0).tolist() == [False, False, False, True, True]
    assert (found[1] < 0).tolist() == [False, False, False, True, False]


def test_a_forced_first_symbol_is_given_unless_there_is_a_prompt() -> None:
    assert Generation.of(config(forced_bos_token_id=4), 5).prompt == (1, 4)
    assert Generation.of(config(forced_bos_token_id=4), 5, [1, 3]).prompt == (1, 3)


@pytest.mark.parametrize(
    "setting", [{"bad_words_ids": [[3]]}, {"min_new_tokens": 2}, {"repetition_penalty": 1.1}]
)
def test_what_bends_the_logits_otherwise_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(VictimError, match=next(iter(setting))):
        Generation.of(config(**setting), 5)


@pytest.mark.parametrize("end", [None, [], [2, 3]])
def test_an_output_has_one_end(end: Any) -> None:
    with pytest.raises(VictimError, match="exactly one"):
        Generation.of(config(eos_token_id=end), 5)


def test_the_longest_output() -> None:
    assert longest(config(max_length=30), given=2) == 30
    assert longest(config(max_new_tokens=30), given=2) == 32
    assert longest(config(), given=2) == 22
    assert longest(config(max_length=30, forced_eos_token_id=2), given=2) == 29


def test_a_target_is_closed_and_what_is_barred_is_refused() -> None:
    letters: Any = SimpleNamespace(
        encode=lambda text: ["cd".index(letter) + 3 for letter in text],
        decode=lambda ids: "".join("cd"[i - 3] for i in ids),
    )
    rules = Generation.of(config(begin_suppress_tokens=[4]), 5)
    assert rules.encode("cd", letters).tolist() == [3, 4, 2]
    with pytest.raises(TargetError, match="suppresses 'd', which is in 'dc'"):
        rules.encode("dc", letters)


def test_room_counts_the_end() -> None:
    tokens: Tensor = torch.tensor([3, 4, 2])
    check_room(tokens, 3)
    with pytest.raises(TargetError, match=r"takes 2 tokens.*at most 1 at a time"):
        check_room(tokens, 2)
