"""Links by name, with parameters after colons: `opus:24`; `module:function` is one of your own.

Installed packages may add names, for a subclass of `Link` or for a function of a sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mondegreen.chain.also import Also
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
from mondegreen.foreign import SPEC, find_function
from mondegreen.names import ALSO, unknown_link
from mondegreen.plugins import DEFENCES, plugins

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
    kind = LINKS.get(name) or _plugged(name)
    if kind is None:
        if not given and name in plugins(DEFENCES):
            return load_own_link(plugins(DEFENCES)[name].spec, sample_rate, name)
        if SPEC.fullmatch(spec) is None:
            raise unknown_link(spec)
        return load_own_link(spec, sample_rate)
    takes = kind.parameters()
    if len(given) > len(takes):
        form = ":".join([name, *map(str.upper, takes)])
        raise OptionError(f"Got {spec!r:.60}, expected {form}")
    try:
        values = dict(zip(takes, map(_value, given), strict=False))
        return kind(sample_rate=sample_rate, **values)
    except OptionError as error:
        raise OptionError(f"{spec}: {error}") from None


def _plugged(name: str) -> type[Link] | None:
    """The class of links that an installed package adds under a name; None: it adds none.

    Raises:
        OptionError: the class goes by another name.
        VictimError: it cannot be imported.
    """
    plugin = plugins(DEFENCES).get(name)
    found = find_function(plugin.spec) if plugin else None
    if not (isinstance(found, type) and issubclass(found, Link)):
        return None
    if found.name != name:
        raise OptionError(
            f"The link {name} of {plugin.origin if plugin else ''} calls itself {found.name!r}:"
            " its maker has to give both the same name."
        )
    return found


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
