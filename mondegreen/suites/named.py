"""The suites that there are: those that come with mondegreen, and files of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mondegreen.data.census import take_census
from mondegreen.data.sources import read_clips
from mondegreen.data.utterance import Utterance
from mondegreen.errors import AudioError, OptionError
from mondegreen.options import Options
from mondegreen.reading import is_file, sha256
from mondegreen.suites import librispeech, passages
from mondegreen.suites.suite import Suite, SuiteClip, read_suite
from mondegreen.victims.embedded.bundled import asset
from mondegreen.wording import By

OnFile = Callable[[int, int], object]  # recordings looked at, and of how many


@dataclass(frozen=True)
class Known:
    """A suite that comes with mondegreen, before its recordings are looked at."""

    name: str
    version: int
    about: str
    clips: int
    by: By
    options: Options
    data: str | None = None  # the recordings that a user has to have; None: they are installed


KNOWN: Final[Mapping[str, Known]] = {
    one.name: one
    for one in (
        Known(
            "quick",
            1,
            "Passages of two recordings that come with the installation, each to be heard as the"
            " words of another.",
            clips=2 * len(passages.WERE),
            by="margin",
            options=Options(max_passes=300),
        ),
        Known(
            "librispeech-50",
            1,
            "Utterances of LibriSpeech's test-clean, of 6 to 14 words, each to be heard as the text"
            " of another by the paper's rule.",
            clips=librispeech.CLIPS,
            by="margin",
            options=Options(),
            data="a folder with all of LibriSpeech's test-clean, or hf:librispeech_asr:clean:test",
        ),
    )
}


def load_suite(
    name: str, data: str | None, recordings: Path, on_file: OnFile | None = None
) -> Suite:
    """A suite by its name, or from its file; every recording is there, and the right one.

    Args:
        name: one of `KNOWN`, or the path of a suite's file.
        data: where the user's own copy of its recordings is; None: it needs none.
        recordings: a folder for those that come from the hub.
        on_file: called while recordings are looked at.

    Raises:
        OptionError: there is no such suite, or data is missing or not wanted.
        MondegreenError: the file or the data cannot be read.
        AudioError: a recording is missing, or another.
    """
    known = KNOWN.get(name)
    if known is None and not is_file(name):
        raise OptionError(
            f"There is no suite {name!r:.60}. Expected {' or '.join(KNOWN)}, or a file that"
            " `mondegreen suite make` made."
        )
    needs = known.data if known else None
    if data is None and needs is not None:
        raise OptionError(f"The suite {name} needs recordings that you have: --data {needs}")
    if data is not None and needs is None:
        raise OptionError(f"The suite {name} has its own recordings; leave out --data.")
    if known is None:
        suite = read_suite(Path(name))
    elif data is None:
        places = {one: asset(f"moonshine_voice/assets/{one}.wav") for one in passages.HASHES}
        suite = _of(known, list(passages.pairs(places)))
    else:
        clips = librispeech.chosen(read_clips(data, recordings))
        return _of(known, suite_clips(clips, on_file))
    _check(suite)
    return suite


def _of(known: Known, clips: Sequence[SuiteClip]) -> Suite:
    what = known.name, known.version, known.about, known.by, known.options
    return Suite(*what, clips=tuple(clips))


def suite_clips(clips: Sequence[Utterance], on_file: OnFile | None = None) -> list[SuiteClip]:
    """Clips with their targets, as a suite has them: with the hashes of their recordings.

    Raises:
        AudioError: a recording cannot be read.
    """
    found = []
    for clip, seen in zip(clips, take_census(clips, on_file), strict=True):
        if seen.sha256 is None:
            raise AudioError(f"{clip.id}: {seen.problem}")
        assert clip.target is not None, "targets are chosen before"
        own = clip.text, clip.offset, clip.duration
        found.append(SuiteClip(clip.id, clip.audio, seen.sha256, clip.target, *own))
    return found


def _check(suite: Suite) -> None:
    """Check that the recordings of a suite are those that it was made of."""
    for audio, expected in dict.fromkeys((one.audio, one.sha256) for one in suite.clips):
        if not is_file(audio):
            raise AudioError(
                f"{audio}, of the suite {suite.name}, is not there. Put it back, or make the suite"
                " again: mondegreen suite make"
            )
        if sha256(Path(audio)) != expected:
            raise AudioError(
                f"{audio} is not the recording that the suite {suite.name} was made of: it has"
                " another hash. Put that one back, or make another version of the suite."
            )
