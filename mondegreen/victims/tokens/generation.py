"""How a checkpoint generates greedily: its generation config, read once.

A generation config can change the logits in many ways. Those that published speech recognisers use
(suppressed symbols, always or at the first place; a forced first symbol; a bound on length) are
reproduced. Anything else that changes greedy choices is refused, because a victim that ignored it
would report a match that the decoder does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from mondegreen.errors import TargetError, VictimError
from mondegreen.text import lower_case
from mondegreen.victims.spelling import Vocabulary, letters_only

_BY_DEFAULT: Final = 20  # new symbols that transformers generates by default
# Settings that need no refusal, by why. Every other one is refused, also those that transformers
# has yet to think of.
# fmt: off
_REPRODUCED: Final = (
    "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id", "eos_token_id",
    "forced_bos_token_id", "forced_eos_token_id", "max_length", "max_new_tokens", "pad_token_id",
    "suppress_tokens",
)
_OVERRULED: Final = ("do_sample", "num_beams", "num_return_sequences", "return_dict_in_generate")
_NOT_GREEDY: Final = (  # of sampling, and of beams, where `generate` obeys it
    "early_stopping", "epsilon_cutoff", "eta_cutoff", "length_penalty", "min_p", "temperature",
    "top_h", "top_k", "top_p", "typical_p",
)
_NO_CHOICE: Final = (  # of speed, of further outputs, and of a second model, which is never given
    "assistant_confidence_threshold", "assistant_ensemble_weight", "assistant_lookbehind",
    "cache_config", "compile_config", "continuous_batching_config", "disable_compile",
    "is_assistant", "low_memory", "max_cache_len", "max_matching_ngram_size",
    "num_assistant_tokens", "num_assistant_tokens_schedule", "output_attentions",
    "output_hidden_states", "output_logits", "output_scores", "renormalize_logits",
    "speculation_type", "target_lookbehind", "use_cache",
    "_from_model_config", "transformers_version",
)
# fmt: on
_ALLOWED: Final = frozenset((*_REPRODUCED, *_OVERRULED, *_NOT_GREEDY, *_NO_CHOICE))
_NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {  # values of the others at which nothing changes
    "cache_implementation": ("dynamic", "hybrid", "static"),
    "diversity_penalty": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1,),
    "guidance_scale": (1,),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "no_repeat_ngram_size": (0,),
    "num_beam_groups": (1,),
    "penalty_alpha": (0,),
    "remove_invalid_values": (False,),
    "repetition_penalty": (1,),
    "token_healing": (False,),
    "use_mtp": (False,),
}
# arguments of `generate` that overrule whatever else a checkpoint is set to
GREEDY: Final = {"do_sample": False, "num_return_sequences": 1, "return_dict_in_generate": False}


@dataclass(frozen=True)
class Generation:
    """What greedy generation begins with, never says, and ends with."""

    # symbols that are given: the decoder's start, and whatever is forced after it
    prompt: tuple[int, ...]
    end: int  # the symbol that ends an output
    suppressed: frozenset[int]  # symbols that are never said
    suppressed_first: frozenset[int]  # symbols that an output does not begin with
    symbols: int  # the size of the vocabulary

    @classmethod
    def of(cls, config: Any, symbols: int, prompt: Sequence[int] = ()) -> Generation:
        """Read a generation config of transformers.

        `symbols` is the size of the vocabulary; `prompt` the decoder's input, if it is more than
        the config's start.

        Raises:
            VictimError: a setting that is not reproduced here.
        """
        refuse_other_settings(config)
        given = tuple(prompt) or (start(config),)
        if len(given) == 1 and config.forced_bos_token_id is not None:
            given += (config.forced_bos_token_id,)
        return cls(
            prompt=given,
            end=_single_end(config.eos_token_id),
            suppressed=frozenset(config.suppress_tokens or ()),
            suppressed_first=frozenset(config.begin_suppress_tokens or ()),
            symbols=symbols,
        )

    def barred(self) -> Tensor:
        """[2, V] for `TeacherForcing.score`: -inf for suppressed symbols."""
        barred = torch.zeros(2, self.symbols)
        for row, ids in enumerate((self.suppressed | self.suppressed_first, self.suppressed)):
            # some configs suppress -1, which is no symbol
            barred[row, [i for i in ids if 0 <= i < self.symbols]] = -torch.inf
        return barred

    def check_silent(self, vocabulary: Vocabulary, given: Sequence[int] = ()) -> None:
        """Refuse a vocabulary that prints what stands around a text, which then is never heard.

        `given` are the symbols before it in what `transcribe` reads.
        """
        if printed := vocabulary.decode([*given, self.end]):
            raise VictimError(
                f"the tokenizer prints {printed!r} around every transcript: the symbols"
                f" {[*given, self.end]}, with which the model starts and ends, are not special in"
                " it; correct its tokenizer_config.json"
            )

    def encode(self, target: str, vocabulary: Vocabulary) -> Tensor:
        """Symbols of a target and the end, [N] int64.

        The target as given, or in lower case, or that without punctuation, which is all that some
        recognisers write.

        Raises:
            TargetError: no symbols for the text, or generation never chooses one of them.
        """
        refusals = []
        for written in dict.fromkeys((target, lower_case(target), letters_only(target))):
            try:
                return self._encode(written, vocabulary)
            except TargetError as error:
                refusals.append(error)
        raise refusals[0]

    def _encode(self, written: str, vocabulary: Vocabulary) -> Tensor:
        ids = [*vocabulary.encode(written), self.end]
        never = self.suppressed & set(ids) | self.suppressed_first & set(ids[:1])
        if never:
            spelt = vocabulary.decode([i for i in ids if i in never])
            raise TargetError(
                f"this checkpoint suppresses {spelt!r}, which is in {written!r}; choose a target"
                " that avoids it"
            )
        return torch.tensor(ids)


def longest(config: Any, given: int) -> int:
    """The longest output, end included, of generation that starts with `given` symbols."""
    if config.max_new_tokens is not None:
        bound = given + config.max_new_tokens
    elif config.max_length is not None:
        bound = config.max_length
    else:
        bound = given + _BY_DEFAULT
    # a forced last symbol does not show what the model would have chosen
    return int(bound) - (config.forced_eos_token_id is not None)


def check_room(tokens: Tensor, room: int) -> None:
    """Refuse a target of tokens [N], end included, with less `room`; raises `TargetError`."""
    if len(tokens) > room:
        raise TargetError(
            f"the target takes {len(tokens) - 1} tokens, but the recogniser writes at most"
            f" {room - 1} at a time; choose a shorter target"
        )


def refuse_other_settings(config: Any) -> None:
    """Refuse settings that change greedy generation in a way that is not reproduced here.

    Raises:
        VictimError: names them.
    """
    changed = {
        name: value
        for name, value in vars(config).items()
        if name in vars(type(config)()).keys() - _ALLOWED
        and value not in (None, *_NEUTRAL.get(name, ()))
    }
    if changed:
        settings = ", ".join(f"{name}={value}" for name, value in changed.items())
        raise VictimError(
            f"the checkpoint generates with {settings}, which is not supported; load a copy whose"
            " generation_config.json leaves it out"
        )


def start(config: Any) -> int:
    """The decoder's first symbol, as transformers chooses it."""
    for setting in ("decoder_start_token_id", "bos_token_id"):
        if (symbol := getattr(config, setting)) is not None:
            return int(symbol)
    raise VictimError(
        "the checkpoint's generation config has neither decoder_start_token_id nor bos_token_id,"
        " so generation cannot begin; set the first in its generation_config.json"
    )


def _single_end(end: int | list[int] | None) -> int:
    ends = end if isinstance(end, list) else [end]
    if len(ends) != 1 or ends[0] is None:
        raise VictimError(
            f"the checkpoint's generation config has eos_token_id {ends}; expected exactly one"
            " symbol"
        )
    return int(ends[0])
