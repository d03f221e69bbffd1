"""Near passes: a score at a fraction of its cost, near a sound that was heard whole.

Some recognisers pay for much that a small change hardly touches; Whisper hears 30 s, however short
a clip is. Such a victim may have one more method, `NearVictim.score_near`. A search follows it, and
hears a sound whole every few steps; only there is a success one. Nothing else need know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from mondegreen.audio.pcm import load
from mondegreen.errors import TargetError
from mondegreen.options import Options
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.embedded.bundled import RECORDING, asset
from mondegreen.victims.guard import GuardedVictim, bare, slope

SAME: Final = 1e-3  # relative, of losses that should differ only by rounding
ALONG: Final = 0.7  # the least cosine of the gradients: most of a step is not lost
SECONDS: Final = 2.0  # of the speech that it is tried on
PHRASES: Final = ("good morning", "yes", "a", "e", "o")  # most victims can write one of them
EVERY: Final = 5  # steps, from one sound heard whole to the next


@runtime_checkable
class NearVictim(Victim, Protocol):
    """A victim with near passes."""

    def score_near(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], near: Tensor
    ) -> Score:
        """`Victim.score`, with what costs most taken from sounds that are near.

        Where the audio is what is near, loss and match are those of `score`, and the gradient
        points nearly the same way.

        Args:
            audio: see `Victim.score`, like the next two.
            lengths: of both sounds.
            targets: of both sounds.
            near: [B, T] without gradient, the same tensor for several steps: what is made of it
                should be remembered, as by `mondegreen.victims.batching.Remembered`.
        """


@dataclass(frozen=True)
class Nearness:
    """How near a near pass is, at a sound that is near itself."""

    loss: float  # relative difference
    cosine: float  # of the gradients
    matched: bool  # both say the same

    @property
    def holds(self) -> bool:
        """Whether a search may follow it."""
        return self.loss < SAME and self.cosine > ALONG and self.matched


def whole_every(victim: Victim, options: Options) -> int:
    """Every how many steps an attack hears its sounds whole; the others are near passes.

    The paper's method is left as it is. In rooms no two steps hear sounds that are near, and an
    untargeted search needs a transcript anyway.
    """
    fast = options.preset == "fast" and not options.in_rooms and not options.untargeted
    return EVERY if fast and follows(victim) else 1


def follows(victim: Victim) -> bool:
    """Whether a victim has near passes that keep their promise, on two seconds of speech."""
    if not has_near_pass(victim):
        return False
    speech = torch.from_numpy(load(asset(RECORDING), victim.sample_rate))
    clip = speech[: int(SECONDS * victim.sample_rate)].to(victim.device, victim.dtype)
    try:
        return nearness(victim, clip, writable(victim, PHRASES, len(clip))).holds
    except TargetError:  # there is nothing to try it on
        return False


def has_near_pass(victim: Victim) -> bool:
    """Whether its own class has them; what stands before a recogniser has none of its own."""
    return isinstance(victim, GuardedVictim) and hasattr(type(bare(victim)), "score_near")


def nearness(victim: Victim, clip: Tensor, target: str) -> Nearness:
    """Compare both passes of a victim that `has_near_pass`, on a clip [T]."""
    assert isinstance(victim, NearVictim)
    tokens = [victim.encode(target, len(clip))]
    sound, lengths = clip[None], torch.tensor([len(clip)], device=clip.device)
    whole, way = _passed(victim, victim.score, sound, lengths, tokens)
    near, other = _passed(victim, victim.score_near, sound, lengths, tokens, sound)
    loss = (near.loss - whole.loss).detach().abs() / whole.loss.detach().abs().clamp(min=1.0)
    cosine = F.cosine_similarity(way, other).nan_to_num()
    return Nearness(float(loss), float(cosine), bool(near.matched == whole.matched))


def _passed(
    victim: Victim, score: Callable[..., Score], sound: Tensor, *given: object
) -> tuple[Score, Tensor]:
    """A score of a sound, and its gradient."""
    sound = sound.clone().requires_grad_()
    found = score(sound, *given)
    return found, slope(victim, found.loss.sum(), sound)


def writable(victim: Victim, phrases: Sequence[str], length: int) -> str:
    """The first of some phrases that a victim can encode for a clip of `length` samples.

    Raises:
        TargetError: it can encode none of them.
    """
    for phrase in phrases:
        try:
            victim.encode(phrase, length)
        except TargetError as error:
            refused = error
        else:
            return phrase
    raise refused
