"""A CTC recogniser of NVIDIA NeMo, from its .nemo file in MODEL.

MODEL=my-model.nemo mondegreen check-victim nemo_victim:victim
"""

import os

import torch
from nemo.collections.asr.models import EncDecCTCModel
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import require_frames, score_ctc
from mondegreen.victims.spelling import ways


class NeMo:
    name, sample_rate, dtype = "nemo_victim:victim", 16_000, torch.float32

    def __init__(self, model, device):
        self.model, self.device = model.requires_grad_(False), device
        vars(model.preprocessor.featurizer).update(dither=0.0, use_grads=True)  # no root of zero
        self.places = {piece: place for place, piece in enumerate(model.decoder.vocabulary)}

    def encode(self, target, length):
        split = self.model.tokenizer.text_to_tokens if hasattr(self.model, "tokenizer") else list
        spelled = [[self.places.get(piece) for piece in split(text)] for text in ways(target)]
        known = [symbols for symbols in spelled if symbols and None not in symbols]
        if not known:
            raise TargetError(f"{target!r} cannot be spelled")
        symbols = torch.tensor(known[0], device=self.device)
        frames = len(self._logits(torch.zeros(length, device=self.device)))
        require_frames(symbols, frames, length / self.sample_rate)
        return symbols

    # Its `transcribe` leaves the encoder in training; its features' decorator would cut the graph.
    def _logits(self, clip):  # [T] to [F, V]
        extractor, size = self.model.eval().preprocessor.featurizer, torch.tensor([len(clip)])
        features, frames = type(extractor).forward(extractor, clip[None], size.to(self.device))
        states, frames = self.model.encoder(audio_signal=features, length=frames)
        return self.model.decoder(encoder_output=states)[0, : int(frames)]

    def score(self, audio, lengths, targets):
        if audio.requires_grad:  # at silence, its features have a deviation of zero
            audio = audio.clone()
            audio.register_hook(torch.nan_to_num)
        logits = [self._logits(clip[:n]) for clip, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        logits, blank = pad_sequence(logits, batch_first=True), len(self.places)
        return score_ctc(logits, frames, targets, blank=blank)

    def transcribe(self, audio):
        return self.model.transcribe(audio.numpy(), verbose=False)[0].text


def victim(device, dtype):
    return NeMo(EncDecCTCModel.restore_from(os.environ["MODEL"], map_location=device), device)
