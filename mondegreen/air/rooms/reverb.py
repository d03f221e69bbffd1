"""Sound in rooms: batched, differentiable convolution with impulse responses.

Clips differ in length and change at every step of an attack; responses never do. So one transform
size is chosen from the responses alone, their spectra are computed once, and clips of any length
are cut into blocks that fit (overlap-add: Oppenheim and Schafer, *Discrete-Time Signal
Processing*). With responses of L samples, a block of S samples gives S + L - 1, its last L - 1
overlapping the next block: x * h = Σ_b shift(x_b * h, b S), and a transform of S + L - 1 or more
points makes each circular product a linear one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.audio.batch import unpadded
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import AudioError, RoomError

SMALLEST_TRANSFORM: Final = 4096  # samples; shorter ones are all overhead
KEPT_BYTES: Final = 2**29  # of spectra: 1,000 rooms of 1.5 s at 16 kHz in float32 take half of it
PRODUCTS_AT_ONCE: Final = 2**20  # complex numbers; near the processor's cache, and a bound


class Reverb:
    """Impulse responses, ready to be applied to batches of clips.

    A result depends only on its own clip and room: not on the rest of the batch, the number of
    rooms, or the content of the padding.

    Args:
        rirs: [N, L], zero after each response's end; float32 or float64 (half types become float32:
            not every device can transform them).
        normalise: scale each result to a peak of 32767/32768, as the released code does (the paper
            does not say): the peak is that of the whole convolution with its tail, before it is cut
            to the clip's length. Silence stays silence.

    Raises:
        RoomError: the responses are not [N, L] floats with N, L > 0, or not finite.

    >>> reverb = Reverb(torch.tensor([[1.0, 0.0, 0.5]]), normalise=False)
    >>> audio, rooms = torch.tensor([[[1.0, 2.0, 0.0]]]), torch.tensor([[0]])
    >>> [round(x, 4) for x in reverb(audio, torch.tensor([3]), rooms).flatten().tolist()]
    [1.0, 2.0, 0.5]
    """

    def __init__(self, rirs: Tensor, normalise: bool = True) -> None:
        if rirs.ndim != 2 or rirs.numel() == 0 or not rirs.is_floating_point():
            raise RoomError(
                f"Got impulse responses of shape {tuple(rirs.shape)} and {rirs.dtype}, expected "
                "floats [N, L], at least one of each. Stack them with zeros after the shorter ones."
            )
        if not bool(torch.isfinite(rirs).all()):
            raise RoomError(
                "Got impulse responses with NaN or infinite samples, expected numbers. Make the "
                "bank of rooms again."
            )
        self.rirs = _at_least_single(rirs.detach())
        self.normalise = normalise

    def __len__(self) -> int:
        return len(self.rirs)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Reverb:
        """The same rooms on another device, or in another type."""
        return Reverb(self.rirs.to(device=device, dtype=dtype), self.normalise)

    def __call__(self, audio: Tensor, lengths: Tensor, rooms: Tensor) -> Tensor:
        """Reverberate clips; differentiable in the audio, also through the peak.

        Args:
            audio: [A, K, T]. K = 1 puts a clip into all its M rooms, transformed once; K = M has a
                sound for each room.
            lengths: [A] samples of each clip; the padding is ignored.
            rooms: [A, M] int64, indices of responses.

        Returns:
            [A, M, T] in the audio's type; zero past each clip's length. The direct sound keeps the
            delay of the response: nothing is aligned.

        Raises:
            AudioError: the shapes of audio and rooms do not match.
        """
        clips, draws = rooms.shape
        if audio.ndim != 3 or len(audio) != clips or audio.shape[1] not in (1, draws):
            raise AudioError(
                f"Got audio of shape {tuple(audio.shape)} for rooms of shape {(clips, draws)}, "
                f"expected [{clips}, 1, T] or [{clips}, {draws}, T]."
            )
        blocks = self._blocks(unpadded(_at_least_single(audio), lengths))
        blocks = blocks.expand(-1, draws, -1, -1)
        at_once = max(1, PRODUCTS_AT_ONCE // blocks[:, 0].numel())  # rooms of every clip
        parts = []
        for start in range(0, draws, at_once):
            some = slice(start, start + at_once)
            whole = self._through(blocks[:, some], rooms[:, some])
            parts.append(whole[..., : audio.shape[-1]])
        return unpadded(torch.cat(parts, dim=1), lengths).to(audio.dtype)

    @property
    def _size(self) -> int:
        """Samples per transform: a power of two, at least twice the responses' length L.

        From 2 L - 1 on, a block's tail ends within the next block. At 4 L the spectra take twice
        the memory; rooms of half a second are then a fifth faster, longer ones slower.
        """
        twice = 2 * self.rirs.shape[-1]
        return max(SMALLEST_TRANSFORM, 1 << (twice - 1).bit_length())

    @property
    def _step(self) -> int:
        """Samples per block: with the response's tail, a block fills the transform."""
        return self._size - self.rirs.shape[-1] + 1

    def _blocks(self, audio: Tensor) -> Tensor:
        """Spectra of successive blocks, [A, K, T] -> complex [A, K, blocks, bins]."""
        samples = audio.shape[-1]
        count = -(-samples // self._step)
        whole = pad(audio, (0, count * self._step - samples))
        spectra: Tensor = torch.fft.rfft(
            whole.reshape(*audio.shape[:-1], count, self._step), self._size
        )
        return spectra

    def _through(self, blocks: Tensor, rooms: Tensor) -> Tensor:
        """Blocks [A, M, blocks, bins] in rooms [A, M] -> [A, M, (blocks + 1) * step].

        The whole convolution, T + L - 1 samples, and zeros up to the end of the last block.
        """
        spectra = self._spectra(rooms)[:, :, None]
        sound = overlap_add(torch.fft.irfft(blocks * spectra, self._size), self._step)
        return _peak_normalised(sound) if self.normalise else sound

    def _spectra(self, rooms: Tensor) -> Tensor:
        """Spectra of the responses, complex: [A, M] -> [A, M, bins]."""
        if self._kept is not None:
            return self._kept[rooms]
        spectra: Tensor = torch.fft.rfft(self.rirs[rooms], self._size)
        return spectra

    @cached_property
    def _kept(self) -> Tensor | None:
        """All spectra [N, bins], or None if they would take too much memory."""
        bins = self._size // 2 + 1
        if len(self) * bins * 2 * self.rirs.element_size() > KEPT_BYTES:
            return None
        spectra: Tensor = torch.fft.rfft(self.rirs, self._size)
        return spectra


def _at_least_single(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.half, torch.bfloat16) else values


def overlap_add(blocks: Tensor, step: int) -> Tensor:
    """Blocks that start every `step` samples, summed: [..., n, size] -> [..., (n + 1) * step].

    Needs step <= size <= 2 * step, so that each reaches into the next one and no further.

    >>> overlap_add(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), 2).tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0, 0.0]
    """
    heads, tails = blocks[..., :step], blocks[..., step:]
    missing = step - tails.shape[-1]
    return (pad(heads, (0, 0, 0, 1)) + pad(tails, (0, missing, 1, 0))).flatten(-2)


def _peak_normalised(sound: Tensor) -> Tensor:
    """Sound with a peak of 32767/32768, the largest that 16 bits hold on both sides of zero."""
    peak = sound.abs().amax(-1, keepdim=True)
    loudest = (FULL_SCALE - 1) / FULL_SCALE
    return sound / torch.where(peak > 0, peak, 1) * loudest
