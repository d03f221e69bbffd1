"""What follows from a batch's lengths and targets is worked out once, not at every step.

They stay the same from step to step, and much follows from them: which frames are real, masks,
padded targets. Comparing their values would wait for the device, so tensors are compared by
identity.

Some architectures normalise over time, padding included, so a clip in a padded batch would get
other results than alone. They never see padding: clips of equal length share a pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.victims.mixed import exactly

Made = TypeVar("Made")
LATEST: Final = 8  # a step has few kinds of rows: as many draws as fit at once, and the rest


class Remembered(Generic[Made]):
    """A function of tensors and numbers that keeps its latest results.

    A result is reused for the very same tensors, unchanged, and equal numbers. Its arguments are
    kept with it, so that no other tensor can get their identity.

    Args:
        make: the function; its result must not be changed, carries no gradient, and is exact,
            so that it is the same whoever asks first. The first argument is a tensor.
        latest: how many results are kept.
    """

    def __init__(self, make: Callable[..., Made], latest: int = LATEST) -> None:
        self._make = make
        self._kept: deque[tuple[Sequence[Tensor | int], list[int], Made]] = deque(maxlen=latest)

    def __call__(self, first: Tensor, *more: Tensor | int) -> Made:
        """The result for what is given, computed now or before."""
        given = first, *more
        states = [_state(value) for value in given]
        same = (k for k in self._kept if k[1] == states and all(map(_same, k[0], given)))
        if (found := next(same, None)) is not None:
            return found[2]
        if len(self._kept) == self._kept.maxlen:  # before another takes its memory
            self._kept.popleft()
        # usable by every later caller
        with torch.inference_mode(False), torch.no_grad(), exactly(first):
            made = self._make(*given)
        self._kept.append((given, states, made))
        return made


def _same(one: Tensor | int, other: Tensor | int) -> bool:
    """Whether two values are one tensor; numbers are compared by their state."""
    return one is other or not (isinstance(one, Tensor) or isinstance(other, Tensor))


def _state(value: Tensor | int) -> int:
    """A number itself; for a tensor, its count of changes in place (0 if there is none)."""
    if isinstance(value, Tensor):
        return 0 if value.is_inference() else value._version
    return value


class Unpadded:
    """A model as it is for each clip alone; clips of equal size share a pass.

    Args:
        model: [b, F, ...] without padding to [b, F', ...].
    """

    def __init__(self, model: Callable[[Tensor], Tensor]) -> None:
        self._model, self._layout = model, Remembered(_by_count)
        self._sizes = Remembered(lambda counts, *sizes: counts.new_tensor(sizes))

    def __call__(self, inputs: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Run the model; only new `counts` are read from the device.

        Args:
            inputs: [B, F, ...], padded.
            counts: [B] int64: how much of each row is real.

        Returns:
            Outputs [B, F', ...], padded with zeros; and [B] int64, how much of each is real.
        """
        groups, order = self._layout(counts)
        outputs = [row for rows, count in groups for row in self._model(inputs[rows, :count])]
        outputs = [outputs[place] for place in order]
        return pad_sequence(outputs, batch_first=True), self._sizes(counts, *map(len, outputs))


def _by_count(counts: Tensor) -> tuple[list[tuple[Tensor, int]], list[int]]:
    """Rows of equal count with that count, and where each row is among them."""
    sizes = sorted(set(counts.tolist()))
    groups = [(torch.where(counts == size)[0], size) for size in sizes]
    return groups, torch.cat([rows for rows, _ in groups]).argsort().tolist()
