"""How to attack: the one configuration that command line, Python, runs and records share.

A field of `Options` is a keyword of `mondegreen.attack`, a flag of `attack` and `run` with its
description as help, a key of a run's TOML file, a part of what makes an item this item, and a
column of the tables. To add an option, add the field and its effect; the rest follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mondegreen.errors import OptionError

Method = Literal["imperceptible", "carlini-wagner", "robust", "combined", "untargeted"]
Preset = Literal["fast", "paper"]
Band = Literal["full", "keep"]
Dtype = Literal["float32", "float64", "bfloat16", "float16"]
ThresholdProfile = Literal["paper", "authors", "temporal"]  # `mondegreen.psychoacoustics.profiles`

# the share of wrong words from which on a clip counts as not understood, before an attack or after
MIN_WER: Final = 0.5
IN_ROOMS: Final = frozenset({"robust", "combined"})  # their losses are means over rooms
BOUNDED: Final = frozenset({"imperceptible", "untargeted"})  # can keep a bound above the threshold
HALF: Final = frozenset({"bfloat16", "float16"})
DTYPE: Final = (
    "Floating type of weights and audio. bfloat16, float16: those are float32, but four of five"
    " passes of the search are in half precision, where that is near enough; otherwise refused."
    " For the preset fast, outside rooms and contexts, for a target."
)
STARTS_FROM: Final[Mapping[str, str]] = {"imperceptible": "carlini-wagner", "combined": "robust"}


class Checked(BaseModel):
    """Frozen, strictly typed values; what does not fit is an `OptionError` in plain words."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )

    if not TYPE_CHECKING:  # type checkers see the fields

        def __init__(self, **given: Any) -> None:
            try:
                super().__init__(**given)
            except ValidationError as error:
                complaints = (_complaint(one, type(self)) for one in error.errors())
                raise OptionError("; ".join(complaints)) from None


