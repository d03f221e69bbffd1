"""Chooses a target for each clip of a set, and samples of a set.

Random choices are drawn by `random.Random(seed)` over the clips in the order of their ids, so the
order in which clips come does not matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, Literal

from mondegreen.data.plain_text import read_lines
from mondegreen.data.utterance import Utterance
from mondegreen.errors import OptionError, TargetError
from mondegreen.text import check_target, words_only

PAPER: Final = "paper"
PAPER_OFFSET: Final = 500  # ranks, among the paper's 1,000 clips
SHOWN: Final = 3  # ids in an error


def choose_targets(
    clips: Sequence[Utterance],
    *,
    target: str | None,
    targets: str | None,
    seed: int,
    untargeted: bool = False,
) -> list[Utterance]:
    """The clips, in the order given, with a target each; by default the one they came with.

    Args:
        clips: with unique ids.
        target: one phrase for all clips.
        targets: "paper" for the paper's rule, see `paper_targets`; or a file with one phrase per
            line, see `dealt_targets`.
        seed: of the order in which the phrases of a file are dealt.
        untargeted: no clip gets a target, not even the one it came with.

    Raises:
        OptionError: both `target` and `targets` are given, or one of them and `untargeted`; or
            clips lack the target or text needed.
        TargetError: a target has no words.
        MondegreenError: the file of phrases cannot be read.
    """
    if untargeted:
        if target is not None or targets is not None:
            raise OptionError(
                f"Got {target or targets!r:.60} to be heard, and the method untargeted has no"
                " targets. Leave it out, or choose another method."
            )
        return [replace(clip, target=None) for clip in clips]
    if target is not None and targets is not None:
        raise OptionError(
            f"Got target {target!r} and targets {targets!r}, expected one of them: a phrase for all"
            " clips, or the source of phrases."
        )
    if target is not None:
        chosen: dict[str, str] = dict.fromkeys((clip.id for clip in clips), target)
    elif targets == PAPER:
        chosen = paper_targets(clips)
    elif targets is not None:
        chosen = dealt_targets(clips, _phrases(Path(targets)), seed)
    else:
        chosen = _own_targets(clips)
    for name, phrase in chosen.items():
        _check(name, phrase)
    return [replace(clip, target=chosen[clip.id]) for clip in clips]


def paper_targets(clips: Sequence[Utterance]) -> dict[str, str]:
    """Targets by the paper's rule: texts of the same set, shorter ones where possible; by clip id.

    The clips are ranked by the length of their texts in characters, longest first, ties by id. The
    target is the text 500 ranks below (half the set, if it has fewer than 1,000 clips), wrapping
    around at the end. If that has the clip's own words, the next rank with other words is taken.

    Raises:
        OptionError: there are fewer than two clips, some have no text, or all have the same.
    """
    _require(clips, "text", "Add the texts, or use --target or --targets FILE")
    ranked = sorted(clips, key=lambda clip: (-len(clip.text or ""), clip.id))
    texts = [clip.text or "" for clip in ranked]
    words = [words_only(text) for text in texts]
    if len(set(words)) < 2:
        raise OptionError(
            f"Got {len(clips)} clips that all say the same, expected two or more texts, so that one"
            " can be another's target. Add clips, or use --target or --targets FILE."
        )
    offset = min(PAPER_OFFSET, len(clips) // 2)
    return {clip.id: texts[_other(words, rank, offset)] for rank, clip in enumerate(ranked)}


def _other(words: Sequence[str], rank: int, offset: int) -> int:
    """The first rank with other words, from `offset` below `rank` on, wrapping around."""
    below = ((rank + offset + step) % len(words) for step in range(len(words)))
    return next(place for place in below if words[place] != words[rank])


def dealt_targets(clips: Iterable[Utterance], phrases: Iterable[str], seed: int) -> dict[str, str]:
    """Targets from phrases (at least one), dealt like a shuffled pack in the order of clip ids.

    Phrases with the same words count once. A used-up pack is dealt again. A clip whose own text is
    on top gets the phrase below it, and the next clip the one on top: no clip gets its own text,
    unless there is only that one phrase.
    """
    spelled: dict[str, str] = {}
    for phrase in phrases:
        spelled.setdefault(words_only(phrase), phrase)
    pack = list(spelled)
    Random(seed).shuffle(pack)
    hand: deque[str] = deque()
    dealt = {}
    for clip in sorted(clips, key=lambda clip: clip.id):
        own = words_only(clip.text or "")
        if not hand or list(islice(hand, 2)) == [own]:
            hand = deque(pack)
        place = 1 if hand[0] == own and len(hand) > 1 else 0
        dealt[clip.id] = spelled[hand[place]]
        del hand[place]
    return dealt


def _phrases(path: Path) -> list[str]:
    """The phrases of a file, one per line, all of them with words."""
    lines = read_lines(path)
    if not lines:
        raise OptionError(f"{path} has no phrases. Expected one per line.")
    for number, phrase in lines:
        _check(f"{path}, line {number}", phrase)
    return [phrase for _, phrase in lines]


def _own_targets(clips: Sequence[Utterance]) -> dict[str, str]:
    _require(clips, "target", "Use --target PHRASE, or --targets")
    return {clip.id: clip.target or "" for clip in clips}


def _require(clips: Sequence[Utterance], column: Literal["text", "target"], advice: str) -> None:
    without = [clip.id for clip in clips if not getattr(clip, column)]
    if without:
        shown = ", ".join(without[:SHOWN]) + (", ..." if len(without) > SHOWN else "")
        raise OptionError(
            f"Got {len(without)} of {len(clips)} clips without a {column} ({shown}), expected one"
            f" for each. {advice}."
        )


def _check(whose: str, phrase: str) -> None:
    try:
        check_target(phrase)
    except TargetError as error:
        raise TargetError(f"{whose}: {error}") from error


def limited(clips: Sequence[Utterance], limit: int | None, seed: int) -> list[Utterance]:
    """A random sample of at most `limit` clips (None: all), in the order given.

    A larger sample of the same seed contains the smaller one.

    Raises:
        OptionError: the limit is less than 1.
    """
    if limit is None:
        return list(clips)
    if limit < 1:
        raise OptionError(f"Got limit={limit}, expected 1 clip or more.")
    names = sorted(clip.id for clip in clips)
    Random(seed).shuffle(names)
    chosen = set(names[:limit])
    return [clip for clip in clips if clip.id in chosen]
