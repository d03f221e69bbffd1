"""A study for webMUSHRA (https://github.com/audiolabs/webMUSHRA): its configuration and stimuli.

The output is copied into webMUSHRA's folder as it is. A page rates all conditions of a clip against
the clean clip, by ITU-R BS.1534; webMUSHRA adds the hidden reference and makes the anchors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from mondegreen.audio.pcm import MAX_SAMPLES, encode
from mondegreen.files import key_of, write_whole
from mondegreen.listening.conditions import CleanClip, Material, OnProgress, gather
from mondegreen.listening.make import new_folder
from mondegreen.reading import read_bytes
from mondegreen.results.folder import WAV

CONFIGS: Final = "configs"
TOO_LONG: Final = 12.0  # seconds; BS.1534 and webMUSHRA expect shorter stimuli
MOST: Final = 12  # stimuli on a page, likewise


@dataclass(frozen=True)
class Exported:
    """A study that was written."""

    study: str  # its name in webMUSHRA
    configuration: Path
    conditions: tuple[str, ...]  # labels
    clips: int
    long: int  # clips that are longer than BS.1534 recommends
    left_out: Mapping[str, int]  # items or clips that are not used, by reason
    damaged: tuple[Path, ...]  # the folders of those items that are damaged


def export(
    runs: Sequence[Path], out: Path, clips: int, seed: int, on_progress: OnProgress
) -> Exported:
    """Write a study for webMUSHRA, of at most `clips` clips, into a new or empty folder `out`.

    Raises:
        MondegreenError: there is nothing to listen to, or `out` is in use.
    """
    new_folder(out)
    material = gather(runs, clips, Random(f"{seed} clips"), on_progress)
    labels = tuple(condition.label for condition in material.conditions)
    study = f"mondegreen-{key_of({'clips': material.clips, 'conditions': labels})[:16]}"
    resources = f"{CONFIGS}/resources/{study}"
    new_folder(out, resources)
    pages = []
    for number, clip in enumerate(material.clips, 1):
        pages.append(_write(out, f"{resources}/{number:03}", material, clip))
        on_progress("writing stimuli", number, len(material.clips))
    loader = PackageLoader("mondegreen.listening")
    environment = Environment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("mushra.yaml").render(study=study, pages=pages)
    configuration = out / CONFIGS / f"{study}.yaml"
    write_whole(configuration, text.encode())
    long = sum(not page["strict"] for page in pages)
    return Exported(
        study, configuration, labels, len(pages), long, material.left_out, material.damaged
    )


def _write(out: Path, prefix: str, material: Material, clip: CleanClip) -> dict[str, Any]:
    """Write the stimuli of a clip; what the template needs for its page."""
    stimuli = {}
    for at, condition in enumerate(material.conditions, 1):
        sounds = material.read(clip, condition.label)
        saved = material.folders[condition.label][clip] / WAV
        stimulus = stimuli[f"{at} {plain(condition.label)}"] = f"{prefix}-{at}.wav"
        write_whole(
            out / stimulus, read_bytes(saved, 4 * MAX_SAMPLES)
        )  # as saved, with its adversarial mark
    write_whole(out / f"{prefix}-reference.wav", encode(sounds.original, sounds.rate))
    return {
        "id": f"{Path(prefix).name} {plain(clip.id)}",
        "reference": f"{prefix}-reference.wav",
        "stimuli": stimuli,
        "strict": sounds.seconds <= TOO_LONG and len(stimuli) <= MOST,
    }


def plain(text: str) -> str:
    """A name that is safe in a configuration that treats text as markup."""
    return re.sub(r"[^A-Za-z0-9 ._()-]", "_", text)
