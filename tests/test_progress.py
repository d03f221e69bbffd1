"""When a step counts as a success."""

from __future__ import annotations

import pytest
import torch

from mondegreen.search.progress import StepOutcome
from mondegreen.search.stage import Expectation


@pytest.mark.parametrize(
    ("hits", "judged", "success"), [(3, 10, False), (4, 10, True), (4, 9, False), (9, 9, False)]
)
def test_a_success_is_a_quorum_in_all_the_draws_that_were_asked_for(
    hits: int, judged: int, success: bool
) -> None:
    one = torch.ones(1)
    outcome = StepOutcome(one, torch.tensor([hits]), *[one] * 4, *[None] * 4, judged)
    assert outcome.success(Expectation(draws=1, quorum=4, looks=10)).tolist() == [success]
