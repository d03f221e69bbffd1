"""A recogniser behind something is a recogniser: `Through` is what it hears at the far end.

`transcribe` runs the real links; `score` runs their twins. The name holds the chain, so that a
record says what was attacked, and loading by that name gives it again.

What is random is drawn from the sound itself: the same file is heard in the same way, so that a
claim can be checked, and one that differs in a single sample is drawn anew. A search is scored in
other draws than its file is heard in, so that it cannot look for luck. `seed` gives other draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import to_pcm16
from mondegreen.chain.also import Also
from mondegreen.chain.link import Link
from mondegreen.chain.names import link
from mondegreen.chain.text import chained
from mondegreen.chain.vote import vote
from mondegreen.errors import OptionError
from mondegreen.names import CHUNKS, HALVES
from mondegreen.victims.base import Recogniser, Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.chunks import Chunked
from mondegreen.victims.guard import GuardedVictim, attackable, guarded
from mondegreen.victims.halves import Halves
from mondegreen.victims.mixed import exactly

SEARCHED: Final = 1000  # the first draw that a search is scored in; those before are heard


def through(recogniser: Recogniser, *links: str | Link) -> Recogniser:
    """A recogniser behind links, the first of which a sound comes to first; none: as it is.

    Args:
        recogniser: any; one that can be attacked can still be.
        links: names as in `mondegreen.chain.names`, or links of its rate.

    Raises:
        OptionError: a link of another rate, or as `mondegreen.chain.names.link`.
        VictimError: what a link needs is not there.
    """
    for at, one in enumerate(links):
        if one == HALVES:
            halved = Halves(attackable(through(recogniser, *links[at + 1 :])))
            return through(halved, *links[:at])
        if isinstance(one, str) and one.partition(":")[0] == CHUNKS:
            if one is not links[-1]:
                raise OptionError(
                    f"Got {one} before {links[at + 1]}, expected chunks directly before the"
                    f" recogniser: {links[at + 1]} > {one} > NAME"
                )
            return through(Chunked(attackable(recogniser), one), *links[:at])
    inner = guarded(recogniser)
    if not links:
        return inner
    rate = inner.sample_rate
    chain = [link(one, rate) if isinstance(one, str) else one for one in links]
    for one in chain:
        if one.sample_rate != rate:
            raise OptionError(
                f"{one.spec} is for sounds of {one.sample_rate} Hz, the recogniser of {rate} Hz"
            )
    kind = ThroughVictim if isinstance(inner, GuardedVictim) else Through
    return guarded(kind(inner, chain))


class Through:
    """A recogniser behind links; what it has besides is the recogniser's own.

    Args:
        recogniser: behind the border; see `mondegreen.victims.guard`.
        links: of its rate.
        seed: of what is random.
    """

    def __init__(self, recogniser: Any, links: Sequence[Link], seed: int = 0) -> None:
        self.recogniser, self.links, self.seed = recogniser, tuple(links), seed
        self.name = chained([link.spec for link in links], recogniser.name)
        self.sample_rate: int = recogniser.sample_rate
        self.hearings = max(link.hearings for link in links)

    @property
    def random(self) -> bool:
        """Whether it draws anew for each sound."""
        return any(one.random for one in self.links)

    @property
    def approximate(self) -> str | None:
        """Why its gradient is not that of what is heard; None: it is."""
        links = [one.spec for one in self.links if one.random or not one.differentiable]
        if not links:
            return getattr(self.recogniser, "approximate", None)
        return f"its gradient is approximate through {', '.join(links)}"

    @property
    def stricter(self) -> str | None:
        """What a match asks for besides the transcript; None: nothing."""
        links = [one.spec for one in self.links if one.random or isinstance(one, Also)]
        if not links:
            return getattr(self.recogniser, "stricter", None)
        return f"every draw and sound of {', '.join(links)}"

    def __getattr__(self, name: str) -> Any:
        if name in ("recogniser", "links"):  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.recogniser, name)

    def transcribe(self, audio: Tensor) -> str:
        """Transcribe what comes out of the real links; of several hearings, what most agree on."""
        draws = self._draws(audio[None], torch.tensor([len(audio)]), self.hearings)
        texts = [
            self.recogniser.transcribe(self.heard(audio, Draws((row[n : n + 1],))))
            for row in draws.generators
            for n in range(self.hearings)
        ]
        return texts[0] if len(texts) == 1 else vote(texts)

    def heard(self, audio: Tensor, draws: Draws) -> Tensor:
        """What comes out of the real links, [T] -> [T]."""
        for one in self.links:
            audio = one.heard(audio, draws)
        return audio

    def draws_of(self, audio: Tensor) -> Draws:
        """The draw of a sound [T]."""
        return self._draws(audio[None], torch.tensor([len(audio)]), 1)

    def _draws(self, audio: Tensor, lengths: Tensor, count: int, first: int = 0) -> Draws:
        """Draws of each clip, from its own samples; those from number `first` on."""
        if not self.random:
            return Draws.of((0,), len(audio), count)
        rows = [
            Draws.of((self.seed, _content(clip[:length])), 1, count, first).generators[0]
            for clip, length in zip(audio.detach().cpu(), lengths.tolist(), strict=True)
        ]
        return Draws(tuple(rows))


class ThroughVictim(Through):
    """A victim behind links."""

    def __init__(self, recogniser: Any, links: Sequence[Link], seed: int = 0) -> None:
        super().__init__(recogniser, links, seed)
        self.device: torch.device = recogniser.device
        self.dtype: torch.dtype = recogniser.dtype
        self._each = Remembered(torch.Tensor.repeat_interleave)
        self._known = Remembered(torch.Tensor.cpu)

    def encode(self, target: str, length: int) -> Tensor:
        """See `Victim.encode`."""
        symbols: Tensor = self.recogniser.encode(target, length)
        return symbols

    def encode_long(self, target: str, audio: Tensor) -> Tensor:
        """Of what comes out of the real links; see `mondegreen.victims.guard.GuardedVictim`."""
        heard = self.heard(audio, self.draws_of(audio))
        symbols: Tensor = self.recogniser.encode_long(target, heard)
        return symbols

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """The mean loss over draws of the twins, and whether all draws match; see `Victim.score`.

        Each draw costs a pass of the recogniser.
        """
        sound, known = audio[:, None], self._known(lengths)
        draws = self._draws(audio, known, max(one.draws for one in self.links), SEARCHED)
        for one in self.links:
            with exactly(audio):
                sound = one.twin(sound, known, draws)
            if sound.shape[1] > draws.count:  # each sound of a draw goes on with draws of its own
                times = sound.shape[1] // draws.count
                draws = Draws(tuple(row * times for row in draws.generators))
        count = sound.shape[1]
        rows = tuple(target for target in targets for _ in range(count))
        every = lengths if count == 1 else self._each(lengths, count)
        score = self.recogniser.score(sound.flatten(0, 1), every, rows)
        return Score(score.loss.view(-1, count).mean(1), score.matched.view(-1, count).all(1))


def _content(clip: Tensor) -> int:
    """A number that a sound [T] has to itself, as a 16-bit file holds it."""
    samples = to_pcm16(clip.float().numpy())
    return int.from_bytes(hashlib.sha256(samples.tobytes()).digest()[:8], "big")
