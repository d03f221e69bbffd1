"""Frontends against closed forms, literal twins and the extractors; the gate against itself."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import literal_frontends as literal
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    ParakeetFeatureExtractor,
    SeamlessM4TFeatureExtractor,
    Speech2TextFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from mondegreen.audio.batch import pad
from mondegreen.audio.pcm import load
from mondegreen.errors import AudioError, VictimError
from mondegreen.victims.frontends import Frontend, check_equal, frontend_of, kaldi, whisper

RATE = 16_000


def small_whisper() -> Any:
    return WhisperFeatureExtractor(feature_size=6, n_fft=64, hop_length=2000, chunk_length=1)


def small_parakeet() -> Any:
    return ParakeetFeatureExtractor(
        feature_size=5, n_fft=64, win_length=48, hop_length=20, preemphasis=0.9
    )


def small_kaldi(**fields: Any) -> Any:
    return Speech2TextFeatureExtractor(feature_size=7, num_mel_bins=7, **fields)


SMALL: dict[str, Callable[[], Any]] = {
    "samples": lambda: Wav2Vec2FeatureExtractor(do_normalize=False),
    "standardised samples": Wav2Vec2FeatureExtractor,
    "whisper": small_whisper,
    "parakeet": small_parakeet,
    "kaldi": small_kaldi,
}
FULL: dict[str, Callable[[], Any]] = {
    "samples": lambda: Wav2Vec2FeatureExtractor(do_normalize=False, padding_value=0.5),
    "standardised samples": Wav2Vec2FeatureExtractor,
    "masked samples": lambda: Wav2Vec2FeatureExtractor(return_attention_mask=True),
    "filled samples": lambda: Wav2Vec2FeatureExtractor(padding_value=-1.0),
    "samples at 8 kHz": lambda: Wav2Vec2FeatureExtractor(sampling_rate=8000),
    "whisper": WhisperFeatureExtractor,
    "whisper 128": lambda: WhisperFeatureExtractor(feature_size=128),
    "whisper odd": lambda: WhisperFeatureExtractor(chunk_length=3, n_fft=480, hop_length=190),
    "whisper filled": lambda: WhisperFeatureExtractor(chunk_length=2, padding_value=0.01),
    "parakeet": ParakeetFeatureExtractor,
    "parakeet 128": lambda: ParakeetFeatureExtractor(feature_size=128, preemphasis=0.9),
    "parakeet odd": lambda: ParakeetFeatureExtractor(n_fft=405, win_length=320, hop_length=128),
    "parakeet plain": lambda: ParakeetFeatureExtractor(preemphasis=None),
    "kaldi": Speech2TextFeatureExtractor,
    "kaldi 40": lambda: Speech2TextFeatureExtractor(feature_size=40, num_mel_bins=40),
    "kaldi means": lambda: Speech2TextFeatureExtractor(normalize_vars=False, padding_value=1.5),
    "kaldi variances": lambda: Speech2TextFeatureExtractor(normalize_means=False),
    "kaldi plain": lambda: Speech2TextFeatureExtractor(do_ceptral_normalize=False),
}
every_small = pytest.mark.parametrize("name", SMALL)


def noise(length: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(length, generator=generator, dtype=torch.float64).to(dtype)


def alone(frontend: Frontend, clip: Tensor) -> Tensor:
    """Features of one clip."""
    features, _ = frontend(clip[None], torch.tensor([len(clip)]))
    return features[0]


def close(ours: Tensor, theirs: Any, tolerance: float) -> None:
    theirs = torch.as_tensor(theirs, dtype=ours.dtype)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


# ---- closed forms


def test_standardised_samples_forget_offset_and_scale() -> None:
    frontend = frontend_of(Wav2Vec2FeatureExtractor())
    square = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(50)
    expected = square / math.sqrt(1 + 1e-7 / 0.2**2)
    close(alone(frontend, 0.3 + 0.2 * square), expected, 1e-14)


def test_samples_stay_as_they_are_where_nothing_is_asked() -> None:
    clip = noise(50)
    close(alone(frontend_of(Wav2Vec2FeatureExtractor(do_normalize=False)), clip), clip, 0)


def test_a_click_has_the_power_of_its_height_in_every_filter() -> None:
    """Under the window's middle, which is 1, its spectrum is flat: h² times the filter's sum."""
    extractor = WhisperFeatureExtractor()
    clip = torch.zeros(RATE, dtype=torch.float64)
    clip[50 * 160] = 0.8
    features = alone(frontend_of(extractor), clip)
    level = np.log10(0.64 * extractor.mel_filters.sum(0))
    close(features[:, 50], (level + 4) / 4, 1e-12)
    close(features[:, 100], np.full(80, (level.max() - 8 + 4) / 4), 1e-12)  # the end of the range


def test_silence() -> None:
    still = torch.zeros(RATE, dtype=torch.float64)
    close(alone(frontend_of(WhisperFeatureExtractor()), still), torch.full((80, 3000), -1.5), 1e-12)
    close(alone(frontend_of(Wav2Vec2FeatureExtractor()), still), still, 0)
    close(alone(frontend_of(ParakeetFeatureExtractor()), still), torch.zeros(101, 80), 1e-8)
    close(alone(frontend_of(Speech2TextFeatureExtractor()), still), torch.zeros(98, 80), 0)
    plain = frontend_of(Speech2TextFeatureExtractor(do_ceptral_normalize=False))
    close(alone(plain, still), np.full((98, 80), math.log(2**-23)), 1e-12)


def test_two_frames_standardised_are_each_others_opposite() -> None:
    """±1 by the deviation over n; ±1/√2 by that over n − 1."""
    ours = alone(frontend_of(Speech2TextFeatureExtractor()), noise(560))
    close(ours.abs(), torch.ones(2, 80), 1e-12)
    louder = torch.cat([noise(20, 1) / 100, noise(20, 2)])  # than the extractor's 1e-5 matters
    ours = alone(frontend_of(small_parakeet()), louder)
    close(ours[:2].abs(), np.full((2, 5), math.sqrt(0.5)), 1e-5)
    close(ours[0], -ours[1], 1e-12)


@pytest.mark.parametrize("band", [10, 40, 70])
def test_a_tone_is_loudest_in_its_mel_band(band: int) -> None:
    time = torch.arange(RATE, dtype=torch.float64) / RATE

    def tone(frequency: float) -> Tensor:
        return 0.5 * torch.sin(2 * math.pi * frequency * time)

    slaney = literal.corners(0, literal.slaney_mel(8000), 80)[band + 1]
    pure = tone(literal.slaney_hertz(slaney))
    features = alone(frontend_of(WhisperFeatureExtractor()), pure)
    assert set(features[:, 5:95].argmax(0).tolist()) == {band}

    burst = noise(RATE) / 10 + torch.where(time < 0.5, pure, 0)  # it must change to be seen
    features = alone(frontend_of(ParakeetFeatureExtractor()), burst)
    assert int(features[:48].mean(0).argmax()) in range(band - 1, band + 2)

    scale = literal.corners(literal.kaldi_mel(20), literal.kaldi_mel(8000), 80)[band + 1]
    plain = frontend_of(Speech2TextFeatureExtractor(do_ceptral_normalize=False))
    features = alone(plain, tone(literal.kaldi_hertz(scale)))
    assert set(features.argmax(1).tolist()) == {band}


def test_kaldis_frames_forget_offset_and_standardised_ones_the_gain() -> None:
    frontend, clip = frontend_of(Speech2TextFeatureExtractor()), noise(4000)
    close(alone(frontend, clip + 0.25), alone(frontend, clip), 1e-9)
    close(alone(frontend, 0.1 * clip), alone(frontend, clip), 1e-9)


# ---- the literal twins


def test_samples_are_those_of_the_twin() -> None:
    clip = noise(300) + 0.05
    ours = alone(frontend_of(Wav2Vec2FeatureExtractor()), clip)
    close(ours, literal.waveform(clip.tolist()), 1e-12)


@pytest.mark.parametrize("length", [16_000, 9_001, 10])
def test_whisper_is_the_twin(length: int) -> None:
    clip = noise(length)
    twin = literal.whisper(clip.tolist(), RATE, 1, n_fft=64, hop=2000, mels=6)
    close(alone(frontend_of(small_whisper()), clip), twin, 1e-10)


@pytest.mark.parametrize("length", [200, 213])
def test_parakeet_is_the_twin(length: int) -> None:
    clip = noise(length)
    twin = literal.parakeet(clip.tolist(), RATE, 64, 48, 20, 5, preemphasis=0.9)
    ours = alone(frontend_of(small_parakeet()), clip)
    assert ours.shape[0] == length // 20 + 1
    close(ours[:-1], twin, 1e-5)  # the extractor makes window and filters in float32
    assert not ours[-1].any()


@pytest.mark.parametrize(("means", "variances"), [(True, True), (True, False), (False, True)])
def test_kaldi_is_the_twin(means: bool, variances: bool) -> None:
    clip = noise(1_000) + 0.1
    extractor = small_kaldi(normalize_means=means, normalize_vars=variances)
    twin = literal.kaldi(clip.tolist(), RATE, 7, means=means, variances=variances)
    close(alone(frontend_of(extractor), clip), twin, 1e-9)


def test_kaldis_constants_are_the_extractors() -> None:
    extractor = Speech2TextFeatureExtractor(num_mel_bins=40)
    ours = dict(frontend_of(extractor).named_buffers())
    close(ours["window"], extractor.window, 0)
    close(ours["filters"], extractor.mel_filters, 0)


@pytest.mark.parametrize(
    ("rate", "size", "hop", "n_fft"), [(8_000, 200, 80, 256), (11_025, 275, 110, 512)]
)
def test_kaldi_at_another_rate_has_frames_of_25_ms_every_10(
    rate: int, size: int, hop: int, n_fft: int
) -> None:
    clip = noise(600) + 0.1
    twin = literal.kaldi(
        clip.tolist(), rate, 7, means=True, variances=False, size=size, hop=hop, n_fft=n_fft
    )
    close(alone(kaldi.KaldiFbank(rate, 7, zero_mean=True), clip), twin, 1e-9)


# ---- the extractors


@pytest.mark.parametrize("name", FULL)
def test_every_extractor_passes_the_gate(name: str) -> None:
    extractor = FULL[name]()
    assert 0 <= check_equal(frontend_of(extractor), extractor) < 5e-5  # half of what is allowed


@pytest.mark.parametrize("name", FULL)
def test_speech_has_the_extractors_features(name: str, beckett: Path) -> None:
    extractor = FULL[name]()
    speech = load(beckett, extractor.sampling_rate)[: int(1.777 * extractor.sampling_rate)]
    theirs = extractor(speech, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    (expected,) = theirs[extractor.model_input_names[0]]
    ours = alone(frontend_of(extractor), torch.from_numpy(speech))
    close(ours, expected, 1e-4 * float(expected.abs().max()))


@every_small
def test_counts_are_the_extractors(name: str) -> None:
    extractor = SMALL[name]()
    frontend = frontend_of(extractor)
    lengths = [*range(640, 661), 719, 720, 721, 2000, 2001]
    clips = [noise(length, dtype=torch.float32) for length in lengths]
    _, counts = frontend(*pad(clips))
    theirs = extractor(
        [clip.numpy() for clip in clips],
        sampling_rate=RATE,
        padding=frontend.padding,
        return_attention_mask=True,
        return_tensors="pt",
    )
    assert counts.tolist() == theirs["attention_mask"].sum(-1).tolist()


# ---- the contract


def garbage(lengths: list[int], size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Clips [B, size] with NaN, infinity and noise in the padding."""
    audio = torch.stack([noise(size, seed) for seed in range(len(lengths))]).to(dtype)
    for row, length in zip(audio, lengths, strict=True):
        row[length::3], row[length + 1 :: 3] = math.nan, math.inf
    return audio


