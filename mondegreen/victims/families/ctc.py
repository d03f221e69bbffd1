"""CTC recognisers of transformers: wav2vec2 and its kin (waveform in), Parakeet (log-mel in)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mondegreen.errors import VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered, Unpadded
from mondegreen.victims.ctc_loss import Alignment, require_frames
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.printed import Printed
from mondegreen.victims.spelling import spell
from mondegreen.victims.tokens.beam import prefix_beam_search


class CTC(Pretrained):
    """A checkpoint of `AutoModelForCTC` as a victim; arguments and errors as `Pretrained`.

    Attributes:
        blank: its number.
        printed: what the symbols print; decides what is spelled, and what is matched.
        delimiter: the first symbol that prints a space, if there is one.
    """

    # fmt: off
    auto_classes = dict.fromkeys(
        (
            "data2vec-audio", "hubert", "parakeet_ctc", "sew", "sew-d", "unispeech",
            "unispeech-sat", "wav2vec2", "wav2vec2-conformer", "wavlm",
        ),
        "AutoModelForCTC",
    )
    # fmt: on

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        self.beams = 1  # of `transcribe`; `score` is always about the greedy decode
        tokenizer = processor.tokenizer
        tokenizer.do_phonemize = False  # of phones, which need espeak to be made from words
        self.blank: int = model.config.pad_token_id
        if self.blank != tokenizer.pad_token_id or not 0 <= self.blank < model.config.vocab_size:
            raise VictimError(
                f"{name} has the blank {self.blank} in its config but {tokenizer.pad_token_id} in"
                f" its tokenizer, of {model.config.vocab_size} symbols; correct pad_token_id"
            )
        symbols = int(model.config.vocab_size)
        self.printed = Printed(self._read, symbols, frozenset(tokenizer.all_special_ids))
        self._check_reading(name)
        self.delimiter = self.printed.delimiter
        self._codes = self.printed.codes().to(self.device)
        self._alone, self._alignment = Unpadded(self._logits), Remembered(self.align)

    @classmethod
    def processor_class(cls, model_type: str) -> str:
        """Without the language model that some checkpoints bring, which needs further packages."""
        return "AutoProcessor" if model_type == "parakeet_ctc" else "Wav2Vec2Processor"

    @property
    def stride(self) -> int:
        """Samples from one frame of logits to the next."""
        config = self.model.config
        if config.model_type != "parakeet_ctc":
            return int(config.inputs_to_logits_ratio)
        hop = self.processor.feature_extractor.hop_length
        return int(hop * config.encoder_config.subsampling_factor)

    def encode(self, target: str, length: int) -> Tensor:
        """Symbols of `target`, in the case that the model writes; see `Victim.encode`."""
        spelled = spell(self.processor.tokenizer, self.printed, target)
        symbols = torch.tensor(spelled, device=self.device)
        require_frames(symbols, self._frames(length), length / self.sample_rate)
        return symbols

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """CTC loss, and whether the best path is the target; see `Victim.score`."""
        logits, frames = self.logits(audio, lengths)
        return self._alignment(frames, *targets).score(logits)

    def logits(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, F, V] of a padded batch [B, T], and how many frames of each are real, [B]."""
        features, counts = self.frontend(audio.to(self.dtype), lengths)
        return self._alone(features, counts)

    def align(self, frames: Tensor, *targets: Tensor) -> Alignment:
        """Targets laid out for clips of so many frames, [B]."""
        return Alignment(frames, targets, self.blank, codes=self._codes)

    def _check_reading(self, name: str) -> None:
        """Refuse a tokenizer that reads a path in another way than the loss does."""
        letter = next(s for s in range(len(self.printed.texts)) if self.printed.writes(s))
        if self.printed.texts[self.blank] != "" or self._read([letter] * 2) != self._read([letter]):
            raise VictimError(
                f"the tokenizer of {name} prints the blank ({self.blank}), or repeated symbols, so"
                " it does not read this model; correct pad_token (and decoder_type, of Parakeet)"
            )

    def _read(self, path: list[int]) -> str:
        """The text of a path of symbols, one a frame."""
        return str(self.processor.batch_decode([path])[0])

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Best path, or prefix beam search with `beams` over one; audio [T] in [-1, 1]."""
        if self.beams == 1 and self.model.can_generate():  # Parakeet: padded frames become blank
            path = self.model.generate(**self.features(audio))[0]
            return _spaced(self._read(path.tolist()))
        return self.read(self.own_logits(audio))

    def own_logits(self, audio: Tensor) -> Tensor:
        """Logits [F, V] of one clip [T], of the checkpoint's own processor and model."""
        logits: Tensor = self.model(**self.features(audio)).logits
        return logits[0, : self._frames(audio.shape[-1])]

    def read(self, logits: Tensor) -> str:
        """What logits [F, V] say, as `transcribe` reads them."""
        if self.beams == 1:
            return _spaced(self._read(logits.argmax(-1).tolist()))
        symbols = prefix_beam_search(logits.log_softmax(-1), self.blank, self.beams)
        return _spaced(str(self.processor.tokenizer.decode(symbols, group_tokens=False)))

    def _logits(self, features: Tensor) -> Tensor:
        """[B, F, V] of features without padding."""
        logits: Tensor = self.model(**{self.model.main_input_name: features}).logits
        return logits

    def _frames(self, length: int) -> int:
        """Frames of logits that a clip of `length` samples gives."""
        if self.model.config.model_type == "parakeet_ctc":
            counts = torch.tensor([length // self.processor.feature_extractor.hop_length])
            return int(self.model._get_subsampling_output_length(counts))
        return int(self.model._get_feat_extract_output_lengths(torch.tensor(length)))


def _spaced(text: str) -> str:
    """A text with single spaces: a repeated delimiter is two."""
    return " ".join(text.split())
