"""The clips of `librispeech-50`: 50 utterances of LibriSpeech's test-clean, found by their ids.

The recordings are the user's own. So the suite is a rule, which gives the same clips wherever the
set is whole: of the utterances of 6 to 14 words, at most two of each speaker, those that come first
in the order of a hash of their ids. Each is to be heard as the text of another, by the paper's
rule.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mondegreen.data.targets import paper_targets
from mondegreen.data.utterance import Utterance
from mondegreen.errors import OptionError

UTTERANCES: Final = 2620  # of test-clean
WORDS: Final = range(6, 15)  # some two to six seconds
A_SPEAKER: Final = 2
CLIPS: Final = 50


def chosen(clips: Sequence[Utterance]) -> list[Utterance]:
    """The suite's clips out of the whole set, with their targets.

    Raises:
        OptionError: the set is not whole, or is another.
    """
    if len(clips) != UTTERANCES:
        raise OptionError(
            f"Got {len(clips):,} recordings, expected the {UTTERANCES:,} of LibriSpeech's"
            " test-clean: of a part of them the suite would be another. Give the folder of all of"
            " test-clean, or hf:librispeech_asr:clean:test."
        )
    fitting = [one for one in clips if len((one.text or "").split()) in WORDS]
    speakers: Counter[str] = Counter()
    found: list[Utterance] = []
    for one in sorted(fitting, key=lambda one: hashlib.sha256(one.id.encode()).digest()):
        speaker = one.id.split("-")[0]
        if speakers[speaker] < A_SPEAKER and len(found) < CLIPS:
            speakers[speaker] += 1
            found.append(one)
    if len(found) < CLIPS:
        raise OptionError(
            f"Got a set with only {len(found)} utterances to choose, expected LibriSpeech's"
            " test-clean, with its transcripts."
        )
    targets = paper_targets(found)
    return [replace(one, target=targets[one.id]) for one in found]
