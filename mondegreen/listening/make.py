"""Making a study: the page that listeners get, and the key that they do not.

Everything random comes from the seed: the same command makes the same study, name for name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, Final

from mondegreen.errors import OptionError, StorageError
from mondegreen.files import write_whole
from mondegreen.identity import key_of
from mondegreen.listening.answers import ANSWERS
from mondegreen.listening.conditions import Material, Told, gather
from mondegreen.listening.sounds import loudness, scripts
from mondegreen.listening.study import CLEAN, KEY
from mondegreen.listening.trials import Names, Trial, Version, abx, make_forms, paper
from mondegreen.pages import BESIDE, render

PAGE: Final = "page"
INDEX: Final = "index.html"
AUDIO: Final = "audio"
PROTOCOLS: Final = {"abx": abx, "paper": paper}
PACKAGES: Final = ("mondegreen", "numpy", "soundfile")
SCRIPTS: Final = ("player", "sounds", "session", "headphones", "trial")  # before the page's own

CONSENT: Final = """\
In this test you listen to short recordings of speech and answer questions about them. You can take
breaks, and stop at any time by closing the page.

Kept are your answers, how long each took, how often you played each sound, whether you seem to
wear headphones, and the name or number that you came with, if any. Nothing else about you is asked
or kept.

Some of the sounds may be noisy. You will be asked to set a comfortable volume first.
"""


@dataclass(frozen=True)
class Options:
    """How a study is made.

    Attributes:
        protocol: of `PROTOCOLS`.
        clips: that are drawn, at most.
        trials: that a listener is tested on, at most; catch trials and training come on top.
        seed: of everything random.
        consent: what listeners agree to; paragraphs between empty lines.
        code: the completion code shown at the end; None: one for each listener.
        headphones: whether to check that they are worn.
    """

    protocol: str = "abx"
    clips: int = 100
    trials: int = 20
    seed: int = 0
    consent: str = CONSENT
    code: str | None = None
    headphones: bool = True


@dataclass(frozen=True)
class Made:
    """A study, as made.

    Attributes:
        key: as written.
        folder: where.
        left_out: items, or clips, that are not in it, by the reason.
        size: bytes of all sounds.
    """

    key: Mapping[str, Any]
    folder: Path
    left_out: Mapping[str, int]
    size: int

    def roles(self, role: str) -> int:
        """How many trials of a role the longest form has; of all catch trials: "catch"."""
        forms: list[list[dict[str, str]]] = self.key["forms"]
        return max(sum(trial["role"].startswith(role) for trial in form) for form in forms)

    @property
    def heard_before(self) -> bool:
        """Whether a form practises on a clip that it tests, or has it in a catch trial."""
        forms: list[list[dict[str, str]]] = self.key["forms"]
        return any(
            {trial["clip"] for trial in form if trial["role"] == "test"}
            & {trial["clip"] for trial in form if trial["role"] != "test"}
            for form in forms
        )


def make(runs: Sequence[Path], out: Path, options: Options, told: Told) -> Made:
    """Make a study of runs.

    Args:
        runs: folders of runs, or of any results; several are several conditions of the same clips.
        out: a folder that is not there yet, or is empty.
        options: how.
        told: is called as items are read and sounds written.

    Raises:
        MondegreenError: there is nothing to listen to, an option is none, or `out` is in use.
    """
    if options.protocol not in PROTOCOLS:
        raise OptionError(
            f"no protocol is called {options.protocol!r}; there are: {', '.join(PROTOCOLS)}"
        )
    check_free(out)
    material = gather(runs, options.clips, Random(f"{options.seed} clips"), told)
    names = Names(Random(f"{options.seed} names"))
    forms = make_forms(
        PROTOCOLS[options.protocol](material.conditions),
        [clip.id for clip in material.clips],
        options.trials,
        Random(f"{options.seed} forms"),
        names,
    )
    key = _key(material, options, forms, names)
    make_folder(out / PAGE / AUDIO)
    make_folder(out / ANSWERS)
    size = _write_sounds(out / PAGE / AUDIO, material, names, told)
    page = _page(key, forms, material, options)
    write_whole(out / PAGE / INDEX, page.encode())
    write_whole(out / KEY, (json.dumps(key, indent=1) + "\n").encode())
    return Made(key, out, material.left_out, size)


def check_free(out: Path) -> None:
    """See that a folder can be filled.

    Raises:
        StorageError: there is something in it, or it is no folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            f"{out} is in use. Expected a new folder or an empty one: answers to a study that was"
            " there could no longer be scored."
        )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} could not be made: {error.strerror or error}. Choose another folder."
        ) from error


def _key(
    material: Material, options: Options, forms: Sequence[Sequence[Trial]], names: Names
) -> dict[str, Any]:
    sounds = sorted((name, of) for of, name in names.of.items())  # an order that tells nothing
    key = {
        "protocol": options.protocol,
        "seed": options.seed,
        "versions": {package: version(package) for package in PACKAGES},
        "conditions": [condition.label for condition in material.conditions],
        "clips": [clip.id for clip in material.clips],
        "sounds": {name: {"clip": of.clip, "condition": of.condition} for name, of in sounds},
        "forms": [[trial.to_json(at) for at, trial in enumerate(form, 1)] for form in forms],
    }
    return {"study": key_of({**key, "recordings": material.clips})[:16], **key}


def _write_sounds(folder: Path, material: Material, names: Names, told: Told) -> int:
    """Write the sounds clip by clip; how many bytes they are."""
    clips = {clip.id: clip for clip in material.clips}
    size = 0
    by_clip = groupby(sorted(names.of.items()), key=lambda named: named[0].clip)
    for done, (clip, named) in enumerate(by_clip, 1):
        wanted: dict[Version, str] = dict(named)
        for name, text in sorted(scripts(material, clips[clip], wanted).items()):
            write_whole(folder / f"{name}.js", text.encode())
            size += len(text)
        told("writing sounds", done, len(clips))
    return size


def _page(
    key: Mapping[str, Any],
    forms: Sequence[Sequence[Trial]],
    material: Material,
    options: Options,
) -> str:
    """The page, with what it may know."""
    study = {
        "study": key["study"],
        "protocol": key["protocol"],
        "rate": material.rate,
        "levels": [_clean_practice(form, key["sounds"]) for form in forms],
        "tone": loudness(material),
        "headphones": options.headphones,
        "code": options.code,
        "forms": [[trial.to_page(at) for at, trial in enumerate(form, 1)] for form in forms],
    }
    return render(
        "mondegreen.listening",
        "listen",
        {"script-src": BESIDE, "connect-src": "'none'"},
        scripts=SCRIPTS,
        study=study,
        consent=[" ".join(text.split()) for text in options.consent.split("\n\n") if text.strip()],
    )


def _clean_practice(form: Sequence[Trial], sounds: Mapping[str, Mapping[str, str]]) -> str:
    """The clean speech that a listener sets the volume by: of practice, so that no test is told."""
    return next(
        name
        for trial in form
        if trial.role == "training"
        for name in trial.sounds.values()
        if sounds[name]["condition"] == CLEAN
    )
