"""Making a study: the page and its sounds for listeners, and the key for the experimenter.

Everything random comes from the seed: the same command makes the same study, name for name.

Sounds are the saved samples, exactly, and copies that are degraded on purpose. A page opened from
a disk may not read files, but it may run scripts that lie beside it, so each sound is a script.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.pcm import FULL_SCALE, Pcm, encode, to_pcm16
from mondegreen.errors import MondegreenError, OptionError, StorageError, reason
from mondegreen.files import as_json, key_of, write_whole
from mondegreen.listening.answers import ANSWERS
from mondegreen.listening.conditions import CleanClip, Material, OnProgress, gather
from mondegreen.listening.design import (
    OBVIOUS,
    TRAINING,
    Names,
    abx,
    make_forms,
    paper,
    staircase,
)
from mondegreen.listening.key import CLEAN, KEY, ProtocolName, StudyKey, Trial
from mondegreen.listening.staircase import BEYOND, CLIPS, LAPSE, LOUDEST, LOWEST, SLOPE, SPREAD
from mondegreen.report.page.frame import BESIDE, render

PAGE: Final = "page"
INDEX: Final = "index.html"
AUDIO: Final = "audio"
PROTOCOLS: Final = {"abx": abx, "paper": paper, "staircase": staircase}
PACKAGES: Final = ("mondegreen", "numpy", "soundfile")
SCRIPTS: Final = (  # before the page's own
    *("player", "sounds", "session", "staircase", "headphones", "trial"),
)
SNR_DB: Final = {OBVIOUS: 0.0, TRAINING: 10.0}  # of the conditions that are degraded on purpose
STAIRCASE: Final = {  # what the page needs to choose levels
    **{"lowest": LOWEST, "loudest": LOUDEST, "beyond": BEYOND},
    **{"slope": SLOPE, "lapse": LAPSE, "spread": SPREAD, "clips": CLIPS},
}

CONSENT: Final = """\
In this test you listen to short recordings of speech and answer questions about them. You can take
breaks, and you can stop at any time by closing the page.

We store your answers, when you gave them and how long each one took, how often you played each
sound, the result of the headphone check, and an ID: the one in the link that you followed, or a
random number. We do not ask for or store anything else about you.

Some of the sounds may be noisy. Before they start, we will ask you to set a comfortable volume.
"""


@dataclass(frozen=True)
class StudyOptions:
    """How to make a study."""

    protocol: ProtocolName = "abx"
    clips: int = 100  # to draw, at most
    trials: int | None = None  # clips that a listener is tested on, at most; None: the protocol's
    seed: int = 0  # of everything random
    consent: str = CONSENT  # what listeners agree to; empty lines separate paragraphs
    code: str | None = None  # completion code shown at the end; None: one for each listener
    headphones: bool = True  # check that listeners wear headphones


@dataclass(frozen=True)
class Made:
    """A study that was made."""

    key: StudyKey
    folder: Path
    left_out: Mapping[str, int]  # items or clips that are not used, by reason
    damaged: tuple[Path, ...]  # the folders of those items that are damaged
    size: int  # of all sounds, in bytes

    def roles(self, role: str) -> int:
        """How many trials of a role the longest form has; "catch" counts both kinds of them."""
        return max(sum(trial.role.startswith(role) for trial in form) for form in self.key.forms)

    @property
    def heard_before(self) -> bool:
        """Whether a form uses a clip that it tests for training or catch trials too."""
        return any(
            {trial.clip for trial in form if trial.role == "test"}
            & {trial.clip for trial in form if trial.role != "test"}
            for form in self.key.forms
        )


def make(runs: Sequence[Path], out: Path, options: StudyOptions, on_progress: OnProgress) -> Made:
    """Make a study from folders of runs, or of any results, in a new or empty folder `out`.

    Raises:
        MondegreenError: there is nothing to listen to, an option is invalid, or `out` is in use.
    """
    if options.protocol not in PROTOCOLS:
        raise OptionError(f"protocol is {options.protocol!r}, not one of {', '.join(PROTOCOLS)}")
    new_folder(out)
    material = gather(runs, options.clips, Random(f"{options.seed} clips"), on_progress)
    names = Names(Random(f"{options.seed} names"))
    key = _key(material, options, names)
    gain = _gain(material) if options.protocol == "staircase" else 1.0
    new_folder(out, f"{PAGE}/{AUDIO}", ANSWERS)
    size = _write_sounds(out / PAGE / AUDIO, material, names, on_progress)
    write_whole(out / PAGE / INDEX, _page(key, material, options, gain).encode())
    write_whole(out / KEY, as_json(key.to_json()))
    return Made(key, out, material.left_out, material.damaged, size)


def new_folder(out: Path, *inside: str) -> None:
    """Check that a folder is new or empty, and create folders inside it.

    Raises:
        StorageError: it is in use, or cannot be created.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            f"{out} is in use. Expected a new or empty folder: replacing a study would make the"
            " answers to it useless."
        )

    try:
        for name in inside:
            (out / name).mkdir(parents=True)
    except OSError as error:
        raise StorageError(
            f"{out} could not be created: {reason(error)}. Choose another folder."
        ) from error