@every_small
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(560, 2_500), min_size=1, max_size=4), more=st.integers(0, 700))
def test_a_row_of_a_batch_is_the_clip_alone(name: str, lengths: list[int], more: int) -> None:
    frontend = frontend_of(SMALL[name]())
    audio = garbage(lengths, max(lengths) + more)
    features, counts = frontend(audio, torch.tensor(lengths))
    for row, length, found, count in zip(audio, lengths, features, counts, strict=True):
        expected, expected_count = frontend(row[None, :length], torch.tensor([length]))
        assert count == expected_count
        along = 1 if name == "whisper" else 0
        kept = expected.shape[1 + along]
        close(found.narrow(along, 0, kept), expected[0], 1e-10)
        rest = found.narrow(along, kept, found.shape[along] - kept)
        assert not rest.any()  # the padding value, zero


KINDS: dict[str, Tensor] = {
    "noise": noise(3_000),
    "silence": torch.zeros(3_000, dtype=torch.float64),
    "half silent": torch.cat([noise(1_500), torch.zeros(1_500, dtype=torch.float64)]),
    "begins silent": torch.cat([torch.zeros(1_500, dtype=torch.float64), noise(1_500)]),
    "clipped": (100 * noise(3_000)).clamp(-1, 1),
    "constant": torch.full((3_000,), 0.5, dtype=torch.float64),
    "short": noise(560),
}


