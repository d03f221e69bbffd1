"""The CTC family: on paths counted by hand, by brute force, and on tiny checkpoints."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mondegreen.victims.batching import Unpadded
from mondegreen.victims.ctc_loss import best_path, frames_needed, score_ctc
from mondegreen.victims.tokens.beam import prefix_beam_search

BLANK, SPACE = 0, 1


def logits_of(path: list[int], symbols: int = 4) -> torch.Tensor:
    """[F, V]: one frame after another says what the path says."""
    return 5.0 * torch.nn.functional.one_hot(torch.tensor(path), symbols).double()


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """The text of a path, by the definition."""
    merged = [symbol for symbol, _ in itertools.groupby(path)]
    return tuple(symbol for symbol in merged if symbol != BLANK)


def words(symbols: tuple[int, ...]) -> list[str]:
    """Collapsed symbols as a decoder prints them: delimiters stripped and merged."""
    return "".join(" " if s == SPACE else str(s) for s in symbols).split()


def probabilities(log_probs: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The probability of every text, by walking every path."""
    found: dict[tuple[int, ...], float] = {}
    frames, symbols = log_probs.shape
    for path in itertools.product(range(symbols), repeat=frames):
        p = math.exp(sum(float(log_probs[f, s]) for f, s in enumerate(path)))
        found[collapse(path)] = found.get(collapse(path), 0.0) + p
    return found


def test_a_single_frame_says_its_symbol_with_its_probability() -> None:
    logits = torch.tensor([[[0.3, -1.0, 2.0]]], dtype=torch.float64)
    score = score_ctc(logits, torch.tensor([1]), [torch.tensor([2])], BLANK)
    assert score.loss.item() == pytest.approx(-logits[0, 0].log_softmax(-1)[2].item(), abs=1e-12)


def test_the_loss_is_the_sum_over_every_path() -> None:
    logits = torch.randn(1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    every = probabilities(logits[0].log_softmax(-1))
    assert sum(every.values()) == pytest.approx(1.0)
    for text, p in every.items():
        if text:
            score = score_ctc(logits, torch.tensor([4]), [torch.tensor(text)], BLANK)
            assert score.loss.item() == pytest.approx(-math.log(p), rel=1e-10)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9),
    st.lists(st.integers(2, 3), min_size=1, max_size=4),
)
def test_matched_is_what_a_decoder_prints(path: list[int], target: list[int]) -> None:
    logits = torch.randn(1, len(path) + 2, 4)  # two frames of padding, which say anything
    logits[0, : len(path)] = logits_of(path).float()
    for wanted in (target, list(collapse(tuple(path)))):
        if not words(tuple(wanted)) or wanted[0] == SPACE or wanted[-1] == SPACE:
            continue
        if any(a == b == SPACE for a, b in itertools.pairwise(wanted)):
            continue
        if frames_needed(torch.tensor(wanted)) > len(path):
            continue
        frames = torch.tensor([len(path)])
        score = score_ctc(logits, frames, [torch.tensor(wanted)], BLANK, delimiter=SPACE)
        printed = words(collapse(tuple(path)))
        assert bool(score.matched) == (printed == words(tuple(wanted)))


@pytest.mark.parametrize(
    ("path", "target", "delimiter", "matched"),
    [
        ([2, 2, 0, 3], [2, 3], None, True),
        ([2, 0, 2, 3], [2, 2, 3], None, True),
        ([2, 2, 3, 0], [2, 2, 3], None, False),
        ([2, 3, 2, 0], [2, 3], None, False),
        ([2, 0, 0, 0], [2, 3], None, False),
        ([1, 2, 1, 3], [2, 1, 3], SPACE, True),
        ([2, 1, 0, 1], [2], SPACE, True),
        ([2, 1, 0, 1], [2], None, False),
        ([1, 0, 1, 2], [2], SPACE, True),
        ([2, 1, 0, 3], [2, 3], SPACE, False),
    ],
)
def test_best_paths_by_hand(
    path: list[int], target: list[int], delimiter: int | None, matched: bool
) -> None:
    logits, frames = logits_of(path)[None], torch.tensor([len(path)])
    score = score_ctc(logits, frames, [torch.tensor(target)], BLANK, delimiter)
    assert bool(score.matched) is matched
    assert best_path(logits[0], BLANK) == list(collapse(tuple(path)))


