"""A CTC recogniser of SpeechBrain with SentencePiece symbols, from its folder in MODEL.

    MODEL=my-model mondegreen check-victim speechbrain_victim:victim

The folder's hyperparams.yaml is code: use only one that you trust.
"""

import os

import torch
from speechbrain.inference.ASR import EncoderASR
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import require_frames, score_ctc
from mondegreen.victims.spelling import ways


class SpeechBrain:
    name, dtype = "speechbrain_victim:victim", torch.float32  # what `encode_batch` takes

    def __init__(self, model, device):
        self.model, self.device = model, device
        self.sample_rate, self.blank = model.hparams.sample_rate, model.hparams.blank_index

    def encode(self, target, length):
        spelled = [self.model.tokenizer.encode_as_ids(text) for text in ways(target)]
        known = [ids for ids in spelled if ids and self.model.tokenizer.unk_id() not in ids]
        if not known:
            raise TargetError(f"{target!r} cannot be spelled")
        symbols = torch.tensor(known[0], device=self.device)
        frames = len(self._logits(torch.zeros(length, device=self.device)))
        require_frames(symbols, frames, length / self.sample_rate)
        return symbols

    def _logits(self, clip):  # [T] to [F, V], as logarithms of probabilities
        return self.model.encode_batch(clip[None], torch.ones(1, device=self.device))[0]

    def score(self, audio, lengths, targets):
        logits = [self._logits(clip[:n]) for clip, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        return score_ctc(pad_sequence(logits, batch_first=True), frames, targets, blank=self.blank)

    def transcribe(self, audio):
        return self.model.transcribe_batch(audio[None].to(self.device), torch.ones(1))[0][0]


def victim(device, dtype):
    options = {"device": str(device)}
    return SpeechBrain(EncoderASR.from_hparams(os.environ["MODEL"], run_opts=options), device)
