"""Measured responses: found in folders and tables, read as they are, split by room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from mondegreen.air.rooms.measured import (
    Recording,
    assign_rooms,
    contents,
    find_recordings,
    read_response,
    split_recordings,
)
from mondegreen.air.rooms.settings import SplitSizes
from mondegreen.errors import RoomError

RATE = 16_000


def response(delay: int = 100, length: int = 4000, seed: int = 0) -> NDArray[np.float32]:
    """A tap of 0.5 and a decaying tail after it."""
    rir = np.zeros(length, dtype=np.float32)
    tail = length - delay - 10
    noise = np.random.default_rng(seed).uniform(-0.04, 0.04, tail)
    rir[delay + 10 :] = noise * np.exp(-5 * np.arange(tail) / tail)
    rir[delay] = 0.5
    return rir


def write(path: Path, audio: NDArray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype=None if path.suffix == ".ogg" else "PCM_24")
    return path


def floats(path: Path, audio: NDArray, rate: int = RATE) -> Path:
    soundfile.write(path, audio, rate, subtype="FLOAT")
    return path


# ---- finding --------------------------------------------------------------------------------


def test_each_folder_at_the_top_is_a_room_with_all_below(tmp_path: Path) -> None:
    for name in ("hall/a.wav", "hall/B.FLAC", "attic/mic1/ir.ogg", "attic/mic2/far/ir.wav"):
        write(tmp_path / name.replace("B.FLAC", "b.flac"), response())
    (tmp_path / "hall" / "b.flac").rename(tmp_path / "hall" / "B.FLAC")
    (tmp_path / "hall" / "read.me").write_text("not audio")
    (tmp_path / "hall" / "._a.wav").write_text("not audio either")
    found = [(r.name, r.room) for r in find_recordings(tmp_path)]
    assert found == [
        ("attic/mic1/ir.ogg", "attic"),
        ("attic/mic2/far/ir.wav", "attic"),
        ("hall/B.FLAC", "hall"),
        ("hall/a.wav", "hall"),
    ]


def test_a_file_in_no_rooms_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "hall" / "a.wav", response())
    write(tmp_path / "top.wav", response(seed=1))
    with pytest.raises(RoomError, match=r"top\.wav is not in a room's folder.*CSV.*path,room_id"):
        find_recordings(tmp_path)


def test_a_table_says_where_and_which_relative_to_itself(tmp_path: Path) -> None:
    table = tmp_path / "rirs.csv"
    table.write_text("\ufeffid,room_id,path\n1,hall,sub/b.wav\n2,attic,a.wav\n", encoding="utf-8")
    assert find_recordings(table) == [
        Recording(tmp_path / "a.wav", "a.wav", "attic"),
        Recording(tmp_path / "sub" / "b.wav", "sub/b.wav", "hall"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"columns \[\], expected a header with path,room_id"),
        (b"file,room\na.wav,1\n", r"columns \['file', 'room'\]"),
        (b"path,room_id\n", "has no impulse responses"),
        (b"path,room_id\na.wav,1\nb.wav\n", "line 3: got path 'b.wav' of room None"),
        (b"path,room_id\n,1\n", "line 2: got path ''"),
        (b"path,room_id\na.wav,1\na.wav,2\n", r"line 3: a\.wav is listed twice"),
        (b"path,room_id\na.wav,1\n./a.wav,1\n", r"line 3: \./a\.wav is .* before as a\.wav"),
        (b"path,room_id\nx/../a.wav,1\na.wav,2\n", r"line 3: a\.wav is .* as x/\.\./a\.wav"),
        (b"path,room_id\n\xff\xfe,1\n", "not a CSV file in UTF-8"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "rirs.csv"
    table.write_bytes(content)
    with pytest.raises(RoomError, match=message):
        find_recordings(table)


def test_no_collection_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match="nowhere does not exist"):
        find_recordings(tmp_path / "nowhere")
    with pytest.raises(RoomError, match="has no impulse responses"):
        find_recordings(tmp_path)


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", response())
    (tmp_path / "b.wav").symlink_to("a.wav")
    table = tmp_path / "rirs.csv"
    table.write_text("path,room_id\na.wav,1\nb.wav,2\n")
    with pytest.raises(RoomError, match=r"line 3: b\.wav is listed twice, before as a\.wav"):
        find_recordings(table)


def test_one_content_is_of_one_room(tmp_path: Path) -> None:
    for name, seed in {"a.wav": 0, "copy.wav": 0, "b.wav": 1}.items():
        write(tmp_path / name, response(seed=seed))
    table = tmp_path / "rirs.csv"
    table.write_text("path,room_id\na.wav,hall\nb.wav,attic\ncopy.wav,hall\n")
    found = contents(find_recordings(table))
    assert {name: room for name, (room, _) in found.items()} == {
        "a.wav": "hall",
        "b.wav": "attic",
        "copy.wav": "hall",
    }
    assert found["a.wav"] == found["copy.wav"] != found["b.wav"]
    table.write_text("path,room_id\na.wav,hall\nb.wav,attic\ncopy.wav,attic\n")
    with pytest.raises(
        RoomError, match=r"a\.wav of room 'hall' and .*copy\.wav of room 'attic' are identical"
    ):
        contents(find_recordings(table))


# ---- reading --------------------------------------------------------------------------------


def test_a_response_begins_40_samples_before_its_sound_and_keeps_its_scale(tmp_path: Path) -> None:
    rir = response(delay=100)
    found = read_response(floats(tmp_path / "a.wav", rir), RATE)
    assert np.array_equal(found, rir[60:])


def test_a_response_with_less_before_its_sound_stays_whole(tmp_path: Path) -> None:
    rir = response(delay=7)
    assert np.array_equal(read_response(floats(tmp_path / "a.wav", rir), RATE), rir)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_of_two_channels_the_first_is_read(tmp_path: Path, suffix: str) -> None:
    rir = response()
    path = write(tmp_path / f"a{suffix}", np.stack([rir, -rir], axis=1))
    found = read_response(path, RATE)
    crest = found[np.abs(found).argmax()]
    assert crest > 0.2 if suffix == ".ogg" else crest == pytest.approx(0.5, abs=1e-6)


def test_another_rate_is_converted_with_delays_and_levels_kept(tmp_path: Path) -> None:
    n = np.arange(44_100)
    late = (n - 4410) / 44_100 * RATE  # a tap at 0.1 s, band-limited to half of the new rate
    wide = 0.5 * np.sinc(late / 2) * np.exp(-((late / 50) ** 2))
    found = read_response(floats(tmp_path / "a.wav", wide, 44_100), RATE)
    assert len(found) == RATE - 1600 + 40
    late = np.arange(len(found)) - 40
    expected = 0.5 * np.sinc(late / 2) * np.exp(-((late / 50) ** 2))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_ten_seconds_and_no_more(tmp_path: Path) -> None:
    longest = floats(tmp_path / "a.wav", response(length=80_000), 8000)
    assert len(read_response(longest, 8000)) == 80_000 - 60
    longer = floats(tmp_path / "b.wav", response(length=80_001), 8000)
    with pytest.raises(RoomError, match=r"b\.wav lasts longer than 10 s.*Cut it"):
        read_response(longer, 8000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(tmp_path: Path, value: float) -> None:
    rir = response()
    rir[700] = value
    with pytest.raises(RoomError, match=r"a\.wav holds NaN or infinite"):
        read_response(floats(tmp_path / "a.wav", rir), RATE)


def test_silence_in_the_first_channel_is_refused(tmp_path: Path) -> None:
    rir = response()
    path = write(tmp_path / "a.wav", np.stack([0 * rir, rir], axis=1))
    with pytest.raises(RoomError, match=r"a\.wav is silent in its first channel"):
        read_response(path, RATE)


def test_files_that_are_no_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match=r"missing\.wav cannot be opened"):
        read_response(tmp_path / "missing.wav", RATE)
    with pytest.raises(RoomError, match=r"missing\.wav cannot be read"):
        Recording(tmp_path / "missing.wav", "missing.wav", "1").sha256()
    for name, content in [("empty.wav", b""), ("text.wav", b"hello"), ("a.raw", b"12")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RoomError, match=f"{name} (is empty|cannot be read).* one impulse"):
            read_response(tmp_path / name, RATE)
    none = floats(tmp_path / "none.wav", np.zeros(0))
    with pytest.raises(RoomError, match=r"none\.wav holds 0 samples"):
        read_response(none, RATE)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", response(length=40_000))
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(RoomError, match=r"a\.flac (holds|cannot be read)"):
        read_response(path, RATE)


# ---- splitting ------------------------------------------------------------------------------

some_counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
sizes = st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 9), min_size=3, max_size=40)


@examples(max_examples=100, deadline=None)
@given(sizes=sizes, counts=some_counts.filter(any), seed=st.integers(0, 2**32))
def test_no_room_is_in_two_splits(
    sizes: Mapping[str, int], counts: tuple[int, int, int], seed: int
) -> None:
    recordings = [
        Recording(Path(room, str(n)), f"{room}/{n}", room)
        for room, files in sizes.items()
        for n in range(files)
    ]
    wanted = SplitSizes(*counts)
    splits = split_recordings(recordings, wanted, seed)
    assert list(splits) == [name for name, _ in wanted.items()]
    rooms = [{recording.room for recording in split} for split in splits.values()]
    assert sum(map(len, rooms)) == len(set().union(*rooms))
    split_of = assign_rooms(sizes, wanted, seed)
    for (name, count), split in zip(wanted.items(), splits.values(), strict=True):
        there = sum(files for room, files in sizes.items() if split_of[room] == name)
        assert len(split) == len(set(split)) == min(count, there) >= 1


def test_rooms_are_dealt_out_in_proportion_to_the_counts() -> None:
    rooms = [str(n) for n in range(120)]
    split_of = list(assign_rooms(rooms, SplitSizes(1000, 100, 100), 0).values())
    assert [split_of.count(name) for name in ("attack", "validate", "test")] == [100, 10, 10]


def test_each_split_gets_a_room_before_any_gets_two() -> None:
    split_of = assign_rooms(["a", "b", "c"], SplitSizes(1000, 1, 1), 0)
    assert sorted(split_of.values()) == ["attack", "test", "validate"]


def test_rooms_are_shuffled_by_the_seed_whatever_order_they_come_in() -> None:
    rooms = [str(n) for n in range(30)]
    one = assign_rooms(rooms, SplitSizes(), 1)
    assert one == assign_rooms(reversed(rooms), SplitSizes(), 1)
    assert one != assign_rooms(rooms, SplitSizes(), 2)
    assert sorted(one) == sorted(rooms)


@pytest.mark.parametrize(
    ("rooms", "counts", "message"),
    [
        (
            "ab",
            SplitSizes(),
            r"\['a', 'b'\], expected at least 3, for attack, validate, test: .* of 0",
        ),
        ("a", SplitSizes(1, 0, 1), r"\['a'\], expected at least 2, for attack, test"),
    ],
)
def test_fewer_rooms_than_splits_are_refused(rooms: str, counts: SplitSizes, message: str) -> None:
    with pytest.raises(RoomError, match=message):
        assign_rooms([*rooms, *rooms], counts, 0)


def test_as_many_rooms_as_splits_will_do() -> None:
    assert set(assign_rooms("ab", SplitSizes(5, 0, 5), 0).values()) == {"attack", "test"}
    mine = [Recording(Path(str(n)), f"den/{n}", "den") for n in range(4)]
    assert split_recordings(mine, SplitSizes(0, 0, 10), 0) == {"test": mine}
