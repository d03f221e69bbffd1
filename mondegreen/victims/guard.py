"""The border to a recogniser's own code, which may raise and return anything.

Behind it, whatever a recogniser does is one error in one line, `RecogniserError`: where it was
raised and what it said, or which method returned what in place of what. Even `sys.exit(0)`, which
would otherwise end the program with the status of success. Ctrl-C passes, and so do the errors of
this package, which a recogniser raises to refuse a target or a clip.
"""

from __future__ import annotations

import inspect
import operator
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar

import numpy as np
import torch
from torch import Tensor

from mondegreen.audio.recording import SAMPLE_RATES
from mondegreen.errors import AudioError, RecogniserError, VictimError
from mondegreen.foreign import DOCS, UNPRINTABLE, in_a_line, theirs
from mondegreen.victims.base import Recogniser, Score, Victim

HEARS: Final = ("name", "sample_rate", "transcribe")  # the members of `Recogniser`
ATTACKED_BY: Final = ("device", "dtype", "encode", "score")  # what `Victim` adds to them
DTYPES: Final = (torch.float32, torch.float64)  # of features, losses and 16-bit sounds
LONGEST_NAME: Final = 1_000  # characters
LONGEST_TRANSCRIPT: Final = 100_000  # characters; two minutes of speech have some 3,000

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
Checked = TypeVar("Checked")


def guarded(recogniser: Recogniser, who: str | None = None) -> Recogniser:
    """A recogniser behind the border; one that is already there as it is.

    Args:
        recogniser: what should be one.
        who: as its user knows it; None: its own name.

    Raises:
        VictimError: it lacks a member, or its name, sample rate, device or type is not usable.
    """
    if isinstance(recogniser, Guarded):
        return recogniser
    who = who or _name_of(recogniser)
    with theirs(who):
        missing = lacking(recogniser, HEARS)
        victim = not lacking(recogniser, ATTACKED_BY)
    if missing and isinstance(recogniser, str):
        raise VictimError(
            f"{recogniser!r:.60} is the name of a recogniser, expected the recogniser itself: use"
            f" mondegreen.load_victim({recogniser!r:.60})"
        )
    if missing:
        raise VictimError(
            f"{who} is of the type {type(recogniser).__name__}, which has no {', '.join(missing)};"
            f" {DOCS}"
        )
    return GuardedVictim(recogniser, who) if victim else Guarded(recogniser, who)


def attackable(recogniser: Recogniser, who: str | None = None) -> GuardedVictim:
    """A recogniser behind the border, if it can be attacked; arguments and errors as `guarded`."""
    found = guarded(recogniser, who)
    if isinstance(found, GuardedVictim):
        return found
    missing = lacking(bare(found), ATTACKED_BY)
    who = who or found.name
    what = "can only transcribe" if "score" in missing else "cannot be attacked yet"
    raise VictimError(
        f"{who} {what}: it has no {', '.join(missing)}; attack moonshine-tiny and let {who} judge"
        " the result, or see docs/victims.md for what a victim needs"
    )


def bare(recogniser: Recogniser) -> Recogniser:
    """The recogniser itself, from behind the border."""
    return recogniser.bare if isinstance(recogniser, Guarded) else recogniser


def lacking(recogniser: object, members: Sequence[str]) -> list[str]:
    """Those of some members that it does not have; one that is None is none."""
    return [member for member in members if getattr(recogniser, member, None) is None]


