"""The CTC output of an ESPnet recogniser, from its folder in MODEL: config.yaml and valid.pth.

    MODEL=my-model mondegreen check-victim espnet_victim:victim

Its attention decoder and language model have no part in it.
"""

import os

import torch
from espnet2.tasks.asr import ASRTask
from espnet2.text.build_tokenizer import build_tokenizer
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import best_path, require_frames, score_ctc
from mondegreen.victims.spelling import ways


class ESPnet:
    name, sample_rate, dtype = "espnet_victim:victim", 16_000, torch.float32

    def __init__(self, model, tokenizer, device):
        self.model, self.device = model.eval().requires_grad_(False), device
        self.tokenizer, self.blank = tokenizer, model.blank_id
        self.places = {piece: place for place, piece in enumerate(model.token_list)}

    def encode(self, target, length):
        pieces = map(self.tokenizer.text2tokens, ways(target))
        spelled = [[self.places.get(piece) for piece in text] for text in pieces]
        known = [symbols for symbols in spelled if symbols and None not in symbols]
        if not known:
            raise TargetError(f"{target!r} cannot be spelled")
        symbols = torch.tensor(known[0], device=self.device)
        frames = len(self._logits(torch.zeros(length, device=self.device)))
        require_frames(symbols, frames, length / self.sample_rate)
        return symbols

    def _logits(self, clip):  # [T] to [F, V]
        states, _ = self.model.encode(clip[None], torch.tensor([len(clip)], device=self.device))
        return self.model.ctc.log_softmax(states)[0]

    def score(self, audio, lengths, targets):
        logits = [self._logits(clip[:n]) for clip, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        return score_ctc(pad_sequence(logits, batch_first=True), frames, targets, self.blank)

    @torch.no_grad()
    def transcribe(self, audio):
        heard = best_path(self._logits(audio.to(self.device)), self.blank)
        return self.tokenizer.tokens2text([self.model.token_list[symbol] for symbol in heard])


def victim(device, dtype):
    files = (f"{os.environ['MODEL']}/{name}" for name in ("config.yaml", "valid.pth"))
    model, settings = ASRTask.build_model_from_file(*files, str(device))
    tokenizer = build_tokenizer(token_type=settings.token_type, bpemodel=settings.bpemodel)
    return ESPnet(model, tokenizer, device)
