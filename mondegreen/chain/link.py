"""A link of the chain between a sound and a recogniser: a channel, or a defence.

A link is twice there. `real` is the thing itself, on one sound: the codec's own encoder, the
library's own filter. `twin` is what an attack looks through, on a batch, differentiable. Where
nobody has written a twin, the sound is that of `real`, and its gradient is taken as that of the
identity: the straight-through estimator (Bengio, Léonard and Courville 2013), or backward pass
differentiable approximation (BPDA; Athalye, Carlini and Wagner, *Obfuscated Gradients Give a False
Sense of Security*, ICML 2018).

A link that is `random` draws anew each time; what is optimised through it is a mean over draws
(EOT; Athalye, Engstrom, Ilyas and Kwok 2018).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Final, Literal, NoReturn

import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.errors import RecogniserError
from mondegreen.options import Checked

EOT_DRAWS: Final = 4  # of a random link, in each pass of a search


class Link(Checked):
    """A channel or a defence for sounds of one rate. Raises `OptionError` for other parameters.

    A subclass is a transformation of sounds: frozen, its fields are its parameters, in the order
    in which a chain names them. It has the same length and no delay: output sample i is input
    sample i, later or earlier by nothing that was measured.
    """

    name: ClassVar[str]  # in chains
    kind: ClassVar[Literal["channel", "defence"]]
    source: ClassVar[str]  # the standard, library or paper that it follows
    random: ClassVar[bool] = False  # whether it draws anew each time
    # whether the twin's gradient is its own, not the identity's or another approximation
    differentiable: ClassVar[bool] = False

    sample_rate: int = Field(ge=4000, description="Of the sounds, in Hz.")

    @property
    def spec(self) -> str:
        """As a chain names it: its name, and its parameters after colons."""
        values = (getattr(self, name) for name in type(self).parameters())
        return ":".join([self.name, *(v if isinstance(v, str) else f"{v:.12g}" for v in values)])

    @classmethod
    def parameters(cls) -> list[str]:
        """The names of its parameters, in order."""
        return [name for name in cls.model_fields if name not in Link.model_fields]

    @property
    def draws(self) -> int:
        """How many draws of it a pass of a search takes the mean over."""
        return EOT_DRAWS if self.random else 1

    @property
    def hearings(self) -> int:
        """How often the recogniser hears a sound through it, and then votes."""
        return 1

    @abstractmethod
    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """The thing itself.

        Args:
            sound: [T] float32 in [-1, 1], in main memory.
            draws: of one clip, one draw; used up by what is random.

        Returns:
            [T] float32.

        Raises:
            RecogniserError: it fails on this sound.
            VictimError: this installation lacks what it needs.
        """

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """What an attack looks through, [A, K, T] -> [A, K, T] or, of what is random, [A, M, T].

        A `mondegreen.air.transformations.Transformation`: see there. This one is `real`, with the
        gradient of the identity.
        """
        own = without_padding(audio, lengths)
        if self.random:
            own = own.expand(-1, draws.count, -1)
        return straight_through(own, self._each(own.detach(), lengths, draws))

    def _each(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """`real` of each of the sounds [A, K, T], without a gradient."""
        out = torch.zeros_like(audio)
        for a, length in enumerate(lengths.tolist()):
            for k, sound in enumerate(audio[a, :, :length].float().cpu()):
                one = Draws(((draws.generators[a][k % draws.count],),))
                out[a, k, :length] = self.heard(sound, one).to(audio)
        return out

    def heard(self, sound: Tensor, draws: Draws) -> Tensor:
        """`real`, looked at; see there.

        Raises:
            RecogniserError: what came out is silence, not finite, or of another shape.
        """
        out = self.real(sound, draws)
        if out.shape != sound.shape:
            self.refuse(f"returned samples {list(out.shape)} for {list(sound.shape)}")
        if not out.isfinite().all():
            self.refuse("returned samples that are NaN or infinite")
        if sound.any() and not out.any():
            self.refuse("returned silence, of which nothing can be heard")
        return out

    def refuse(self, what: str) -> NoReturn:
        """Raise a `RecogniserError` of this link."""
        raise RecogniserError(self.spec, what, self.advice)

    @property
    def advice(self) -> str:
        """What to do about a fault of it."""
        return f"try it alone: mondegreen transcribe CLIP --through {self.spec}"


class Computed(Link):
    """A link that is its own twin: what it does is arithmetic on tensors."""

    differentiable: ClassVar[bool] = True

    @abstractmethod
    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        lengths = torch.tensor([len(sound)])
        with torch.no_grad():
            return self.twin(sound[None, None], lengths, draws)[0, 0]


def straight_through(audio: Tensor, value: Tensor) -> Tensor:
    """A value with the gradient of the sound it was made of; any equal shapes.

    >>> x = torch.tensor([0.26], requires_grad=True)
    >>> straight_through(x, torch.tensor([0.3])).backward()
    >>> x.grad
    tensor([1.])
    """
    return value + (audio - audio.detach())  # the second term is 0