class Guarded:
    """A recogniser of which nothing gets out unchecked; other attributes are its own.

    Args:
        recogniser: it has the members of `Recogniser`.
        who: as its user knows it.

    Attributes:
        bare: the recogniser itself.
    """

    __slots__ = ("_advice", "_who", "bare", "name", "sample_rate")  # nothing is set past it

    def __init__(self, recogniser: Any, who: str) -> None:
        self.bare, self._who, self._advice = recogniser, who, DOCS
        self.name: str = self._attribute("name", checked_name)
        self.sample_rate: int = self._attribute("sample_rate", checked_rate)

    def __getattr__(self, name: str) -> Any:
        if name in Guarded.__slots__:
            raise AttributeError(name)
        return getattr(self.bare, name)

    def __repr__(self) -> str:
        return f"<recogniser {self.name} at {self.sample_rate} Hz>"

    def transcribe(self, audio: Tensor) -> str:
        """Transcribe one clip; see `Recogniser.transcribe`.

        Raises:
            AudioError: it is not samples [T].
            RecogniserError: its own code fails.
        """
        text = self._call("transcribe", one_clip(audio, self.sample_rate))
        if not isinstance(text, str):
            self._refuse("transcribe", f"returned {_described(text)}, expected a str")
        if len(text) > LONGEST_TRANSCRIPT:
            most = f"expected at most {LONGEST_TRANSCRIPT:,}"
            self._refuse("transcribe", f"returned a text of {len(text):,} characters, {most}")
        if _SURROGATE.search(text):
            half = "which is half a character and no text (decode bytes with errors='replace')"
            self._refuse("transcribe", f"returned {text!a:.80}, {half}")
        return text

    def _attribute(self, name: str, check: Callable[[object], Checked]) -> Checked:
        with theirs(self._who, self._advice):
            value = getattr(self.bare, name)
        try:
            return check(value)
        except ValueError as error:
            raise RecogniserError(self._who, f"its {name} is {error}", self._advice) from None

    def _call(self, method: str, *given: object) -> Any:
        with theirs(self._who, self._advice):
            return getattr(self.bare, method)(*given)

    def _refuse(self, method: str, what: str) -> NoReturn:
        place = _defined(getattr(self.bare, method))
        raise RecogniserError(self._who, f"{place}{method} {what}", self._advice)


class GuardedVictim(Guarded):
    """A victim of which nothing gets out unchecked; see `Guarded` and `Victim`.

    Args:
        recogniser: see `Guarded`, like the next.
        who: likewise.
        half: what its near passes are rounded to; None: nothing. See `mondegreen.victims.near`.
    """

    __slots__ = ("device", "dtype", "half")

    def __init__(self, recogniser: Any, who: str, half: torch.dtype | None = None) -> None:
        super().__init__(recogniser, who)
        self.half = half
        self.device: torch.device = self._attribute("device", checked_device)
        self.dtype: torch.dtype = self._attribute("dtype", checked_dtype)
        self._advice = _checking(who)

    def __repr__(self) -> str:
        kind = str(self.half or self.dtype).removeprefix("torch.")
        return f"<victim {self.name} at {self.sample_rate} Hz, {kind} on {self.device}>"

    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of a target; see `Victim.encode`."""
        return self._symbols("encode", target, length)

    def encode_long(self, target: str, audio: Tensor) -> Tensor:
        """The symbols of a target for a sound [T] that may be longer than can be heard at once.

        A victim has such a method of its own if it hears window by window: the target is then what
        all windows say together, and may differ from what they say now in one of them.
        """
        if not hasattr(type(self.bare), "encode_long"):
            return self.encode(target, len(audio))
        return self._symbols("encode_long", target, audio)

    def _symbols(self, method: str, *given: object) -> Tensor:
        symbols = self._call(method, *given)
        expected = "expected a tensor [N] of torch.int64, N > 0"
        if not isinstance(symbols, Tensor) or symbols.dtype != torch.int64:
            self._refuse(method, f"returned {_described(symbols)}, {expected}")
        if symbols.ndim != 1 or not len(symbols):
            self._refuse(method, f"returned {_described(symbols)}, {expected}")
        return symbols

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Score a padded batch; see `Victim.score`. Only shapes and types are looked at."""
        return self._scored("score", audio, lengths, targets)

    def score_near(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], near: Tensor
    ) -> Score:
        """The same by a near pass, if it has one: see `mondegreen.victims.near`."""
        return self._scored("score_near", audio, lengths, targets, near)

    def _scored(self, method: str, audio: Tensor, *given: object) -> Score:
        score = self._call(method, audio, *given)
        if not isinstance(score, Score):
            self._refuse(method, f"returned {_described(score)}, expected a Score(loss, matched)")
        for name, value in (("loss", score.loss), ("matched", score.matched)):
            if not isinstance(value, Tensor) or value.shape != (len(audio),):
                expected = f"expected a tensor [{len(audio)}], one number per clip"
                self._refuse(method, f"returned the {name} {_described(value)}, {expected}")
            if value.device != audio.device:
                where = f"on {value.device}, but the audio is on {audio.device}"
                self._refuse(method, f"returned the {name} {where}")
        if not score.loss.is_floating_point():
            self._refuse(method, f"returned a loss of {score.loss.dtype}, expected floats")
        if score.matched.dtype != torch.bool:
            self._refuse(method, f"returned matched of {score.matched.dtype}, expected bool")
        if torch.is_grad_enabled() and audio.requires_grad and not score.loss.requires_grad:
            self._refuse(method, CUT)
        return score


