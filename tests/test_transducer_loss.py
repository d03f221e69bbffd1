"""The forward algorithm over a transducer's lattice: closed forms, slow twins, all paths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.loss.loss_tdt import tdt_loss as reference_tdt_loss

from mondegreen.victims.transducer_loss import rnnt_loss, tdt_loss

Arc = tuple[int, int, float]  # frames, symbols, log-probability
SHAPES = {"T": st.integers(1, 6), "U": st.integers(0, 5), "seed": st.integers(0, 10**6)}
DURATIONS = st.sampled_from([(0, 1), (1,), (0, 1, 2, 3, 4), (1, 2), (2, 0, 3)])
COUNTS = torch.tensor


class Lattice:
    """Random log-probabilities [B, ...] of a model with V symbols, normalised at each node."""

    def __init__(self, T: int, U: int, seed: int = 0, B: int = 1, V: int = 4, D: int = 0) -> None:
        made = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(B, T, U + 1, V, generator=made, dtype=torch.float64)
        log_p = logits.log_softmax(-1)
        self.blank, self.emit = log_p[..., 0], log_p[:, :, :-1, 1]
        times = torch.randn(B, T, U + 1, D, generator=made, dtype=torch.float64)
        self.duration = times.log_softmax(-1)
        self.frames, self.symbols = COUNTS([T] * B), COUNTS([U] * B)

    def rnnt(self) -> Tensor:
        return rnnt_loss(self.blank, self.emit, self.frames, self.symbols)

    def tdt(self, durations: Sequence[int]) -> Tensor:
        return tdt_loss(self.blank, self.emit, self.duration, durations, self.frames, self.symbols)

    def arcs(self, row: int, t: int, u: int, durations: Sequence[int] | None) -> Iterator[Arc]:
        """What leaves a node, in words of the definition."""
        blank, emits = float(self.blank[row, t, u]), u < int(self.symbols[row])
        emit = float(self.emit[row, t, u]) if emits else -math.inf
        if durations is None:
            yield 1, 0, blank
            yield 0, 1, emit
            return
        for frames, log_p in zip(durations, self.duration[row, t, u].tolist(), strict=True):
            if frames > 0:
                yield frames, 0, blank + log_p
            yield frames, 1, emit + log_p

    def by_all_paths(self, durations: Sequence[int] | None = None, row: int = 0) -> float:
        """-log of the sum over every single path."""
        end = int(self.frames[row]), int(self.symbols[row])

        def total(t: int, u: int) -> float:
            if t >= end[0]:
                return 0.0
            found = 0.0
            for frames, symbols, log_p in self.arcs(row, t, u, durations):
                if symbols and u == end[1]:
                    continue
                ends = not symbols and (t + frames, u) == end
                rest = 1.0 if ends else total(t + frames, u + symbols)
                found += math.exp(log_p) * rest
            return found

        return -math.log(p) if (p := total(0, 0)) > 0 else math.inf

    def by_loops(self, durations: Sequence[int] | None = None, row: int = 0) -> float:
        """The forward algorithm with a loop over frames and one over symbols."""
        T, U = int(self.frames[row]), int(self.symbols[row])
        reached = [[0.0] * (U + 1) for _ in range(T)]
        reached[0][0] = 1.0
        total = 0.0
        for t in range(T):
            for u in range(U + 1):
                for frames, symbols, log_p in self.arcs(row, t, u, durations):
                    p = reached[t][u] * math.exp(log_p)
                    if t + frames < T and u + symbols <= U:
                        reached[t + frames][u + symbols] += p
                    elif t + frames == T and u == U and not symbols:
                        total += p
        return -math.log(total) if total > 0 else math.inf


# ---- closed forms


def test_one_frame_and_nothing_to_say() -> None:
    lattice = Lattice(1, 0)
    torch.testing.assert_close(lattice.rnnt(), -lattice.blank[:, 0, 0])


def test_one_frame_and_one_symbol() -> None:
    lattice = Lattice(1, 1)
    expected = -(lattice.emit[:, 0, 0] + lattice.blank[:, 0, 1])
    torch.testing.assert_close(lattice.rnnt(), expected)


def test_one_frame_and_one_symbol_with_durations() -> None:
    lattice = Lattice(1, 1, D=2)
    stay, move = lattice.duration[0, 0].T
    expected = -(lattice.emit[0, 0, 0] + stay[0] + lattice.blank[0, 0, 1] + move[1])
    torch.testing.assert_close(lattice.tdt((0, 1))[0], expected)


def uniform(T: int, U: int, V: int, D: int = 0) -> Lattice:
    lattice = Lattice(T, U, D=D)
    for log_p, choices in ((lattice.blank, V), (lattice.emit, V), (lattice.duration, D)):
        log_p.fill_(-math.log(max(choices, 1)))
    return lattice


@given(T=st.integers(1, 30), U=st.integers(0, 20), V=st.integers(2, 9000))
@settings(deadline=None, max_examples=30)
def test_where_all_is_equally_likely_the_paths_are_counted(T: int, U: int, V: int) -> None:
    # T blanks, the last of them at the end, and U symbols anywhere among the others
    expected = (T + U) * math.log(V) - math.log(math.comb(T - 1 + U, U))
    assert float(uniform(T, U, V).rnnt()) == pytest.approx(expected, rel=1e-12)


@given(T=st.integers(1, 12), U=st.integers(0, 8), V=st.integers(2, 9000))
@settings(deadline=None, max_examples=30)
def test_paths_with_durations_are_counted(T: int, U: int, V: int) -> None:
    # k of the symbols take a frame, which leaves T - k blanks, the last of them at the end
    total = sum(
        math.comb(U, k) * math.comb(T - k + U - 1, U) / (2.0 * V) ** (T - k + U)
        for k in range(min(U, T - 1) + 1)
    )
    assert float(uniform(T, U, V, 2).tdt((0, 1))) == pytest.approx(-math.log(total), rel=1e-12)


def test_a_symbol_a_frame_is_a_choice_of_frames() -> None:
    expected = 7 * math.log(5) - math.log(math.comb(6, 3))
    assert float(uniform(7, 3, 5, 1).tdt((1,))) == pytest.approx(expected, rel=1e-12)


def test_long_lattices_keep_their_precision_in_float32() -> None:
    T, U, V = 400, 80, 8193
    lattice = uniform(T, U, V)
    loss = rnnt_loss(lattice.blank.float(), lattice.emit.float(), lattice.frames, lattice.symbols)
    expected = (T + U) * math.log(V) - (math.lgamma(T + U) - math.lgamma(U + 1) - math.lgamma(T))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(expected, rel=1e-5)


# ---- slow twins


@given(**SHAPES)
@settings(deadline=None, max_examples=40)
def test_it_is_the_algorithm_in_loops(T: int, U: int, seed: int) -> None:
    lattice = Lattice(T, U, seed)
    assert float(lattice.rnnt()) == pytest.approx(lattice.by_loops(), rel=1e-10)


@given(**SHAPES, durations=DURATIONS)
@settings(deadline=None, max_examples=60)
def test_with_durations_it_is_the_algorithm_in_loops(
    T: int, U: int, seed: int, durations: tuple[int, ...]
) -> None:
    lattice = Lattice(T, U, seed, D=len(durations))
    assert float(lattice.tdt(durations)) == pytest.approx(lattice.by_loops(durations), rel=1e-10)


@given(T=st.integers(1, 3), U=st.integers(0, 3), seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_it_is_the_sum_over_all_paths(T: int, U: int, seed: int) -> None:
    lattice = Lattice(T, U, seed)
    assert float(lattice.rnnt()) == pytest.approx(lattice.by_all_paths(), rel=1e-10)


@given(T=st.integers(1, 3), U=st.integers(0, 3), seed=st.integers(0, 10**6), durations=DURATIONS)
@settings(deadline=None, max_examples=40)
def test_with_durations_it_is_the_sum_over_all_paths(
    T: int, U: int, seed: int, durations: tuple[int, ...]
) -> None:
    lattice = Lattice(T, U, seed, D=len(durations))
    assert float(lattice.tdt(durations)) == pytest.approx(
        lattice.by_all_paths(durations), rel=1e-10
    )


def test_with_durations_it_is_the_loss_of_transformers() -> None:
    made, durations = torch.Generator().manual_seed(3), [0, 1, 2, 3, 4]
    tokens = torch.randn(3, 11, 6, 9, generator=made)
    times = torch.randn(3, 11, 6, 5, generator=made)
    labels = torch.randint(0, 8, (3, 5), generator=made)
    frames, symbols = COUNTS([11, 7, 4]), COUNTS([5, 2, 3])
    log_p = tokens.log_softmax(-1)
    emit = log_p[:, :, :-1].gather(-1, labels[:, None, :, None].expand(-1, 11, -1, -1))[..., 0]
    ours = tdt_loss(log_p[..., 8], emit, times.log_softmax(-1), durations, frames, symbols)
    theirs = reference_tdt_loss(
        tokens, times, labels, frames, symbols, 8, durations, reduction="none"
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


# ---- all targets together


def every_target(T: int, longest: int, durations: tuple[int, ...] | None) -> Tensor:
    """Probability of each target over two symbols, by a model that says `longest` at most."""
    targets = [y for n in range(longest + 1) for y in itertools.product((1, 2), repeat=n)]
    made = torch.Generator().manual_seed(5)
    D = len(durations or ())
    B = len(targets)
    blank = torch.zeros(B, T, longest + 1, dtype=torch.float64)
    emit = torch.zeros(B, T, longest, dtype=torch.float64)
    duration = torch.zeros(B, T, longest + 1, D, dtype=torch.float64)
    for history in targets:
        said = torch.randn(T, 3, generator=made, dtype=torch.float64).log_softmax(-1)
        if len(history) == longest:
            said[:] = torch.tensor([0.0, -math.inf, -math.inf])
        takes = torch.randn(T, D, generator=made, dtype=torch.float64).log_softmax(-1)
        for row, target in enumerate(targets):
            if target[: len(history)] == history:
                blank[row, :, len(history)], duration[row, :, len(history)] = said[:, 0], takes
                if target != history:
                    emit[row, :, len(history)] = said[:, target[len(history)]]
    frames, symbols = COUNTS([T] * B), COUNTS([len(target) for target in targets])
    if durations is None:
        return (-rnnt_loss(blank, emit, frames, symbols)).exp()
    return (-tdt_loss(blank, emit, duration, durations, frames, symbols)).exp()


def test_the_probabilities_of_all_targets_add_up_to_one() -> None:
    assert float(every_target(4, 3, None).sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("durations", [(0, 1), (0, 1, 2), (1, 2)])
def test_with_durations_they_add_up_to_less(durations: tuple[int, ...]) -> None:
    # lost: blanks that take no frame, leaps past the end, and symbols that end a clip
    assert 0.05 < float(every_target(4, 3, durations).sum()) < 0.95


# ---- batches


@pytest.mark.parametrize("durations", [None, (0, 1, 2)])
def test_a_row_of_a_batch_is_the_clip_alone_whatever_is_in_the_padding(
    durations: tuple[int, ...] | None,
) -> None:
    frames, symbols = [6, 1, 4, 6, 3], [3, 0, 4, 0, 2]
    lattice = Lattice(6, 4, B=5, D=3)
    lattice.frames, lattice.symbols = COUNTS(frames), COUNTS(symbols)
    for row, (T, U) in enumerate(zip(frames, symbols, strict=True)):
        for log_p, width in ((lattice.blank, U + 1), (lattice.emit, U), (lattice.duration, U + 1)):
            log_p[row, T:] = math.nan
            log_p[row, :, width:] = math.nan
    alone = [lattice.by_loops(durations, row) for row in range(5)]
    parts = [lattice.blank, lattice.emit, lattice.duration]
    for part in parts:
        part.requires_grad_()
    loss = lattice.rnnt() if durations is None else lattice.tdt(durations)
    assert loss.tolist() == pytest.approx(alone, rel=1e-10)
    gradients = torch.autograd.grad(loss.sum(), parts, allow_unused=True)
    for part, gradient in zip(parts, gradients, strict=True):
        if gradient is not None:
            assert gradient.isfinite().all()
            assert (gradient[part.isnan()] == 0).all()


# ---- gradients


@pytest.mark.parametrize(("T", "U"), [(1, 0), (1, 2), (4, 0), (3, 3), (5, 2)])
def test_gradients(T: int, U: int) -> None:
    lattice = Lattice(T, U, B=2)
    inputs = lattice.blank.requires_grad_(), lattice.emit.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda blank, emit: rnnt_loss(blank, emit, lattice.frames, lattice.symbols), inputs
    )


@pytest.mark.parametrize(("T", "U"), [(1, 0), (4, 0), (3, 3), (5, 2)])
def test_gradients_with_durations(T: int, U: int) -> None:
    lattice = Lattice(T, U, B=2, D=3)
    inputs = [p.requires_grad_() for p in (lattice.blank, lattice.emit, lattice.duration)]
    assert torch.autograd.gradcheck(
        lambda blank, emit, duration: tdt_loss(
            blank, emit, duration, (0, 1, 2), lattice.frames, lattice.symbols
        ),
        inputs,
    )


def test_each_frames_blanks_are_passed_once() -> None:
    """The gradient is minus how often an arc is passed: T blanks and U symbols on every path."""
    lattice = Lattice(6, 4)
    inputs = [lattice.blank.requires_grad_(), lattice.emit.requires_grad_()]
    blank, emit = torch.autograd.grad(lattice.rnnt().sum(), inputs)
    torch.testing.assert_close(blank.sum(-1), -torch.ones_like(blank[..., 0]))
    torch.testing.assert_close(emit.sum(1), -torch.ones_like(emit[:, 0]))


def test_a_target_without_a_path_is_infinitely_unlikely() -> None:
    lattice = Lattice(3, 1, B=2, D=2)  # twos and fours never make three
    lattice.frames = COUNTS([3, 2])
    lattice.symbols = COUNTS([0, 0])
    loss = tdt_loss(
        lattice.blank.requires_grad_(),
        lattice.emit,
        lattice.duration,
        (2, 4),
        lattice.frames,
        lattice.symbols,
    )
    assert loss.isinf().tolist() == [True, False]
    (gradient,) = torch.autograd.grad(loss[1] + loss[0], lattice.blank)
    assert gradient.isfinite().all()
    assert (gradient[0] == 0).all()


def test_probabilities_of_zero_leave_the_other_paths() -> None:
    lattice = Lattice(3, 1)
    lattice.emit[0, [0, 2], 0] = -math.inf
    lattice.blank[0, 1, 0] = -math.inf
    expected = -(lattice.blank[0, 0, 0] + lattice.emit[0, 1, 0] + lattice.blank[0, 1:, 1].sum())
    inputs = [lattice.blank.requires_grad_(), lattice.emit.requires_grad_()]
    loss = lattice.rnnt()
    torch.testing.assert_close(loss[0], expected)
    for gradient in torch.autograd.grad(loss.sum(), inputs):
        assert gradient.isfinite().all()


def test_very_unlikely_targets_keep_their_gradient() -> None:
    lattice = Lattice(4, 2)
    lattice.emit -= 1e6
    lattice.emit.requires_grad_()
    (gradient,) = torch.autograd.grad(lattice.rnnt().sum(), lattice.emit)
    torch.testing.assert_close(gradient.sum(1), -torch.ones_like(gradient[:, 0]))


@pytest.mark.parametrize("impossible", ["blank", "emit"])
def test_probabilities_of_zero_everywhere_are_infinite_without_a_gradient(impossible: str) -> None:
    lattice = Lattice(3, 2)
    getattr(lattice, impossible).fill_(-math.inf)
    inputs = [lattice.blank.requires_grad_(), lattice.emit.requires_grad_()]
    loss = lattice.rnnt()
    assert loss.isinf().all()
    for gradient in torch.autograd.grad(loss.sum(), inputs):
        assert (gradient == 0).all()