@every_small
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_and_zero_in_the_padding(
    name: str, kind: str, dtype: torch.dtype
) -> None:
    clip = KINDS[kind].to(dtype)
    audio = garbage([len(clip), 3_500], 4_000, dtype)
    audio[0, : len(clip)] = clip
    audio.requires_grad_()
    features, _ = frontend_of(SMALL[name]())(audio, torch.tensor([len(clip), 3_500]))
    assert features.dtype == dtype
    assert features.isfinite().all()
    slope = noise(features.numel()).view_as(features)
    (gradient,) = torch.autograd.grad((features * slope).sum(), audio)
    assert gradient.isfinite().all()
    assert not gradient[0, len(clip) :].any()
    assert not gradient[1, 3_500:].any()
    assert gradient[1].any()


def test_a_deviation_of_zero_has_a_gradient_of_zero() -> None:
    """A root has none there. Of two equal frames the mean is exact, which of more it may not be."""
    frontend = frontend_of(small_parakeet())
    audio = torch.zeros(1, 40, dtype=torch.float64, requires_grad=True)
    features, _ = frontend(audio, torch.tensor([40]))
    assert not features.any()
    (gradient,) = torch.autograd.grad(features.sum(), audio)
    assert not gradient.any()


@every_small
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    frontend = frontend_of(SMALL[name]())
    size = frontend.shortest + 30
    lengths = torch.tensor([size - 20, size - 5])
    audio = torch.stack([noise(size, 1), noise(size, 2)]).requires_grad_()
    slope = noise(frontend(audio, lengths)[0].numel(), 3)

    def weighted(audio: Tensor) -> Tensor:
        return frontend(audio, lengths)[0].flatten() @ slope

    assert torch.autograd.gradcheck(weighted, audio, eps=1e-7, atol=1e-6, rtol=1e-4)


