"""Clips as tensors: rounding to 16 bits, and batches of unequal lengths.

Audio is ``[B, T]`` floating point, full scale 1, with ``lengths [B]`` in samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import AudioError


def quantise(audio: Tensor) -> Tensor:
    """Round audio to 16-bit samples: half steps to even, values beyond full scale clipped.

    Args:
        audio: float32 or float64, any shape.

    Returns:
        Same shape and type; multiples of 1/32768 in [-1, 32767/32768].

    >>> (quantise(torch.tensor([0.3, 1.0])) * FULL_SCALE).tolist()
    [9830.0, 32767.0]
    """
    steps = torch.round(audio * FULL_SCALE)
    return torch.clamp(steps, -FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE


def pad(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack clips `[T_i]` of unequal lengths into a batch, with zeros after the shorter ones.

    Returns:
        audio `[B, T]`, where T is the longest length, and lengths `[B]` (int64).

    Raises:
        AudioError: there are no clips.

    >>> audio, lengths = pad([torch.ones(2), torch.ones(3)])
    >>> audio.tolist(), lengths.tolist()
    ([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], [2, 3])
    """
    if not clips:
        raise AudioError("Got no clips, expected at least one to make a batch.")
    lengths = torch.tensor([clip.shape[-1] for clip in clips], device=clips[0].device)
    return torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True), lengths


def without_padding(audio: Tensor, lengths: Tensor) -> Tensor:
    """Audio `[B, ..., T]` with zeros after each clip's length `[B]`, whatever was there.

    The lengths may lie in main memory, whatever the audio's device.

    >>> without_padding(torch.ones(2, 3), torch.tensor([1, 3])).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    ends = lengths.to(audio.device, non_blocking=True)[:, None]
    inside = torch.arange(audio.shape[-1], device=audio.device) < ends
    return torch.where(inside.view(len(ends), *[1] * (audio.ndim - 2), -1), audio, 0)


def unpadded(audio: Tensor, lengths: Tensor) -> Tensor:
    """As `without_padding`, and the audio itself if no clip has padding.

    To see that, it reads the lengths: they should lie in main memory, or it waits for the device.

    >>> audio = torch.ones(1, 3)
    >>> unpadded(audio, torch.tensor([3])) is audio, unpadded(audio, torch.tensor([1])).tolist()
    (True, [[1.0, 0.0, 0.0]])
    """
    whole = bool((lengths >= audio.shape[-1]).all())
    return audio if whole else without_padding(audio, lengths)
