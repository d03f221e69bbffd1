"""What was heard behind a defence is not heard again, however the hearing ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from report_runs import sound_run
from torch import Tensor

from mondegreen.defending.defence import Defence
from mondegreen.defending.hearing import Hearing, listen

PCM = Defence.of("pcm:6", 16_000)
LENGTHS = (16_000, 16_100, 16_200)  # samples of each clip
CLIPS = len(LENGTHS)


@dataclass
class Listener:
    """Hears how long a sound is; at some sound it is interrupted."""

    name: str = "listener"
    sample_rate: int = 16_000
    interrupted_at: int | None = None  # the sound, from 1 on
    heard: list[int] = field(default_factory=list)  # the length of each sound

    def transcribe(self, audio: Tensor) -> str:
        if len(self.heard) + 1 == self.interrupted_at:
            raise KeyboardInterrupt
        self.heard.append(len(audio))
        return f"sound of {len(audio)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sound_run(
        tmp_path / "run", {f"item-{n}": {"seconds": LENGTHS[n] / 16_000} for n in range(CLIPS)}
    )


def hear(folder: Path, listener: Listener, kept: Path) -> Hearing:
    return listen(folder, listener, PCM, kept, lambda *_: None)


def test_an_interrupted_hearing_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    first = Listener(interrupted_at=4)  # the file of the second clip
    with pytest.raises(KeyboardInterrupt):
        hear(folder, first, kept)
    assert first.heard == [16_000, 16_000, 16_100]
    second = Listener()
    found = hear(folder, second, kept)
    assert second.heard == [16_100, 16_100, 16_200, 16_200]
    assert [one.clean for one in found.heard] == [(f"sound of {n}",) for n in LENGTHS]
    third = Listener()
    assert hear(folder, third, kept) == found
    assert third.heard == []


def test_what_has_changed_is_heard_again_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    hear(folder, Listener(), kept)
    record = folder / "items" / "item-1" / "record.json"
    record.write_text(record.read_text() + "\n")
    again = Listener()
    found = hear(folder, again, kept)
    assert again.heard == [16_100, 16_100]
    assert [one.clean for one in found.heard] == [(f"sound of {n}",) for n in LENGTHS]


@pytest.mark.parametrize("damage", ["cut", "another recogniser", "fewer"])
def test_what_cannot_be_trusted_is_heard_again(folder: Path, tmp_path: Path, damage: str) -> None:
    kept = tmp_path / "kept.json"
    hear(folder, Listener(name="other" if damage == "another recogniser" else "listener"), kept)
    text = kept.read_text()
    if damage == "cut":
        kept.write_text(text[: len(text) // 2])
    if damage == "fewer":  # transcripts than results
        kept.write_text(text.replace('"heard": [', '"heard": [], "left": [', 1))
    again = Listener()
    hear(folder, again, kept)
    assert len(again.heard) == 2 * CLIPS