@every_small
def test_constants_move_with_the_module(name: str) -> None:
    """A constant left behind could not be multiplied with what is on another device."""
    frontend = frontend_of(SMALL[name]()).to("meta")
    assert all(buffer.is_meta for buffer in frontend.buffers())
    audio, lengths = torch.zeros(2, 700, device="meta"), torch.ones(2, device="meta").long()
    features, counts = frontend.extract(audio, lengths), frontend.counts(lengths)
    assert features.is_meta
    assert counts.is_meta
    assert not frontend.state_dict()  # they follow from the settings


# ---- refusals


def test_whisper_does_not_cut_a_clip() -> None:
    frontend = frontend_of(small_whisper())
    with pytest.raises(AudioError, match=r"lasts 1\.50 s, but .* takes at most 1 s; cut it"):
        frontend(torch.zeros(2, 24_000), torch.tensor([16_000, 24_000]))
    features, _ = frontend(garbage([16_000], 24_000), torch.tensor([16_000]))
    close(features[0], alone(frontend, noise(24_000)[:16_000]), 0)


@pytest.mark.parametrize(
    ("extractor", "least"),
    [
        (small_parakeet(), 40),
        (FULL["parakeet odd"](), 257),
        (small_kaldi(), 560),
        (small_kaldi(normalize_vars=False), 400),
    ],
)
def test_a_clip_without_enough_frames_is_refused(extractor: Any, least: int) -> None:
    frontend = frontend_of(extractor)
    assert frontend.shortest == least
    assert alone(frontend, noise(least)).isfinite().all()
    with pytest.raises(AudioError, match=f"{least - 1} samples, .* at least {least};"):
        alone(frontend, noise(least - 1))


