"""Parakeet RNN-T and TDT as victims, on tiny random checkpoints loaded from their folders."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_transducer as tiny
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mondegreen import load_recogniser
from mondegreen.audio.batch import pad
from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.families import transducer
from mondegreen.victims.families.transducer import Transducer
from mondegreen.victims.transducer_loss import Choices, says

LENGTHS = (16_000, 9_001, 24_320, 3_300, 12_800)
KINDS = pytest.mark.parametrize("victim", ["rnnt", "tdt"], indirect=True)


def load(folder: Path, **options: Any) -> Transducer:
    config = hf.AutoConfig.from_pretrained(folder)
    timed = config.model_type == "parakeet_tdt"
    auto = hf.AutoModelForTDT if timed else hf.AutoModelForRNNT
    model = auto.from_pretrained(folder, **options)
    return Transducer(config.model_type, model, hf.AutoProcessor.from_pretrained(folder))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        "rnnt": tiny.rnnt(tmp_path_factory.mktemp("rnnt")),
        "tdt": tiny.tdt(tmp_path_factory.mktemp("tdt")),
    }


@pytest.fixture
def victim(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Transducer:
    return load(folders[request.param])


def clips(lengths: tuple[int, ...] = LENGTHS, seed: int = 10) -> list[Tensor]:
    return [tiny.sound(length, seed + place) for place, length in enumerate(lengths)]


def generated(victim: Transducer, clip: Tensor) -> Tensor:
    """Symbols of the model's own greedy decode, blanks left out."""
    (sequence,) = victim.model.generate(**victim.features(clip), do_sample=False).sequences
    said = sequence[1:]
    return said[said != victim.blank]


def score(victim: Transducer, sounds: list[Tensor], targets: list[Tensor]) -> Score:
    audio, lengths = pad(sounds)
    return victim.score(audio, lengths, targets)


# ---- the loss, against the model's own logits


@pytest.mark.parametrize("text", ["a", "hi there", "zoo"])
def test_tdt_loss_is_the_models_own(folders: dict[str, Path], text: str) -> None:
    victim = load(folders["tdt"])
    for clip in clips():
        target = victim.encode(text, 16_000)
        history = torch.cat([torch.tensor([victim.blank]), target])[None]
        with torch.no_grad():
            own = victim.model(
                **victim.features(clip),
                decoder_input_ids=history,
                labels=target[None],
                reduction="sum",
            ).loss
        loss = score(victim, [clip], [target]).loss[0]
        torch.testing.assert_close(loss, own, rtol=1e-4, atol=1e-4)


