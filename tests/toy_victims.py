"""Toy recognisers by name, as `module:function`, for processes that load their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from toy import LinearVictim, linear_victim, made_up_ratings

import mondegreen.measures.ratings
from mondegreen.victims.base import Score

if os.environ.get("MADE_UP_RATINGS"):  # in a worker of a run; see `run_folders.environment`
    mondegreen.measures.ratings.measured_apart = made_up_ratings
    mondegreen.measures.ratings.stoi = lambda *_: 0.98  # it takes a second to import


def linear(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """The linear victim."""
    return _named(linear_victim(), "linear")


def deaf(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """One that hears the target in nothing that a file can hold."""
    return _named(linear_victim(bias=1e6), "deaf")


def other_weights(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """One with other weights under a name that is taken."""
    return _named(linear_victim(seed=int(os.environ["TOY_SEED"])), "other_weights")


class Dying(LinearVictim):
    """Ends its process where a clip has a certain length, as when memory runs out."""

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        if DEADLY in lengths.tolist():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(audio, lengths, targets)


class Raising(LinearVictim):
    """Raises where a clip has that length."""

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        if DEADLY in lengths.tolist():
            raise RuntimeError("this sound is too much for me")
        return super().score(audio, lengths, targets)


class Slow(LinearVictim):
    """Takes its time."""

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        time.sleep(0.05)
        return super().score(audio, lengths, targets)


DEADLY = 6001  # samples


def dying(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """See `Dying`."""
    return _named(_of(Dying), "dying")


def raising(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """See `Raising`."""
    return _named(_of(Raising), "raising")


def slow(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """See `Slow`."""
    return _named(_of(Slow), "slow")


def broken(device: torch.device, dtype: torch.dtype) -> LinearVictim:
    """One that cannot be made."""
    raise RuntimeError("no such weights")


def _of(kind: type[LinearVictim]) -> LinearVictim:
    plain = linear_victim()
    return kind(plain.weight, plain.bias)


def _named(victim: LinearVictim, function: str) -> LinearVictim:
    victim.name = f"toy_victims:{function}"
    return victim


def whisper(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """A defence through which next to nothing comes."""
    del sample_rate
    return 1e-4 * audio
