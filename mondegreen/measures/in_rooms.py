"""How audible a change is to a listener in a room: the panel of yardsticks, after the room.

In every room, the adversarial sound is compared with the clean one in the same room. Of each
yardstick the median over the rooms is kept, and the worst.

- Room only: the impulse response is all that is added. A listener does not hear a microphone's
  noise or a converter's steps, and noise would only hide the change: this is the stricter choice.
- One scale for both: the factor that makes the clean sound in the room as loud (in root mean
  square) as the clean clip is applied to both sounds, so that a louder one is not turned down, and
  a room's gain changes nothing. The recogniser's own input is scaled to its peak; see
  `mondegreen.air.rooms.reverb`.
- No tail: what arrives after the clip's end is cut off, as it is for the recogniser. So a figure is
  of the same stretch of sound as the one without a room.
- Passages: a passage is heard in the room by itself, without the recording around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import torch

from mondegreen.air.rooms.bank import Split
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.measures.quality import Audio, check_pair, measure
from mondegreen.results.record import OverRooms, Quality, QualityInRooms

MOST: Final = 20  # rooms measured in: each takes a second or so, for a clip of 6 s

VALUES: Final[Mapping[str, Callable[[Quality], float | None]]] = {
    "zimtohrli_mos": lambda quality: quality.zimtohrli_mos,
    "pesq_c2": lambda quality: quality.pesq_c2,
    "pesq": lambda quality: quality.pesq,
    "stoi": lambda quality: quality.stoi,
    "masking_loss": lambda quality: quality.masking.loss,
    "temporal_loss": lambda quality: None if quality.temporal is None else quality.temporal.loss,
    "snr_db": lambda quality: quality.snr_db,
}
FALLING: Final = ("masking_loss", "temporal_loss")  # of which less is better


def quality_in_rooms(
    clean: Audio,
    adversarial: Audio,
    sample_rate: int,
    split: Split,
    on_room: Callable[[int, int], object] = lambda *_: None,
) -> QualityInRooms:
    """Take every measurement of an example against its clean clip in rooms of a split.

    In all of them, or in `MOST` that are spread evenly over it. Ctrl-C after the first room ends
    it: `count` says in how many it was measured.

    Args:
        clean: floats `[T]`, full scale 1.
        adversarial: likewise.
        sample_rate: of both and of the rooms, in Hz.
        split: the rooms.
        on_room: called after each, with how many of how many are done.

    Raises:
        AudioError: the two are not single clips of equal length.
    """
    check_pair(clean, adversarial)
    chosen = spread(len(split.rooms))
    found: list[Quality] = []
    try:
        for pair in heard_in(clean, adversarial, split, chosen):
            found.append(measure(*pair, sample_rate))
            on_room(len(found), len(chosen))
    except KeyboardInterrupt:
        if not found:
            raise
    names = [split.rooms[room].id for room in chosen]
    return QualityInRooms(
        split=split.name,
        count=len(found),
        unmeasured={
            name: why for quality in reversed(found) for name, why in quality.unmeasured.items()
        },
        **{name: _over(name, found, names) for name in VALUES},
    )


def spread(count: int, most: int = MOST) -> list[int]:
    """Numbers below `count`: all of them, or `most` that are spread evenly.

    >>> spread(3), spread(100, 4), spread(10, 4)
    ([0, 1, 2], [0, 25, 50, 75], [0, 2, 5, 7])
    """
    wanted = min(count, most)
    return [number * count // wanted for number in range(wanted)]


def cut_short(seen: QualityInRooms | None, split: Split) -> Iterator[str]:
    """That Ctrl-C ended `quality_in_rooms`, if it did; None: before it had anything."""
    done, wanted = seen.count if seen else 0, min(len(split.rooms), MOST)
    if done < wanted:
        yield f"the measurement in rooms was interrupted after {done} of {wanted}"


def heard_in(
    clean: Audio, adversarial: Audio, split: Split, rooms: Sequence[int]
) -> Iterator[tuple[Audio, Audio]]:
    """Both sounds `[T]` in rooms of a split, given by their numbers, float64 and at one scale."""
    both = torch.from_numpy(np.stack([clean, adversarial]).astype(np.float64))
    # convolved by itself, a change of nothing stays nothing, to the last bit
    sounds = torch.stack([both[0], both[1] - both[0]])[:, None]
    lengths = torch.full((2,), both.shape[1])
    reverb = Reverb(split.rirs[rooms].double(), normalise=False)
    loudness = _rms(clean)
    for number in range(len(reverb)):
        there, change = reverb(sounds, lengths, torch.full((2, 1), number))[:, 0].numpy()
        factor = loudness / (_rms(there) or 1.0)
        yield factor * there, factor * (there + change)


def _rms(sound: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _over(name: str, found: Sequence[Quality], rooms: Sequence[str]) -> OverRooms | None:
    """One yardstick over the rooms in which it could be taken; None: in none."""
    value = VALUES[name]
    taken = [
        (v, room) for q, room in zip(found, rooms, strict=False) if (v := value(q)) is not None
    ]
    if not taken:
        return None
    least_first = sorted(taken, key=lambda one: one[0], reverse=name in FALLING)
    worst, room = least_first[0]
    return OverRooms(float(np.median([v for v, _ in taken])), worst, room, len(taken))
