"""The equality check: a frontend is used only if it gives what the extractor gives.

Otherwise the attack would follow the gradient of another model than the one it is judged by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mondegreen.audio.batch import pad
from mondegreen.errors import VictimError
from mondegreen.victims.frontends.base import Frontend

TOLERANCE = 1e-4  # of the largest feature
SEED = 20190610


def check_equal(frontend: Frontend, extractor: Any) -> float:
    """Compare `frontend_of(extractor)`, on the CPU, with the checkpoint's own `extractor`.

    Each probe goes through both alone, and some of them again as a padded batch. The error is
    max|ours − theirs| / max|theirs| over a clip's features, padding included. At silence it is
    max|ours − theirs|; where features are standardised, ours must only be finite there, since
    theirs are rounding errors divided by rounding errors, anything from 0 to NaN.

    Returns:
        The largest error of all probes.

    Raises:
        VictimError: an error above 1e-4, or features or counts of another shape or number.
    """
    probes = _probes(frontend.sample_rate, frontend.shortest)
    errors = [_compare(frontend, extractor, name, [clip]) for name, clip in probes.items()]
    together = [probes[name] for name in ("noise", "odd length", "very short")]
    errors.append(_compare(frontend, extractor, "padded batch", together))
    return max(errors)


def _probes(rate: int, shortest: int) -> dict[str, Tensor]:
    """Sounds of about a second, [T] float32.

    Standardised features of an almost constant sound are amplified rounding errors, in their code
    as in ours: at one step of 16 bits, Parakeet's extractor is off by 0.3 %. So near-silence is at
    −60 dB, and the shortest probe is a tenth of a second longer than necessary.
    """
    noise = torch.randn(rate, generator=torch.Generator().manual_seed(SEED))
    silence = torch.zeros(rate)
    return {
        "noise": 0.1 * noise,
        "near-silence": 1e-3 * noise,
        "silence": silence,
        "silence after noise": torch.cat([0.1 * noise[: rate // 2], silence[: rate // 4]]),
        "clipped noise": (10 * noise).clamp(-1, 1),
        "odd length": 0.1 * noise[: rate * 3 // 5 | 1],
        "very short": 0.1 * noise[: shortest + rate // 10],
    }


def _compare(frontend: Frontend, extractor: Any, probe: str, clips: list[Tensor]) -> float:
    with torch.no_grad():
        ours, counts = frontend(*pad(clips))
    theirs, real = _extracted(extractor, clips, frontend.padding)
    if ours.shape != theirs.shape:
        raise _refusal(extractor, probe, f"shape {[*ours.shape]} instead of {[*theirs.shape]}")
    if not torch.equal(counts, real):
        raise _refusal(extractor, probe, f"{counts.tolist()} frames instead of {real.tolist()}")
    standardised = [frontend.standardises] * len(clips)
    error = float(torch.stack([*map(_error, ours, theirs, clips, standardised)]).max())
    if not error <= TOLERANCE:
        raise _refusal(extractor, probe, f"a relative error of {error:.2g}, over {TOLERANCE:g}")
    return error


def _extracted(extractor: Any, clips: list[Tensor], padding: bool | str) -> tuple[Tensor, Tensor]:
    """Their features and counts, as a user gets them."""
    with np.errstate(all="ignore"):  # at silence
        result = extractor(
            [clip.numpy() for clip in clips],
            sampling_rate=extractor.sampling_rate,
            padding=padding,
            return_attention_mask=True,
            return_tensors="pt",
        )
    return result[extractor.model_input_names[0]], result["attention_mask"].sum(-1)


def _error(ours: Tensor, theirs: Tensor, clip: Tensor, standardised: bool) -> Tensor:
    if clip.any():
        return (ours - theirs).abs().max() / theirs.abs().max()
    return (0 * ours if standardised else ours - theirs).abs().max()  # 0 * NaN is NaN


def _refusal(extractor: Any, probe: str, found: str) -> VictimError:
    return VictimError(
        f"the features of this checkpoint ({type(extractor).__name__}) are not reproduced: on the"
        f" probe {probe!r} came {found}. The gradient would belong to another model; use a"
        " checkpoint with its family's usual feature settings, or write your own victim"
    )
