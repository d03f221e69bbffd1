"""Recognisers that hear in chunks: against transformers' pipeline, and against hearing at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from toy import linear_victim
from transformers import pipeline

from mondegreen import attack, load_victim
from mondegreen.audio.pcm import load, save
from mondegreen.errors import OptionError, TargetError, VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.chunks import pieces, seconds_of
from mondegreen.victims.contract import Probe, chunks_equal_whole, examine
from mondegreen.victims.ctc_loss import Alignment, best_path
from mondegreen.victims.families.checkpoint import load_checkpoint
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.through import through

CPU, FLOAT = torch.device("cpu"), torch.float32
EXAMPLE = Path(__file__).parents[1] / "examples" / "streaming.py"
LETTERS = "_ abcdefgh"


class Local:
    """A CTC victim whose frames hear no farther than 160 samples beyond their own 320."""

    name, sample_rate, stride = "local", 16_000, 320
    device, dtype = CPU, torch.float64

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.spell = torch.nn.Linear(640, len(LETTERS)).double().requires_grad_(False)

    def encode(self, target: str, length: int) -> Tensor:
        if not target or set(target) - set(LETTERS[1:]):
            raise TargetError(f"{target!r} cannot be spelled")
        return torch.tensor([LETTERS.index(letter) for letter in target])

    def own_logits(self, audio: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(audio.double(), (160, 160))
        logits: Tensor = 30 * self.spell(padded.unfold(0, 640, 320))
        return logits

    def logits(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        rows = [self.own_logits(row[:n]) for row, n in zip(audio, lengths.tolist(), strict=True)]
        return pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])

    def align(self, frames: Tensor, *targets: Tensor) -> Alignment:
        return Alignment(frames, targets, blank=0, delimiter=1)

    def read(self, logits: Tensor) -> str:
        return " ".join("".join(LETTERS[s] for s in best_path(logits, blank=0)).split())

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        logits, frames = self.logits(audio, lengths)
        return self.align(frames, *targets).score(logits)

    def transcribe(self, audio: Tensor) -> str:
        return self.read(self.own_logits(audio))


def noise(length: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(length, generator=torch.Generator().manual_seed(seed))


# ---- where chunks lie


@given(length=st.integers(1, 5_000), size=st.integers(3, 900), percent=st.integers(0, 49))
def test_what_is_kept_of_chunks_is_the_sound_in_its_order(
    length: int, size: int, percent: int
) -> None:
    context = percent * size // 100
    found = pieces(length, size, context)
    kept = [n for p in found for n in range(p.begin + p.left, p.end - p.right)]
    assert kept == list(range(length))
    for piece in found:
        assert piece.end - piece.begin == size or piece is found[-1]
        assert piece.left == (0 if piece is found[0] else context)
        assert piece.right == (0 if piece is found[-1] else context)


def test_too_short_an_end_goes_with_the_chunk_before() -> None:
    assert [tuple(one) for one in pieces(1_000, 600, 0, least=400)] == [
        (0, 600, 0, 0),
        (600, 1_000, 0, 0),
    ]
    assert [tuple(one) for one in pieces(999, 600, 0, least=400)] == [(0, 999, 0, 0)]
    assert pieces(999, 600, 200, least=400) == pieces(999, 600, 200)


@pytest.mark.parametrize(
    "spec", ["chunks", "chunks:", "chunks:0", "chunks:x", "chunks:2:1", "chunks:nan", "chunks:121",
             "chunks:4:-1", "chunks:4:1:1", "chunks:inf"],
)  # fmt: skip
def test_chunks_that_there_cannot_be_are_refused(spec: str) -> None:
    with pytest.raises(OptionError, match=r"expected chunks:SECONDS or chunks:SECONDS:CONTEXT"):
        seconds_of(spec)


def test_chunks_without_a_frame_between_their_contexts_are_refused() -> None:
    with pytest.raises(OptionError, match=r"chunks:0\.05:0\.02"):  # 2.5 and 1 frames: 2 and 1
        through(Local(), "chunks:0.05:0.02")


def test_only_what_speaks_frame_by_frame_can_be_heard_in_chunks() -> None:
    with pytest.raises(VictimError, match="linear cannot be heard in chunks: it has no stride, lo"):
        through(linear_victim(), "chunks:2")
    with pytest.raises(OptionError, match="Got chunks:2 before telephone, expected"):
        through(Local(), "chunks:2", "telephone")


# ---- what is heard


@pytest.mark.parametrize("length", [8_000, 16_000, 16_001, 40_000, 70_123])
def test_with_enough_context_chunks_are_the_whole(length: int) -> None:
    whole, chunked = Local(), through(Local(), "chunks:1:0.1")
    clip = noise(length)
    assert chunked.transcribe(clip) == whole.transcribe(clip)
    torch.testing.assert_close(chunked.in_chunks(clip), whole.own_logits(clip))  # type: ignore[attr-defined]
    found = []
    for victim in (whole, chunked):
        audio = clip.double()[None].requires_grad_()
        score = victim.score(audio, torch.tensor([length]), [whole.encode("bad", length)])  # type: ignore[union-attr]
        found.append((score.loss.detach(), torch.autograd.grad(score.loss.sum(), audio)[0]))
    torch.testing.assert_close(found[1], found[0])


def test_without_context_a_frame_at_a_cut_hears_silence_beyond_it() -> None:
    chunked, whole, clip = through(Local(), "chunks:1:0"), Local(), noise(40_000)
    parts = torch.cat([whole.own_logits(part) for part in clip.split(16_000)])
    torch.testing.assert_close(chunked.in_chunks(clip), parts)  # type: ignore[attr-defined]
    apart = (parts - whole.own_logits(clip)).abs().amax(1)
    assert apart.nonzero().flatten().tolist() == [49, 50, 99, 100]


def test_what_is_too_short_to_be_heard_alone_is_heard_with_the_chunk_before() -> None:
    chunked, whole, clip = through(Local(), "chunks:1:0"), Local(), noise(32_001)
    with pytest.raises(RuntimeError, match="maximum size"):
        whole.own_logits(clip[32_000:])
    parts = torch.cat([whole.own_logits(clip[:16_000]), whole.own_logits(clip[16_000:])])
    torch.testing.assert_close(chunked.in_chunks(clip), parts)  # type: ignore[attr-defined]
    score = chunked.score(clip[None], torch.tensor([32_001]), [whole.encode("bad", 32_001)])  # type: ignore[attr-defined]
    expected = whole.align(torch.tensor([len(parts)]), whole.encode("bad", 32_001))
    torch.testing.assert_close(score.loss, expected.score(parts[None]).loss)


def test_clips_of_a_batch_are_heard_one_by_one() -> None:
    victim, clips = through(Local(), "chunks:1:0.2"), [noise(9_000, 1), noise(40_000, 2)]
    lengths = torch.tensor([len(clip) for clip in clips])
    targets = [Local().encode(text, 9_000) for text in ("a", "bead")]
    rows = pad_sequence(clips, batch_first=True, padding_value=torch.nan).double()
    together = victim.score(rows, lengths, targets)  # type: ignore[attr-defined]
    for b, clip in enumerate(clips):
        alone = victim.score(clip.double()[None], lengths[b : b + 1], targets[b : b + 1])  # type: ignore[attr-defined]
        torch.testing.assert_close(together.loss[b : b + 1], alone.loss)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
def test_it_is_the_pipeline_of_transformers(family: str, tmp_path: Path, beckett: Path) -> None:
    victim: Any = load_checkpoint(str(tiny.BUILDERS[family](tmp_path)), CPU, FLOAT)
    chunked, speech = through(victim, "chunks:2:0.5"), torch.from_numpy(load(beckett, 16_000))
    theirs = pipeline(
        "automatic-speech-recognition",
        model=victim.model,
        tokenizer=victim.processor.tokenizer,
        feature_extractor=victim.processor.feature_extractor,
    )
    for length in (31_999, 32_000, 32_001, 48_000, 48_001, 70_123):
        clip = speech[:length]
        said = theirs(clip.numpy(), chunk_length_s=2, stride_length_s=0.5)["text"]
        assert chunked.transcribe(clip) == " ".join(said.split())
    assert chunked.transcribe(clip) != victim.transcribe(clip)  # or it would not matter


def test_it_keeps_the_contract_and_says_how_far_it_is_from_the_whole(
    tmp_path: Path, beckett: Path
) -> None:
    victim = load_checkpoint(str(tiny.BUILDERS["wav2vec2"](tmp_path)), CPU, FLOAT)
    chunked = through(victim, "chunks:1:0.25")
    found = {f.id: f for f in examine(chunked, torch.from_numpy(load(beckett, 16_000)))}  # type: ignore[arg-type]
    assert not [f"{f.id}: {f.detail}" for f in found.values() if f.state == "fails"]
    assert "the best symbol in 0 of" not in found["chunked equals whole"].detail
    assert fingerprint(chunked) == fingerprint(victim)


@pytest.mark.slow
def test_the_embedded_letters_are_attacked_in_chunks(beckett: Path, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", load(beckett, 16_000)[:28_000], 16_000)  # to "ever tried"
    victim = load_victim("chunks:1:0.25 > moonshine-tiny-ctc", device="cpu")
    how = {"method": "carlini-wagner", "max_passes": 40}
    made = attack(victim, tmp_path / "clip.wav", "open the door", **how)
    assert made.record.verified
    assert made.record.victim == "chunks:1:0.25 > moonshine-tiny-ctc"


# ---- streaming


def streaming() -> Any:
    spec = importlib.util.spec_from_file_location("streaming", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.victim(CPU, FLOAT)


def test_the_streaming_example_keeps_the_contract(beckett: Path) -> None:
    found = {f.id: f for f in examine(streaming(), torch.from_numpy(load(beckett, 16_000)))}
    assert not [f"{f.id}: {f.detail}" for f in found.values() if f.state == "fails"]
    assert "the best symbol in 0 of 4" in found["chunked equals whole"].detail


def test_a_symbol_that_is_never_said_is_no_difference() -> None:
    class Barred(type(streaming())):  # type: ignore[misc]
        def at_once(self, audio: Tensor) -> Tensor:
            return super().at_once(audio).index_fill(1, torch.tensor([3]), -torch.inf)  # type: ignore[no-any-return]

        def in_chunks(self, audio: Tensor) -> Tensor:
            return super().in_chunks(audio).index_fill(1, torch.tensor([3]), -torch.inf)  # type: ignore[no-any-return]

    victim = streaming()
    victim.__class__ = Barred
    state, detail = chunks_equal_whole(Probe(victim, (), (), (), noise(20_000)))
    assert state == "ok", detail


def test_a_cache_that_is_lost_is_found(beckett: Path) -> None:
    class Forgets(type(streaming())):  # type: ignore[misc]
        def in_chunks(self, audio: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.cat([self.network(part)[0] for part in audio.split(5120)])

    found = streaming()
    found.__class__ = Forgets
    outcome = {f.id: f for f in examine(found, torch.from_numpy(load(beckett, 16_000)))}
    assert outcome["chunked equals whole"].state == "fails"
