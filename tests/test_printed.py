"""What symbols print: tokenizers of many kinds, whose own decode says what a path is heard as."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from torch.nn.functional import one_hot

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.ctc_loss import score_ctc
from mondegreen.victims.printed import Printed
from mondegreen.victims.spelling import spell

MARKERS = ["<pad>", "<s>", "</s>", "<unk>"]


def letters(folder: Path, *vocabulary: str, kind: Any = hf.Wav2Vec2CTCTokenizer, **how: Any) -> Any:
    """A tokenizer of the wav2vec2 kind; the blank is `pad_token`."""
    file = folder / "vocab.json"
    file.write_text(json.dumps({piece: i for i, piece in enumerate(vocabulary)}))
    return kind(str(file), **how)


def pieces(_: Path) -> Any:
    """A tokenizer of the Parakeet kind, whose rarest characters are written byte by byte."""
    bytes_of = [f"<0x{byte:02X}>" for byte in (0x61, 0xC3, 0xA9)]
    vocabulary = ["<pad>", "<unk>", "▁", "a", "b", "▁a", "ab", "▁b", *bytes_of]
    made = Tokenizer(models.BPE({p: i for i, p in enumerate(vocabulary)}, [], unk_token="<unk>"))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    return hf.ParakeetTokenizer(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")


KINDS: dict[str, tuple[Callable[[Path], Any], int]] = {  # and symbols that only the model has
    "a bar": (lambda f: letters(f, *MARKERS, "|", *"AB'"), 0),
    "a space": (
        lambda f: letters(f, *"ab", " ", "[UNK]", "[PAD]", unk_token="[UNK]", pad_token="[PAD]",
                          word_delimiter_token=" "), 0
    ),
    "two spaces and nothing": (lambda f: letters(f, *MARKERS, "|", " ", "\u3000", "", *"ab"), 0),
    "a delimiter that is printed": (
        lambda f: letters(f, *MARKERS, "|", *"ab", replace_word_delimiter_char="-"), 0
    ),
    "small letters, capitalised": (
        lambda f: letters(f, *MARKERS, "|", *"ab", do_lower_case=True), 0
    ),
    "both cases, printed in one": (
        lambda f: letters(f, *MARKERS, "|", *"abAB", do_lower_case=True), 0
    ),
    "pairs of letters": (lambda f: letters(f, *MARKERS, "|", "a", "b", "ab", "ba"), 0),
    "fewer than the model": (lambda f: letters(f, *MARKERS, "|", *"ab"), 3),
    "phones": (
        lambda f: letters(f, *MARKERS, "a", "b", "aʊ", kind=hf.Wav2Vec2PhonemeCTCTokenizer), 0
    ),
    "pieces of words": (pieces, 2),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    build, more = KINDS[request.param]
    tokenizer = build(tmp_path_factory.mktemp("tokenizer"))
    tokenizer.do_phonemize = False
    return tokenizer, printed(tokenizer, more)


def printed(tokenizer: Any, more: int = 0) -> Printed:
    count = len(tokenizer.get_vocab()) + more
    return Printed(lambda path: tokenizer.batch_decode([path])[0], count, tokenizer.all_special_ids)


def heard(tokenizer: Any, path: list[int]) -> list[str]:
    words: list[str] = tokenizer.batch_decode([path])[0].split()
    return words


def matched(symbols: Printed, path: list[int], target: list[int], blank: int) -> bool:
    codes, count = symbols.codes(), len(symbols.texts)
    logits = 9.0 * one_hot(torch.tensor([path]), count).double()
    frames = torch.tensor([len(path)])
    score = score_ctc(logits, frames, [torch.tensor(target)], blank, codes=codes)
    return bool(score.matched[0])


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_matched_is_what_is_printed(read: Any, data: st.DataObject) -> None:
    tokenizer, symbols = read
    blank, count = tokenizer.pad_token_id, len(symbols.texts)
    any_symbol = st.integers(0, count - 1)
    path = data.draw(st.lists(any_symbol, min_size=1, max_size=7))
    merged = [s for s, _ in itertools.groupby(path) if s != blank]
    alike = [[t for t in range(count) if symbols.texts[t] == symbols.texts[s]] for s in merged]
    target = [data.draw(st.sampled_from(same)) for same in alike]
    if data.draw(st.booleans()):
        target.insert(data.draw(st.integers(0, len(target))), data.draw(any_symbol))
    target = [s for s in target if symbols.writes(s)]  # others are in no target
    apart = list(itertools.chain.from_iterable((s, blank) for s in target))
    if not target or "\ufffd" in tokenizer.batch_decode([apart])[0]:
        return
    same = heard(tokenizer, path) == heard(tokenizer, apart)
    claimed = matched(symbols, path, target, blank)
    if None in {symbols.texts[s] for s in {*path, *target}}:
        assert same or not claimed  # a part of a character counts as itself alone
    else:
        assert claimed == same


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("a bar", "Ab, 'ba", "AB 'BA"),
        ("a space", "Ab, ba!", "ab ba"),
        ("two spaces and nothing", "ab ba", "ab ba"),
        ("small letters, capitalised", "Ab ba", "ab ba"),
        ("both cases, printed in one", "AB ba", "ab ba"),
        ("pairs of letters", "abba", "abba"),
        ("phones", "a b aʊ", "a b aʊ"),
        ("phones", "A  B aʊ", "a b aʊ"),
    ],
)
def test_what_can_be_printed_can_be_spelled(
    tmp_path: Path, kind: str, target: str, said: str
) -> None:
    tokenizer = KINDS[kind][0](tmp_path)
    tokenizer.do_phonemize = False
    symbols = spell(tokenizer, printed(tokenizer), target)
    blank = tokenizer.pad_token_id
    assert heard(tokenizer, [s for symbol in symbols for s in (symbol, blank)]) == said.split()


@pytest.mark.parametrize(
    ("kind", "target", "why"),
    [
        ("a bar", "abc", "no symbol for 'c'"),
        ("a bar", "<s>", "no symbol for"),
        ("a delimiter that is printed", "a c", "no symbol for 'c'"),
        ("phones", "good morning", "writes sounds, not letters.*such as a b aʊ"),
    ],
)
def test_what_cannot_be_spelled(tmp_path: Path, kind: str, target: str, why: str) -> None:
    tokenizer = KINDS[kind][0](tmp_path)
    tokenizer.do_phonemize = False
    with pytest.raises(TargetError, match=why):
        spell(tokenizer, printed(tokenizer), target)


def test_the_delimiter_is_what_prints_a_space(tmp_path: Path) -> None:
    assert printed(KINDS["a bar"][0](tmp_path)).delimiter == 4
    assert printed(KINDS["a space"][0](tmp_path)).delimiter == 2
    assert printed(KINDS["a delimiter that is printed"][0](tmp_path)).delimiter is None


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("İyi günler", "iyi günler"),
        ("IŞIK", "ışık"),
        ("ışık.", "ışık"),
        ("Iğdır'da", "ığdır'da"),
        ("Ilık.", "ılık"),
    ],
)
def test_turkish_is_spelled_by_its_own_capitals(tmp_path: Path, target: str, said: str) -> None:
    turkish = "abcçdefgğhıijklmnoöprsştuüvyz'"
    for alphabet in (turkish, turkish.replace("i", "İ").replace("ı", "I").upper()):
        tokenizer = letters(tmp_path, *MARKERS, "|", *alphabet)
        symbols = spell(tokenizer, printed(tokenizer), target)
        written = tokenizer.decode(symbols, group_tokens=False)
        assert written.replace("I", "ı").replace("İ", "i").lower() == said


def test_a_symbol_of_the_tokenizer_that_the_model_lacks_is_not_written(tmp_path: Path) -> None:
    """A tokenizer adds its delimiter to a vocabulary that has none, past the model's symbols."""
    tokenizer = letters(tmp_path, *MARKERS, *"ago")
    own = printed(tokenizer, more=len(MARKERS) + 3 - len(tokenizer.get_vocab()))
    assert spell(tokenizer, own, "go")
    with pytest.raises(TargetError, match="cannot spell 'go a'"):
        spell(tokenizer, own, "go a")


def test_an_apostrophe_or_sharp_s_that_has_no_symbol_is_written_without(tmp_path: Path) -> None:
    tokenizer = letters(tmp_path, *MARKERS, "|", *"abdeginorstw")
    for target, said in (("don't", "dont"), ("große", "grosse"), ("GROẞE", "grosse")):
        symbols = spell(tokenizer, printed(tokenizer), target)
        assert tokenizer.decode(symbols, group_tokens=False) == said
    german = letters(tmp_path, *MARKERS, "|", *"egorsß")
    assert german.decode(spell(german, printed(german), "GROẞE"), group_tokens=False) == "große"


def test_a_vocabulary_without_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VictimError, match="prints 0 of 7 symbols as letters"):
        printed(letters(tmp_path, *MARKERS, "|", "!", "?"))