CUT: Final = (
    "returned a loss that does not hang on the audio: the graph is cut somewhere, as by detach(),"
    " numpy, no_grad or a feature extractor without gradients"
)


def slope(victim: Victim, loss: Tensor, audio: Tensor) -> Tensor:
    """The gradient of a loss, a single number, through the victim's own graph to its audio.

    Raises:
        RecogniserError: the loss does not hang on the audio, or the backward pass fails.
    """
    advice = _checking(victim.name)
    with theirs(victim.name, advice):
        (found,) = torch.autograd.grad(loss, audio, allow_unused=True)
    if found is None:
        place = _defined(getattr(bare(victim), "score", None))
        raise RecogniserError(victim.name, f"{place}score {CUT}", advice)
    return found


def one_clip(audio: object, sample_rate: int) -> Tensor:
    """One clip as a recogniser takes it: [T] float32 in main memory; of a tensor or an array.

    Raises:
        AudioError: it is something else, or not finite.

    >>> one_clip(np.zeros(3), 16_000)
    tensor([0., 0., 0.])
    """
    hint = f"give one clip, [T] floats in [-1, 1] at {sample_rate} Hz"
    if isinstance(audio, np.ndarray) and audio.dtype.kind in "fiub":
        audio = torch.from_numpy(np.ascontiguousarray(audio))
    if not isinstance(audio, Tensor):
        read = f"to read a file: mondegreen.audio.pcm.load(path, {sample_rate})"
        raise AudioError(f"Got {_described(audio)} to transcribe; {hint} ({read})")
    if not audio.is_floating_point():
        raise AudioError(f"Got samples of {audio.dtype}; {hint} (16-bit samples / 32768)")
    if audio.ndim != 1 or not len(audio):
        raise AudioError(f"Got samples of the shape {list(audio.shape)}; {hint}")
    clip = audio.detach().to("cpu", torch.float32)
    if not clip.isfinite().all():
        raise AudioError(f"Got samples that are NaN or infinite; {hint}")
    return clip


def checked_name(name: object) -> str:
    """A name that records can hold; ValueError says what it is instead."""
    if not isinstance(name, str):
        raise ValueError(f"{_described(name)}, expected a str")
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"of {len(name)} characters, expected 1 to {LONGEST_NAME}")
    if UNPRINTABLE.search(name):
        raise ValueError(f"{name!a:.80}, which has control characters or half characters")
    return name


def checked_rate(rate: object) -> int:
    """A sample rate in Hz; ValueError says what it is instead."""
    low, high = SAMPLE_RATES
    try:
        number = operator.index(rate)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not low <= number <= high:
        raise ValueError(f"{rate!a:.40}, expected a whole number of Hz, {low} to {high}")
    return number


def checked_device(device: object) -> torch.device:
    """A device of this machine; ValueError says what it is instead."""
    if not isinstance(device, torch.device | str):
        raise ValueError(f"{_described(device)}, expected a torch.device")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"{str(device)!r:.80}, which is not available: {in_a_line(error)}"
        ) from None


def checked_dtype(dtype: object) -> torch.dtype:
    """A floating type that attacks can use; ValueError says what it is instead."""
    if not isinstance(dtype, torch.dtype) or dtype not in DTYPES:
        expected = " or ".join(map(str, DTYPES))
        raise ValueError(f"{dtype!a:.80}, expected {expected}")
    return dtype


def _checking(who: str) -> str:
    return f"check it with: mondegreen check-victim {shlex.quote(who)}"


def _name_of(recogniser: object) -> str:
    try:
        return checked_name(getattr(recogniser, "name", None))
    except Exception:  # which `guarded` will meet again
        return f"a {type(recogniser).__name__}"


def _described(value: object) -> str:
    """What a value is, in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)} of {value.dtype}"
    return "None" if value is None else f"a {type(value).__name__}"


def _defined(method: object) -> str:
    """Where a method is defined, as the beginning of a message; nothing if that is unknown."""
    code = getattr(inspect.unwrap(method), "__code__", None) if callable(method) else None
    return f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