def test_rnnt_loss_is_that_of_the_models_own_logits(folders: dict[str, Path]) -> None:
    victim = load(folders["rnnt"])
    for clip in clips():
        target = victim.encode("hi you", len(clip))
        history = torch.cat([torch.tensor([victim.blank]), target])[None]
        inputs = victim.features(clip)
        with torch.no_grad():
            logits = victim.model(**inputs, decoder_input_ids=history).logits
        frames = -(-inputs["attention_mask"].sum() // 8)
        log_p = logits[0].double().log_softmax(-1)
        reached = torch.zeros(int(frames) + 1, len(target) + 1, dtype=torch.float64)
        reached[0, 0] = 1
        for t in range(int(frames)):
            for u in range(len(target) + 1):
                reached[t + 1, u] += reached[t, u] * log_p[t, u, victim.blank].exp()
                if u < len(target):
                    reached[t, u + 1] += reached[t, u] * log_p[t, u, target[u]].exp()
        # the last arc is a blank: what reached (frames, U) came by one
        expected = -reached[int(frames), -1].log()
        loss = score(victim, [clip], [target]).loss[0]
        assert float(loss) == pytest.approx(float(expected), rel=1e-4)


@KINDS
def test_it_is_the_same_whatever_is_held_at_a_time(
    victim: Transducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> tuple[Score, Tensor]:
        audio, lengths = pad(clips())
        targets = [victim.encode("yes", len(clip)) for clip in clips()]
        found = victim.score(audio.requires_grad_(), lengths, targets)
        return found, torch.autograd.grad(found.loss.sum(), audio)[0]

    whole, gradient = run()
    monkeypatch.setattr(transducer, "_AT_ONCE", 1)
    pieces, by_pieces = run()
    torch.testing.assert_close(pieces.loss, whole.loss, rtol=1e-6, atol=0)
    torch.testing.assert_close(by_pieces, gradient, rtol=1e-4, atol=1e-6)


# ---- the victim's contract


@KINDS
def test_it_is_a_victim(victim: Transducer) -> None:
    assert isinstance(victim, Victim)
    assert victim.sample_rate == 16_000
    assert not any(p.requires_grad for p in victim.model.parameters())


@KINDS
def test_a_row_of_a_batch_is_the_clip_alone_whatever_is_in_the_padding(victim: Transducer) -> None:
    sounds = clips()
    targets = [generated(victim, clip) for clip in sounds]
    targets[1] = victim.encode("hello", 16_000)
    audio, lengths = pad(sounds)
    for row, clip in enumerate(sounds):
        audio[row, len(clip) :] = torch.nan
    audio.requires_grad_()
    together = victim.score(audio, lengths, targets)
    (gradient,) = torch.autograd.grad(together.loss.sum(), audio)
    for row, (clip, target) in enumerate(zip(sounds, targets, strict=True)):
        clip.requires_grad_()
        alone = score(victim, [clip], [target])
        (own,) = torch.autograd.grad(alone.loss.sum(), clip)
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=1e-4, atol=1e-4)
        assert together.matched[row] == alone.matched[0]
        torch.testing.assert_close(gradient[row, : len(clip)], own, rtol=1e-2, atol=1e-2)
        assert (gradient[row, len(clip) :] == 0).all()


@KINDS
@pytest.mark.parametrize("kind", ["sound", "silence", "clipped", "short"])
def test_gradients_are_finite(victim: Transducer, kind: str) -> None:
    clip = {
        "sound": tiny.sound(16_000),
        "silence": torch.zeros(16_000),
        "clipped": (tiny.sound(16_000) * 100).clamp(-1, 1),
        "short": tiny.sound(900),
    }[kind]
    clip.requires_grad_()
    loss = score(victim, [clip], [victim.encode("a", len(clip))]).loss
    (gradient,) = torch.autograd.grad(loss.sum(), clip)
    assert gradient.isfinite().all()
    # silence is where the features' deviation over time is zero, and with it every gradient
    assert (gradient.abs().max() > 0) == (kind != "silence")


@pytest.mark.parametrize("kind", ["rnnt", "tdt"])
def test_gradient_agrees_with_finite_differences(folders: dict[str, Path], kind: str) -> None:
    victim = load(folders[kind], dtype=torch.float64)
    clip = tiny.sound(16_000).double()
    target = victim.encode("hello you", len(clip))

    def loss(audio: Tensor) -> Tensor:
        found = score(victim, [audio], [target]).loss
        assert found.dtype == torch.float64
        return found[0]

    (gradient,) = torch.autograd.grad(loss(clip.requires_grad_()), clip)
    made = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = torch.randn(len(clip), generator=made, dtype=torch.float64)
        step = 1e-8
        with torch.no_grad():
            slope = (loss(clip + step * direction) - loss(clip - step * direction)) / (2 * step)
        torch.testing.assert_close(gradient @ direction, slope, rtol=1e-4, atol=1e-4)


# ---- matched


def edits(said: list[int], made: random.Random) -> list[list[int]]:
    """Symbol sequences one edit away."""
    place, other = made.randrange(len(said) + 1), made.randrange(tiny.BLANK)
    found = [[*said[:place], other, *said[place:]]]
    if place < len(said):
        found += [[*said[:place], other, *said[place + 1 :]], [*said[:place], *said[place + 1 :]]]
    return found


def check_matched(victim: Transducer, sounds: list[Tensor]) -> None:
    """`matched` of each clip's own decode, of edits of it, of others' decodes and of silence."""
    made = random.Random(0)
    heard = [generated(victim, clip).tolist() for clip in sounds]
    rows = [
        (clip, said, target)
        for clip, said in zip(sounds, heard, strict=True)
        for target in (said, *edits(said, made), made.choice(heard), [])
    ]
    targets = [torch.tensor(target, dtype=torch.int64) for *_, target in rows]
    matched = score(victim, [clip for clip, *_ in rows], targets).matched.tolist()
    assert matched == [said == target for _, said, target in rows]


@pytest.mark.parametrize("max_symbols", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", ["rnnt", "tdt"])
def test_matched_is_what_generate_says(tmp_path: Path, kind: str, max_symbols: int) -> None:
    victim = load(getattr(tiny, kind)(tmp_path, max_symbols=max_symbols))
    check_matched(victim, clips((16_000, 9_001, 24_320, 3_300, 2_000) * 2))


@pytest.mark.parametrize("durations", [(1,), (1, 2), (0, 2, 4)])
def test_generate_moves_by_the_number_of_a_duration_and_so_does_matched(
    tmp_path: Path, durations: tuple[int, ...]
) -> None:
    check_matched(load(tiny.tdt(tmp_path, durations=durations)), clips(LENGTHS * 2))


@KINDS
@pytest.mark.parametrize("bound", [{"max_length": 6}, {"max_new_tokens": 4}])
def test_matched_honours_a_bound_on_length(victim: Transducer, bound: dict[str, int]) -> None:
    victim.model.generation_config.update(**bound)
    check_matched(victim, clips())


@KINDS
def test_among_random_clips_there_is_something_and_nothing_to_hear(victim: Transducer) -> None:
    """The other tests of `matched` would mean little if the models only ever stuttered."""
    heard = [generated(victim, clip).tolist() for clip in clips(LENGTHS * 2)]
    assert len({tuple(said) for said in heard}) > 5
    assert len({symbol for said in heard for symbol in said}) > 5


def walk(choices: Choices, target: list[int], row: int, frames: int, steps: int) -> bool:
    """Greedy decoding in the obvious way, one step at a time."""
    t = held = 0
    said: list[int] = []
    for _ in range(steps):
        if t >= frames:
            break
        symbol = int(choices.symbol[row, t, len(said)])
        move = int(choices.moves[row, t, len(said)])
        if symbol == choices.blank:
            held = 0
        else:
            if [*said, symbol] != target[: len(said) + 1]:
                return False
            said.append(symbol)
            held += 1
            if choices.per_frame is not None and held >= choices.per_frame:
                move, held = 1, 0
        t += move
    return said == target


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(0, 4)),
    seed=st.integers(0, 10**6),
    per_frame=st.none() | st.integers(1, 3),
)
@settings(deadline=None, max_examples=80)
def test_greedy_decoding_is_the_walk(
    shape: tuple[int, int], seed: int, per_frame: int | None
) -> None:
    (T, U), B = shape, 6
    made = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *size: int) -> Tensor:
        return torch.randint(low, high, size, generator=made)

    frames, symbols, steps = draw(1, T + 1, B), draw(0, U + 1, B), draw(0, 2 * T + U, B)
    symbol = draw(0, 2, B, T, U + 1)  # 0 is the blank, 1 is said, seldom 2
    symbol = symbol.masked_fill(draw(0, 12, B, T, U + 1) == 0, 2)
    symbol[torch.arange(B), :, symbols] *= draw(0, 2, B, 1)
    moves = draw(0, 3, B, T, U + 1) if per_frame is None else torch.zeros_like(symbol)
    choices = Choices(symbol, torch.where(symbol == 0, moves.clamp(min=1), moves), 0, per_frame)
    targets = torch.ones(B, U, dtype=torch.int64)
    expected = [
        walk(choices, [1] * int(symbols[row]), row, int(frames[row]), int(steps[row]))
        for row in range(B)
    ]
    assert says(choices, targets, frames, symbols, steps).tolist() == expected


