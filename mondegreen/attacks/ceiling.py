"""A ceiling over a perturbation's spectrum: so many dB above the masking threshold, in every bin.

A penalty on the masking loss leaves a few bins far above the threshold, and most of the loss is
theirs. `lowered` takes off what stands out and leaves the rest alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.psychoacoustics import MaskingThreshold, normalised_power

HANN_ENERGY = 3 / 8  # of a periodic Hann window, per sample
THIN = 0.1  # share of full overlap below which a correction fades out instead of being blown up


@torch.no_grad()
def lowered(delta: Tensor, threshold: MaskingThreshold, ceiling_db: float) -> Tensor:
    """Bring the bins of each frame down to θ + `ceiling_db`, once, and overlap-add the frames.

    A frame shares its samples with its neighbours, so some bins still stand out a little. Where
    none did, δ comes back as it was.

    Shape: delta ``[B, T]`` full scale -> the same.

    Raises ``AudioError`` if delta is not of these clips.
    """
    window, hop = threshold.window, threshold.hop
    limit = threshold.theta * 10 ** (ceiling_db / 10)
    gain = (limit / normalised_power(delta, threshold)).sqrt().clamp(max=1)
    real = threshold.real[..., None]
    change = (gain - 1).masked_fill(~(threshold.audible & real), 0)

    length = (threshold.theta.shape[1] - 1) * hop + window
    covered = pad(delta, (0, length - delta.shape[1]))  # or cut, to what the frames cover
    hann = torch.hann_window(window, dtype=delta.dtype, device=delta.device)
    frames = torch.fft.rfft(covered.unfold(-1, window, hop) * hann) * change
    moved = _overlapped(torch.fft.irfft(frames, window) * hann, hop)
    overlap = _overlapped(hann.square() * real, hop)
    moved = moved / overlap.clamp(min=THIN * HANN_ENERGY * window / hop)
    return delta + pad(moved, (0, delta.shape[1] - length))


def _overlapped(frames: Tensor, hop: int) -> Tensor:
    """Sum frames [B, F, W], each `hop` samples after the one before: [B, samples]."""
    n_clips, n_frames, window = frames.shape
    pieces = pad(frames, (0, -window % hop)).view(n_clips, n_frames, -1, hop)
    n_pieces = pieces.shape[2]
    summed = frames.new_zeros(n_clips, n_frames + n_pieces - 1, hop)
    for piece in range(n_pieces):
        summed[:, piece : piece + n_frames] += pieces[:, :, piece]
    return summed.flatten(1)[:, : (n_frames - 1) * hop + window]
