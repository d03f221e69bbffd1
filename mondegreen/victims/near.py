"""Near passes: a score at a fraction of its cost, near a sound that was heard whole.

Some recognisers pay for much that a small change hardly touches; Whisper hears 30 s, however short
a clip is. Such a victim may have one more method, `NearVictim.score_near`. A search follows it, and
hears a sound whole every few steps; only there is a success one. Nothing else need know.

A pass in half precision is a near pass too, of any victim: see `in_half`. Where a sound is heard
whole, nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from mondegreen.audio.pcm import load
from mondegreen.errors import RecogniserError, TargetError, VictimError
from mondegreen.options import Options
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.embedded.bundled import RECORDING, asset
from mondegreen.victims.guard import GuardedVictim, bare, slope
from mondegreen.victims.mixed import rounded

SAME: Final = 1e-3  # relative, of losses that should differ only by rounding
ROUNDED: Final = 0.05  # likewise, where one is in half precision
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
    below: float = SAME  # what the loss should differ by less than

    @property
    def holds(self) -> bool:
        """Whether a search may follow it."""
        return self.loss < self.below and self.cosine > ALONG and self.matched

    def __str__(self) -> str:
        gap = f"{self.loss:.1e} (below {self.below:g})" if self.loss else "0"
        matched = "agrees" if self.matched else "differs"
        way = f"cosine of the gradients {self.cosine:.3f} (above {ALONG:g})"
        return f"loss differs by {gap}; matched {matched}; {way}"


def whole_every(victim: Victim, options: Options) -> int:
    """Every how many steps an attack hears its sounds whole; the others are near passes.

    The paper's method is left as it is. In rooms no two steps hear sounds that are near, an
    untargeted search needs a transcript anyway, and a context leaves no rest of a window.

    Raises:
        OptionError: the victim is to be searched in half precision, and so is none of these.
    """
    half = half_of(victim)
    options.check_dtype(_named(half))
    return EVERY if options.nearly and (half or follows(victim)) else 1


def follows(victim: Victim) -> bool:
    """Whether a victim has near passes that keep their promise, on two seconds of speech."""
    if not has_near_pass(victim):
        return False
    try:
        return nearness(victim, *trial(victim)).holds
    except TargetError:  # there is nothing to try it on
        return False


def has_near_pass(victim: Victim) -> bool:
    """Whether its own class has them; what stands before a recogniser has none of its own."""
    return hasattr(type(bare(victim)), "score_near")


def in_half(victim: Victim, half: torch.dtype) -> Victim:
    """The same victim, to be searched by near passes in half precision; see `mixed.rounded`.

    Raises:
        VictimError: they are not near enough on two seconds of speech, or cannot be tried: the
            victim cannot compute in it, or write any of `PHRASES`.
    """
    kind = _named(half)
    try:
        found = nearness(victim, *trial(victim), half)
    except (TargetError, RecogniserError) as error:
        why = error.fault if isinstance(error, RecogniserError) else error
        raise VictimError(
            f"{victim.name} cannot be searched in {kind}: {why}; use float32"
        ) from error
    if not found.holds:
        raise VictimError(
            f"{victim.name} is not near enough to itself in {kind} to be searched so: on two"
            f" seconds of speech, {found}; use float32"
        )
    return GuardedVictim(bare(victim), victim.name, half)


def _named(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")


def half_of(victim: Victim) -> torch.dtype | None:
    """What its near passes are rounded to; None: nothing is."""
    return victim.half if isinstance(victim, GuardedVictim) else None


def near_score(
    victim: Victim,
    audio: Tensor,
    lengths: Tensor,
    targets: Sequence[Tensor],
    near: Tensor,
    half: torch.dtype | None,
) -> Score:
    """A near pass: the victim's own if it has one, in half precision if there is one to take."""
    with rounded(audio.device, half):
        if not has_near_pass(victim):
            return victim.score(audio, lengths, targets)
        assert isinstance(victim, NearVictim)
        return victim.score_near(audio, lengths, targets, near)


def nearness(
    victim: Victim, clip: Tensor, target: str, half: torch.dtype | None = None
) -> Nearness:
    """Compare a victim's whole pass with a near one, of a clip [T]."""
    tokens = [victim.encode(target, len(clip))]
    sound, lengths = clip[None], torch.tensor([len(clip)], device=clip.device)
    whole, way = _passed(victim, victim.score, sound, lengths, tokens)
    passed = partial(near_score, victim)
    near, other = _passed(victim, passed, sound, lengths, tokens, sound, half)
    loss = (near.loss - whole.loss).detach().abs() / whole.loss.detach().abs().clamp(min=1.0)
    cosine = F.cosine_similarity(way, other).nan_to_num()
    matched, below = bool(near.matched == whole.matched), ROUNDED if half else SAME
    return Nearness(float(loss), float(cosine), matched, below)


def trial(victim: Victim) -> tuple[Tensor, str]:
    """Two seconds of speech, and a phrase that the victim can write."""
    speech = torch.from_numpy(load(asset(RECORDING), victim.sample_rate))
    clip = speech[: int(SECONDS * victim.sample_rate)].to(victim.device, victim.dtype)
    return clip, writable(victim, PHRASES, len(clip))


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
