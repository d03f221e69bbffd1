"""Whisper tiny.en itself, on real speech: what random weights cannot show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mondegreen.audio.pcm import load
from mondegreen.victims import Victim, load_victim
from mondegreen.victims.contract import examine
from mondegreen.victims.near import nearness

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def victim(whisper: Path) -> Victim:
    return load_victim(str(whisper), device="cpu")


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


def test_it_keeps_the_contract(victim: Victim, speech: Tensor) -> None:
    found = {finding.id: finding for finding in examine(victim, speech)}
    assert {f.id: f.detail for f in found.values() if f.state == "fails"} == {}
    heard = ("matched is what it hears", "features equal", "a near pass")
    assert [found[clause].state for clause in heard] == ["ok"] * 3


def test_it_understands_what_is_said(victim: Victim, speech: Tensor) -> None:
    assert "fail better" in victim.transcribe(speech).lower()


def test_what_it_says_of_the_clip_hangs_on_the_silence_after_it(
    victim: Victim, speech: Tensor
) -> None:
    """So that a near pass has to keep what it makes of that; a random model hardly minds."""
    clip, target = speech[:32_000], "Good morning."
    kept = nearness(victim, clip, target)
    assert kept.holds
    assert 0.9 < kept.cosine < 0.999
    lengths, tokens = torch.tensor([len(clip)]), [victim.encode(target, len(clip))]
    with torch.no_grad():
        whole, other = (
            victim.score_near(clip[None], lengths, tokens, near[None]).loss  # type: ignore[attr-defined]
            for near in (clip, 0 * clip)
        )
    assert abs(other - whole) > 1e-3 * whole
