"""Making a study: the page and its sounds for listeners, and the key that they do not get.

Everything random comes from the seed: the same command makes the same study, name for name.

The sounds are the saved samples, to the bit, and copies that are worse on purpose. A page opened
from a disk may not read files, but it may run scripts that lie beside it: so each sound is a
script.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from mondegreen.errors import OptionError, StorageError
from mondegreen.files import key_of, write_whole
from mondegreen.listening.answers import ANSWERS
from mondegreen.listening.conditions import Clip, Material, Told, gather
from mondegreen.listening.study import CLEAN, KEY
from mondegreen.listening.trials import (
    OBVIOUS,
    TRAINING,
    Names,
    Trial,
    Version,
    abx,
    make_forms,
    paper,
)
from mondegreen.report.page.frame import BESIDE, render
from mondegreen.report.page.sounds import Pcm

SNR_DB: Final = {OBVIOUS: 0.0, TRAINING: 10.0}  # clip to change, where it is made louder


def scripts(material: Material, clip: Clip, named: Mapping[Version, str]) -> dict[str, str]:
    """The scripts of a clip's sounds, all of one length.

    Args:
        material: where they come from.
        clip: which clip.
        named: its versions that are wanted, and their blind names.

    Raises:
        MondegreenError: a sound can no longer be read.
    """
    conditions = {version.condition for version in named}
    sounds = {condition: pcm(material, clip, condition) for condition in conditions}
    texts = {
        name: script(name, sounds[version.condition], material.rate)
        for version, name in named.items()
    }
    longest = max(map(len, texts.values()))
    return {name: f"{text:<{longest}}\n" for name, text in texts.items()}


def script(name: str, samples: Pcm, rate: int) -> str:
    """A sound as a script; it calls the one function that the page has for that."""
    return f'receive("{name}", "{base64.b64encode(_flac(samples, rate)).decode()}");'


def _flac(samples: Pcm, rate: int) -> bytes:
    """A FLAC file of 24 bits, the last eight of them empty, which cost nothing.

    Chromium divides positive samples by the largest number of their width and negative ones by one
    more. With 16 bits that bends a sound at -96 dB; with 24, nothing of it is left in a float32.
    """
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int32) << 16, rate, format="FLAC", subtype="PCM_24")
    return file.getvalue()


def pcm(material: Material, clip: Clip, condition: str) -> Pcm:
    """[T] int16: a clip in a condition, which may be "clean", "obvious" or "training"."""
    first = material.conditions[0].label
    sounds = material.read(clip, first if condition in (CLEAN, *SNR_DB) else condition)
    if condition in SNR_DB:
        return louder(sounds.original, sounds.adversarial, SNR_DB[condition])
    return sounds.original if condition == CLEAN else sounds.adversarial


def loudness(material: Material) -> float:
    """The root mean square of all clean clips together, of full scale."""
    clips = (pcm(material, clip, CLEAN).astype(np.float64) / 32768 for clip in material.clips)
    sums, lengths = zip(*((float(clip @ clip), len(clip)) for clip in clips), strict=True)
    return round(float(np.sqrt(sum(sums) / sum(lengths))), 6)


def louder(clean: Pcm, adversarial: Pcm, snr_db: float) -> Pcm:
    """[T] int16: the clip with its change, or white noise, at a ratio of signal to noise.

    The noise is for a clip that nothing was changed in. What exceeds full scale is clipped.
    """
    clip = clean.astype(np.float64)
    change: NDArray[np.float64] = adversarial - clip
    if not change.any():
        change = np.random.default_rng(0).standard_normal(len(clip))
    gain = np.sqrt(np.mean(clip**2) / np.mean(change**2)) * 10 ** (-snr_db / 20)
    limits = np.iinfo(np.int16)
    scaled: Pcm = np.clip(np.rint(clip + gain * change), limits.min, limits.max).astype(np.int16)
    return scaled


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
