"""The embedded recogniser: against transformers, against the shipped model, and as a victim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_seq2seq as tiny
import torch
import torch.nn.functional as F
import transformers as hf
from conftest import Clip
from seq2seq_clauses import (
    check_attack,
    check_gradient,
    check_gradient_is_finite,
    check_loss_is_of_what_is_decoded,
    check_matched,
    check_rows,
    told,
)
from seq2seq_clauses import load as load_tiny
from stages import preset
from torch import Tensor

from mondegreen import attack
from mondegreen.audio.batch import pad
from mondegreen.audio.pcm import load, save
from mondegreen.errors import TargetError, VictimError
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.trajectory import Trajectory
from mondegreen.victims import load_recogniser, load_victim
from mondegreen.victims.embedded.int8 import MoonshineInt8
from mondegreen.victims.embedded.tokenizer import START
from mondegreen.victims.families.moonshine import HubMoonshine, Moonshine, max_tokens
from mondegreen.victims.guard import bare

TARGET = "Open the door."


@pytest.fixture(scope="module")
def victim() -> Moonshine:
    loaded = bare(load_victim("moonshine-tiny", device="cpu"))
    assert isinstance(loaded, Moonshine)
    return loaded


@pytest.fixture(scope="module")
def int8() -> MoonshineInt8:
    loaded = bare(load_recogniser("moonshine-tiny-int8"))
    assert isinstance(loaded, MoonshineInt8)
    return loaded


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


def score(victim: Moonshine, clips: list[Tensor], target: str = TARGET) -> tuple[Tensor, Tensor]:
    audio, lengths = pad(clips)
    found = victim.score(audio, lengths, [victim.encode(target, 160_000)] * len(clips))
    return found.loss, found.matched


# ---- the conversion


def test_it_hears_the_recording_in_the_wheel(victim: Moonshine, speech: Tensor) -> None:
    # the recording is of a known sentence (Beckett, Worstward Ho)
    said = "ever tried ever failed no matter try again fail again fail better"
    heard = "".join(c for c in victim.transcribe(speech).lower() if c.isalpha() or c == " ")
    assert heard == said


@pytest.fixture(scope="module")
def heard(
    victim: Moonshine, beckett: Path, two_cities: Path, clips: list[Clip]
) -> list[tuple[Tensor, str]]:
    """Recordings, and what the float model makes of them."""
    paths = [beckett, two_cities, *(clip.path for clip in clips)]
    audio = [torch.from_numpy(load(path, 16_000)) for path in paths]
    return [(one, victim.transcribe(one)) for one in audio]


SURE = 1.0  # what int8 may move a logit by; its logits' own rms is 8 to 10


@pytest.mark.slow
def test_float_and_shipped_int8_model_agree(
    victim: Moonshine, int8: MoonshineInt8, heard: list[tuple[Tensor, str]]
) -> None:
    """Along the float model's own transcript, the int8 model says the same where that is sure.

    Where two tokens are nearly as likely, which one int8 prefers hangs on the processor: its sums
    are rounded otherwise on AMD's than on Intel's.
    """
    for audio, transcript in heard:
        ids = [START, *victim.tokenizer.encode(transcript)]
        ours = float_logits(victim, audio, ids)
        theirs = int8.logits(audio, ids)
        said, other = ours.argmax(-1), theirs.argmax(-1)
        places = np.arange(len(ours))
        assert (ours[places, said] - ours[places, other] < SURE).all()
        assert (said != other).sum() <= 1
        # int8 activations: measured 2.5 to 3.1 % of the logits' size on seven clips
        assert rms(ours - theirs) < 0.05 * rms(ours)


@pytest.mark.slow
def test_float_and_shipped_transcripts_agree_where_the_float_model_is_sure(
    victim: Moonshine, int8: MoonshineInt8, heard: list[tuple[Tensor, str]]
) -> None:
    both = [(audio, ours, int8.transcribe(audio)) for audio, ours in heard]
    differing = [(audio, *texts) for audio, *texts in both if texts[0] != texts[1]]
    # 61-70968-0011 spells the name "Fitzooth" in another way; one more is as unsure elsewhere
    assert len(differing) <= 2
    for audio, *texts in differing:
        ours, theirs = map(victim.tokenizer.encode, texts)
        same = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
        logits = float_logits(victim, audio, [START, *ours[:same]])[-1]
        assert logits[ours[same]] - logits[theirs[same]] < SURE


def float_logits(victim: Moonshine, audio: Tensor, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        out = victim.model(input_values=audio[None], decoder_input_ids=torch.tensor([ids]))
    return out.logits[0].numpy()


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


# ---- the victim's contract, on the real model


def test_loss_is_the_models_own(victim: Moonshine, speech: Tensor) -> None:
    tokens = victim.encode(TARGET, len(speech))
    logits = torch.from_numpy(float_logits(victim, speech, [START, *tokens[:-1].tolist()]))
    own = F.cross_entropy(logits, tokens, reduction="sum")
    loss, _ = score(victim, [speech])
    torch.testing.assert_close(loss[0], own, rtol=1e-5, atol=0)


def test_matched_is_what_the_decoder_says(victim: Moonshine, speech: Tensor) -> None:
    heard = victim.transcribe(speech)
    assert score(victim, [speech], heard)[1].tolist() == [True]
    for other in (TARGET, heard[:-1], heard + " Again."):
        assert score(victim, [speech], other)[1].tolist() == [False]


def test_a_row_of_a_batch_is_the_clip_alone(victim: Moonshine, speech: Tensor) -> None:
    clips = [speech[:48_000], speech[20_000:53_001], speech[60_000:84_000]]
    together, _ = score(victim, clips)
    alone = torch.cat([score(victim, [clip])[0] for clip in clips])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-4)


def test_what_stands_in_the_padding_is_never_heard(victim: Moonshine, speech: Tensor) -> None:
    audio, lengths = pad([speech[:48_000], speech[:30_000]])
    noisy = audio.clone()
    noisy[1, 30_000:] = torch.randn(18_000)
    tokens = [victim.encode(TARGET, 48_000)] * 2
    clean, dirty = victim.score(audio, lengths, tokens), victim.score(noisy, lengths, tokens)
    torch.testing.assert_close(clean.loss, dirty.loss, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["speech", "silence", "clipped", "short"])
def test_gradients_are_finite_and_zero_in_the_padding(
    victim: Moonshine, speech: Tensor, kind: str
) -> None:
    clip = {
        "speech": speech[:32_000],
        "silence": torch.zeros(32_000),
        "clipped": (speech[:32_000] * 100).clamp(-1, 1),
        "short": speech[:1_600],
    }[kind]
    audio, lengths = pad([clip, speech[:40_000]])
    audio.requires_grad_()
    loss = victim.score(audio, lengths, [victim.encode(TARGET, 40_000)] * 2).loss
    (gradient,) = torch.autograd.grad(loss.sum(), audio)
    assert gradient.isfinite().all()
    assert gradient[0, : len(clip)].abs().max() > 0
    assert gradient[0, len(clip) :].abs().max() == 0


def test_the_weights_want_no_gradient(victim: Moonshine) -> None:
    assert not any(p.requires_grad for p in victim.model.parameters())


def test_gradient_agrees_with_finite_differences(speech: Tensor) -> None:
    victim = load_victim("moonshine-tiny", device="cpu", dtype=torch.float64)
    clip = speech[:24_000].double()
    lengths, tokens = torch.tensor([len(clip)]), [victim.encode(TARGET, 24_000)]

    def loss(audio: Tensor) -> Tensor:
        return victim.score(audio[None], lengths, tokens).loss[0]

    (gradient,) = torch.autograd.grad(loss(clip.requires_grad_()), clip)
    direction = torch.randn(len(clip), generator=torch.Generator().manual_seed(0)).double()
    step = 1e-7
    with torch.no_grad():
        slope = (loss(clip + step * direction) - loss(clip - step * direction)) / (2 * step)
    torch.testing.assert_close(gradient @ direction, slope, rtol=1e-5, atol=1e-5)


# ---- targets


def test_a_target_too_long_for_the_clip_is_refused(victim: Moonshine) -> None:
    length = 16_000
    with pytest.raises(TargetError, match=r"in 1\.0 s the recogniser writes at most 4"):
        victim.encode("This is much more than one second has room for.", length)
    assert len(victim.encode("Yes.", length)) < max_tokens(length)


def test_a_target_with_a_character_unknown_to_the_model_is_refused(victim: Moonshine) -> None:
    with pytest.raises(TargetError, match="no token"):
        victim.encode("Open the 🚪", 160_000)


# ---- in the layout of the hub: tiny, random, with other sizes and other special tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.moonshine(tmp_path_factory.mktemp("moonshine") / "tiny")


@pytest.fixture(scope="module")
def hub(folder: Path) -> HubMoonshine:
    return load_tiny(HubMoonshine, folder)


def generate(victim: HubMoonshine, clip: Tensor, **options: Any) -> Any:
    """As the model's card has it: through the processor, under the makers' bound."""
    inputs = victim.processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt")
    bound = {"max_length": int(len(clip) * 6.5 / 16_000)}
    return victim.model.generate(**inputs, **(bound | options))


def say(victim: HubMoonshine, clip: Tensor) -> Tensor:
    return told(victim, generate(victim, clip)[0], [3])


def test_start_and_end_are_the_checkpoints(hub: HubMoonshine) -> None:
    assert hub.generation.prompt == (3,)
    pieces = hub.processor.tokenizer.convert_ids_to_tokens(hub.encode("the top", 32_000))
    assert pieces == ["▁the", "▁t", "op", "</s>"]


def test_the_tiny_loss_is_the_models_own(hub: HubMoonshine) -> None:
    clip, target = tiny.sounds(2)[1], hub.encode("the top", 32_000)
    with torch.no_grad():
        own = hub.model(clip[None], labels=target[None]).loss
        loss = hub.score(clip[None], torch.tensor([len(clip)]), [target]).loss[0]
    torch.testing.assert_close(loss, own * len(target), rtol=1e-4, atol=0)


def test_the_tiny_loss_is_of_what_is_decoded(hub: HubMoonshine) -> None:
    def run(clip: Tensor) -> tuple[Tensor, list[Tensor]]:
        out = generate(hub, clip, return_dict_in_generate=True, output_scores=True)
        return told(hub, out.sequences[0], [3]), list(out.scores)

    check_loss_is_of_what_is_decoded(hub, tiny.sounds(8), run)


def test_tiny_matched_is_what_generate_says(hub: HubMoonshine) -> None:
    check_matched(hub, tiny.sounds(10), lambda clip: say(hub, clip), [4, 5], room=8)


def test_tiny_matched_honours_suppressed_symbols(hub: HubMoonshine, tmp_path: Path) -> None:
    clips = tiny.sounds(8)
    opening = sorted({int(say(hub, clip)[0]) for clip in clips} - {hub.generation.end})
    folder = tiny.moonshine(tmp_path / "tiny", suppress_tokens=opening)
    barred = load_tiny(HubMoonshine, folder)
    assert all(int(say(barred, clip)[0]) not in opening for clip in clips)
    check_matched(barred, clips, lambda clip: say(barred, clip), opening[:1], room=8)


def test_a_tiny_row_is_the_clip_alone(folder: Path) -> None:
    hub = load_tiny(HubMoonshine, folder, torch.float64)
    words = ("the", "top", "the top of the", "a")
    check_rows(hub, [hub.encode(text, 32_000) for text in words])


def test_tiny_gradients_are_finite_and_right(hub: HubMoonshine, folder: Path) -> None:
    check_gradient_is_finite(hub, hub.encode("top", 32_000))
    exact = load_tiny(HubMoonshine, folder, torch.float64)
    check_gradient(exact, exact.encode("top", 32_000))


def test_the_tiny_attack_is_heard(hub: HubMoonshine) -> None:
    check_attack(hub, "the", tiny.sounds(4, 16_000)[1])


def test_tiny_transcribing_is_processor_and_generate(folder: Path) -> None:
    hub = load_tiny(HubMoonshine, folder)
    transcripts = []
    for hub.beams in (1, 4):
        for clip in tiny.sounds(6):
            ids = generate(hub, clip, num_beams=hub.beams)
            assert hub.transcribe(clip) == hub.processor.decode(ids[0], skip_special_tokens=True)
            transcripts.append(hub.transcribe(clip))
    assert transcripts[:6] != transcripts[6:]


@pytest.mark.parametrize("target", ["open the ☃", "the</s> top"])
def test_what_the_tiny_model_cannot_write_is_refused(hub: HubMoonshine, target: str) -> None:
    with pytest.raises(TargetError, match="cannot write"):
        hub.encode(target, 160_000)


def test_room_is_what_generate_has_room_for(tmp_path: Path) -> None:
    """An end that is out of sight makes generation stop at its bound, the end's place included."""
    clip = tiny.sounds(1)[0]
    bounds: list[tuple[dict[str, int], int]] = [({}, 8), ({"max_new_tokens": 3}, 3)]
    for number, (bound, room) in enumerate(bounds):
        folder = tiny.moonshine(tmp_path / str(number), suppress_tokens=[2], **bound)
        endless = load_tiny(HubMoonshine, folder)
        assert len(say(endless, clip)) == room
        hub = load_tiny(HubMoonshine, tiny.moonshine(tmp_path / f"{number}, ending", **bound))
        assert len(hub.encode("b" * (room - 2), len(clip))) == room  # with a space before, and end
        with pytest.raises(TargetError, match=f"takes {room} tokens.*at most {room - 1};"):
            hub.encode("b" * (room - 1), len(clip))


