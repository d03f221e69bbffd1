"""Checks that a victim keeps the `Victim` protocol, measured on the victim itself.

An attack trusts its victim blindly: the gradient of another model, a loss that depends on other
clips, or a `matched` that the decoder does not confirm makes every number wrong, silently. Each
check is one clause of the protocol; it measures, and reports what it measured.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import MondegreenError, RecogniserError, TargetError, first_line
from mondegreen.findings import Finding
from mondegreen.text import matches
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.guard import attackable, slope
from mondegreen.victims.near import PHRASES, SAME, has_near_pass, nearness, writable
from mondegreen.wording import number_of

GRADIENT_ERROR: Final = 0.02  # relative, of a directional derivative by differences
LONGEST: Final = 20.0  # seconds that are heard in chunks
NEVER: Final = -1e4  # log p of a symbol that is barred, which would be minus infinity


@dataclass(frozen=True)
class Probe:
    """A victim with clips and targets to check it on."""

    victim: Victim
    # pieces of speech, the first and the third of one length, [T] in [-1, 1] at its rate
    clips: tuple[Tensor, ...]
    transcripts: tuple[str, ...]  # of the clips
    targets: tuple[str, ...]  # a phrase that it can encode for each
    speech: Tensor  # what they are pieces of, up to `LONGEST`, float32 in main memory

    @classmethod
    def of(cls, victim: Victim, speech: Tensor, seconds: float = 2.0) -> Probe:
        """Pieces of a recording [T] at the victim's rate, and the victim's transcripts of them.

        Raises:
            TargetError: the victim can encode neither its transcripts nor any of `PHRASES`.
        """
        long, speech = int(seconds * victim.sample_rate), speech.to(victim.device, victim.dtype)
        shorter, odd = long - long // 5, long - 997  # a length that no frame rate divides
        starts = ((0, long), (long, shorter), (len(speech) - long, long), (long // 2, odd))
        clips = tuple(speech[start : start + length] for start, length in starts)
        transcripts = tuple(victim.transcribe(clip.float().cpu()) for clip in clips)
        targets = tuple(
            writable(victim, (t, *PHRASES), len(c)) for t, c in zip(transcripts, clips, strict=True)
        )
        some = speech[: int(LONGEST * victim.sample_rate)].float().cpu()
        return cls(victim, clips, transcripts, targets, some)

    def score(self, clips: list[Tensor], targets: list[str], padding: float = 0.0) -> Score:
        """Score clips as one batch."""
        lengths = [len(clip) for clip in clips]
        audio = pad_sequence(clips, batch_first=True, padding_value=padding)
        encoded = [self.victim.encode(t, n) for t, n in zip(targets, lengths, strict=True)]
        return self.victim.score(audio, torch.tensor(lengths, device=audio.device), encoded)

    def gradient(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and its gradient for the first target."""
        clip = clip.clone().requires_grad_()
        loss = self.score([clip], [self.targets[0]]).loss[0]
        return loss.detach(), slope(self.victim, loss, clip)


def examine(victim: Victim, speech: Tensor) -> Iterator[Finding]:
    """Check a victim clause by clause; speech is [T] at its rate, six seconds or more.

    A check that raises has failed; the first line of the error is its detail.
    """
    try:
        probe = Probe.of(attackable(victim), speech)
    except Exception as error:
        yield Finding("can be called", "error", "fails", _said(error))
        return
    for name, check in CHECKS.items():
        try:
            state, detail = check(probe)
        except Exception as error:
            state, detail = "fails", _said(error)
        yield Finding(name, "error", state, detail)


Outcome = tuple[Literal["ok", "fails", "skipped"], str]


def _said(error: Exception) -> str:
    if isinstance(error, RecogniserError):  # its advice is to do what is being done
        return error.fault
    first = first_line(error)
    return first if isinstance(error, MondegreenError) else f"{type(error).__name__}: {first}"


def _judged(good: bool, detail: str) -> Outcome:
    return ("ok" if good else "fails"), detail


def sample_rate(probe: Probe) -> Outcome:
    """A whole number of samples per second that speech is available at."""
    rate = probe.victim.sample_rate
    return _judged(isinstance(rate, int) and 4000 <= rate <= 192_000, f"{rate} Hz")


