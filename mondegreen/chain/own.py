"""Your own link: `module:function`, a function of a sound.

`function(audio, sample_rate)` takes samples [T] in [-1, 1] and returns as many. They are a numpy
array of float32; or, where the function says so (`audio: Tensor`), a tensor, and the attack follows
its gradient. Without one, the gradient is taken as the identity's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.link import Link
from mondegreen.errors import VictimError, first_line
from mondegreen.foreign import find_function, theirs
from mondegreen.reading import sha256


class Own(Link):
    """A function of one's own."""

    name: ClassVar[str] = "own"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "your own"

    called: str = Field(description="module:function, or the name of a plug-in.")
    function: Callable[..., Any] = Field(exclude=True, repr=False)

    @property
    def spec(self) -> str:
        """What it is called by."""
        return self.called

    @property
    def takes_tensors(self) -> bool:
        """Whether the first argument is said to be a tensor."""
        first = next(iter(inspect.signature(self.function).parameters.values()))
        return first.annotation in (Tensor, "Tensor", "torch.Tensor")

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """Whether its own gradient is followed."""
        return self.takes_tensors

    @property
    def code(self) -> bytes:
        """The hash of the file that it is defined in; nothing where there is none."""
        try:
            file = inspect.getsourcefile(inspect.unwrap(self.function))
            return sha256(Path(file)).encode() if file else b""
        except (OSError, TypeError, ValueError):
            return b""

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """Call it; see `Link.real`."""
        del draws
        given = sound if self.takes_tensors else sound.numpy().copy()
        return self._called(given).detach().float().cpu()

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`; through the function itself where that has a gradient."""
        if not self.takes_tensors:
            return super().twin(audio, lengths, draws)
        rows = []
        for row, length in zip(without_padding(audio, lengths), lengths.tolist(), strict=True):
            for sound in row:
                own = sound[:length]
                out = self._called(own)
                if out.shape != own.shape:
                    self.refuse(f"returned samples {list(out.shape)} for {list(own.shape)}")
                if own.requires_grad and not out.requires_grad:
                    out = out + (own - own.detach())
                rows.append(torch.nn.functional.pad(out.to(audio), (0, len(sound) - length)))
        return torch.stack(rows).view(audio.shape)

    def _called(self, sound: Any) -> Tensor:
        with theirs(self.spec, self.advice):
            out = self.function(sound, self.sample_rate)
        if isinstance(out, np.ndarray) and out.dtype.kind == "f":
            out = torch.from_numpy(np.ascontiguousarray(out))
        if not isinstance(out, Tensor) or not out.is_floating_point():
            what = getattr(out, "dtype", type(out).__name__)
            self.refuse(f"returned {what}, expected floats in [-1, 1]")
        return out


def load_own_link(spec: str, sample_rate: int, called: str | None = None) -> Own:
    """The link of a function's name, under another name if it is called so.

    Raises:
        VictimError: there is no such function, an import fails, or it takes other arguments than a
            sound and its rate.
    """
    function = find_function(spec)
    try:
        inspect.signature(function).bind(np.zeros(1, np.float32), sample_rate)
    except (TypeError, ValueError) as error:
        raise VictimError(
            f"{spec} must take a sound and its sample rate: {first_line(error)}; define it as"
            f" def {spec.partition(':')[2]}(audio, sample_rate)"
        ) from error
    return Own(sample_rate=sample_rate, called=called or spec, function=function)