def test_what_matches_within_the_checkpoints_bound_is_the_transcript(tmp_path: Path) -> None:
    hub = load_tiny(HubMoonshine, tiny.moonshine(tmp_path / "tiny", max_new_tokens=3))
    check_matched(hub, tiny.sounds(24), lambda clip: say(hub, clip), [4, 5], room=3)


def test_a_processor_that_normalises_the_waveform_is_honoured(tmp_path: Path) -> None:
    hub = load_tiny(HubMoonshine, tiny.moonshine(tmp_path / "tiny", do_normalize=True))
    assert hub.frontend_error < 1e-4
    clips = [clip / 4 for clip in tiny.sounds(10)]
    check_matched(hub, clips, lambda clip: say(hub, clip), [4, 5], room=8)
    exact = load_tiny(HubMoonshine, tmp_path / "tiny", torch.float64)
    check_rows(exact, [exact.encode(text, 32_000) for text in ("the", "top", "the top", "a")])


def test_a_processor_for_another_rate_is_refused(tmp_path: Path) -> None:
    folder = tiny.moonshine(tmp_path / "tiny")
    processor = hf.AutoProcessor.from_pretrained(folder)
    processor.feature_extractor.sampling_rate = 8_000
    model = hf.AutoModelForSpeechSeq2Seq.from_pretrained(folder)
    with pytest.raises(VictimError, match="for 8000 Hz"):
        HubMoonshine("tiny", model, processor)


