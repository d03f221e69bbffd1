"""The names that come with mondegreen, and which of them was meant: what is mistyped is refused.

Kept apart from what the names stand for, which needs torch: whoever mistyped one does not wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from mondegreen.errors import OptionError, VictimError
from mondegreen.foreign import SPEC, is_module
from mondegreen.plugins import DEFENCES, VICTIMS, plugins
from mondegreen.reading import is_there

EMBEDDED: Final = ("moonshine-tiny", "moonshine-tiny-ctc", "moonshine-tiny-int8")
STORED: Final = (  # checkpoints in folders and files
    *("FOLDER", "WHISPER.pt", "ggml-WHISPER.bin", "CTRANSLATE2_FOLDER"),
)
EARS: Final = (  # in capitals what is to be filled in
    *("pocketsphinx", "faster-whisper:SIZE_OR_FOLDER", "vosk:FOLDER", "https://HOST/v1#MODEL"),
)
ONLY_JUDGE: Final = ("moonshine-tiny-int8", *EARS)  # they have no gradient
LINKS: Final = (
    *("telephone", "opus", "mp3", "aac", "ogg"),
    *("resample", "pcm", "gain", "noise", "clip", "drift"),
    *("bandpass", "average", "median", "mel", "lpc", "gate", "smooth", "vad"),
)
ALSO: Final = "also"  # before a link: see `mondegreen.chain.also`
CHUNKS: Final = "chunks"  # in place of a link: see `mondegreen.victims.chunks`
HALVES: Final = "halves"  # in place of a link: see `mondegreen.victims.halves`
DISAGREE, TEMPORAL = "disagree", "temporal"  # detectors, the first of a link: `judging.detectors`


def check_link(spec: str) -> None:
    """Check the name of a link such as "opus:24"; its parameters are checked where it is made.

    Raises:
        OptionError: there is no such link.
    """
    if spec != HALVES and spec.partition(":")[0] != CHUNKS:
        _check(spec, "link", ALSO)


def check_defence(spec: str) -> None:
    """Check the name of what can be put to the test: a link, or a detector.

    Raises:
        OptionError: there is none of that name.
    """
    if spec != TEMPORAL:
        _check(spec, "defence", DISAGREE)


def _check(spec: str, kind: str, before: str) -> None:
    """Check the name of a link, alone or with a word before it."""
    name, _, rest = spec.partition(":")
    if name == before and rest:
        _check(rest, "link", ALSO)
    elif name not in (*LINKS, *plugins(DEFENCES)) and not _is_own(spec):
        raise unknown_link(spec, kind)


def unknown_link(spec: str, kind: str = "link") -> OptionError:
    """What to say of a name that no link has; `kind` may also be "defence"."""
    more = (
        (f"{ALSO}:LINK", HALVES, f"{CHUNKS}:SECONDS")
        if kind == "link"
        else (f"{DISAGREE}:LINK", TEMPORAL)
    )
    near = _why(spec, (*LINKS, *plugins(DEFENCES), *more))
    return OptionError(
        f"There is no {kind} {spec!r:.60}{near}. Expected one that `mondegreen links` lists, or"
        " module:function for your own."
    )


def check_recogniser(name: str) -> None:
    """Check the name of a recogniser; whether a folder, a file or a hub has it is seen on loading.

    Raises:
        VictimError: there is none of that name.
    """
    known = (*EMBEDDED, *plugins(VICTIMS), *(ear for ear in EARS if "://" not in ear))
    if name.lower().endswith(".onnx"):
        raise VictimError(
            f"{name!r:.60} is of the format ONNX, which has no gradients: it cannot be attacked."
            " Expected the checkpoint that it was made from."
        )
    kind, _, model = name.partition(":")
    is_ear = model and any(ear.startswith(f"{kind}:") for ear in EARS)
    elsewhere = "/" in name or name.startswith((".", "~")) or is_there(name)
    python = name.endswith(".py")
    if name not in known and not is_ear and (python or not elsewhere) and not _is_own(name):
        whisper = name.lower().startswith("whisper")  # near to names of what cannot be attacked
        near = " (did you mean openai/whisper-tiny?)" if whisper else _why(name, known)
        raise VictimError(
            f"There is no recogniser {name!r:.60}{near}.{_file_of(name)} Expected one that"
            " `mondegreen list` lists, a folder with a checkpoint (./NAME), a file of Whisper, a"
            " model hub's ID (OWNER/NAME), or module:function for your own."
        )


def meant(name: str, known: Iterable[str]) -> str:
    """Which of the known names may have been meant, as a clause; empty where none is near.

    >>> meant("telehpone", ["telephone", "opus"]), meant("boom", ["telephone", "opus"])
    (' (did you mean telephone?)', '')
    """
    forms = {one.partition(":")[0]: one for one in known}
    near = [forms[one] for one in get_close_matches(name.lower(), forms, n=2)]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _file_of(name: str) -> str:
    """That a name is of a Python file here, which needs the function too; empty if it is not."""
    module = name.removesuffix(".py")
    here = module.isidentifier() and is_there(f"{module}.py")
    return f" {module}.py is here: give {module}:FUNCTION." if here else ""


def _is_own(spec: str) -> bool:
    """Whether it names a function in a module that is there."""
    return SPEC.fullmatch(spec) is not None and is_module(spec.partition(":")[0])


def _why(spec: str, known: Iterable[str]) -> str:
    """What is near, and of the form of one's own function that its module is missing."""
    name = spec.partition(":")[0]
    near = meant(name, known)
    if SPEC.fullmatch(spec) is None:
        return near
    return f"{near}: there is no module {name} in this folder or on PYTHONPATH"
