"""The impulse response from a loudspeaker to a microphone, from recordings of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mondegreen.air.loop.clock import Sound, delayed, lag, on_players_clock
from mondegreen.air.loop.deconvolve import deconvolved, harmonic_distortion
from mondegreen.air.loop.markers import Clocks, find_markers
from mondegreen.air.loop.recorded import Recorded
from mondegreen.air.loop.sweep import Sweep
from mondegreen.air.rooms.acoustics import (
    BLOCK,
    direct_to_reverberant,
    first_arrival,
    reverberation_time,
)
from mondegreen.errors import AudioError

AHEAD: Final = 0.05  # s before the largest peak in which the direct sound may be
BEFORE, FADE = 0.02, 0.01  # s that are kept before the direct sound, and faded at both ends
FLOOR: Final = (0.25, 0.03)  # s before the direct sound between which there is only noise
LEAST_RANGE: Final = 30.0  # dB from the noise to the peak of a response that can be used
LEAST_AGREEMENT: Final = 10.0  # dB; takes that differ more are of different places
DECAYED: Final = 6.0  # dB above the noise, as far as a response has to have fallen at its end
PEAK: Final = 0.5  # of the file


@dataclass(frozen=True)
class Take:
    """One recording of the sweep."""

    recording: str
    offset: float  # s, where in the recording the file's first sample arrives
    drift_ppm: float  # by which the recorder's clock is faster than the player's
    snr_db: float  # of the recording, in the sweep's band
    distortion: float | None  # total harmonic distortion, a ratio; None: within the noise
    clipped: int  # samples


@dataclass(frozen=True)
class Response:
    """A measured response, and how far it can be trusted."""

    audio: Sound  # [L], from BEFORE ahead of the direct sound to where it falls into the noise
    sample_rate: int  # Hz
    takes: tuple[Take, ...]
    range_db: float  # from the noise to the peak
    agreement_db: float | None  # energy of the mean over that of what each take differs from it
    rt60: float | None  # s
    drr_db: float | None  # direct to reverberant

    @property
    def warnings(self) -> list[str]:
        """What stands against using it."""
        found = []
        if self.agreement_db is not None and self.agreement_db < LEAST_AGREEMENT:
            found.append(
                f"the takes agree to {self.agreement_db:.0f} dB only: something moved between them."
                " Measure each place by itself"
            )
        if self.rt60 is None:
            found.append("its decay is not clear enough of the noise for an RT60: play it louder")
        return found


def measure_response(recordings: Sequence[Recorded], sweep: Sweep) -> Response:
    """The mean response of all recordings of a sweep, each put on the player's clock first.

    Raises:
        AudioError: a recording does not hold the sweep, it is too quiet in it, or the response is
            longer than the silence after the sweep.
    """
    measured = [_measured(recording, sweep) for recording in recordings]
    responses = _aligned([response for _, response in measured], sweep)
    mean = np.mean(responses, axis=0)
    arrival = _arrival(mean, sweep)
    floor = _floor(mean, arrival, sweep)
    kept = _kept(mean, arrival, floor, sweep)
    audio = _faded(mean[kept], sweep.sample_rate)
    spread = np.mean([np.square(one[kept] - mean[kept]).sum() for one in responses])
    return Response(
        audio=audio * (PEAK / np.abs(audio).max()),
        sample_rate=sweep.sample_rate,
        takes=tuple(take for take, _ in measured),
        range_db=_range(mean, floor),
        agreement_db=_db(np.square(mean[kept]).sum() / spread) if spread else None,
        rt60=reverberation_time(mean[kept], sweep.sample_rate),
        drr_db=direct_to_reverberant(audio, sweep.sample_rate),
    )


def _measured(recording: Recorded, sweep: Sweep) -> tuple[Take, Sound]:
    clocks = find_markers(recording, sweep)
    heard = on_players_clock(recording.audio, *clocks, count=sweep.last)
    response = deconvolved(heard[sweep.begin :], sweep)
    arrival = _arrival(response, sweep)
    floor = _floor(response, arrival, sweep)
    _check(recording.name, response, floor, sweep)
    take = Take(
        recording=recording.name,
        offset=_offset(clocks, arrival, sweep) / sweep.sample_rate,
        drift_ppm=clocks.drift * 1e6,
        snr_db=_snr_db(heard, sweep),
        distortion=harmonic_distortion(response, arrival, sweep),
        clipped=recording.clipped,
    )
    return take, response


def _offset(clocks: Clocks, arrival: int, sweep: Sweep) -> float:
    """Where the file's first sample arrives by the direct sound, in samples of the recording."""
    later = arrival - (sweep.end - sweep.begin)
    return clocks.offset + later * (1 + clocks.drift)


