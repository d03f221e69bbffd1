"""Whisper's long form, on tiny random checkpoints, against its own `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_seq2seq as tiny
import torch
from seq2seq_clauses import load
from torch import Tensor

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.families.whisper import Whisper
from mondegreen.victims.guard import attackable

WORDS = T, THE, OP = 256, 258, 260  # " t", " the", " op": all that these may say
PROMPT, END, ZERO = [263, 264, 268], 262, 271  # numbers from ZERO on are timestamps


def talker(folder: Path, **settings: Any) -> Any:
    never = [symbol for symbol in range(262) if symbol not in WORDS]
    free = {"suppress_tokens": never, "begin_suppress_tokens": None}
    return load(Whisper, tiny.whisper(folder, **free, **settings))


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return talker(tmp_path_factory.mktemp("whisper") / "talker")


def recording(victim: Any, seed: int = 3) -> Tensor:
    return torch.cat(tiny.sounds(seed))[: 2 * victim.window + 99]


@pytest.fixture(scope="module")
def clip(victim: Any) -> Tensor:
    return recording(victim)


def own(victim: Any, clip: Tensor) -> list[tuple[int, list[int]]]:
    """Each window's first frame, and all that is generated in it, by its own `generate`."""
    long = {"truncation": False, "padding": "longest", "return_attention_mask": True}
    inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt", **long)
    begins: list[int] = []
    found = victim.model.generate(
        **inputs,
        **{"return_timestamps": True, "language": "en", "task": "transcribe", "num_beams": 1},
        return_segments=True,
        monitor_progress=lambda progress: begins.append(int(progress[0, 0])),
    )
    results = {id(one["result"]): one["result"].tolist()[3:] for one in found["segments"][0]}
    return list(zip(begins, results.values(), strict=True))


def score(victim: Any, *rows: tuple[Tensor, Tensor]) -> Any:
    clips = [clip.to(victim.dtype) for clip, _ in rows]
    audio = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=0.3)
    lengths = torch.tensor([len(clip) for clip in clips])
    return victim.score(audio, lengths, [tokens for _, tokens in rows])


def target_of(begin: int, written: list[int]) -> Tensor:
    return torch.tensor([begin, *written])


def test_what_each_window_says_is_matched_and_nothing_else(victim: Any, clip: Tensor) -> None:
    windows = own(victim, clip)
    assert len(windows) > 1
    for begin, written in windows:
        assert score(victim, (clip, target_of(begin, written))).matched
        other = [WORDS[0] if s == WORDS[1] else WORDS[1] if s in WORDS else s for s in written]
        if other != written:
            assert not score(victim, (clip, target_of(begin, other))).matched


def test_it_says_of_other_sounds_whether_they_are_heard_so(victim: Any, clip: Tensor) -> None:
    outcomes = set()
    for seed, loud in enumerate((1e-4, 0.01, 0.1)):
        noise = torch.randn(len(clip), generator=torch.Generator().manual_seed(seed))
        sound = (clip + loud * noise).clamp(-1, 1)
        there = dict(own(victim, sound))
        for begin, written in own(victim, clip):
            if begin in there:
                same = there[begin] == written
                assert bool(score(victim, (sound, target_of(begin, written))).matched) == same
                outcomes.add(same)
    assert outcomes == {True, False}


def test_the_loss_is_of_what_its_own_forward_says(victim: Any, clip: Tensor) -> None:
    """With the rules of timestamps once more, symbol by symbol."""
    begin, written = own(victim, clip)[1]
    long = {"truncation": False, "padding": "longest"}
    features = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt", **long)
    window = features.input_features[:, :, begin : begin + 200]
    window = torch.nn.functional.pad(window, (0, 200 - window.shape[-1]))
    prompt = list(victim.generation.prompt[:-1])
    given = torch.tensor([prompt + written[:-1]])
    logits = victim.model(input_features=window, decoder_input_ids=given).logits[0, 2:]
    never, timed = sorted(victim.generation.suppressed | {270}), 271
    total = 0.0
    for place, (row, symbol) in enumerate(zip(logits.clone(), written, strict=True)):
        row[never] = -torch.inf
        before = written[:place]
        stamps = [s for s in before if s >= timed]
        if not before:
            row[:timed] = -torch.inf
        elif before[-1] >= timed:
            if len(before) < 2 or before[-2] >= timed:
                row[timed:] = -torch.inf
            else:
                row[:262] = -torch.inf
        if stamps:
            alone = before[-1] >= timed and len(before) > 1 and before[-2] < timed
            row[timed : stamps[-1] + (0 if alone else 1)] = -torch.inf
        total -= float(row.log_softmax(-1)[symbol])
    found = float(score(victim, (clip, target_of(begin, written))).loss)
    assert found == pytest.approx(total, rel=1e-4)


