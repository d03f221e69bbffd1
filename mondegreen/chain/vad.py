"""A defence that lets only speech through."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.link import Computed

FRAME_SECONDS: Final = 0.02
HANGOVER: Final = 5  # frames kept on either side of speech: words start and end softly


class Vad(Computed):
    """Silence where an energy detector finds no speech.

    Speech is every frame of 20 ms whose mean power is at most `db` below that of the loudest frame,
    and 100 ms before and after it. All else becomes zero: trimming is silencing here, since a link
    keeps the length of a sound.

    Its gradient is exact: 1 where the sound is kept and 0 elsewhere, because which frames are kept
    does not change under small changes.

    >>> sound, draws = torch.full((3200,), 0.001), Draws.of((0,), 1, 1)
    >>> sound[:160] = 0.5
    >>> Vad(sample_rate=8000).real(sound, draws).nonzero().max()  # 20 ms, and 100 after it
    tensor(959)
    """

    name: ClassVar[str] = "vad"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "an energy detector with a hangover; own"

    db: float = Field(default=35.0, ge=5, le=90, description="Below the loudest frame, in dB.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        own = without_padding(audio, lengths)
        return own * self._speech(own.detach())

    def _speech(self, audio: Tensor) -> Tensor:
        """1 where there is speech, and 0 elsewhere, [A, K, T] -> [A, K, T]."""
        frame = round(FRAME_SECONDS * self.sample_rate)
        samples = audio.shape[-1]
        whole = torch.nn.functional.pad(audio, (0, -samples % frame))
        power = avg_pool1d(whole.square(), frame)
        loudest = power.amax(-1, keepdim=True)
        speech = (power >= loudest * 10 ** (-self.db / 10)).to(audio)
        kept = max_pool1d(speech, 2 * HANGOVER + 1, 1, HANGOVER)
        return kept.repeat_interleave(frame, -1)[..., :samples]