def _arrival(response: Sound, sweep: Sweep) -> int:
    """Where the direct sound is: near the largest peak, and not among the harmonics before it."""
    near = max(int(np.argmax(np.abs(response))) - round(AHEAD * sweep.sample_rate), 0)
    return near + first_arrival(response[near:], sweep.sample_rate)


def _floor(response: Sound, arrival: int, sweep: Sweep) -> float:
    """The power of the noise, from before the direct sound."""
    begin, end = (arrival - round(seconds * sweep.sample_rate) for seconds in FLOOR)
    return float(np.square(response[max(begin, 0) : end]).mean())


def _range(response: Sound, floor: float) -> float:
    return _db(np.square(response).max() / max(floor, np.finfo(float).tiny))


def _check(name: str, response: Sound, floor: float, sweep: Sweep) -> None:
    """Refuse what is lost in noise, or goes on where the next marker begins."""
    if (above := _range(response, floor)) < LEAST_RANGE:
        raise AudioError(
            f"The sweep in {name} is too quiet: the response rises {above:.0f} dB above the noise,"
            f" expected {LEAST_RANGE:.0f} dB or more. Play it louder, come nearer, or make a longer"
            " sweep."
        )
    after = round(sweep.tail * sweep.sample_rate)
    late = float(np.square(response[-after // 10 :]).mean())
    if late > floor * 10 ** (DECAYED / 10) and late > 1e-6 * np.square(response).max():
        raise AudioError(
            f"The response in {name} is longer than {sweep.tail:g} s, the silence after the sweep:"
            f" at its end it is still {_db(late / floor):.0f} dB above the noise. Make a sweep with"
            " a longer --tail."
        )


def _aligned(responses: Sequence[Sound], sweep: Sweep) -> list[Sound]:
    """All responses as late as the first, by correlation around its direct sound."""
    first, *others = responses
    reach = round(AHEAD * sweep.sample_rate)
    arrival = _arrival(first, sweep)
    near = slice(max(arrival - reach, 0), arrival + 4 * reach)
    return [
        first,
        *(delayed(one, -lag(first[near], one[near], reach).samples) for one in others),
    ]


def _kept(response: Sound, arrival: int, floor: float, sweep: Sweep) -> slice:
    """From before the direct sound to the end of the last block that is clear of the noise."""
    rate = sweep.sample_rate
    block = round(BLOCK * rate)
    power = np.square(response[arrival:])
    levels = power[: len(power) // block * block].reshape(-1, block).mean(1)
    last = int(np.flatnonzero(levels > 2 * floor).max(initial=0))
    return slice(max(arrival - round(BEFORE * rate), 0), arrival + (last + 1) * block)


def _faded(sound: Sound, rate: int) -> Sound:
    """A response that begins and ends in zero."""
    rise = np.sin(np.linspace(0, np.pi / 2, round(FADE * rate))) ** 2
    sound = sound.copy()
    sound[: len(rise)] *= rise
    sound[-len(rise) :] *= rise[::-1]
    return sound


def _snr_db(heard: Sound, sweep: Sweep) -> float:
    """The sweep as recorded over the second half of the silence before it, in the sweep's band."""
    silence = heard[sweep.begin - round(sweep.tail * sweep.sample_rate / 2) : sweep.begin]
    noise = _power(silence, sweep)
    signal = _power(heard[sweep.begin : sweep.end], sweep) - noise
    return _db(max(signal, 1e-12) / max(noise, 1e-12))


def _power(sound: Sound, sweep: Sweep) -> float:
    """Mean square of a sound between the sweep's lowest and highest frequency."""
    f = np.fft.rfftfreq(len(sound), 1 / sweep.sample_rate)
    inside = (f >= sweep.low) & (f <= sweep.high)
    return float(2 * np.square(np.abs(np.fft.rfft(sound)[inside])).sum() / len(sound) ** 2)


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio))
