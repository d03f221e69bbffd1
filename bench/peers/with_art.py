"""`ImperceptibleASR` of the Adversarial Robustness Toolbox 1.20.1 on any victim, by an estimator.

Audio is in 16-bit steps there, and so are the attack's default numbers. It calls a transcript a
success that equals the target in capitals, so transcripts are given in capitals.

Its masker compares the wrong places on the Bark scale. The second row replaces two expressions of
that one function; the rest of it stays as it is shipped.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import numpy as np
import torch
from art.attacks.evasion.imperceptible_asr import imperceptible_asr
from art.attacks.evasion.imperceptible_asr.imperceptible_asr import (
    ImperceptibleASR,
    PsychoacousticMasker,
)
from art.estimators.pytorch import PyTorchEstimator
from art.estimators.speech_recognition import SpeechRecognizerMixin
from numpy.typing import NDArray
from torch import Tensor

from bench.peers.counted import Counted
from mondegreen.audio.pcm import FULL_SCALE

Array = NDArray[np.float32]

AS_SHIPPED, FIXED = "ART", "ART, masker fixed"
ROWS = (AS_SHIPPED, FIXED)
FIXES = {  # in `filter_maskers`: places in the list of maskers, where frequency bins are meant
    "self.bark[i] - self.bark[i_prev]": "self.bark[masker_idx[i]] - self.bark[masker_idx[i_prev]]",
    "(i_prev, i_prev + 1)": "(i_prev, i)",
}


class Estimator(SpeechRecognizerMixin, PyTorchEstimator):
    """A counted victim as what ART attacks; it must be a PyTorch estimator for θ's gradient."""

    def __init__(self, victim: Counted) -> None:
        super().__init__(model=None, clip_values=None, channels_first=None, device_type="cpu")
        self.victim = victim

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (len(self.victim.task.clean),)

    def loss_gradient(self, x: Array, y: Any, **options: Any) -> Array:
        """[B, T] of the victim's loss in nats, by audio [B, T] in 16-bit steps."""
        del y, options  # there is one target, the task's
        return np.stack([self.victim.gradient(_sound(row)).numpy() / FULL_SCALE for row in x])

    def predict(self, x: Array, **options: Any) -> NDArray[Any]:
        """What is heard in audio [B, T], in capitals."""
        del options
        return np.array([self.victim.transcribe(_sound(row)).upper() for row in x])

    def fit(self, x: Any, y: Any, **options: Any) -> None:
        raise NotImplementedError("it is not trained here")

    def get_activations(self, x: Any, layer: Any, batch_size: int, framework: bool = False) -> Any:
        raise NotImplementedError("its layers are nobody's business here")


def attack(row: str, victim: Counted, first: int, second: int) -> Array:
    """The adversarial audio [T] after so many steps of each stage.

    All other numbers are the defaults, which are meant for 16-bit steps, except that the attack
    does not stop at a low masking loss: every run spends its budget.
    """
    masker = (PsychoacousticMasker if row == AS_SHIPPED else fixed_masker())()
    found = ImperceptibleASR(
        Estimator(victim), masker, max_iter_1=first, max_iter_2=second, loss_theta_min=0.0
    ).generate(_steps(victim.task.clean), np.array([victim.task.target.upper()]))
    return np.asarray(found[0], np.float32) / FULL_SCALE


def fixed_masker() -> type[PsychoacousticMasker]:
    """The masker with `FIXES` in its filter.

    Raises:
        ValueError: its source is not the one that they were written for.
    """
    source = textwrap.dedent(inspect.getsource(PsychoacousticMasker.filter_maskers))
    for wrong, right in FIXES.items():
        if source.count(wrong) != 1:
            raise ValueError(f"ART's filter_maskers has no single {wrong!r}; install ART 1.20.1")
        source = source.replace(wrong, right)
    names: dict[str, Any] = dict(vars(imperceptible_asr))
    exec(compile(source, "filter_maskers with fixed indices", "exec"), names)
    return type("FixedMasker", (PsychoacousticMasker,), {"filter_maskers": names["filter_maskers"]})


def gradient(victim: Counted) -> Tensor:
    """The gradient [T] at the clean clip, through the estimator alone, for audio in [-1, 1]."""
    found = Estimator(victim).loss_gradient(_steps(victim.task.clean), None)
    return torch.from_numpy(found[0]) * FULL_SCALE


def heard(victim: Counted, audio: Tensor) -> str:
    """What the estimator hears in audio [T]."""
    return str(Estimator(victim).predict(_steps(audio))[0])


def _steps(audio: Tensor) -> Array:
    """[1, T] in 16-bit steps, of audio [T] in [-1, 1]."""
    return (audio[None] * FULL_SCALE).numpy()


def _sound(steps: Array) -> Tensor:
    """Audio [T] in [-1, 1], of 16-bit steps; not rounded, as the peer does not round."""
    return torch.from_numpy(np.asarray(steps, np.float32) / FULL_SCALE)