def test_clips_of_a_batch_are_scored_alone() -> None:
    logits = torch.randn(3, 9, 4, dtype=torch.float64)
    frames, targets = torch.tensor([9, 4, 6]), [torch.tensor(t) for t in ([2, 3, 2], [3], [2, 2])]
    together = score_ctc(logits, frames, targets, BLANK)
    for b, target in enumerate(targets):
        alone = score_ctc(logits[b : b + 1, : frames[b]], frames[b : b + 1], [target], BLANK)
        torch.testing.assert_close(together.loss[b : b + 1], alone.loss)
        assert together.matched[b] == alone.matched[0]


def test_the_loss_has_the_right_gradient() -> None:
    logits = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    frames, targets = torch.tensor([5, 3]), [torch.tensor([2, 2, 3]), torch.tensor([1])]
    assert torch.autograd.gradcheck(lambda x: score_ctc(x, frames, targets, BLANK).loss, logits)


def test_a_barred_symbol_leaves_loss_and_gradient_as_if_it_were_not_there() -> None:
    """By hand: "a" in two frames is said unless both are blank, P = 1 - q1 q2."""
    logits = torch.tensor([[[0.2, 1.0, -math.inf], [1.5, 0.3, -math.inf]]], dtype=torch.float64)
    said = logits[0, :, :2].softmax(-1)[:, 1]
    total = 1 - (1 - said).prod()
    logits.requires_grad_()
    loss = score_ctc(logits, torch.tensor([2]), [torch.tensor([1])], blank=0).loss[0]
    (gradient,) = torch.autograd.grad(loss, logits)
    of_a = said - said / total  # softmax less the share of the paths that are at "a" then
    expected = torch.stack([-of_a, of_a, torch.zeros(2, dtype=torch.float64)], -1)
    torch.testing.assert_close(loss.detach(), -total.log())
    torch.testing.assert_close(gradient[0], expected)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_a_beam_that_keeps_everything_finds_the_most_probable_text(seed: int) -> None:
    made = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(4, 3, generator=made, dtype=torch.float64).log_softmax(-1)
    every = probabilities(log_probs)
    found = prefix_beam_search(log_probs, BLANK, beams=200)
    assert every[found] == pytest.approx(max(every.values()), rel=1e-9)


def test_a_beam_adds_up_what_the_best_path_keeps_apart() -> None:
    # nothing is the best path (0.36), but three paths say symbol 1: 0.16 + 2 * 0.24 = 0.64
    assert best_path(torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log(), BLANK) == []
    assert prefix_beam_search(torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log(), BLANK, 4) == (1,)


def test_clips_of_equal_size_share_a_pass_and_keep_their_order() -> None:
    counts, inputs = torch.tensor([3, 5, 3, 2]), torch.arange(20.0).reshape(4, 5)
    shapes: list[tuple[int, ...]] = []

    def model(batch: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(batch.shape))
        return batch[:, 1:] * 2

    outputs, sizes = Unpadded(model)(inputs, counts)
    assert sorted(shapes) == [(1, 2), (1, 5), (2, 3)]
    assert sizes.tolist() == [2, 4, 2, 1]
    for row, count, output in zip(inputs, counts, outputs, strict=True):
        torch.testing.assert_close(output[: count - 1], row[1:count] * 2)
        assert not output[count - 1 :].any()


@pytest.mark.parametrize("symbol", [-1, 3, 1_000])
def test_a_symbol_that_the_logits_do_not_have_is_refused(symbol: int) -> None:
    """The loss would be read from elsewhere in memory."""
    target = torch.tensor([1, symbol])
    with pytest.raises(ValueError, match="the logits only those from 0 to 2"):
        score_ctc(torch.zeros(1, 4, 3), torch.tensor([4]), [target], blank=0)
