"""Links by name, with parameters after colons: `opus:24`; `module:function` is one of your own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mondegreen.chain.also import ALSO, Also
from mondegreen.chain.bandpass import BandPass
from mondegreen.chain.codecs import Aac, Mp3, Opus, Vorbis
from mondegreen.chain.converters import Clip, Drift, Gain, Noise, Pcm, Resample
from mondegreen.chain.gate import Gate
from mondegreen.chain.link import Link
from mondegreen.chain.lpc import Lpc
from mondegreen.chain.mel import Mel
from mondegreen.chain.own import load_own_link
from mondegreen.chain.randomised import Smooth
from mondegreen.chain.smoothing import Average, Median
from mondegreen.chain.telephone import Telephone
from mondegreen.chain.vad import Vad
from mondegreen.errors import OptionError
from mondegreen.foreign import SPEC

LINKS: Final[Mapping[str, type[Link]]] = {
    kind.name: kind
    for kind in (
        *(Telephone, Opus, Mp3, Aac, Vorbis),
        *(Resample, Pcm, Gain, Noise, Clip, Drift),
        *(BandPass, Average, Median, Mel, Lpc, Gate, Smooth, Vad),
    )
}


def link(spec: str, sample_rate: int) -> Link:
    """The link of a name such as "telephone", "opus:24" or "my_module:my_function".

    Raises:
        OptionError: there is no such link, or it takes no such parameters.
        VictimError: your own function cannot be found.
    """
    name, *given = spec.split(":")
    if name == ALSO and given:
        return Also(sample_rate=sample_rate, inner=link(":".join(given), sample_rate))
    if name not in LINKS:
        if SPEC.fullmatch(spec):
            return load_own_link(spec, sample_rate)
        raise OptionError(
            f"There is no link {spec!r:.60}; expected one of: {', '.join(LINKS)}; or"
            " module:function for your own"
        )
    kind = LINKS[name]
    takes = kind.parameters()
    if len(given) > len(takes):
        form = ":".join([name, *map(str.upper, takes)])
        raise OptionError(f"Got {spec!r:.60}, expected {form}")
    try:
        values = dict(zip(takes, map(_value, given), strict=False))
        return kind(sample_rate=sample_rate, **values)
    except OptionError as error:
        raise OptionError(f"{spec}: {error}") from None


def is_own(spec: str) -> bool:
    """Whether a link stands for code of one's own."""
    name, _, rest = spec.partition(":")
    if name == ALSO:
        return is_own(rest)
    return name not in LINKS and SPEC.fullmatch(spec) is not None


def _value(text: str) -> int | float | str:
    """A parameter: a number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
