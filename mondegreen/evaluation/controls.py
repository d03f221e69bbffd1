"""Measurements on one clip that cost next to nothing: gradient, repetition, and random noise.

Noise is the control of an attack: whatever succeeds as often as chance does has found nothing.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from mondegreen.evaluation.case import Case
from mondegreen.evaluation.evidence import Repetition, Tally
from mondegreen.psychoacoustics import MaskingThreshold, masking_threshold
from mondegreen.transformations import Draws
from mondegreen.victims.base import Recogniser, Victim

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
    saved, clean = case.clean + case.delta, case.clean.to(victim.device, victim.dtype)
    with torch.no_grad():
        heard, again = (victim.transcribe(saved) for _ in range(2))
        loss, after = (float(case.score(victim, clean).loss) for _ in range(2))
    return Repetition((heard, again), (loss, after))


def white_noise(case: Case, seed: tuple[int, ...]) -> Tensor:
    """Gaussian noise [DRAWS, T] of exactly the energy that the case's δ has."""
    return _of_energy(_gaussian(len(case.clean), seed), case.delta)


def shaped_noise(case: Case, sample_rate: int, seed: tuple[int, ...]) -> Tensor:
    """Gaussian noise [DRAWS, T] that follows the clip's masking threshold, of its δ's energy."""
    threshold = masking_threshold(case.clean[None], None, sample_rate)
    return _of_energy(shaped(_gaussian(len(case.clean), seed), threshold), case.delta)


def heard_in(recogniser: Recogniser, case: Case, noise: Tensor) -> Tally:
    """In how many draws of noise [M, T] the target is heard: M transcripts."""
    return Tally.count(case.succeeds(recogniser, draw) for draw in noise)


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