def test_a_model_with_two_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VictimError, match=r"\[2, 5\]"):
        load_tiny(HubMoonshine, tiny.moonshine(tmp_path / "tiny", eos_token_id=[2, 5]))


def test_an_end_or_a_start_that_would_be_printed_is_refused(tmp_path: Path) -> None:
    """The tokenizer does not know them as markers: nothing that is heard would be the target."""
    with pytest.raises(VictimError, match=r"prints 'a' around every transcript.*\[3, 5\]"):
        load_tiny(HubMoonshine, tiny.moonshine(tmp_path / "end", eos_token_id=5))
    with pytest.raises(VictimError, match=r"prints 'b' around every transcript.*\[6, 2\]"):
        load_tiny(HubMoonshine, tiny.moonshine(tmp_path / "start", decoder_start_token_id=6))


def test_generation_starts_as_its_own_does(tmp_path: Path, hub: HubMoonshine) -> None:
    """Without a start symbol of its own, with that of a sentence."""
    folder = tiny.moonshine(tmp_path / "bos", decoder_start_token_id=None, bos_token_id=3)
    assert load_tiny(HubMoonshine, folder).generation.prompt == hub.generation.prompt == (3,)
    with pytest.raises(VictimError, match="neither decoder_start_token_id nor bos_token_id"):
        load_tiny(
            HubMoonshine,
            tiny.moonshine(tmp_path / "none", decoder_start_token_id=None, bos_token_id=None),
        )


