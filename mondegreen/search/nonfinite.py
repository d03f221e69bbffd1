"""Numbers of a search that are NaN or infinite: where they came from, how often, and since when.

They never reach δ. A sample without a finite gradient gets no step, and a clip of which nothing can
be moved leaves the stage; both are told in the record, since they are faults of the recogniser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

LOSS: Final = "the recogniser's loss"
GRADIENT: Final = "the gradient of the recogniser's loss"
MASKING: Final = "the masking loss"
MASKING_GRADIENT: Final = "the gradient of the masking loss"
STUCK: Final = 30  # steps in a row without anything to follow, after which a clip leaves its stage


@dataclass(frozen=True)
class NonFinite:
    """What was not finite, of one source, in the search of one clip."""

    steps: int  # in how many
    first: int  # the gradient pass of the first
    most: int  # numbers at once: samples, of a gradient

    @classmethod
    def again(cls, before: NonFinite | None, passes: int, count: int) -> NonFinite:
        """One step more, in which there were `count` after `passes` gradient passes."""
        if before is None:
            return cls(1, passes, count)
        return cls(before.steps + 1, before.first, max(before.most, count))


def told(found: Mapping[str, NonFinite], steps: int, stuck: int | None) -> Iterator[str]:
    """Warnings of a search of so many steps, and of a stage that a clip was stuck in at a pass."""
    for source, seen in found.items():
        at = (
            f" at up to {seen.most:,} samples, which were not moved,"
            if "gradient" in source
            else ""
        )
        yield (
            f"{source} was NaN or infinite{at} in {seen.steps:,} of {steps:,} steps, first at pass"
            f" {seen.first:,}{_advice(source)}"
        )
    if stuck is not None:
        yield (
            f"a stage of the search was ended at pass {stuck:,}: in {STUCK} steps in a row the"
            " gradient of the recogniser's loss was zero or not finite everywhere, so that nothing"
            " could be moved; check it with: mondegreen check-victim"
        )


def _advice(source: str) -> str:
    return "; check it with: mondegreen check-victim" if "recogniser" in source else ""