class Options(Checked):
    """How to attack a clip. Raises `OptionError` for a value that is not offered."""

    method: Method = Field(
        default="imperceptible",
        description="What to search for: a change that hides below the masking threshold"
        " (imperceptible), the smallest one (carlini-wagner), one that survives rooms (robust), one"
        " that does both (combined), or, without a target, one that loses what is said"
        " (untargeted).",
    )
    preset: Preset = Field(
        default="fast",
        description="fast, or paper: the stages and constants of the paper's supplement (not for"
        " untargeted).",
    )
    max_passes: int | None = Field(
        default=None,
        ge=1,
        description="At most this many gradient passes per clip. fast shares them among its stages:"
        " 500 for imperceptible unless given (700 with --under-threshold).",
    )
    under_threshold: float | None = Field(
        default=None,
        ge=0,
        description="Let no time-frequency bin exceed the masking threshold by more than this many"
        " dB (imperceptible and untargeted).",
    )
    snr: float | None = Field(
        default=None,
        ge=0,
        description="Keep the signal-to-noise ratio at this many dB or more, and lose as many words"
        " as that allows (untargeted only).",
    )
    min_wer: float = Field(
        default=MIN_WER,
        gt=0,
        description="Untargeted: the word error rate from which on an attack has succeeded.",
    )
    forbid: str | None = Field(
        default=None,
        description="Untargeted: one word that must not be heard, instead of a word error rate.",
    )
    band: Band = Field(
        default="full",
        description="full, or keep: leave alone the frequencies above the clip's own band, where"
        " speech from a telephone or an 8 kHz file is silent.",
    )
    in_context: bool = Field(
        default=False,
        description="Of a passage: let the target take the place of its words in what all of the"
        " recording, of up to 120 s, is heard as.",
    )
    exact: bool = Field(
        default=False,
        description="Match case and punctuation too, not just the words of the target.",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Random seed.")
    max_clean_wer: float = Field(
        default=MIN_WER,
        ge=0,
        description="Flag a clip as not understood if more than this share of its words"
        " (characters, in writing without spaces) is wrong"
        " before the attack (where its transcript is known).",
    )

    @model_validator(mode="after")
    def _bound_is_kept(self) -> Self:
        if self.bound is not None and self.method not in BOUNDED:
            raise ValueError(
                f"{self.method} cannot keep a bound above the masking threshold; leave out"
                f" under_threshold, or choose one of the methods {', '.join(sorted(BOUNDED))}"
            )
        return self

    @model_validator(mode="after")
    def _untargeted_alone(self) -> Self:
        own = {"snr": self.snr, "forbid": self.forbid}
        given = [name for name, value in own.items() if value is not None]
        given += ["min_wer"] if self.min_wer != MIN_WER else []
        if given and not self.untargeted:
            raise ValueError(
                f"{given[0]} is for the method untargeted, and the method is {self.method}; leave"
                f" out {given[0]}, or choose the method untargeted"
            )
        if not self.untargeted:
            return self
        if self.preset == "paper":
            raise ValueError("the paper has no untargeted attack; choose the preset fast")
        if self.exact:
            raise ValueError("exact compares with a target, and untargeted has none; leave it out")
        if self.forbid is not None and self.min_wer != MIN_WER:
            raise ValueError("got forbid and min_wer, which are two aims; choose one of them")
        if self.snr is not None and self.bound is not None:
            raise ValueError("got snr and under_threshold, which are two bounds; choose one")
        return self

    @model_validator(mode="after")
    def _context_has_words(self) -> Self:
        if self.in_context and (self.in_rooms or self.untargeted):
            raise ValueError(
                f"in_context is not for the method {self.method}; leave it out, or choose"
                " imperceptible or carlini-wagner"
            )
        return self

    @property
    def normaliser(self) -> str:
        """The normaliser by which transcripts are compared; see `mondegreen.text`."""
        return "exact" if self.exact else "default"

    @property
    def in_rooms(self) -> bool:
        """Whether the method works in rooms."""
        return self.method in IN_ROOMS

    @property
    def nearly(self) -> bool:
        """Whether the search may follow near passes; see `mondegreen.victims.near`."""
        other = self.in_rooms or self.untargeted or self.in_context
        return self.preset == "fast" and not other

    def check_dtype(self, dtype: str) -> None:
        """Refuse half precision where no pass is a near one.

        Raises:
            OptionError: it was asked for.
        """
        if dtype in HALF and not self.nearly:
            raise OptionError(
                f"{dtype} is for searches by the preset fast for a target, neither in rooms nor in"
                f" context, and this one is {self.method} by {self.preset}"
                f"{', in context' if self.in_context else ''}; use float32"
            )

    @property
    def untargeted(self) -> bool:
        """Whether what is said is pushed away, and no phrase is to be heard."""
        return self.method == "untargeted"

    def check_rooms(self, given: bool) -> None:
        """Refuse rooms that were given to a method without.

        Raises:
            OptionError: they were.
        """
        if given and not self.in_rooms:
            raise OptionError(
                f"{self.method} takes no rooms; expected one of: {', '.join(sorted(IN_ROOMS))}. To"
                " try its result in rooms, use: mondegreen evaluate"
            )

    @property
    def bound(self) -> float | None:
        """The bound in dB above the masking threshold; None: there is none."""
        return self.under_threshold

    @property
    def bound_words(self) -> str | None:
        """The bound that a file has to keep, in words; None: there is none."""
        if self.snr is not None:
            return f"a signal-to-noise ratio of at least {self.snr:g} dB"
        if self.bound is not None:
            return f"no bin more than {self.bound:g} dB above the masking threshold"
        return None


def _complaint(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One of pydantic's findings in plain words."""
    name, known = ".".join(map(str, found["loc"])), model.model_fields
    if found["type"] == "extra_forbidden":
        close = get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        return f"There is no option {name!r:.60}; {advice}"
    if found["type"] == "missing":
        return f"No {name} were given; name them"
    if found["type"] == "value_error":
        cause = found["ctx"]["error"]
        if isinstance(cause, OptionError) and name:  # of what stands in a section of its own
            return f"[{name}] {cause}"
        return f"{name}: {cause}" if name else str(cause)
    return f"Got {name} = {found['input']!r:.60}: {found['msg'].lower()}"