def test_what_every_call_overrules_changes_nothing(tmp_path: Path, hub: HubMoonshine) -> None:
    several = {"do_sample": True, "num_beams": 3, "num_return_sequences": 2, "temperature": 3.0}
    folder = tiny.moonshine(tmp_path / "odd", return_dict_in_generate=True, **several)
    odd = load_tiny(HubMoonshine, folder)
    for clip in tiny.sounds(3):
        assert odd.transcribe(clip) == hub.transcribe(clip)


# ---- attacked


@pytest.mark.slow
def test_the_fast_attack_on_real_speech_is_verified(
    victim: Moonshine, speech: Tensor, tmp_path: Path
) -> None:
    save(tmp_path / "clip.wav", speech[:20_000], 16_000)  # of "ever tried"
    result = attack(victim, tmp_path / "clip.wav", "open the door", max_passes=120)
    assert result.verified
    audible = [p.masking_loss for p in result.record.curve if p.masking_loss is not None]
    assert result.record.quality.masking is not None
    assert result.record.quality.masking.loss < audible[0] / 2


@pytest.mark.slow
def test_a_clip_in_a_batch_of_three_is_the_clip_alone(speech: Tensor) -> None:
    """In float64, where rounding is too small to turn a gradient's sign over."""
    victim = load_victim("moonshine-tiny", device="cpu", dtype=torch.float64)
    pieces = [speech[5_000 : 5_000 + n].double() for n in (12_000, 14_405, 19_200)]

    def run(clips: list[Tensor]) -> list[Trajectory]:
        audio, lengths = pad(clips)
        tokens = [victim.encode("Yes.", len(clip)) for clip in clips]
        search = Search(victim, clips, tokens, masking_threshold(audio, lengths, 16_000))
        first, second = preset("imperceptible", "fast")
        list(search.run([replace(first, steps=10), replace(second, steps=4)]))
        return search.trajectories

    together = run(pieces)
    assert any(row.first_match for row in together)
    for piece, row in zip(pieces, together, strict=True):
        (alone,) = run([piece])
        assert row.first_match == alone.first_match
        assert row.passes == alone.passes
        torch.testing.assert_close(row.delta, alone.delta, rtol=0, atol=1e-9)