def _key(material: Material, options: StudyOptions, names: Names) -> StudyKey:
    protocol = PROTOCOLS[options.protocol](material.conditions)
    clips = tuple(clip.id for clip in material.clips)
    most = options.trials or protocol.most
    forms = make_forms(protocol, clips, most, Random(f"{options.seed} forms"), names)
    key = StudyKey(
        study="",
        protocol=options.protocol,
        seed=options.seed,
        versions={package: version(package) for package in PACKAGES},
        conditions=tuple(condition.label for condition in material.conditions),
        clips=clips,
        # Sorted by name, an order that gives nothing away.
        sounds=dict(sorted((name, stimulus) for (stimulus, _), name in names.of.items())),
        forms=forms,
    )
    described = key.to_json() | {"recordings": material.clips}
    del described["schema"], described["study"]  # the id depends on the study alone
    return replace(key, study=key_of(described)[:16])


# ---- sounds


def _write_sounds(folder: Path, material: Material, names: Names, on_progress: OnProgress) -> int:
    """Write the sounds clip by clip; how many bytes they take."""
    size = 0
    for done, clip in enumerate(material.clips, 1):
        named = {name: of.condition for (of, _), name in names.of.items() if of.clip == clip.id}
        for name, script in sorted(_scripts(material, clip, named).items()):
            write_whole(folder / f"{name}.js", script.encode())
            size += len(script)
        on_progress("writing sounds", done, len(material.clips))
    return size


def _scripts(material: Material, clip: CleanClip, named: Mapping[str, str]) -> dict[str, str]:
    """A clip's sounds as scripts of equal length, by name, from their conditions by name."""
    data = {of: _flac(pcm(material, clip, of), material.rate) for of in set(named.values())}
    scripts = {name: f'receive("{name}", "{data[of]}");' for name, of in named.items()}
    longest = max(map(len, scripts.values()))
    return {name: f"{script:<{longest}}\n" for name, script in scripts.items()}


def _flac(samples: Pcm, rate: int) -> str:
    """A FLAC file in base64, of 24 bits, of which the last eight are zero and cost nothing.

    Chromium divides positive samples by the largest number of their width, and negative ones by
    one more. With 16 bits that distorts a sound at -96 dB; with 24, nothing is left in a float32.
    """
    flac = encode(samples.astype(np.int32) << 16, rate, "FLAC", "PCM_24")
    return base64.b64encode(flac).decode()


def pcm(material: Material, clip: CleanClip, condition: str) -> Pcm:
    """[T] int16: a clip in a condition, which may be "clean", "obvious" or "training"."""
    first = material.conditions[0].label
    sounds = material.read(clip, first if condition in (CLEAN, *SNR_DB) else condition)
    if condition in SNR_DB:
        return amplify_change(sounds.original, sounds.adversarial, SNR_DB[condition])
    return sounds.original if condition == CLEAN else sounds.adversarial


def amplify_change(clean: Pcm, adversarial: Pcm, snr_db: float) -> Pcm:
    """[T] int16: the clip with its change amplified to a signal-to-noise ratio, and clipped.

    If nothing was changed, white noise takes the place of the change.
    """
    clip = clean.astype(np.float64)
    change: NDArray[np.float64] = adversarial - clip
    if not change.any():
        change = np.random.default_rng(0).standard_normal(len(clip))
    gain = np.sqrt(np.mean(clip**2) / np.mean(change**2)) * 10 ** (-snr_db / 20)
    return to_pcm16((clip + gain * change) / FULL_SCALE)


def _gain(material: Material) -> float:
    """The gain of all sounds of a staircase at which none clips, however loud its change.

    Raises:
        MondegreenError: a file is its original, so there is no change to turn up or down.
    """
    peak = 1.0
    for condition in material.conditions:
        for clip in material.clips:
            sounds = material.read(clip, condition.label)
            original = sounds.original.astype(np.float64)
            change = sounds.adversarial - original
            if not change.any():
                raise MondegreenError(
                    f"{material.folders[condition.label][clip]} is its original, sample by sample."
                    " Expected a change to turn up and down; choose --protocol abx, or leave it"
                    " out."
                )
            loudest = original + 10 ** (LOUDEST / 20) * change
            peak = max(peak, float(np.abs(loudest).max()) / FULL_SCALE)
    return round(1 / peak - 5e-7, 6) if peak > 1 else 1.0


# ---- the page


def _page(key: StudyKey, material: Material, options: StudyOptions, gain: float) -> str:
    """The page, with nothing that would give away what a sound is."""
    study = {
        "study": key.study,
        "protocol": key.protocol,
        "rate": material.rate,
        "levels": [_speech_for_level(key, form) for form in key.forms],
        "tone": _rms(material),
        "gain": gain,
        "staircase": STAIRCASE,
        "headphones": options.headphones,
        "code": options.code,
        "forms": [[trial.for_page() for trial in form] for form in key.forms],
    }
    return render(
        "mondegreen.listening",
        "listen",
        {"script-src": BESIDE, "connect-src": "'none'"},
        scripts=SCRIPTS,
        study=study,
        consent=[" ".join(text.split()) for text in options.consent.split("\n\n") if text.strip()],
    )


def _speech_for_level(key: StudyKey, form: Sequence[Trial]) -> str:
    """The clean sound that listeners set the volume by: from training, so it reveals no test."""
    return next(
        name
        for trial in form
        if trial.role == "training"
        for name in trial.sounds.values()
        if key.sounds[name].condition == CLEAN
    )


def _rms(material: Material) -> float:
    """The root mean square of all clean clips together, full scale 1."""
    clips = (pcm(material, clip, CLEAN).astype(np.float64) / FULL_SCALE for clip in material.clips)
    sums, lengths = zip(*((float(clip @ clip), len(clip)) for clip in clips), strict=True)
    return round(float(np.sqrt(sum(sums) / sum(lengths))), 6)
