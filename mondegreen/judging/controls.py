"""Measurements on one clip that cost next to nothing: gradient, repetition, random noise, leaks.

Noise is the control of an attack: whatever succeeds as often as chance does has found nothing. A
bank's test rooms must be other rooms than those that an attack looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mondegreen.aim import Aim
from mondegreen.air.rooms.bank import RoomBank
from mondegreen.air.rooms.responses import Response
from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import quantise
from mondegreen.audio.context import ALONE, Context
from mondegreen.judging.checks import Count, Leak, Repetition
from mondegreen.options import Options
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold
from mondegreen.victims.away import aimed
from mondegreen.victims.base import Recogniser, Score, Victim


@dataclass(frozen=True)
class Case:
    """A clip, what it is to be heard as, and what the attack made of it."""

    clean: Tensor  # [T] float32 at the victim's rate, on the 16-bit grid
    delta: Tensor  # [T] float32, the saved file less the clean clip
    aim: Aim  # what its transcript is to be
    tokens: Tensor  # what it is scored against: see `mondegreen.victims.away.symbols`
    options: Options  # of the attack
    # power of the loudest bin of the recording that the clip is a passage of; 0: it is all of it
    loudest: float = 0.0
    context: Context = ALONE  # what the victim hears around it

    def threshold(self, like: Tensor, sample_rate: int) -> MaskingThreshold:
        """The masking threshold in the frames within the clip, of the type of a tensor."""
        loudest = torch.tensor([self.loudest])
        return masking_threshold(self.clean.to(like)[None], None, sample_rate, loudest=loudest)

    def succeeds(self, recogniser: Recogniser, delta: Tensor) -> bool:
        """Whether x + δ, as a 16-bit file holds it, is transcribed as was aimed for."""
        sound = quantise(self.clean.double() + delta.cpu().double())
        return self.aim.met(recogniser.transcribe(self.context.around(sound.float())))

    def score(self, victim: Victim, sound: Tensor) -> Score:
        """One forward pass on a sound [T] on the victim's device, for this aim."""
        heard = self.context.around(sound)
        lengths = torch.tensor([len(heard)], device=heard.device)
        return aimed(victim, self.options).score(heard[None], lengths, [self.tokens])


DRAWS: Final = 5  # of noise, for each clip and kind


def largest_gradient(victim: Victim, case: Case) -> float:
    """The largest |gradient| of the loss at δ = 0; NaN or infinite if any sample's is.

    Costs a gradient pass. Where the loss does not hang on the audio at all, it is 0.
    """
    sound = case.clean.clone().to(victim.device, victim.dtype).requires_grad_()
    loss = case.score(victim, sound).loss.sum()
    if not loss.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(loss, sound, allow_unused=True)
    return 0.0 if gradient is None else float(gradient.abs().max())


def repetition(victim: Victim, case: Case) -> Repetition:
    """Hear the saved sound twice, and score the clean one twice, at four forward passes' cost.

    The saved sound lies where a little changes the words; the clean one, where the loss is large.
    """
    clean = case.clean.to(victim.device, victim.dtype)
    saved = case.context.around(case.clean + case.delta)
    with torch.no_grad():
        heard, again = (victim.transcribe(saved) for _ in range(2))
        loss, after = (float(case.score(victim, clean).loss) for _ in range(2))
    return Repetition((heard, again), (loss, after))


def white_noise(case: Case, seed: tuple[int, ...]) -> Tensor:
    """Gaussian noise [DRAWS, T] of exactly the energy that the case's δ has."""
    return _of_energy(_gaussian(len(case.clean), seed), case.delta)


def shaped_noise(case: Case, sample_rate: int, seed: tuple[int, ...]) -> Tensor:
    """Gaussian noise [DRAWS, T] that follows the clip's masking threshold, of its δ's energy."""
    threshold = case.threshold(case.clean, sample_rate)
    return _of_energy(shaped(_gaussian(len(case.clean), seed), threshold), case.delta)


def heard_in(recogniser: Recogniser, case: Case, noise: Tensor) -> Count:
    """In how many draws of noise [M, T] the target is heard: M transcripts."""
    return Count.count(case.succeeds(recogniser, draw) for draw in noise)


def shaped(noise: Tensor, threshold: MaskingThreshold) -> Tensor:
    """White noise [M, T], made to follow the masking threshold of one clip, frame by frame.

    In every frame of the threshold the spectrum is weighted by √θ; the frames are added up again.
    Less than a hop of samples at the end, which no frame reaches, is silent.
    """
    theta, window, hop = threshold.theta[0], threshold.window, threshold.hop
    covered = (len(theta) - 1) * hop + window
    hann = torch.hann_window(window, dtype=noise.dtype)
    frames = _resized(noise, covered).unfold(-1, window, hop) * hann  # [M, frames, window]
    weighted = torch.fft.irfft(torch.fft.rfft(frames) * theta.sqrt(), window) * hann
    added = torch.nn.functional.fold(weighted.mT, (1, covered), (1, window), stride=(1, hop))
    return _resized(added[:, 0, 0], noise.shape[-1])


def _resized(sound: Tensor, length: int) -> Tensor:
    """Sound [M, T] cut to a length, or with zeros up to it."""
    return torch.nn.functional.pad(sound[:, :length], (0, max(0, length - sound.shape[-1])))


def _gaussian(length: int, seed: tuple[int, ...]) -> Tensor:
    (noise,) = Draws.of(seed, 1, DRAWS).normal(torch.tensor([length]))
    return noise


def _of_energy(noise: Tensor, delta: Tensor) -> Tensor:
    gain: Tensor = delta.norm() / noise.norm(dim=-1, keepdim=True)
    return noise * gain


LOOKED_AT: Final = ("attack", "validate")  # the splits that an attack searches and chooses in


def leak(bank: RoomBank) -> Leak:
    """Compare the test split with the others: samples with samples, and names with names.

    Raises:
        RoomError: the bank lacks a split.
    """
    known = [response for name in LOOKED_AT for response in bank.split(name).responses()]
    test = list(bank.split("test").responses())
    samples = {_samples(response) for response in known}
    rooms = {response.room.id for response in known}
    return Leak(
        responses=Count.count(_samples(response) in samples for response in test),
        rooms=tuple(sorted({response.room.id for response in test} & rooms)),
    )


def _samples(response: Response) -> bytes:
    """A response without the zeros at its end, of which a copy may have more or fewer."""
    return np.trim_zeros(response.rir, "b").tobytes()
