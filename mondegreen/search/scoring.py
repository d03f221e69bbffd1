"""The victim's score of a step's draws: their mean loss, its gradient, and how many match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.air.transformations import Draws, apply
from mondegreen.audio.batch import quantise, without_padding
from mondegreen.audio.context import Context
from mondegreen.search.stage import Expectation
from mondegreen.search.state import Batch
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.batching import Remembered
from mondegreen.victims.guard import slope
from mondegreen.victims.near import half_of, has_near_pass, near_score

AT_ONCE = 1_000_000  # samples of draws in one pass of the victim, to bound its memory


@dataclass(frozen=True)
class StepScore:
    """The victim's score of a step's draws, one row per clip."""

    gradient: Tensor  # [A, T] of the mean loss; a draw's is zero where it is not finite
    loss: Tensor  # [A] mean over the differentiated draws
    hits: Tensor  # [A] draws that matched
    lost: Tensor  # [A] words that are wrong, over all draws, where that is the aim; otherwise 0
    wild: Tensor  # [A] samples at most at which the victim's gradient was not finite
    whole: bool = True  # loss and hits are what the victim's own pass says
    looks: int = 0  # whole forward passes of near ones, which only look whether it is heard


class Scorer:
    """Scores clips against their targets through random transformations.

    Args:
        victim: the recogniser.
        targets: B results of `victim.encode`, one per clip.
        seed: of the draws.
        passages: of each clip, the first sample that is heard and the one after the last; None: all
            of all clips.
        whole_every: every how many steps sounds are heard whole; the others are near passes. What
            meets a transformation is always heard whole.
        contexts: of each clip, what is heard around it; None: nothing of any.
    """

    def __init__(
        self,
        victim: Victim,
        targets: Sequence[Tensor],
        seed: int,
        passages: Sequence[tuple[int, int]] | None = None,
        whole_every: int = 1,
        contexts: Sequence[Context] | None = None,
    ) -> None:
        self.victim, self.targets, self.seed, self.passages = victim, targets, seed, passages
        self.whole_every, self.contexts = whole_every, contexts
        self._longer = Remembered(self._with_contexts)
        self._own, self._half = has_near_pass(victim), half_of(victim)
        self._layout, self._places = Remembered(self._repeated), Remembered(self._placed)
        self._known, self._nearby = Remembered(Tensor.cpu), Remembered(self._cut, latest=1)

    def score(
        self, over: Expectation, when: tuple[int, int], batch: Batch, looks: int
    ) -> StepScore:
        """Score x + δ, rounded to 16 bits, in draws; differentiate the mean loss of some of them.

        What is not finite of a gradient is left out where it leaves the victim: a room's filter
        would spread it over the whole clip.

        Args:
            over: what is drawn, and how many draws are differentiated.
            when: numbers of stage and step, which seed the draws.
            batch: the clips.
            looks: how many draws are scored in all.
        """
        sound = quantise(batch.audio + batch.delta).requires_grad_()
        near, whole = self._near(over), when[1] % self.whole_every == 0
        if near and whole:
            batch.near = sound.detach()
        gradient, loss = torch.zeros_like(sound), sound.new_zeros(len(sound))
        hits = wild = lost = batch.lengths.new_zeros(len(sound))
        for first, count in at_once(0, over.draws, sound):
            rows, lengths = self._drawn(over, when, batch, sound, first, count)
            score = self._score(rows, lengths, batch, count, near, None if whole else self._half)
            steepness = slope(self.victim, score.loss.sum() / over.draws, rows)
            finite = steepness.isfinite()
            wild = wild.maximum((~finite).view(len(sound), count, -1).any(1).sum(1))
            gradient += torch.autograd.grad(rows, sound, torch.where(finite, steepness, 0))[0]
            loss += score.loss.detach().sum(1) / over.draws
            hits = hits + score.matched.sum(1)
            lost = lost if score.wrong is None else lost + score.wrong.sum(1)
        with torch.no_grad():
            for first, count in at_once(over.draws, looks, sound):
                rows, lengths = self._drawn(over, when, batch, sound, first, count)
                hits = hits + self._score(rows, lengths, batch, count).matched.sum(1)
        looks = int(whole and near and self._own)
        return StepScore(gradient, loss, hits, lost, wild, whole or not near, looks)

    def _near(self, over: Expectation) -> bool:
        """Whether a stage's steps are near passes, at whole ones from the sound itself."""
        return self.whole_every > 1 and over == Expectation()

    def _drawn(
        self,
        over: Expectation,
        when: tuple[int, int],
        batch: Batch,
        sound: Tensor,
        first: int,
        count: int,
    ) -> tuple[Tensor, Tensor]:
        """What the victim hears of `count` draws of every clip, [A * count, T], and lengths [A]."""
        heard, lengths = self._heard(sound, batch)
        draws = Draws.of((self.seed, *when), len(heard), count, first)
        return apply(over.of, heard, self._known(lengths), draws).flatten(0, 1), lengths

    def _score(
        self,
        rows: Tensor,
        lengths: Tensor,
        batch: Batch,
        count: int,
        near: bool = False,
        half: torch.dtype | None = None,
    ) -> Score:
        """Scores [A, count] of `count` draws of every clip, [A * count, T]."""
        given = rows, *self._layout(batch.index, lengths, count)
        if near:
            nearby = self._nearby(batch.near, batch.index, batch.lengths)
            score = near_score(self.victim, *given, nearby, half)
        else:
            score = self.victim.score(*given)
        wrong = None if score.wrong is None else score.wrong.view(-1, count)
        return Score(score.loss.view(-1, count), score.matched.view(-1, count), wrong)

    def _heard(self, sound: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is heard of sounds [A, T], each from its first sample on, and its lengths [A]."""
        heard, lengths = self._cut(sound, batch.index, batch.lengths), batch.lengths
        if self.passages is not None:
            _, lengths = self._places(batch.index, batch.lengths)
        if self.contexts is None:
            return heard, lengths
        around, longer = self._longer(batch.index, lengths)
        rows = [
            context.around(row[:own]) for row, (context, own) in zip(heard, around, strict=True)
        ]
        return pad_sequence(rows, batch_first=True), longer

    def _cut(self, sound: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
        """What is heard of sounds [A, T] of clips [A] that are `lengths` [A] long."""
        if self.passages is None:
            return sound
        places, heard = self._places(index, lengths)
        return without_padding(sound.gather(1, places), heard)

    def _placed(self, index: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Where the samples of each passage are in its clip, [A, longest], and its length [A]."""
        assert self.passages is not None
        own = torch.tensor([self.passages[b] for b in index.tolist()], device=lengths.device)
        begin, heard = own[:, :1], own[:, 1] - own[:, 0]
        steps = torch.arange(int(heard.max()), device=lengths.device)
        return torch.minimum(begin + steps, own[:, 1:] - 1), heard

    def _with_contexts(
        self, index: Tensor, lengths: Tensor
    ) -> tuple[list[tuple[Context, int]], Tensor]:
        """Each clip's context and own length, and the lengths of both together, [A]."""
        assert self.contexts is not None
        around = [
            (self.contexts[b], own) for b, own in zip(index.tolist(), lengths.tolist(), strict=True)
        ]
        return around, lengths.new_tensor([len(context) + own for context, own in around])

    def _repeated(
        self, index: Tensor, lengths: Tensor, count: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Lengths and targets of `count` rows per clip: the same objects at every step."""
        targets = tuple(self.targets[b] for b in index.tolist() for _ in range(count))
        return lengths.repeat_interleave(count), targets


def at_once(first: int, end: int, sound: Tensor) -> Iterator[tuple[int, int]]:
    """Split draws `first` to `end` of sounds [A, T] into (first, count) that fit in memory."""
    size = max(1, AT_ONCE // sound.numel())
    for start in range(first, end, size):
        yield start, min(size, end - start)
