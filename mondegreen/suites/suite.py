"""A suite: which clips are to be heard as what, how they are attacked, and how a price is taken.

Everything that a score depends on is in it, with the hashes of its recordings, and it has a key:
two results can be compared only if their suites have the same one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.files import as_json, key_of, write_whole
from mondegreen.options import Options
from mondegreen.reading import in_full
from mondegreen.results.card import SuiteName
from mondegreen.results.folder import read_object
from mondegreen.results.record import Count, typed
from mondegreen.text import words_only
from mondegreen.wording import By, number_of


@dataclass(frozen=True)
class SuiteClip:
    """A clip of a suite."""

    id: str
    audio: str  # the path of the recording; in a suite's file, from that file's folder on
    sha256: str  # of the recording
    target: str
    text: str | None = None  # what is said in it; None: unknown
    offset: float | None = None  # seconds; None: from the beginning
    duration: float | None = None  # seconds; None: to the end


@dataclass(frozen=True)
class Suite:
    """A fixed set of clips, and all that a score on it depends on."""

    name: str
    version: Count
    about: str  # a sentence
    by: By  # the yardstick that prices are taken by
    options: Options
    clips: tuple[SuiteClip, ...]

    @property
    def identity(self) -> SuiteName:
        """Its name, version and key: the hash of everything but words for people and paths."""
        clips = [asdict(clip) for clip in self.clips]
        for clip in clips:
            del clip["audio"]
        # of the options, those that are chosen: a later version may have more of them
        chosen = self.options.model_dump(exclude_defaults=True)
        what = {"by": self.by, "options": chosen, "clips": clips}
        return SuiteName(self.name, self.version, key_of(what)[:16])

    def manifest(self) -> bytes:
        """Its clips, as a manifest that a run reads."""
        lines = (asdict(clip) for clip in self.clips)
        return b"".join(as_json({"audio_filepath": one.pop("audio"), **one}, None) for one in lines)


def write_suite(suite: Suite, path: Path) -> None:
    """Write a suite's file; its recordings are named from that file's folder on.

    Raises:
        StorageError: it cannot be written.
    """
    folder = in_full(path).parent
    clips = [replace(one, audio=os.path.relpath(one.audio, folder)) for one in suite.clips]
    data: dict[str, Any] = asdict(replace(suite, clips=tuple(clips)))
    write_whole(path, as_json(data | {"options": suite.options.model_dump()}))


def read_suite(path: Path) -> Suite:
    """Read a suite's file.

    Raises:
        MondegreenError: it is none.
        OptionError: as `check_distinct`.
    """
    try:
        suite = typed(Suite, read_object(path))
    except MondegreenError as error:
        raise MondegreenError(
            f"{path} is not a suite: {error}. Expected a file that `mondegreen suite make` made."
        ) from None
    check_distinct(path, suite.clips)
    folder = in_full(path).parent
    clips = (replace(one, audio=os.path.normpath(folder / one.audio)) for one in suite.clips)
    return replace(suite, clips=tuple(clips))


def check_distinct(path: Path, clips: Sequence[SuiteClip]) -> None:
    """Check that a suite has clips, and each of them once: a score takes them for independent.

    Raises:
        OptionError: it has not.
    """
    ids = [clip.id for clip in clips]
    if not ids or len(set(ids)) < len(ids):
        raise OptionError(
            f"{path} has {number_of(len(ids), 'clip')}, {len(set(ids))} with an id of their own;"
            " expected one or more, each with its own. Make it again: mondegreen suite make"
        )
    first: dict[object, str] = {}
    for clip in clips:
        what = clip.sha256, clip.offset or 0.0, clip.duration, words_only(clip.target)
        if (same := first.setdefault(what, clip.id)) != clip.id:
            raise OptionError(
                f"In {path}, {clip.id} is a copy of {same}: the same recording with the same"
                " target. Expected clips that differ; leave the copies out."
            )
