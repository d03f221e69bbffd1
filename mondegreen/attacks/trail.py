"""The successes on the way of a search, each proved from the file that it would be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mondegreen.attacks.clip import Clip
from mondegreen.attacks.proof import Proven, from_file
from mondegreen.attacks.result import Waypoint
from mondegreen.measures.quality import TEMPORAL, masking_excess, snr_db
from mondegreen.options import Options
from mondegreen.results.record import Prices, Success
from mondegreen.search.trajectory import Trajectory
from mondegreen.victims.base import Victim


def trail(
    victim: Victim, clip: Clip, trajectory: Trajectory, proven: Proven, options: Options
) -> Iterator[Waypoint]:
    """Those whose file is heard as was aimed for, without what is saved; see `Record.trail`.

    Whether they keep a bound that was asked for does not matter: that is a matter of their price.

    Raises:
        RecogniserError: the victim's own code fails.
    """
    if options.in_rooms or proven.stopped is not None:
        return
    saved = proven.candidate.passes if proven.candidate else None
    for candidate in trajectory.trail:
        if candidate.passes == saved:
            continue
        adversarial, proof = from_file(victim, clip, candidate.delta)
        if proof.matched:
            prices = _computed(clip, adversarial, victim.sample_rate)
            yield Waypoint(Success(candidate.passes, candidate.stage, prices), adversarial)


def _computed(clip: Clip, adversarial: NDArray[np.float32], sample_rate: int) -> Prices:
    clean = clip.clean.numpy()
    what = clean, adversarial, sample_rate
    return Prices(
        excess_db=masking_excess(*what, around=clip.around).max_excess_db,
        margin_db=masking_excess(*what, TEMPORAL, clip.around).margin_db,
        snr_db=snr_db(clean, adversarial),
        pesq_c2=None,
        zimtohrli_mos=None,
    )