# ---- attacked


@pytest.mark.parametrize("kind", ["rnnt", "tdt"])
def test_a_short_attack_reaches_a_short_target(tmp_path: Path, kind: str) -> None:
    # a random prediction network does not stop a symbol from being said again; the bound does
    victim = load(getattr(tiny, kind)(tmp_path, max_symbols=1 if kind == "rnnt" else 3))
    start = torch.stack(clips((8_000,) * 4, seed=4))
    lengths, targets = torch.full((4,), 8_000), [victim.encode("ok", 8_000)] * 4
    before = victim.score(start, lengths, targets)
    delta = torch.zeros_like(start).requires_grad_()
    adam = torch.optim.Adam([delta], lr=1e-3)
    for _ in range(200):
        found = victim.score(start + delta, lengths, targets)
        if found.matched.any():
            break
        adam.zero_grad()
        found.loss.sum().backward()
        adam.step()
    assert not before.matched.any()
    (row, *_) = found.matched.nonzero()[:, 0].tolist()
    assert found.loss[row] < before.loss[row] / 2
    assert victim.transcribe((start + delta)[row].detach()) == "ok"


# ---- targets, settings


@KINDS
def test_targets_are_written_in_the_tokenizers_characters(victim: Transducer) -> None:
    symbols = victim.encode("Open it", 32_000)
    assert [tiny.PIECES[symbol] for symbol in symbols.tolist()] == list("\u2581open\u2581it")
    for target in ("naïve", "24", "open <blank> it", "a <pad> b"):
        with pytest.raises(TargetError):
            victim.encode(target, 32_000)


