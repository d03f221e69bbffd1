"""Loads recognisers by name.

A name is one of `EMBEDDED`, an ear (see `ears`), that of a plug-in, a folder with a checkpoint, a
Whisper of another format (see `formats`), `module:function` for your own recogniser, or an id of
the model hub; behind links, as in `mondegreen.chain.text`, it stands last.
"""

from __future__ import annotations

from typing import Final

import torch

from mondegreen.chain.names import link
from mondegreen.chain.text import check_chain, unchained
from mondegreen.errors import VictimError, first_line
from mondegreen.foreign import SPEC, theirs
from mondegreen.names import CHUNKS, EMBEDDED, HALVES
from mondegreen.plugins import VICTIMS, plugins
from mondegreen.reading import is_there
from mondegreen.victims.base import Recogniser, Victim
from mondegreen.victims.chunks import seconds_of
from mondegreen.victims.ears import load_ear
from mondegreen.victims.embedded import load_embedded
from mondegreen.victims.formats import is_stored, load_stored
from mondegreen.victims.guard import attackable, guarded
from mondegreen.victims.mixed import HALF_TYPES
from mondegreen.victims.near import in_half
from mondegreen.victims.own import load_own
from mondegreen.victims.through import through

ANY_RATE: Final = 48_000  # Hz, at which every link is offered that is at a lower one


def load_victim(
    name: str = "moonshine-tiny", *, device: str = "auto", dtype: torch.dtype = torch.float32
) -> Victim:
    """Load a recogniser that can be attacked.

    Args:
        name: one of `EMBEDDED`, or of an installed plug-in; a folder or file; ID or ID@REVISION of
            the model hub; or module:function. Behind links: "telephone > moonshine-tiny".
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1".
        dtype: floating type of weights and audio. In bfloat16 and float16, those are float32, and
            only the passes of a search that need not be exact are rounded; see `in_half`.

    Raises:
        VictimError: no such recogniser or device, one that can only transcribe, or one that is not
            near enough to itself in half precision.
        OptionError: there is no such link.
    """
    half = dtype in HALF_TYPES
    weights = torch.float32 if half else dtype
    victim = attackable(load_recogniser(name, device=device, dtype=weights), name)
    return in_half(victim, dtype) if half else victim


def load_recogniser(
    name: str = "moonshine-tiny",
    *,
    device: str = "auto",
    dtype: torch.dtype = torch.float32,
    beams: int = 1,
    authorised: bool = False,
) -> Recogniser:
    """Load a recogniser to transcribe with.

    Args:
        name: as for `load_victim`, or an ear.
        device: as for `load_victim`.
        dtype: as for `load_victim`.
        beams: hypotheses that the decoder keeps; 1 is greedy.
        authorised: see `mondegreen.victims.ears.load_ear`.

    Raises:
        VictimError: no such recogniser or device, one without beam search, or one whose members
            are not usable: see `mondegreen.victims.guard`.
        OptionError: there is no such link.
    """
    check_chain(name)
    links, name = unchained(name)
    for one in links:  # refused before the recogniser is loaded, which takes longer
        if one.partition(":")[0] == CHUNKS:
            seconds_of(one)
        elif one != HALVES:
            link(one, ANY_RATE)
    with theirs(name):
        ear = load_ear(name, authorised=authorised)
        found = ear or _load(name, resolve_device(device, dtype), dtype)
        if beams != 1:
            if not hasattr(found, "beams"):
                raise VictimError(f"{name} has no beam search; got {beams} beams, use 1")
            found.beams = beams
    return through(guarded(found, name), *links)


def _load(name: str, device: torch.device, dtype: torch.dtype) -> Recogniser:
    if name not in EMBEDDED and name in plugins(VICTIMS):
        return load_own(plugins(VICTIMS)[name].spec, device, dtype)
    if name not in EMBEDDED and not is_there(name) and SPEC.fullmatch(name):
        return load_own(name, device, dtype)
    if dtype not in (torch.float32, torch.float64):
        raise VictimError(
            f"got {dtype}, expected float32 or float64, or, for most passes of a search, bfloat16"
            " or float16"
        )
    if name in EMBEDDED:
        return load_embedded(name, device, dtype)
    if is_stored(name):
        return load_stored(name, device, dtype)
    from mondegreen.victims.families.checkpoint import load_checkpoint

    return load_checkpoint(name, device, dtype)


def resolve_device(device: str, dtype: torch.dtype = torch.float32) -> torch.device:
    """The torch device of a name, "auto" included.

    Raises:
        VictimError: not a device, not one of this machine, or one that has no such `dtype`.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        named = torch.device(device)
    except RuntimeError:
        raise VictimError(
            f"no device is called {device!r}; expected auto, cpu, cuda or cuda:1"
        ) from None
    if named.type == "mps" and dtype == torch.float64:
        raise VictimError("device 'mps' has no float64; use float32, or --device cpu")
    try:
        torch.empty(0, device=named)
    except (RuntimeError, AssertionError) as error:
        raise VictimError(
            f"device {device!r} is not available: {first_line(error)}; try --device cpu"
        ) from None
    return named