@pytest.mark.parametrize(
    ("extractor", "length"),
    [(small_parakeet(), 39), (FULL["parakeet odd"](), 256), (small_kaldi(), 559)],
)
def test_of_a_clip_that_is_refused_the_extractor_makes_no_numbers(
    extractor: Any, length: int
) -> None:
    clip = noise(length, dtype=torch.float32).numpy()
    with np.errstate(all="ignore"):
        theirs = extractor(clip, sampling_rate=RATE, return_tensors="pt").input_features
    assert not theirs.isfinite().any(-1)[0, 0]


def test_an_extractor_of_another_kind_is_refused_with_advice() -> None:
    with pytest.raises(VictimError, match=r"SeamlessM4T.*Whisper.*Speech2Text.*your own"):
        frontend_of(SeamlessM4TFeatureExtractor())


def test_an_extractor_that_adds_noise_is_refused() -> None:
    with pytest.raises(VictimError, match=r"dither=4.*preprocessor_config"):
        frontend_of(Speech2TextFeatureExtractor(dither=4.0))


def test_a_subclass_is_known_by_its_base() -> None:
    class Mine(WhisperFeatureExtractor):
        pass

    extractor = Mine(chunk_length=1)
    assert check_equal(frontend_of(extractor), extractor) < 1e-4


# ---- the gate


def refused(name: str, frontend: Frontend | None = None, match: str = "another model") -> None:
    extractor = FULL[name]()
    with pytest.raises(VictimError, match=match):
        check_equal(frontend or frontend_of(extractor), extractor)


@pytest.mark.parametrize("name", ["whisper odd", "parakeet", "kaldi"])
def test_the_gate_finds_one_wrong_mel_filter(name: str) -> None:
    frontend = frontend_of(FULL[name]())
    across = 1 if name == "kaldi" else 0
    filters = frontend.get_buffer("filters")
    filters.select(across, 30).copy_(filters.select(across, 31).clone())
    refused(name, frontend, "probe 'noise' came a relative error of .* over 0.0001")


@pytest.mark.parametrize("name", ["whisper odd", "parakeet", "kaldi"])
def test_the_gate_finds_a_wrong_window(name: str) -> None:
    frontend = frontend_of(FULL[name]())
    frontend.get_buffer("window").pow_(1.01)
    refused(name, frontend)


@pytest.mark.parametrize(
    ("name", "attribute", "wrong"),
    [
        ("standardised samples", "standardise", False),
        ("samples", "standardise", True),
        ("samples", "padding_value", 0.0),
        ("whisper filled", "padding_value", 0.0),
        ("whisper odd", "hop", 191),
        ("parakeet", "preemphasis", 0.96),
        ("parakeet", "preemphasis", None),
        ("parakeet", "hop", 161),
        ("kaldi", "zero_mean", False),
        ("kaldi", "standardises", False),
        ("kaldi means", "padding_value", 0.0),
    ],
)
def test_the_gate_finds_a_wrong_setting(name: str, attribute: str, wrong: object) -> None:
    frontend = frontend_of(FULL[name]())
    assert getattr(frontend, attribute) != wrong
    setattr(frontend, attribute, wrong)
    refused(name, frontend)


@pytest.mark.parametrize(
    ("name", "constant", "wrong"),
    [
        ("whisper odd", (whisper, "RANGE"), 8.01),
        ("whisper odd", (whisper, "FLOOR"), 2e-10),
        ("kaldi plain", (kaldi, "FLOOR"), 1e-7),
        ("kaldi", (kaldi, "PREEMPHASIS"), 0.96),
        ("kaldi plain", (kaldi, "SCALE"), 2.0**15 - 100),
    ],
)
def test_the_gate_finds_a_wrong_constant(
    name: str, constant: tuple[Any, str], wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*constant, wrong)
    refused(name)


