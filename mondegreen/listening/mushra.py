"""A study for webMUSHRA (https://github.com/audiolabs/webMUSHRA): a configuration, and its stimuli.

What is written goes into webMUSHRA's own folder as it is. A page rates all conditions of a clip
against it, by ITU-R BS.1534; webMUSHRA adds the hidden reference, and makes the anchors.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import soundfile
from jinja2 import Environment, PackageLoader, StrictUndefined

from mondegreen.files import key_of, write_whole
from mondegreen.listening.conditions import Clip, Material, Told, gather
from mondegreen.listening.make import check_free, make_folder
from mondegreen.report.page.sounds import Pcm
from mondegreen.results.folder import WAV

CONFIGS: Final = "configs"
TOO_LONG: Final = 12.0  # seconds, for what webMUSHRA and BS.1534 take as a stimulus
MOST: Final = 12  # stimuli on a page, likewise


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        study: its name in webMUSHRA.
        configuration: the file.
        conditions: labels.
        clips: how many.
        long: of these, how many are longer than BS.1534 recommends.
        left_out: items, or clips, that are not in it, by the reason.
    """

    study: str
    configuration: Path
    conditions: tuple[str, ...]
    clips: int
    long: int
    left_out: dict[str, int]


def export(runs: Sequence[Path], out: Path, clips: int, seed: int, told: Told) -> Exported:
    """Write a study for webMUSHRA.

    Args:
        runs: as for `mondegreen.listening.make.make`.
        out: a folder that is not there yet, or is empty.
        clips: that are drawn, at most.
        seed: draws them.
        told: is called as items are read and stimuli written.

    Raises:
        MondegreenError: there is nothing to listen to, or `out` is in use.
    """
    check_free(out)
    material = gather(runs, clips, Random(f"{seed} clips"), told)
    labels = tuple(condition.label for condition in material.conditions)
    study = f"mondegreen-{key_of({'clips': material.clips, 'conditions': labels})[:16]}"
    resources = f"{CONFIGS}/resources/{study}"
    make_folder(out / resources)
    pages = []
    for number, clip in enumerate(material.clips, 1):
        pages.append(_write(out, resources, material, clip, number))
        told("writing stimuli", number, len(material.clips))
    configuration = out / CONFIGS / f"{study}.yaml"
    write_whole(configuration, _yaml(study, pages).encode())
    long = sum(not page["strict"] for page in pages)
    return Exported(study, configuration, labels, len(pages), long, dict(material.left_out))


def _write(
    out: Path, resources: str, material: Material, clip: Clip, number: int
) -> dict[str, Any]:
    """Write the stimuli of a clip; what its page is told of them."""
    reference, stimuli = f"{resources}/{number:03}-reference.wav", {}
    for at, condition in enumerate(material.conditions, 1):
        sounds = material.read(clip, condition.label)
        stimulus = f"{resources}/{number:03}-{at}.wav"
        saved = material.folders[condition.label][clip] / WAV
        write_whole(out / stimulus, saved.read_bytes())  # its mark and all
        stimuli[f"{at} {plain(condition.label)}"] = stimulus
    write_whole(out / reference, _wav(sounds.original, sounds.rate))
    return {
        "id": f"{number:03} {plain(clip.id)}",
        "reference": reference,
        "stimuli": stimuli,
        "strict": sounds.seconds <= TOO_LONG and len(stimuli) <= MOST,
    }


def plain(text: str) -> str:
    """A name that is safe in a configuration whose texts are taken for markup."""
    return re.sub(r"[^A-Za-z0-9 ._()-]", "_", text)


def _wav(samples: Pcm, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _yaml(study: str, pages: Sequence[Mapping[str, Any]]) -> str:
    loader = PackageLoader("mondegreen.listening")
    environment = Environment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("mushra.yaml").render(study=study, pages=pages)
