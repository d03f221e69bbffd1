"""An active test: a recogniser with a vulnerability that is known to be there, to be found.

That an attack finds nothing says little of a recogniser, unless the attack finds what is there
(Zimmermann et al. 2022). `PlantedVictim` hears one phrase exactly when a sound's correlation with a
secret pattern passes a bias, so that the smallest perturbation is known in closed form. What is
tested is the search, not the recogniser that it was used on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.judging.checks import Hunt
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.presets import Stages
from mondegreen.search.stage import Elastic, MaxNorm, Stage
from mondegreen.victims.base import Score

LEAST: Final = 200 / FULL_SCALE  # the norm that is planted: a tenth of where the presets begin
NATS: Final = 100.0  # the loss on the clean clip: what a phrase of ten or twenty words costs
STEPS: Final = 500  # of a stage at most: any sound search is there by then
PHRASE: Final = "what was planted"


class PlantedVictim:
    """Hears `PHRASE` when w · x > bias, with probability sigmoid(w · x - bias) of saying so.

    Args:
        pattern: w, [T] float32; its signs are the perturbation to be found.
        bias: in nats.
        sample_rate: Hz.
    """

    name = "planted"
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, pattern: Tensor, bias: float, sample_rate: int) -> None:
        self.pattern, self.bias, self.sample_rate = pattern, bias, sample_rate

    @classmethod
    def on(cls, clean: Tensor, least: float, sample_rate: int, seed: int = 0) -> PlantedVictim:
        """Plant a vulnerability in a clip.

        The most that ‖δ‖∞ ≤ ε can add to w · x is Σ |w| min(ε, what the 16-bit range leaves in w's
        direction). w is scaled to make that `NATS` at ε = `least`, and the bias lies just there.

        Args:
            clean: [T] float32 on the 16-bit grid.
            least: the smallest ‖δ‖∞ that shall be heard, in full scale, to half a 16-bit step.
            sample_rate: Hz.
            seed: of the pattern.
        """
        pattern = torch.randn(len(clean), generator=torch.Generator().manual_seed(seed))
        left = torch.where(pattern > 0, 1 - 1 / FULL_SCALE - clean, 1 + clean)
        pattern *= NATS / float(pattern.abs() @ left.clamp(max=least))
        return cls(pattern, float(pattern @ clean) + NATS, sample_rate)

    def encode(self, target: str, length: int) -> Tensor:
        """One symbol: there is only one phrase."""
        del target, length
        return torch.tensor([0])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """See `Victim`; all clips have the pattern's length."""
        del lengths, targets
        margin = self._margin(audio)
        return Score(softplus(-margin), margin > 0)

    def transcribe(self, audio: Tensor) -> str:
        """`PHRASE`, or nothing."""
        return PHRASE if self._margin(audio[None]) > 0 else ""

    def _margin(self, audio: Tensor) -> Tensor:
        """How far w · x is above the bias, [B]; in one way for both, for it ends close to 0."""
        margin: Tensor = (audio * self.pattern).double().sum(-1) - self.bias
        return margin


def hunt(clean: Tensor, sample_rate: int, stages: Stages, seed: int = 0) -> list[Hunt]:
    """Let an attack look for what is planted in a clip.

    Args:
        clean: [T] float32 on the 16-bit grid.
        sample_rate: Hz.
        stages: the attack's, without rooms; each is cut to `STEPS`.
        seed: of the pattern.

    Returns:
        What each stage found.
    """
    victim = PlantedVictim.on(clean, LEAST, sample_rate, seed)
    stages = tuple(replace(stage, steps=min(stage.steps, STEPS)) for stage in stages)
    threshold = masking_threshold(clean[None], None, sample_rate)
    search = Search(victim, [clean], [victim.encode(PHRASE, len(clean))], threshold, seed)
    for _ in search.run(stages):
        pass
    (trajectory,) = search.trajectories
    successes = (*trajectory.milestones, *trajectory.candidates)
    last = {success.stage: success.delta for success in successes}
    return [
        Hunt(stage.name, _minimises(stage), _norm(victim, clean, last.get(stage.name)), LEAST)
        for stage in stages
    ]


def _minimises(stage: Stage) -> bool:
    """Whether the stage's ball shrinks around its successes."""
    return isinstance(stage.bound, MaxNorm | Elastic)


def _norm(victim: PlantedVictim, clean: Tensor, delta: Tensor | None) -> float | None:
    """‖δ‖∞ as a 16-bit file holds it; None if the victim does not hear the phrase in it."""
    if delta is None:
        return None
    sound = quantise(clean + delta)
    return float((sound - clean).abs().max()) if victim.transcribe(sound) == PHRASE else None
