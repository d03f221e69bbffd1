"""The gate: what each rule says of a run, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mondegreen.gating.against import judge_worse, pairs
from mondegreen.gating.rule import Limit, Outcome, Ruling, judge_share
from mondegreen.gating.tested import Tested, incomparable
from mondegreen.report.numbers.prices import PricedClip, PricedClips

STATUS: Final[dict[Outcome, int]] = {"pass": 0, "fail": 1, "unclear": 2}
WORDS: Final[dict[Outcome, str]] = {
    "pass": "passes",
    "fail": "fails",
    "unclear": "cannot be judged",
}
# what nobody can check of clips without a text
UNDERSTANDING: Final = "whether it understands the clean clips: they have no text"


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a run; the same in every format."""

    clips: PricedClips
    limit: Limit
    rulings: tuple[Ruling, ...]  # of each rule
    texts: int  # clips of which it is known what is said, and so whether they are understood

    @property
    def outcome(self) -> Outcome:
        """Fails if a rule does, and passes if all do."""
        found = {one.outcome for one in self.rulings}
        return next((one for one in ("fail", "unclear") if one in found), "pass")

    @property
    def status(self) -> int:
        """The exit status."""
        return STATUS[self.outcome]

    @property
    def words(self) -> str:
        """As "cannot be judged"."""
        return WORDS[self.outcome]

    @property
    def not_checked(self) -> str | None:
        """What this says nothing of, though one might think so; None: there is no such thing."""
        return UNDERSTANDING if self.clips.clips and not self.texts else None

    @property
    def attackable(self) -> tuple[PricedClip, ...]:
        """The clips that are attackable at or below the price, the least audible first."""
        found = [one for one in self.clips.clips if self.limit.attackable(one.price)]
        return tuple(sorted(found, key=lambda one: self.limit.by.cost(one.price or 0.0)))

    def price(self, clip: PricedClip) -> str:
        """The price of a clip, with its digits."""
        return "beyond" if clip.price is None else self.limit.by.text(clip.price)

    def sentence(self, clip: PricedClip) -> str:
        """What a clip was heard as, at which price, and where the proof is."""
        if clip.price is None:
            return f"{clip.id} was never heard {clip.aim}"
        where = "" if clip.path is None else f", in {clip.path}"
        price = f"{self.price(clip)} ({self.limit.by.label})"
        return f"{clip.id} is heard {clip.aim} at a price of {price}{where}"


def judge(
    now: Tested,
    limit: Limit,
    allow: float | None = None,
    before: Tested | None = None,
    worse_by: float = 0.0,
) -> Verdict:
    """Apply the rules that are given to a run.

    Nothing is judged by numbers that cannot be believed.

    Args:
        now: the run.
        limit: the price that is fixed beforehand.
        allow: the share of clips that may be attackable at it; None: any.
        before: an earlier run on the same clips; None: compare with none.
        worse_by: by how much that share may have risen since.
    """
    rulings = []
    if now.doubt:
        rulings.append(Ruling(f"the numbers of {now.clips.label}", "unclear", now.doubt))
    elif allow is not None:
        rulings.append(judge_share(now.clips, limit, allow))
    if before is not None and before.doubt:
        rulings.append(Ruling(f"the numbers of {before.clips.label}", "unclear", before.doubt))
    if before is not None and not (now.doubt or before.doubt):
        rulings.append(_against(now, before, limit, worse_by))
    return Verdict(now.clips, limit, tuple(rulings), now.texts)


def _against(now: Tested, before: Tested, limit: Limit, worse_by: float) -> Ruling:
    if why := incomparable(now, before):
        return Ruling(f"a comparison with {before.clips.label}", "unclear", why)
    return judge_worse(pairs(now.clips, before.clips, limit), limit, worse_by)
