"""A victim small enough to know everything about: one linear decision, a closed-form attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mondegreen.air.rooms import Room, RoomBank, Split
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import Rooms
from mondegreen.errors import TargetError
from mondegreen.victims.base import Score

TARGET = "Open the door."


class LinearVictim:
    """Hears TARGET when w · x exceeds `bias`, with probability sigmoid(w · x - bias) of saying so.

    The smallest max-norm that makes it do so is (bias - w · x) / ‖w‖₁, along sign(w).
    """

    name = "linear"
    sample_rate = 16_000

    def __init__(self, weight: Tensor, bias: float) -> None:
        self.weight, self.bias = weight, bias
        self.heard = 0  # rows scored

    @property
    def device(self) -> torch.device:
        return self.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.weight.dtype

    def encode(self, target: str, length: int) -> Tensor:
        if target != TARGET:
            raise TargetError(f"got the target {target!r}, expected {TARGET!r}; ask for that")
        return torch.tensor([1])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        self.heard += len(audio)
        # row by row, so that a batch cannot but give what its clips give alone
        margin = torch.stack(
            [self._margin(row[:n]) for row, n in zip(audio, lengths.tolist(), strict=True)]
        )
        return Score(F.softplus(-margin), margin > 0)

    def transcribe(self, audio: Tensor) -> str:
        return TARGET if self._margin(audio.to(self.weight)) > 0 else "Nothing at all."

    def smallest_norm(self, clean: Tensor) -> float:
        """The least ‖δ‖∞ that reaches the target."""
        return float(-self._margin(clean) / self.weight[: len(clean)].abs().sum())

    def _margin(self, audio: Tensor) -> Tensor:
        return audio @ self.weight[: len(audio)] - self.bias


def linear_victim(seed: int = 0, length: int = 8192, bias: float = 150.0) -> LinearVictim:
    """A victim in float64; with clips of `speech`, the smallest norm is some hundreds of 32768."""
    generator = torch.Generator().manual_seed(seed)
    return LinearVictim(torch.randn(length, generator=generator, dtype=torch.float64), bias)


def speech(seed: int = 0, length: int = 8192) -> Tensor:
    """A clip on the 16-bit grid with the tilt of speech: noise, each sample leaning on the last."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(length, generator=generator, dtype=torch.float64)
    smooth = noise.cumsum(0) - noise.cumsum(0).mean()
    return torch.round(smooth / smooth.abs().max() * 0.3 * 32768) / 32768


def toy_rooms(seed: int = 0, count: int = 12, length: int = 40) -> Rooms:
    """Rooms that leave the direct sound as it is, and add a weak random tail to it."""
    generator = torch.Generator().manual_seed(seed)
    rirs = 0.02 * torch.randn(count, length, generator=generator, dtype=torch.float64)
    rirs[:, 0] = 1
    return Rooms(Reverb(rirs, normalise=False))


def toy_bank(sizes: Mapping[str, int] | None = None, sample_rate: int = 16_000) -> RoomBank:
    """A bank of such rooms, other ones in each split."""
    sizes = sizes or {"attack": 12, "validate": 5, "test": 10}
    splits = {}
    for seed, (name, count) in enumerate(sizes.items()):
        rirs = toy_rooms(seed, count).reverb.rirs.float()
        rooms = tuple(Room(f"{name}-{i}", rt60=0.1, drr=5.0) for i in range(count))
        splits[name] = Split(name, rirs, torch.full((count,), rirs.shape[1]), rooms)
    return RoomBank(sample_rate, "toy", {"kind": "toy"}, splits)


def made_up_ratings(package: str, *_: object) -> list[float]:
    """In place of the compiled yardsticks, which run in processes of their own."""
    return [0.005, 4.1] if package == "zimtohrli" else [3.6]
