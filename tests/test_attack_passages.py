"""Passages of recordings, and samples: attacked, saved, and read by everything downstream."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import MondegreenError, attack, attack_batch
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.recording import Recording
from mondegreen.attacks.result import Result
from mondegreen.audio.passage import Passage
from mondegreen.audio.pcm import FULL_SCALE, load, save, to_pcm16
from mondegreen.errors import AudioError, OptionError
from mondegreen.judging.evaluate import evaluate
from mondegreen.judging.subject import Subject
from mondegreen.judging.verify import recheck
from mondegreen.options import Options
from mondegreen.psychoacoustics.excess import excess_db
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.report.page.write import write_report
from mondegreen.results.item import read_item
from mondegreen.results.sounds import read_sounds

RATE, LENGTH = 16_000, 40_000
BEGIN, END = 12_008, 20_200  # 0.7505 s to 1.2625 s
SECONDS = {"begin": 0.7505, "end": 1.2625}


def victim() -> LinearVictim:
    return linear_victim(length=LENGTH, bias=-8.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "meeting.wav"
    save(path, speech(2, LENGTH), RATE)
    return path


@pytest.fixture(scope="module")
def found(recording: Path) -> Result:
    return attack(victim(), recording, TARGET, **SECONDS, max_passes=120, under_threshold=10.0)


@pytest.fixture(scope="module")
def item(found: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found.save(tmp_path_factory.mktemp("result") / "item")


# ---- what is saved ---------------------------------------------------------------------------


def test_the_whole_recording_is_saved_with_nothing_changed_but_the_passage(
    recording: Path, found: Result, item: Path
) -> None:
    before, after = load(recording, RATE), load(item / "adversarial.wav", RATE)
    assert np.array_equal(after[:BEGIN], before[:BEGIN])
    assert np.array_equal(after[END:], before[END:])
    assert np.array_equal(after[BEGIN:END] - before[BEGIN:END], found.delta)
    assert found.delta.any()
    assert found.record.passage == (BEGIN, END)


def test_it_is_verified_by_what_the_passage_is_heard_as(found: Result, item: Path) -> None:
    whole = torch.from_numpy(load(item / "adversarial.wav", RATE))
    assert victim().transcribe(whole[BEGIN:END]) == TARGET
    assert found.verified
    assert found.record.heard == TARGET
    assert found.record.heard_whole == victim().transcribe(whole)


def test_the_bound_is_kept_under_the_threshold_of_the_whole(recording: Path, item: Path) -> None:
    before = torch.from_numpy(load(recording, RATE)).double()
    after = torch.from_numpy(load(item / "adversarial.wav", RATE)).double()
    threshold = masking_threshold(before[None], None, RATE)
    worst = float(excess_db((after - before)[None], threshold).max())
    masking = read_item(item).record.quality.masking
    assert worst == pytest.approx(masking.max_excess_db, abs=1e-3)
    assert worst <= 10.0


class Picky(LinearVictim):
    """Takes no more than a passage."""

    def transcribe(self, audio: torch.Tensor) -> str:
        if len(audio) > END - BEGIN:
            raise MemoryError
        return super().transcribe(audio)


def test_a_recogniser_that_does_not_take_the_whole_costs_nothing(recording: Path) -> None:
    picky = Picky(victim().weight, victim().bias)
    result = attack(picky, recording, TARGET, **SECONDS, method="carlini-wagner", max_passes=40)
    assert result.verified
    assert result.record.heard_whole is None


def test_ctrl_c_while_the_whole_is_heard_is_a_stop(recording: Path) -> None:
    class Stopped(LinearVictim):
        def transcribe(self, audio: torch.Tensor) -> str:
            if len(audio) > END - BEGIN:
                raise KeyboardInterrupt
            return super().transcribe(audio)

    stopped = Stopped(victim().weight, victim().bias)
    record = attack(
        stopped, recording, TARGET, **SECONDS, method="carlini-wagner", max_passes=40
    ).record
    assert (record.verified, record.interrupted, record.heard_whole) == (True, True, None)
    assert "while all of the recording was heard" in record.warnings[-1]


def test_the_passage_from_the_first_second_to_the_last_is_the_recording(recording: Path) -> None:
    options = Options(method="carlini-wagner", max_passes=30)
    (passage,) = attack_batch(
        victim(), [Recording(recording, Passage(0.0, 2.5))], [TARGET], options
    )
    (whole,) = attack_batch(victim(), [recording], [TARGET], options)
    assert passage.record.passage is None
    assert np.array_equal(passage.adversarial, whole.adversarial)


@pytest.mark.parametrize(
    ("begin", "end", "match"),
    [
        (2.0, 1.0, r"from 2 s to 1 s, expected one that ends at least 0\.1 s after it begins"),
        (2.0, 9.0, r"meeting\.wav: Got .* 2 s to 9 s, and the recording lasts 2\.5 s"),
        (float("nan"), None, "from nan s to the end, expected seconds"),
        ("1", None, "Got begin='1'.*expected seconds"),
    ],
)
def test_no_such_passage(recording: Path, begin: float, end: float | None, match: str) -> None:
    with pytest.raises(AudioError, match=match):
        attack(victim(), recording, TARGET, begin=begin, end=end)


# ---- downstream ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [None, 1])
def test_it_is_confirmed_by_its_passage(item: Path, batch: int | None) -> None:
    (claim,) = recheck(item, victim(), batch=batch)
    assert claim.confirmed
    assert claim.over_db == 0.0


def test_an_item_is_the_passage_and_knows_the_recording(recording: Path, item: Path) -> None:
    read = read_item(item)
    before = to_pcm16(load(recording, RATE))
    assert np.array_equal(read.clean * FULL_SCALE, before[BEGIN:END])
    excerpt = read.excerpt()
    assert excerpt is not None
    assert np.array_equal(excerpt.whole, before)
    assert (excerpt.begin, excerpt.end) == (BEGIN, END)


def test_the_sounds_to_listen_to_are_the_passage(
    recording: Path, found: Result, item: Path
) -> None:
    sounds = read_sounds(item, read_item(item).record)
    assert np.array_equal(sounds.original, to_pcm16(load(recording, RATE))[BEGIN:END])
    assert np.array_equal(sounds.adversarial, to_pcm16(found.adversarial))
    assert sounds.seconds == pytest.approx(0.512)


def test_what_is_evaluated_and_examined_is_the_passage(item: Path, found: Result) -> None:
    seen = evaluate(victim(), item, toy_bank())
    assert seen.survival.dry.heard == 1.0
    made = Subject.of(item, victim(), None, (), sample=1, seed=0)
    (drawn,) = made.drawn
    assert np.array_equal(drawn.case.clean.numpy(), found.clean)
    assert drawn.case.loudest == found.loudest > 0


def test_a_report_is_written(item: Path, tmp_path: Path) -> None:
    page = write_report([[item]], tmp_path / "page.html").page.read_text(encoding="utf-8")
    assert "the passage from 0.75 s to 1.26 s of the recording" in page


@pytest.mark.parametrize("passage", [[END, BEGIN], [BEGIN, LENGTH + 1], [BEGIN, END - 1]])
def test_a_record_of_another_passage_is_damage(
    item: Path, tmp_path: Path, passage: list[int]
) -> None:
    copy = Path(shutil.copytree(item, tmp_path / "copy"))
    record = json.loads((copy / "record.json").read_text(encoding="utf-8"))
    (copy / "record.json").write_text(json.dumps(record | {"passage": passage}), encoding="utf-8")
    with pytest.raises(MondegreenError, match="is not a whole result"):
        read_item(copy)
    (claim,) = recheck(copy, victim())
    assert not claim.confirmed


def test_an_attack_goes_on_from_the_same_passage_alone(recording: Path, tmp_path: Path) -> None:
    first = attack(victim(), recording, TARGET, **SECONDS, method="carlini-wagner", max_passes=40)
    start = first.save(tmp_path / "first")
    result = attack(victim(), recording, TARGET, **SECONDS, start=start, max_passes=40)
    assert result.verified
    (clip,) = prepare(
        victim(), [Recording(recording, Passage(**SECONDS))], [TARGET], Options(), [first]
    )
    assert clip.start is not None
    assert np.array_equal(clip.start.numpy(), first.delta)
    with pytest.raises(OptionError, match="another passage"):
        attack(victim(), recording, TARGET, begin=0.5, end=1.012, start=start)


# ---- samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.float32])
def test_samples_are_attacked_as_the_file_of_them(tmp_path: Path, kind: type) -> None:
    sound = speech(0)
    save(tmp_path / "samples.wav", sound.numpy(), RATE)
    samples = sound.to(kind) if isinstance(kind, torch.dtype) else sound.numpy().astype(kind)
    how = {"method": "carlini-wagner", "max_passes": 30}
    from_memory = attack(linear_victim(), samples, TARGET, sample_rate=RATE, **how)
    from_file = attack(linear_victim(), tmp_path / "samples.wav", TARGET, **how)
    assert np.array_equal(from_memory.adversarial, from_file.adversarial)
    assert (from_memory.record.audio, from_memory.record.id) == ("(samples)", "samples")
    assert from_memory.verified


def test_samples_are_converted_and_cut(tmp_path: Path) -> None:
    sound = np.sin(np.arange(24_000) / 9).astype(np.float32) * 0.5
    recording = Recording(sound, Passage(1.0, 1.5), sample_rate=8_000)
    clean, excerpt = recording.read(RATE)
    assert excerpt is not None
    assert (excerpt.begin, excerpt.end, len(excerpt.whole)) == (16_000, 24_000, 48_000)
    torch.testing.assert_close(clean[::2], torch.from_numpy(sound[8_000:12_000]), rtol=0, atol=2e-3)


def test_several_samples_have_names_of_their_own() -> None:
    sounds = [Recording(speech(n).numpy(), sample_rate=RATE) for n in range(2)]
    clips = prepare(linear_victim(), sounds, [TARGET] * 2, Options())
    assert [clip.id for clip in clips] == ["samples", "samples-2"]


FINE = np.full(8192, 0.1, np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "match"),
    [
        (FINE, None, "sample_rate=None, expected the whole number of Hz"),
        (FINE, 0, "sample_rate=0, expected"),
        (FINE, 16e3, r"sample_rate=16000\.0, expected the whole number"),
        (FINE, 10**9, "sample_rate=1000000000, expected the whole number .* 1000 to 768000"),
        ((FINE * 32767).astype(np.int16), RATE, "samples of int16.*Divide 16-bit integers"),
        (FINE * 32767, RATE, "up to 3276.7, expected"),
        (FINE[:, None], RATE, r"shape \[8192, 1\], expected one channel"),
        (np.full(8192, np.nan), RATE, "NaN or infinite"),
        (FINE * 0, RATE, "is silent"),
        (FINE[:100], RATE, r"last 0\.00625 s, expected 0\.1 to 120 s"),
        (np.empty(0, np.float32), RATE, "last 0 s, expected"),
        (list(FINE), RATE, "Got list for audio, expected the path of a file, or samples"),
        (None, RATE, "Got NoneType for audio"),
        (torch.zeros(8192, dtype=torch.int64), RATE, "samples of int64, expected floats"),
    ],
)
def test_samples_that_are_refused(samples: object, rate: object, match: str) -> None:
    with pytest.raises(AudioError, match=match):
        attack(linear_victim(), samples, TARGET, sample_rate=rate)