def test_a_recording_is_scored_as_alone(victim: Any, clip: Tensor) -> None:
    """In a batch with others, some of which are no longer than a window."""
    (one, said), (two, also) = own(victim, clip)[:2]
    short = clip[: victim.window]
    rows = [
        (clip, target_of(two, also)),
        (short, victim.encode("the op", len(short))),
        (clip[:-500], target_of(one, said)),
    ]
    together = score(victim, *rows)
    for number, row in enumerate(rows):
        alone = score(victim, row)
        torch.testing.assert_close(together.loss[number], alone.loss[0], rtol=1e-4, atol=1e-4)
        assert together.matched[number] == alone.matched[0]


def test_the_gradient_is_that_of_the_loss(tmp_path: Path, clip: Tensor) -> None:
    """Against a difference quotient in a random direction, in float64."""
    folder = tiny.whisper(tmp_path / "whisper", suppress_tokens=None, begin_suppress_tokens=None)
    exact, sound = load(Whisper, folder, torch.float64), clip.double().requires_grad_()
    tokens, step = target_of(150, [ZERO, THE, OP, 281, END]), 1e-7
    along = torch.randn(len(clip), generator=torch.Generator().manual_seed(0)).double()
    (slope,) = torch.autograd.grad(score(exact, (sound, tokens)).loss.sum(), sound)
    with torch.no_grad():
        after, before = (
            float(score(exact, (sound + by * along, tokens)).loss) for by in (step, -step)
        )
    assert (after - before) / (2 * step) == pytest.approx(float(slope @ along), rel=1e-4)


# ---- which window, and what is to be generated in it


FIRST = torch.tensor([*PROMPT, ZERO, THE, OP, 281, 281, T, THE, 296, 296, OP, END])
SECOND = torch.tensor([*PROMPT, ZERO, OP, THE, 300, END])
HEARD = [(FIRST, 3, 7), (FIRST, 7, 12), (SECOND, 3, 7)]  # "the op", "t the"; "op the"


@pytest.fixture
def talked(victim: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """It hears two windows, of which the second begins after 0.5 s."""
    found = [{"result": result, "idxs": (begin, end)} for result, begin, end in HEARD]
    monkeypatch.setattr(victim._long, "_generate", lambda _: (found, [0, 50]))
    return attackable(victim)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("the op op op op the", [0, ZERO, THE, OP, 281, 281, OP, OP, 296, 296, OP, END]),
        ("op op t the op the", [0, ZERO, OP, OP, 281, 281, T, THE, 296, 296, OP, END]),
        ("op op the", [0, ZERO, OP, 296, 296, OP, END]),  # of two segments one is left
        ("the op t t the op the", [0, ZERO, THE, OP, 281, 281, T, T, THE, 296, 296, OP, END]),
        ("the op t the t t t", [50, ZERO, T, T, T, 300, END]),
        ("the op t the op the", [50, ZERO, OP, THE, 300, END]),  # as it is
        ("the op t the op the t", [50, ZERO, OP, THE, T, 300, END]),
    ],
)
def test_words_are_replaced_between_timestamps_that_stay(
    talked: Any, clip: Tensor, target: str, expected: list[int]
) -> None:
    assert talked.encode_long(target, clip).tolist() == expected


def test_what_lies_in_two_windows_is_refused(talked: Any, clip: Tensor) -> None:
    with pytest.raises(TargetError, match=r"in two windows .* of which begins at 0\.50 s; attack"):
        talked.encode_long("the op t op t the", clip)


def test_a_recording_without_words_is_refused(victim: Any, monkeypatch: Any, clip: Tensor) -> None:
    silent = [{"result": torch.tensor([263, 264, 268, 271, 262]), "idxs": (3, 4)}]
    monkeypatch.setattr(victim._long, "_generate", lambda _: (silent, [0]))
    with pytest.raises(TargetError, match="no words are heard"):
        victim.encode_long("op", clip)


def test_windows_that_hang_on_what_was_said_before_are_refused(tmp_path: Path) -> None:
    victim = talker(tmp_path / "conditioned", condition_on_prev_tokens=True)
    with pytest.raises(VictimError, match="leaves out condition_on_prev_tokens"):
        victim.encode_long("op", recording(victim))


def test_what_a_window_holds_is_encoded_as_ever(victim: Any, clip: Tensor) -> None:
    short = clip[: victim.window]
    found = attackable(victim).encode_long("the op", short)
    assert torch.equal(found, victim.encode("the op", len(short)))
