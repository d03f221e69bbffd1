"""Banks on disk: what is read is what was written, or it is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from mondegreen.air.rooms.bank import FORMAT, VERSION, RoomBank, Split
from mondegreen.air.rooms.responses import Response, Room
from mondegreen.errors import MondegreenError, RoomError
from mondegreen.files import key_of

ORIGIN = {"kind": "simulated", "seed": 3, "settings": {"width": [3.0, 5.0], "name": "Gästezimmer"}}
ROOMS = (
    Room("attack-000017", 0.1 + 0.2, -3.5, (3.1, 4.2, 2.3), (1, 2, 1), (2, 1, 1.5)),
    Room("hall", None, None, path="hall/a.wav"),
)


def a_split(name: str, *lengths: int) -> Split:
    rng = np.random.default_rng(len(name))
    rirs = [np.float32(rng.standard_normal(length)) for length in lengths]
    return Split.of(name, [Response(ROOMS[n % 2], rir) for n, rir in enumerate(rirs)])


def a_bank() -> RoomBank:
    splits = {"attack": a_split("attack", 5, 9, 7), "test": a_split("test", 4, 3)}
    return RoomBank(16_000, key_of(ORIGIN), ORIGIN, splits)


def same(one: RoomBank, other: RoomBank) -> bool:
    def facts(bank: RoomBank) -> tuple:
        return bank.sample_rate, bank.key, bank.origin, [s.rooms for s in bank.splits.values()]

    def tensors(bank: RoomBank) -> list[Tensor]:
        return [tensor for s in bank.splits.values() for tensor in (s.rirs, s.lengths)]

    pairs = zip(tensors(one), tensors(other), strict=True)
    return facts(one) == facts(other) and all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bank.safetensors"
    a_bank().save(path)
    return path


def test_what_was_saved_is_loaded(path: Path) -> None:
    assert same(RoomBank.load(path), a_bank())
    assert same(RoomBank.load(path, 16_000), a_bank())
    assert [f.name for f in path.parent.iterdir()] == [path.name]


def test_a_split_is_padded_and_gives_its_responses_back() -> None:
    rirs = [np.arange(1, n + 1, dtype=np.float32) for n in (3, 1, 2)]
    split = Split.of("attack", [Response(ROOMS[0], rir) for rir in rirs])
    assert split.rirs.tolist() == [[1, 2, 3], [1, 0, 0], [1, 2, 0]]
    assert split.lengths.tolist() == [3, 1, 2]
    for response, rir in zip(split.responses(), rirs, strict=True):
        assert response.room == ROOMS[0]
        assert response.rir.tolist() == rir.tolist()


def test_a_split_that_is_not_there_is_refused() -> None:
    assert a_bank().split("test").name == "test"
    for name in ("validate", "tset"):
        with pytest.raises(RoomError, match=rf"no rooms for '{name}', only for.*attack, test"):
            a_bank().split(name)


def test_a_bank_of_another_rate_is_refused(path: Path) -> None:
    with pytest.raises(RoomError, match="at 16000 Hz, expected 8000 Hz"):
        RoomBank.load(path, 8000)


@examples(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_says_nothing(
    path: Path, tmp_path: Path, at: int, bit: int
) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    try:
        loaded = RoomBank.load(damaged)
    except RoomError:
        return
    assert same(loaded, a_bank())  # a space became a tab between the parts of the header


@pytest.mark.parametrize("part", ["zimmer", "attack-000017", "16000", "0.30000000000000004"])
def test_every_word_is_under_the_checksum(path: Path, tmp_path: Path, part: str) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(part.encode()) + len(part) - 2] ^= 1
    damaged = tmp_path / "bank.safetensors"
    damaged.write_bytes(content)
    with pytest.raises(RoomError, match=r"bank\.safetensors is damaged.*checksum.*make it again"):
        RoomBank.load(damaged)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_bank_cut_short_is_refused(path: Path, tmp_path: Path, kept: int) -> None:
    short = tmp_path / "bank.safetensors"
    short.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RoomError, match=r"is damaged.*make it again"):
        RoomBank.load(short)


def test_what_is_no_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match="does not exist"):
        RoomBank.load(tmp_path / "nowhere")
    with pytest.raises(RoomError, match="does not exist, or is not a file"):
        RoomBank.load(tmp_path)
    (tmp_path / "text").write_text("rooms!" * 100)
    with pytest.raises(RoomError, match="is damaged, or not a bank"):
        RoomBank.load(tmp_path / "text")
    save_file({"attack.rirs": torch.zeros(1, 2)}, tmp_path / "others")
    with pytest.raises(RoomError, match="others is not a bank of rooms"):
        RoomBank.load(tmp_path / "others")


def test_a_bank_whose_splits_were_drawn_otherwise_is_refused(tmp_path: Path) -> None:
    save_file({}, tmp_path / "old", {FORMAT: '{"version": 1}'})
    with pytest.raises(RoomError, match=r"version 1, expected 2\. Delete it and make it again"):
        RoomBank.load(tmp_path / "old")


@pytest.mark.parametrize("rooms", ["{", "[]", '{"attack": [{"no": 1}]}', '{"test": []}', "null"])
def test_tables_that_are_garbage_are_refused_even_under_a_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rooms: str
) -> None:
    monkeypatch.setattr("mondegreen.air.rooms.bank._checksum", lambda words, tensors: "x")
    about = '{"version": %d, "sample_rate": 1, "key": "", "origin": {}, "sha256": "x", "rooms": %s}'
    words = {FORMAT: about % (VERSION, rooms)}
    save_file({"attack.rirs": torch.zeros(1, 2)}, tmp_path / "bank", words)
    with pytest.raises(RoomError, match="is damaged"):
        RoomBank.load(tmp_path / "bank")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rirs": torch.zeros(2, 9, dtype=torch.float64)}, "float64"),
        ({"rirs": torch.zeros(3, 9)}, r"\[3, 9\], expected float32 \[2, samples\]"),
        ({"rirs": torch.zeros(2)}, r"shape \[2\]"),
        ({"rirs": torch.tensor([[1, 2], [torch.inf, 0]])}, "NaN or infinite"),
        ({"lengths": torch.tensor([1, 2], dtype=torch.int32)}, "int32"),
        ({"lengths": torch.tensor([1, 2, 2])}, r"\[3\], expected int64 \[2\]"),
        ({"lengths": torch.tensor([0, 2])}, "not between 1 and 2"),
        ({"lengths": torch.tensor([1, 3])}, "not between 1 and 2"),
    ],
)
def test_splits_that_do_not_fit_together_are_refused(
    change: dict[str, Tensor], message: str
) -> None:
    split = Split("attack", torch.ones(2, 2), torch.tensor([1, 2]), ROOMS)
    with pytest.raises(RoomError, match=message):
        dataclasses.replace(split, **change)


def test_a_key_is_of_what_a_bank_is_made_from_not_of_its_order() -> None:
    assert key_of({"a": 1, "b": (2.0, 3.0)}) == key_of({"b": [2.0, 3.0], "a": 1})
    assert key_of({"a": 1, "b": 2}) != key_of({"a": 1, "b": 3})
    assert len(key_of({})) == 64


def test_a_bank_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="could not be written"):
        a_bank().save(tmp_path / "no folder" / "bank")