@pytest.mark.parametrize(("kind", "most"), [("rnnt", 3 * 7), ("tdt", 3 * 8 - 1)])
def test_a_target_too_long_for_the_clip_is_refused(
    folders: dict[str, Path], kind: str, most: int
) -> None:
    victim = load(folders[kind])
    length = 56 * 160  # 56 frames of features and 7 of the encoder; one more with the spare one
    assert len(victim.encode("a" * (most - 1), length)) == most
    with pytest.raises(TargetError, match=rf"takes {most + 1} symbols, .* at most {most};"):
        victim.encode("a" * most, length)


def test_where_each_symbol_takes_frames_the_frames_are_the_bound(tmp_path: Path) -> None:
    victim = load(tiny.tdt(tmp_path, durations=(2, 3)))
    length = 56 * 160
    assert len(victim.encode("a", length)) == 2  # 2 + 2 frames, and a blank of 2 or 3
    score_of = score(victim, [tiny.sound(length)], [victim.encode("a", length)])
    assert score_of.loss.isfinite().all()
    with pytest.raises(TargetError, match="at most 2"):
        victim.encode("ab", length)


@pytest.mark.parametrize("build", [tiny.rnnt, tiny.tdt])
def test_beams_are_refused(build: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(VictimError, match="no beam search"):
        load_recogniser(str(build(tmp_path)), device="cpu", beams=4)
    assert load_recogniser(str(tmp_path), device="cpu", beams=1).sample_rate == 16_000


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        ("rnnt", "suppress_tokens", [3]),
        ("tdt", "suppress_tokens", None),
        ("rnnt", "repetition_penalty", 1.2),
        ("tdt", "eos_token_id", 5),
        ("rnnt", "begin_suppress_tokens", [3]),
    ],
)
def test_settings_that_bend_greedy_decoding_are_refused(
    folders: dict[str, Path], kind: str, setting: str, value: Any
) -> None:
    victim = load(folders[kind])
    setattr(victim.model.generation_config, setting, value)
    with pytest.raises(VictimError, match=setting):
        Transducer(kind, victim.model, victim.processor)
