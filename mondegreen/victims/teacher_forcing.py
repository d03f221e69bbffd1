"""Teacher forcing: -log p(target | audio) of a sequence-to-sequence recogniser, in one pass.

Given its prompt and the target, a decoder predicts the next symbol at every place:

    loss = -Σ_n log p(target_n | prompt, target_1 ... target_(n-1), audio)

Where its first choice is the target's symbol at every place, the end included, greedy generation
makes the same choices one by one, so its output is the target. Both use the distribution that
generation decodes from: symbols that the checkpoint suppresses are removed before the softmax.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.victims.base import Score


class TeacherForcing:
    """Targets laid out for one pass of a causal decoder.

    Args:
        prompts: of each target, the decoder's input before its first choice: P_b symbols, at least
            one.
        targets: B tensors [N_b] int64, each closed by the end symbol, if its end matters.

    Attributes:
        inputs: [B, max (P_b + N_b - 1)], the decoder's input: a prompt and its target without the
            last symbol, padded with zeros, which no earlier place attends to.
    """

    def __init__(self, prompts: Sequence[Sequence[int]], targets: Sequence[Tensor]) -> None:
        self._labels = torch.cat(list(targets))
        device, sizes = self._labels.device, [len(target) for target in targets]
        fed = [
            torch.cat([torch.tensor(prompt, device=device), target[:-1]])
            for prompt, target in zip(prompts, targets, strict=True)
        ]
        self.inputs = pad_sequence(fed, batch_first=True)
        rows = [row for row, size in enumerate(sizes) for _ in range(size)]
        places = [place for size in sizes for place in range(size)]
        before = [len(prompts[row]) - 1 for row in rows]
        self._row, self._place, self._before = torch.tensor([rows, places, before], device=device)

    @classmethod
    def of(cls, prompt: Sequence[int], *targets: Tensor) -> TeacherForcing:
        """All targets after one prompt."""
        return cls([prompt] * len(targets), targets)

    def predicting(self, hidden: Tensor) -> Tensor:
        """States [S, D] that predict the S = Σ N_b symbols, from the decoder's [B, ..., D].

        Only these need the projection onto the vocabulary, the most expensive part of a small
        decoder.
        """
        return hidden[self._row, self._before + self._place]

    def score(self, logits: Tensor, barred: Tensor) -> Score:
        """Loss and match of each target.

        Args:
            logits: [S, V] of the states of `predicting`.
            barred: [2, V], added to the logits: 0, or -inf for symbols that generation never
                chooses at the first place (row 0) or later (row 1).
        """
        logits = logits + self.barred(barred)
        return self.judged(logits, logits.argmax(-1))

    def barred(self, barred: Tensor) -> Tensor:
        """[S, V] what `score` adds to the logits."""
        return barred[(self._place > 0).long()]

    def judged(self, logits: Tensor, chosen: Tensor) -> Score:
        """Loss and match of each target, by the symbols [S] that generation chooses."""
        nats = F.cross_entropy(logits, self._labels, reduction="none")
        wrong = chosen != self._labels
        clips = len(self.inputs)
        loss = nats.new_zeros(clips).index_add(0, self._row, nats)
        mistakes = self._labels.new_zeros(clips).index_add(0, self._row, wrong.long())
        return Score(loss, mistakes == 0)
