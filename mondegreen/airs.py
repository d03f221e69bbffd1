"""The air between loudspeaker and recogniser: what happens there, as ranges to draw from.

An `Air` has a section for each thing that happens; one that is absent does not happen. It is data
alone, kept in records; `mondegreen.air.through` makes transformations of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mondegreen.errors import OptionError, reason
from mondegreen.options import Checked
from mondegreen.reading import is_file, read_toml


def _pair(given: Any) -> Any:
    """A list of files, where there are no tuples, as a tuple."""
    if isinstance(given, list):
        given = tuple(given)
    if isinstance(given, tuple) and len(given) != 2:
        raise ValueError(f"Got {given!r:.60}, expected the least and the greatest of a range")
    return given


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"Got a range from {pair[0]:g} to {pair[1]:g}; put the smaller one first")
    return pair


Positive = Annotated[float, Field(gt=0)]
PositiveRange = Annotated[
    tuple[Positive, Positive], BeforeValidator(_pair), AfterValidator(_ascending)
]
# What is beyond these is no air, and makes numbers too large to compute with.
Level = Annotated[float, Field(ge=-120, le=120)]
Levels = Annotated[tuple[Level, Level], BeforeValidator(_pair), AfterValidator(_ascending)]
Clock = Annotated[float, Field(ge=-10_000, le=10_000)]
Clocks = Annotated[tuple[Clock, Clock], BeforeValidator(_pair), AfterValidator(_ascending)]
Drive = Annotated[float, Field(ge=0.001, le=100)]
Drives = Annotated[tuple[Drive, Drive], BeforeValidator(_pair), AfterValidator(_ascending)]
NoNegative = Annotated[float, Field(ge=0, le=10_000)]
Delay = Annotated[tuple[NoNegative, NoNegative], BeforeValidator(_pair), AfterValidator(_ascending)]
Decibels = Annotated[float, Field(ge=0, le=24)]
Ripple = Annotated[tuple[Decibels, Decibels], BeforeValidator(_pair), AfterValidator(_ascending)]


class Device(Checked):
    """The band of a loudspeaker or a microphone; all ranges are drawn from uniformly."""

    low_hz: PositiveRange  # the lower edge, where the response is 3 dB down
    low_slope: PositiveRange  # below it, in dB per octave
    high_hz: (
        PositiveRange  # the upper edge; above half the sample rate, it only bends what is below
    )
    high_slope: PositiveRange  # above it, in dB per octave
    ripple_db: Ripple = (0.0, 0.0)  # the most that the response within the band goes up or down

    @model_validator(mode="after")
    def _has_a_band(self) -> Self:
        if self.low_hz[1] >= self.high_hz[0]:
            raise ValueError(
                f"Got low_hz up to {self.low_hz[1]:g} and high_hz from {self.high_hz[0]:g}:"
                " the lower edge must stay below the upper one"
            )
        return self


class Loudspeaker(Device):
    """A loudspeaker, and how far it is driven."""

    # how far the loudest sample is driven into tanh(drive): 1 is a third harmonic of about 7 %
    drive: Drives | None = None


class Background(Checked):
    """Noise at a level relative to the sound's in the room: recordings, or pink noise."""

    snr_db: Levels
    folder: str | None = None  # of recordings; None: pink noise
    contents: str | None = None  # hash of the recordings; None: those that are there

    @model_validator(mode="after")
    def _contents_are_of_a_folder(self) -> Self:
        if self.contents is not None and self.folder is None:
            raise ValueError("Got the hash of recordings without their folder; name it as well")
        return self


class Air(Checked):
    """What happens between the file and the recogniser.

    Raises:
        OptionError: a section, a key or a value that is not offered.
    """

    name: str | None = None  # of its file, unless that says another; None: of no file
    rooms: Literal["fast", "paper", "real"] = "fast"  # the rooms, unless a bank is given
    loudspeaker: Loudspeaker | None = None
    offset_ms: Delay | None = None  # by how much the sound begins later
    noise: Background | None = None
    microphone: Device | None = None
    gain_db: Levels | None = None  # of the recording, clipped at full scale
    clock_ppm: Clocks | None = None  # by how much the recorder's clock is faster


# Where the ranges come from is in docs/rooms.md.
REAL: Final = Air(
    rooms="real",
    loudspeaker=Loudspeaker(
        low_hz=(80.0, 300.0),
        low_slope=(12.0, 24.0),
        high_hz=(7_000.0, 18_000.0),
        high_slope=(12.0, 24.0),
        ripple_db=(1.0, 4.0),
        drive=(0.1, 0.8),
    ),
    offset_ms=(0.0, 50.0),
    noise=Background(snr_db=(15.0, 40.0)),
    microphone=Device(
        low_hz=(20.0, 120.0),
        low_slope=(6.0, 12.0),
        high_hz=(7_000.0, 20_000.0),
        high_slope=(6.0, 12.0),
        ripple_db=(0.0, 3.0),
    ),
    gain_db=(-12.0, 0.0),
    clock_ppm=(-100.0, 100.0),
)
AIRS: Final[Mapping[str, Air]] = MappingProxyType({"paper": Air(), "real": REAL})


def named_air(name: str | Path | Air | None) -> Air:
    """An air by its name or from a TOML file; None: the paper's.

    Raises:
        OptionError: there is no such name or file, or the file holds something else.
    """
    if isinstance(name, Air):
        return name
    if name is None or str(name) in AIRS:
        return AIRS[str(name or "paper")]
    path = Path(name)
    if not is_file(path):
        raise OptionError(
            f"{path} is neither an air nor a file. Expected {', '.join(AIRS)}, or a TOML"
            " file of ranges."
        )
    try:
        given = read_toml(path)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} cannot be read as an air: {reason(error)}. Expected TOML; see docs/rooms.md."
        ) from error
    noise = given.get("noise")
    if isinstance(noise, dict) and isinstance(noise.get("folder"), str):
        noise["folder"] = str((path.parent / noise["folder"]).absolute())
    try:
        return Air(**{"name": path.name} | given)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from None


def air_name(air: Air | None) -> str:
    """What an air is called: the name of a preset or of a file; None: the paper's.

    >>> air_name(REAL), air_name(Air(name="car.toml", gain_db=(-6, 0))), air_name(Air(rooms="real"))
    ('real air', 'the air of car.toml', 'a custom air')
    """
    air = air or Air()
    plain = air.model_copy(
        update={"name": None, "rooms": "fast" if air.rooms == "paper" else air.rooms}
    )
    preset = next((name for name, one in AIRS.items() if one == plain), None)
    if preset:
        return f"{preset} air"
    return f"the air of {air.name}" if air.name else "a custom air"
