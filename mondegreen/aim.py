"""What an attack is to achieve, and whether a transcript is that.

With a target, that phrase is to be heard. Untargeted, what is said is to be lost: enough of its
words, or one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mondegreen.errors import OptionError, TargetError
from mondegreen.options import MIN_WER, Options
from mondegreen.text import check_target, matches, units, word_errors, words_only


@dataclass(frozen=True)
class Aim:
    """What a transcript must be for an attack to have succeeded.

    The `original` is what was said in the clean clip, as far as it is known. With a target it may
    be None: then nothing is said of it, and its rates and shares are None.
    """

    target: str | None  # the phrase that is to be heard; None: untargeted
    original: str | None
    normaliser: str = "default"  # that a target is compared under; see `mondegreen.text`
    forbidden: str | None = None  # untargeted, the word that is not to be heard; None: `min_wer`
    min_wer: float = MIN_WER  # untargeted, the least word error rate to the original

    @classmethod
    def of(cls, options: Options, target: str | None, original: str | None) -> Aim:
        """The aim of an attack on a clip.

        Raises:
            OptionError: a target for a method without, or a word to forbid that has no letters.
            TargetError: no target for a method that needs one, or one that has no words.
        """
        if options.untargeted and target is not None:
            raise OptionError(
                f"Got the target {target!r:.60} for the method untargeted, which pushes away what"
                " is said and has none. Leave it out, or choose another method."
            )
        if options.forbid is not None and not words_only(options.forbid):
            raise OptionError(
                f"Got forbid = {options.forbid!r:.60}, which has no words left without its"
                " punctuation. Expected the word that must not be heard."
            )
        if not options.untargeted:
            _check_given(target)
        return cls(target, original, options.normaliser, options.forbid, options.min_wer)

    def met(self, transcript: str) -> bool:
        """Whether a transcript is what was aimed for; raises OptionError as `normalise` does.

        >>> Aim(None, "open the door", forbidden="door").met("Open the floor.")
        True
        >>> Aim(None, "open the door", min_wer=0.5).met("Open the floor.")  # one in three
        False
        """
        if self.target is not None:
            return matches(transcript, self.target, self.normaliser)
        if self.forbidden is not None:
            return not says(transcript, self.forbidden)
        return self.errors(transcript) >= self.min_wer

    def errors(self, transcript: str) -> float:
        """The word error rate of a transcript to the original, by words alone."""
        assert self.original is not None
        return word_errors(self.original, transcript).rate

    @property
    def words(self) -> str:
        """As what a file that meets it is heard; it goes on "is heard"."""
        if self.target is not None:
            return f"as {self.target!r}"
        if self.forbidden is not None:
            return f"without the word {self.forbidden!r}"
        return f"with at least {self.min_wer:.0%} of its words wrong"


def says(transcript: str, phrase: str) -> bool:
    """Whether a word, or some in a row, are among those of a transcript.

    >>> says("Open the door!", "DOOR"), says("Open the doors.", "door")
    (True, False)
    """
    heard, asked = (units(words_only(text)) for text in (transcript, phrase))
    return any(heard[at : at + len(asked)] == asked for at in range(len(heard)))


def _check_given(target: str | None) -> None:
    if target is None:
        raise TargetError(
            "Got no target. Give the phrase that the recogniser should hear (--target), or choose"
            " the method untargeted, which only pushes away what is said."
        )
    check_target(target)
