"""The byte-pair tokenizer, on a vocabulary small enough to merge by hand, and on the real one."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.embedded import bundled
from mondegreen.victims.embedded.tokenizer import Tokenizer

SPACE = "▁"
SINGLE_BYTES = [bytes([i]) for i in range(256)]


def toy(*pieces: str) -> Tokenizer:
    """Pieces get ids from 259 on, in order of merge priority."""
    return Tokenizer([b"", b"", b"", *SINGLE_BYTES, *(piece.encode() for piece in pieces)])


def test_the_pair_of_highest_priority_is_merged_first() -> None:
    # "abc": were "ab" merged first, "bc" could not be; "bc" has the lower id, so "a" + "bc"
    tokenizer = toy("bc", "ab", SPACE, "a", "b", "c")
    assert tokenizer.encode("abc") == [261, 262, 259]


def test_of_equal_pairs_the_leftmost_is_merged() -> None:
    tokenizer = toy("aa", SPACE, "a")
    assert tokenizer.encode("aaa") == [260, 259, 261]


def test_a_character_is_never_a_byte_token() -> None:
    tokenizer = toy(SPACE, ".")
    assert tokenizer.encode(".") == [259, 260]
    assert tokenizer.decode([3 + ord("."), 260]) == ".."


def test_a_character_without_a_piece_is_named() -> None:
    with pytest.raises(TargetError, match="'☃'"):
        toy(SPACE, "a").encode("a☃")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(b"\x01a\x05abc")
    with pytest.raises(VictimError, match="cut short"):
        Tokenizer.from_file(path)


def test_a_long_entry_has_a_second_length_byte(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.bin"
    long = b"x" * 300
    path.write_bytes(b"\x00" * 259 + bytes([128 + 300 % 128, 300 // 128]) + long)
    assert Tokenizer.from_file(path).decode([259]) == long.decode()


def merged_one_by_one(pieces: list[str], priority: dict[str, int]) -> list[str]:
    """The definition: again and again, of all neighbours the pair of the lowest id, leftmost."""
    while True:
        pairs = [(priority.get(a + b, -1), i) for i, (a, b) in enumerate(pairwise(pieces))]
        known = [pair for pair in pairs if pair[0] >= 0]
        if not known:
            return pieces
        _, i = min(known)
        pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]


@given(
    st.lists(st.text("ab", min_size=2, max_size=5), unique=True, max_size=12),
    st.text("ab ", max_size=30),
)
def test_merging_is_by_priority_however_it_is_done(pieces: list[str], text: str) -> None:
    entries = [*pieces, SPACE, "a", "b"]
    priority = {piece: 259 + i for i, piece in enumerate(entries)}
    letters = list(SPACE + " ".join(text.split()).replace(" ", SPACE))
    expected = [priority[piece] for piece in merged_one_by_one(letters, priority)]
    assert toy(*entries).encode(text) == expected


def test_the_real_vocabulary_merges_by_priority(real: Tokenizer) -> None:
    text = "Never trust a machine that hears what nobody said; it's 1 of 2. aaaaaaaa oooooo"
    letters = list(SPACE + text.replace(" ", SPACE))
    expected = merged_one_by_one(letters, real._ids)
    assert real.encode(text) == [real._ids[piece] for piece in expected]


def test_a_long_text_is_merged_one_pair_after_another_not_one_pass_after_another() -> None:
    # 100,000 merges; a search of all pairs for each would be 10^10 steps
    doubled = toy("aa", SPACE, "a").encode("a" * 200_000)
    assert doubled == [260, *[259] * 100_000]


@pytest.fixture(scope="module")
def real() -> Tokenizer:
    return bundled.tokenizer()


def test_the_real_vocabulary_merges_whole_words(real: Tokenizer) -> None:
    # the pieces of Llama's public vocabulary, which this one extends
    assert real.encode("the") == [278]
    assert real.encode("the.") == [278, 29889]


@given(st.text("abcdefghijklmnopqrstuvwxyz ABC.,'?!-0123456789", min_size=1))
def test_decoding_gives_the_text_back(text: str) -> None:
    tokenizer = bundled.tokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())
