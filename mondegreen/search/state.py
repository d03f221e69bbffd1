"""The state of a search between two steps, and a snapshot of it that can be written to disk.

A search resumed from a snapshot gives the same result, to the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.results.record import Point
from mondegreen.search.nonfinite import NonFinite
from mondegreen.search.trajectory import CANDIDATES, Candidate, Trajectory

GIVEN: Final = ("audio", "lengths", "low", "high")  # follow from the clips; the rest is state


@dataclass
class Batch:
    """The clips still in a stage; every tensor has one row per clip.

    Sounds and lengths are on the victim's device; the numbers that steer a clip are in main memory.
    """

    audio: Tensor  # [A, T]
    lengths: Tensor  # [A]
    # [A, T] the smallest δ that keeps x + δ in range; zero in padding and outside the passage
    low: Tensor
    high: Tensor  # [A, T]
    index: Tensor  # [A] which clip of the search this is
    delta: Tensor  # [A, T]
    mean: Tensor  # [A, T] Adam's first moment
    square: Tensor  # [A, T] Adam's second moment
    average: Tensor  # [A, T] of δ over the steps, where the stage keeps it
    near: Tensor  # [A, T] the sound that was heard whole last; see `mondegreen.victims.near`
    fastest: Tensor  # [A] the largest rate in this stage
    eps: Tensor  # [A]
    alpha: Tensor  # [A]
    # [A] lowest cost of a success in this stage; where it does not keep that, the cost at its start
    quietest: Tensor
    most: Tensor  # [A] most draws that a success in this stage was heard in, or words it lost
    left: Tensor  # [A] steps until the clip leaves
    still: Tensor  # [A] steps in a row in which nothing could move it

    @classmethod
    def of(cls, audio: Tensor, lengths: Tensor, free: Tensor, **searched: Tensor) -> Batch:
        """A batch of all clips [B, T] with `lengths` [B]; x + δ stays within the 16-bit range.

        δ is zero where a clip is not `free` to be changed, bool [B, T].
        """
        low, high = (-1 - audio) * free, (1 - 1 / FULL_SCALE - audio) * free
        return cls(audio, lengths, low, high, **searched)

    @property
    def own(self) -> Tensor:
        """The clips [A, T] without what is around a passage."""
        return self.audio * (self.low < self.high)

    def select(self, rows: Tensor) -> Batch:
        """The clips of `rows`, without the padding that the others needed."""
        kept = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        longest = int(kept["lengths"].max()) if len(kept["lengths"]) else 0
        return Batch(**{k: v[:, :longest] if v.ndim == 2 else v for k, v in kept.items()})

    def searched(self) -> dict[str, Tensor]:
        """Everything that does not follow from the clips, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in GIVEN}


@dataclass
class Position:
    """Where a search stands."""

    stage: int  # its number
    step: int  # the step of the stage that comes next
    batch: Batch  # the clips still in it


_COUNTED: Final = (
    "steps",
    "passes",
    "looks",
    "first_match",
    "stuck",
)  # a trajectory's plain numbers
_SUCCESSES: Final = ("candidates", "milestones", "trail")


@dataclass(frozen=True)
class Snapshot:
    """A search between two steps."""

    tensors: Mapping[str, Tensor]  # by name; none shares memory with the search
    facts: Mapping[str, Any]  # everything else, as JSON types

    @classmethod
    def of(cls, place: Position, trajectories: Sequence[Trajectory]) -> Snapshot:
        """Record where a search stands and what it has found."""
        tensors = {f"batch.{name}": value for name, value in place.batch.searched().items()}
        tensors |= dict(_deltas(trajectories))
        return cls(
            {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()},
            {
                "stage": place.stage,
                "step": place.step,
                "trajectories": [_facts(trajectory) for trajectory in trajectories],
            },
        )

    def place(self, audio: Tensor, lengths: Tensor, free: Tensor) -> Position:
        """Where the search stood; arguments as `Batch.of`.

        Raises:
            ValueError: the snapshot is incomplete, or of other clips.
        """
        try:
            batch = self._batch(audio, lengths, free)
            return Position(int(self.facts["stage"]), int(self.facts["step"]), batch)
        except (KeyError, IndexError, RuntimeError, TypeError) as error:
            raise ValueError(f"not a snapshot of these clips: {error}") from error

    def _batch(self, audio: Tensor, lengths: Tensor, free: Tensor) -> Batch:
        names = [name for name in self.tensors if name.startswith("batch.")]
        searched = {name.removeprefix("batch."): self.tensors[name] for name in names}
        searched |= {  # only sounds: see `Batch`
            name: value.to(audio.device) for name, value in searched.items() if value.ndim == 2
        }
        index = searched["index"]
        longest = int(lengths[index].max()) if len(index) else 0
        if searched["delta"].shape != (len(index), longest):
            raise ValueError(f"its δ is {list(searched['delta'].shape)}")
        own = audio[index, :longest], lengths[index], free[index, :longest]
        return Batch.of(*own, **searched)

    def trajectories(self, device: torch.device) -> list[Trajectory]:
        """What the search had found, clip by clip, on a device.

        Raises:
            ValueError: the snapshot is incomplete.
        """
        try:
            return [
                self._trajectory(b, facts, device)
                for b, facts in enumerate(self.facts["trajectories"])
            ]
        except (KeyError, TypeError) as error:
            raise ValueError(f"the snapshot is incomplete: {error}") from error

    def _trajectory(self, b: int, facts: Mapping[str, Any], device: torch.device) -> Trajectory:
        candidates, milestones, trail = (
            [
                Candidate(delta=self.tensors[f"{b}.{name}.{i}"].to(device), **success)
                for i, success in enumerate(facts[name])
            ]
            for name in _SUCCESSES
        )
        return Trajectory(
            delta=self.tensors[f"{b}.delta"].to(device),
            candidates=deque(candidates, maxlen=CANDIDATES),
            milestones=milestones,
            trail=trail,
            curve=[Point(**point) for point in facts["curve"]],
            not_finite={name: NonFinite(**seen) for name, seen in facts["not_finite"].items()},
            **{name: facts[name] for name in _COUNTED},
        )


def _deltas(trajectories: Sequence[Trajectory]) -> Iterator[tuple[str, Tensor]]:
    for b, trajectory in enumerate(trajectories):
        yield f"{b}.delta", trajectory.delta
        for name in _SUCCESSES:
            for i, success in enumerate(getattr(trajectory, name)):
                yield f"{b}.{name}.{i}", success.delta


def _facts(trajectory: Trajectory) -> dict[str, Any]:
    successes = {
        name: [_without_delta(success) for success in getattr(trajectory, name)]
        for name in _SUCCESSES
    }
    counted = {name: getattr(trajectory, name) for name in _COUNTED}
    return {
        **counted,
        **successes,
        "curve": [asdict(point) for point in trajectory.curve],
        "not_finite": {name: asdict(seen) for name, seen in trajectory.not_finite.items()},
    }


def _without_delta(success: Candidate) -> dict[str, Any]:
    return {name: value for name, value in vars(success).items() if name != "delta"}
