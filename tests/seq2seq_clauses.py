"""What every sequence-to-sequence victim owes, as checks that the tests of each family call.

The judge is always the model's own `generate` or its own `forward`, on one clip at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tiny_seq2seq import sounds
from torch import Tensor

from mondegreen.audio.batch import pad


def load(family: Any, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    model = hf.AutoModelForSpeechSeq2Seq.from_pretrained(folder, dtype=dtype)
    return family(folder.name, model, hf.AutoProcessor.from_pretrained(folder))


def told(victim: Any, output: Tensor, prompt: Sequence[int]) -> Tensor:
    """What was generated: an output [N] without its prompt, and up to its end."""
    ids = output.tolist()
    assert ids[: len(prompt)] == list(prompt)
    ids = ids[len(prompt) :]
    end = victim.generation.end
    return torch.tensor(ids[: ids.index(end) + 1] if end in ids else ids)


def neighbours(said: Tensor, end: int, symbols: Sequence[int]) -> list[Tensor]:
    """Targets close to what was said: itself, one symbol away, a part of it, and more than it."""
    body = said[said != end]
    closed = torch.tensor([end])
    found = [torch.cat([body, closed])]
    for place in {0, len(body) // 2, len(body) - 1} if len(body) else ():
        for other in symbols:
            changed = body.clone()
            changed[place] = other
            found.append(torch.cat([changed, closed]))
        found.append(torch.cat([body[:place], closed]))
    found += [torch.cat([body, torch.tensor([other]), closed]) for other in symbols]
    return found


def check_matched(
    victim: Any,
    clips: list[Tensor],
    say: Callable[[Tensor], Tensor],
    symbols: Sequence[int],
    room: int,
) -> None:
    """`matched` is whether `generate` says the target and ends, on targets near what it says."""
    ended = 0
    for clip in clips:
        said = say(clip)
        ended += int(said[-1] == victim.generation.end)
        near = neighbours(said, victim.generation.end, symbols)
        targets = [target for target in near if len(target) <= room]
        audio = clip.expand(len(targets), -1)
        lengths = torch.full((len(targets),), len(clip))
        with torch.no_grad():
            matched = victim.score(audio, lengths, targets).matched
        assert matched.tolist() == [torch.equal(target, said) for target in targets]
    assert ended >= len(clips) // 4, ended  # else hardly anything was ever matched


def check_loss_is_of_what_is_decoded(
    victim: Any, clips: list[Tensor], run: Callable[[Tensor], tuple[Tensor, list[Tensor]]]
) -> None:
    """Of the decode itself, the loss is -Σ log p under the scores that `generate` chose by."""
    compared = 0
    for clip in clips:
        said, scores = run(clip)
        if said[-1] == victim.generation.end:
            pairs = zip(scores[-len(said) :], said, strict=True)
            own = -sum(score[0].log_softmax(-1)[symbol] for score, symbol in pairs)
            with torch.no_grad():
                loss = victim.score(clip[None], torch.tensor([len(clip)]), [said]).loss
            # as far as single precision features go through a model that exaggerates everything
            torch.testing.assert_close(loss[0], own, rtol=2e-3, atol=1e-4)
            compared += 1
    assert compared >= len(clips) // 4, compared


def check_rows(victim: Any, targets: Sequence[Tensor]) -> None:
    """A clip in a padded batch is the clip alone, whatever stands in the padding.

    The victim is one in float64, where the wild functions that random models are stay put.
    """
    sizes = (32_000, 24_000, 16_123, 24_000)
    clips = [clip[:n].double() for clip, n in zip(sounds(4, 32_000), sizes, strict=True)]
    audio, lengths = pad(clips)
    for row, length in enumerate(lengths):
        garbage = torch.randn_like(audio[row, length:])
        audio[row, length:] = torch.nan if row % 2 else garbage
    audio.requires_grad_()
    together = victim.score(audio, lengths, targets)
    (gradient,) = torch.autograd.grad(together.loss.sum(), audio)
    for row, (clip, target) in enumerate(zip(clips, targets, strict=True)):
        sound = clip[None].requires_grad_()
        alone = victim.score(sound, lengths[row : row + 1], [target])
        (slope,) = torch.autograd.grad(alone.loss.sum(), sound)
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=1e-9, atol=0)
        own, scale = gradient[row, : len(clip)], float(slope.abs().max())
        torch.testing.assert_close(own, slope[0], rtol=0, atol=1e-7 * scale)
        assert gradient[row, len(clip) :].abs().sum() == 0


def check_gradient_is_finite(victim: Any, target: Tensor) -> None:
    """At silence, at near-silence, at clipping, and for a short clip."""
    speech = sounds(2)[1]
    for clip in (torch.zeros(16_000), 1e-5 * speech, (100 * speech).clamp(-1, 1), speech[:4_000]):
        audio = clip[None].requires_grad_()
        loss = victim.score(audio, torch.tensor([len(clip)]), [target]).loss
        (gradient,) = torch.autograd.grad(loss.sum(), audio)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()


def check_gradient(
    victim: Any, target: Tensor, step: float = 1e-7, tolerance: float = 1e-4
) -> None:
    """Against a difference quotient in a random direction; the victim in float64."""
    clip = sounds(2, 16_000)[1].double()
    lengths = torch.tensor([len(clip)])
    direction = torch.randn(len(clip), generator=torch.Generator().manual_seed(0)).double()

    def loss(audio: Tensor) -> Tensor:
        found: Tensor = victim.score(audio[None], lengths, [target]).loss[0]
        return found

    (gradient,) = torch.autograd.grad(loss(clip.requires_grad_()), clip)
    with torch.no_grad():
        slope = (loss(clip + step * direction) - loss(clip - step * direction)) / (2 * step)
    assert abs(slope) > 1e-3
    torch.testing.assert_close(gradient @ direction, slope, rtol=tolerance, atol=1e-6)


def check_attack(victim: Any, text: str, clip: Tensor, steps: int = 300) -> None:
    """Adam on what is added finds a sound that is heard as the target."""
    target, lengths = victim.encode(text, len(clip)), torch.tensor([len(clip)])
    delta = torch.zeros_like(clip, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=3e-3)
    assert victim.transcribe(clip) != text
    for _ in range(steps):
        heard = victim.score((clip + delta)[None].clamp(-1, 1), lengths, [target])
        if heard.matched.item():
            break
        adam.zero_grad()
        heard.loss.sum().backward()
        adam.step()
    assert heard.matched.item(), f"loss {heard.loss.item():.2f} after {steps} steps"
    assert victim.transcribe((clip + delta).detach().clamp(-1, 1)) == text