class Faulty(Frontend):
    """A frontend with something done to what it is given, or to what it gives."""

    def __init__(
        self,
        whole: Frontend,
        before: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda a, n: (a, n),
        after: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda f, n: (f, n),
    ) -> None:
        super().__init__(whole.sample_rate, whole.shortest, whole.longest)
        self.padding, self.standardises = whole.padding, whole.standardises
        self.whole, self.before, self.after = whole, before, after

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        features, counts = self.whole(*self.before(audio, lengths))
        return self.after(features, counts)

    def counts(self, lengths: Tensor) -> Tensor:
        return self.whole.counts(lengths)

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        return self.whole.extract(audio, lengths)


@pytest.mark.parametrize("name", ["standardised samples", "parakeet", "kaldi"])
def test_the_gate_finds_that_the_padding_is_heard(name: str) -> None:
    faulty = Faulty(
        frontend_of(FULL[name]()), before=lambda a, n: (a, torch.full_like(n, a.shape[-1]))
    )
    refused(name, faulty, "probe 'padded batch'")


@pytest.mark.parametrize("name", ["standardised samples", "parakeet", "kaldi"])
def test_the_gate_finds_a_wrong_shape_a_wrong_count_and_what_is_no_number(name: str) -> None:
    whole = frontend_of(FULL[name]())
    refused(name, Faulty(whole, after=lambda f, n: (f[:, 1:], n)), "came shape")
    refused(name, Faulty(whole, after=lambda f, n: (f, n - 1)), "frames instead of")
    refused(name, Faulty(whole, after=lambda f, n: (f.where(f < 3, math.nan), n)), "error of nan")


@pytest.mark.parametrize("name", ["samples", "standardised samples", "whisper odd"])
def test_the_gate_compares_silence(name: str) -> None:
    def shifted(features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        still = features == features.flatten()[0]
        return features + 2e-4 * still.all(), counts

    refused(name, Faulty(frontend_of(FULL[name]()), after=shifted), "probe 'silence' came")


@pytest.mark.parametrize("name", ["parakeet", "kaldi"])
def test_the_gate_wants_numbers_at_silence_where_the_extractor_has_none(name: str) -> None:
    def divided(features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        return features / (features.std() > 0.5), counts

    faulty = Faulty(frontend_of(FULL[name]()), after=divided)
    refused(name, faulty, "probe 'silence' came a relative error of nan")


def test_at_silence_parakeet_has_the_extractors_rounding() -> None:
    extractor = ParakeetFeatureExtractor()
    still = torch.zeros(RATE)
    theirs = extractor(still.numpy(), sampling_rate=RATE, return_tensors="pt").input_features[0]
    close(alone(frontend_of(extractor), still), theirs, 1e-4)


def test_the_gate_refuses_an_extractor_that_has_no_numbers_for_a_sound() -> None:
    class Broken(Wav2Vec2FeatureExtractor):
        def __call__(self, *arguments: Any, **fields: Any) -> Any:
            result = super().__call__(*arguments, **fields)
            result["input_values"] = result["input_values"].where(
                result["input_values"].abs() < 0.5, math.nan
            )
            return result

    extractor = Broken()
    with pytest.raises(VictimError, match="probe 'noise' came a relative error of nan"):
        check_equal(frontend_of(extractor), extractor)


def test_the_gate_measures_what_it_says() -> None:
    """Of the largest feature: half a tolerance passes and is returned, twice it does not."""
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    whole = frontend_of(extractor)
    near = Faulty(whole, after=lambda f, n: (f * (1 + 0.5e-4), n))
    assert check_equal(near, extractor) == pytest.approx(0.5e-4, rel=1e-2)
    far = Faulty(whole, after=lambda f, n: (f * (1 + 2e-4), n))
    with pytest.raises(VictimError, match=r"error of 0\.0002"):
        check_equal(far, extractor)


def test_importing_the_frontends_does_not_pay_for_transformers() -> None:
    files = list(Path(kaldi.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for path in files:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "transformers" not in ast.unparse(node)
