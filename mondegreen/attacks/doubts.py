"""Reasons to doubt a result, in plain words, for its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mondegreen.attacks.clip import Clip
from mondegreen.attacks.proof import Proven
from mondegreen.options import Options
from mondegreen.results.record import Quality
from mondegreen.search.presets import last_stage
from mondegreen.search.trajectory import Candidate
from mondegreen.text import counted
from mondegreen.wording import number_of

CLICK_DB: Final = 6.0  # by which the edges must stand out to be warned of


def doubts(clip: Clip, proven: Proven, quality: Quality, options: Options) -> Iterator[str]:
    """What is doubtful about what is saved of a clip."""
    yield from _not_understood(clip, options)
    yield from _early(proven.candidate, last_stage(options))
    yield from _broken_bound(clip, proven, options)
    yield from _louder(quality)
    yield from _clicks(quality)


def _not_understood(clip: Clip, options: Options) -> Iterator[str]:
    errors = clip.clean_errors
    if errors is not None and errors.rate > options.max_clean_wer:
        said = counted(errors.words, errors.characters)
        yield f"the clean clip is not understood: {number_of(errors.errors, 'error')} in its {said}"


def _early(candidate: Candidate | None, last: str) -> Iterator[str]:
    if candidate is not None and candidate.stage != last:
        yield (
            f"the last stage, “{last}”, found nothing: what is saved is from “{candidate.stage}”,"
            " and likely easier to hear; more passes may help (--max-passes)"
        )


def _broken_bound(clip: Clip, proven: Proven, options: Options) -> Iterator[str]:
    """How near what is saved comes to what was asked, where a bound was not kept by a success."""
    if proven.verified or proven.excess_db is None:
        return
    heard = "is heard" if clip.aim.met(proven.transcript) else "is not heard"
    over = f"breaks it by {proven.excess_db:.1f} dB" if proven.excess_db > 0 else "keeps it"
    yield f"the bound is {options.bound_words}: what is saved {heard} {clip.aim.words}, and {over}"


def _louder(quality: Quality) -> Iterator[str]:
    """A success that nobody would mistake for the clip."""
    if quality.snr_db is not None and quality.snr_db < 0:
        yield (
            f"the change is louder than the clip (signal to noise {quality.snr_db:.1f} dB): it is"
            " plainly audible"
        )


def _clicks(quality: Quality) -> Iterator[str]:
    """What the masking loss does not see, where it is worse than all that it sees."""
    masking = quality.masking
    if masking.edges_db >= masking.max_excess_db + CLICK_DB:
        yield (
            "at the clip's edges, which the masking loss hardly sees, the change is up to"
            f" {masking.edges_db:.1f} dB above the threshold, elsewhere"
            f" {masking.max_excess_db:.1f} dB: expect a click"
        )