def gradient_finite(probe: Probe) -> Outcome:
    """There is a gradient; it is not zero on speech, and finite on hard input too.

    Editors leave pauses of zeros, at which the root of a power, say, has no derivative.
    """
    clip = probe.clips[0]
    hard = {"speech": clip, "silence": clip * 0, "clipping": (clip * 100).clamp(-1, 1)}
    hard["a pause of zeros"] = torch.cat([clip[: len(clip) // 2] * 0, clip[len(clip) // 2 :]])
    sizes = {name: float(probe.gradient(sound)[1].abs().max()) for name, sound in hard.items()}
    good = all(size < float("inf") for size in sizes.values()) and sizes["speech"] > 0
    told = ", ".join(f"{name} {size:.1e}" for name, size in sizes.items())
    return _judged(good, f"largest value on {told}")


def finite_differences(probe: Probe) -> Outcome:
    """The derivative along the gradient agrees with two evaluations of the loss."""
    if (why := getattr(probe.victim, "approximate", None)) is not None:
        return "skipped", why
    clip = probe.clips[0]
    _, gradient = probe.gradient(clip)
    size = gradient.norm()
    direction, errors = gradient / size, []
    for change in (1.0, 0.3, 0.1, 0.03, 0.01):  # of the loss, in nats: curvature against rounding
        step = change / size
        with torch.no_grad():
            losses = [
                probe.score([clip + way * step * direction], [probe.targets[0]]).loss[0]
                for way in (1, -1)
            ]
        slope = (losses[0].double() - losses[1].double()) / (2 * step.double())
        errors.append(float((slope / size.double() - 1).abs()))
    error = min(filter(math.isfinite, errors), default=math.inf)
    return _judged(error < GRADIENT_ERROR, f"relative error {error:.1e} (below {GRADIENT_ERROR:g})")


RANDOM: Final = " (is dropout on? call .eval() on the model)"


def deterministic(probe: Probe) -> Outcome:
    """The same sound gives the same loss, gradient and transcript."""
    (first, first_g), (second, second_g) = (probe.gradient(probe.clips[0]) for _ in range(2))
    again = probe.victim.transcribe(probe.clips[0].float().cpu())
    if again != probe.transcripts[0]:
        return "fails", f"transcribes {probe.transcripts[0]!r}, then {again!r}{RANDOM}"
    gaps = _gap(first, second), float((first_g - second_g).abs().max() / first_g.abs().max())
    gap = math.nan if any(map(math.isnan, gaps)) else max(gaps)
    same = gap < SAME
    return _judged(same, f"largest relative difference {_small(gap)}{'' if same else RANDOM}")


def padding_invariant(probe: Probe) -> Outcome:
    """A clip's loss ignores padding past its end, and sends no gradient there."""
    clips = [clip.clone().requires_grad_() for clip in probe.clips]
    targets = list(probe.targets)
    lengths = torch.tensor([len(clip) for clip in clips], device=clips[0].device)
    noise = 0.5 * torch.sin(torch.arange(int(lengths.max()), device=clips[0].device) * 0.7)
    real = torch.arange(len(noise), device=noise.device) < lengths[:, None]
    rows = torch.where(real, pad_sequence(clips, batch_first=True), noise.to(clips[0].dtype))
    rows.retain_grad()
    encoded = [probe.victim.encode(t, len(c)) for t, c in zip(targets, clips, strict=True)]
    together = probe.victim.score(rows, lengths, encoded).loss
    torch.autograd.backward(together.sum())
    alone = torch.stack(
        [probe.score([c.detach()], [t]).loss[0] for c, t in zip(clips, targets, strict=True)]
    )
    gap, leak = _gap(together, alone), float(rows.grad[~real].abs().max())  # type: ignore[index]
    told = f"loss differs by {_small(gap)}; gradient in the padding {leak:.1g}"
    return _judged(gap < SAME and leak == 0, told)


def batch_invariant(probe: Probe) -> Outcome:
    """A clip's loss does not depend on the other clips or on their order."""
    clips = [probe.clips[0], probe.clips[2]]
    targets = [probe.targets[0], probe.targets[2]]
    with torch.no_grad():
        pair = probe.score(clips, targets).loss
        turned = probe.score(clips[::-1], targets[::-1]).loss.flip(0)
        alone = torch.stack(
            [probe.score([c], [t]).loss[0] for c, t in zip(clips, targets, strict=True)]
        )
    gap = max(_gap(pair, alone), _gap(turned, alone))
    return _judged(gap < SAME, f"loss differs by {_small(gap)}")


def matched_agrees(probe: Probe) -> Outcome:
    """`matched` is true of the transcript, in its own symbols, and of nothing else.

    Other symbols can spell the same words, so one miss proves nothing; but if all are missed,
    `score` and `transcribe` may be two models. (With random weights, it is the symbols.)
    """
    right = wrong = missed = 0
    for clip, transcript in zip(probe.clips, probe.transcripts, strict=True):
        for target in dict.fromkeys(probe.targets):
            try:
                with torch.no_grad():
                    claimed = bool(probe.score([clip], [target]).matched[0])
            except TargetError:  # too long for this clip
                continue
            true = matches(transcript, target)
            if claimed and not true and not getattr(probe.victim, "random", False):
                return "fails", f"matches {target!r}, but transcribes {transcript!r}"
            right, wrong, missed = right + claimed, wrong + (not true), missed + (true - claimed)
    if not right and not missed:
        return "skipped", "never matched, so agreement could not be tested"
    if not right and (asked := getattr(probe.victim, "stricter", None)) is not None:
        return "skipped", f"{missed} transcribed, but a match also asks for {asked}"
    counts = f"matched and transcribed {number_of(right, 'time')}, neither {wrong}"
    if missed:
        counts += f", transcribed but not matched {missed}"
    return _judged(right > 0, counts)


def chunks_equal_whole(probe: Probe) -> Outcome:
    """What is heard chunk by chunk is what is heard at once, of recognisers that say both.

    One that is scored as it hears, in chunks, may differ: it is told by how much.
    """
    ways = [getattr(probe.victim, name, None) for name in ("in_chunks", "at_once")]
    if None in ways:
        return "skipped", "it does not hear in chunks"
    logits = [way(probe.speech) for way in ways if way is not None]
    chunks, whole = (frames.log_softmax(-1).clamp(min=NEVER) for frames in logits)
    if chunks.shape != whole.shape:
        return "fails", f"frames and symbols {list(chunks.shape)}, at once {list(whole.shape)}"
    gap, others = _gap(chunks, whole), int((chunks.argmax(-1) != whole.argmax(-1)).sum())
    detail = (
        f"log p differs by a relative {gap:.1e}, the best symbol in {others} of {len(whole)} frames"
    )
    return _judged(gap < SAME or getattr(probe.victim, "scores_chunks", False), detail)


def frontend_equal(probe: Probe) -> Outcome:
    """Features in the graph equal those of the model's own processor; measured on loading."""
    error = getattr(probe.victim, "frontend_error", None)
    if error is None:
        return "skipped", "it has no processor to compare with"
    return "ok", f"relative error {error:.1e}"


def near_pass(probe: Probe) -> Outcome:
    """At the sound itself, a near pass has the same loss and match, and nearly the gradient."""
    if not has_near_pass(probe.victim):
        return "skipped", "it has none"
    found = nearness(probe.victim, probe.clips[0], probe.targets[0])
    return _judged(found.holds, str(found))


def seconds_per_pass(probe: Probe) -> Outcome:
    """The cost of one pass forward and back; it cannot fail."""
    clip, spent = probe.clips[0], []
    for _ in range(3):
        begun = time.perf_counter()
        probe.gradient(clip)[1].sum().item()
        spent.append(time.perf_counter() - begun)
    seconds = len(clip) / probe.victim.sample_rate
    return "ok", f"takes {statistics.median(spent):.3f} s for {seconds:.1f} s of sound"


def _small(gap: float) -> str:
    """A difference, and below what it should be."""
    return f"{gap:.1e} (below {SAME:g})" if gap else "0"


def _gap(a: Tensor, b: Tensor) -> float:
    return float(((a - b).detach().abs() / b.detach().abs().clamp(min=1.0)).max())


CHECKS: Final[dict[str, Callable[[Probe], Outcome]]] = {
    "sample rate": sample_rate,
    "gradient finite": gradient_finite,
    "finite differences": finite_differences,
    "deterministic": deterministic,
    "ignores padding": padding_invariant,
    "ignores the batch": batch_invariant,
    "matched is what it hears": matched_agrees,
    "chunked equals whole": chunks_equal_whole,
    "features equal": frontend_equal,
    "a near pass": near_pass,
    "a gradient pass": seconds_per_pass,
}
