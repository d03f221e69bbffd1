"""Short-time spectra for links, of sounds one by one: what each takes from its own length alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


def one_by_one(change: Callable[[Tensor], Tensor], audio: Tensor, lengths: Tensor) -> Tensor:
    """Change each clip's sounds [K, length] by themselves, [A, K, T] -> [A, K, T].

    Nothing then depends on a batch or on its padding, not even where frames end.

    >>> sounds, lengths = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([2])
    >>> one_by_one(lambda sounds: sounds.flip(-1), sounds, lengths)
    tensor([[[2., 1., 0.]]])
    """
    samples = audio.shape[-1]
    rows = [
        pad(change(sounds[:, :length]), (0, samples - length))
        for sounds, length in zip(audio, lengths.tolist(), strict=True)
    ]
    return torch.stack(rows)


@dataclass(frozen=True)
class Frames:
    """Hann windows of `window` samples every quarter of that; past the ends there is silence."""

    window: int

    @classmethod
    def of_seconds(cls, seconds: float, sample_rate: int) -> Frames:
        """Windows of the power of two of samples that is nearest to a time.

        >>> Frames.of_seconds(0.025, 16_000)
        Frames(window=512)
        """
        return cls(2 ** round(math.log2(seconds * sample_rate)))

    def spectrum(self, sounds: Tensor) -> Tensor:
        """Complex spectra [K, bins, frames] of sounds [K, T]."""
        return torch.stft(
            sounds,
            self.window,
            self.window // 4,
            window=_hann(self.window, sounds),
            pad_mode="constant",
            return_complex=True,
        )

    def sound(self, spectrum: Tensor, samples: int) -> Tensor:
        """Sounds [K, samples] of complex spectra [K, bins, frames], by overlap and addition."""
        hann = _hann(self.window, spectrum.real)
        return torch.istft(spectrum, self.window, self.window // 4, window=hann, length=samples)


def _hann(samples: int, like: Tensor) -> Tensor:
    return torch.hann_window(samples, dtype=like.dtype, device=like.device)
