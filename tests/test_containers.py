"""What a container promises against what is there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mondegreen.audio import containers, pcm
from mondegreen.errors import AudioError

RATE = 16_000
TEN_SECONDS = np.random.default_rng(0).normal(0, 0.1, 10 * RATE)
SUBTYPE = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
KINDS = sorted(containers.TELLING)


def stored(kind: str, samples: np.ndarray = TEN_SECONDS, **options: str) -> bytes:
    file = io.BytesIO()
    subtype = SUBTYPE.get(kind, "PCM_16")
    soundfile.write(file, samples, RATE, format=kind, **{"subtype": subtype, **options})
    return file.getvalue()


def refused(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(AudioError, match=match) as caught:
        pcm.load(path, RATE)
    assert str(path) in str(caught.value)


def length(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return len(pcm.load(path, RATE))


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read_and_a_part_is_not(tmp_path: Path, kind: str) -> None:
    content = stored(kind)
    assert length(tmp_path / "a", content) == len(TEN_SECONDS)
    for share in (0.1, 0.5, 0.95):
        cut = content[: int(share * len(content))]
        refused(tmp_path / "a", cut, "is cut short|cannot be read as audio")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WAV", {"endian": "BIG"}),  # RIFX
        ("AU", {"endian": "LITTLE"}),
        ("WAV", {"subtype": "MS_ADPCM"}),
        ("AIFF", {"subtype": "FLOAT"}),  # AIFF-C
        ("OGG", {"subtype": "OPUS"}),
    ],
)
def test_their_variants(tmp_path: Path, kind: str, options: dict[str, str]) -> None:
    content = stored(kind, **options)
    assert length(tmp_path / "a", content) >= len(TEN_SECONDS)  # ADPCM fills its last block
    refused(tmp_path / "a", content[: len(content) // 2], "is cut short")


def test_how_much_is_there_and_how_much_is_promised(tmp_path: Path) -> None:
    content = stored("WAV")
    promised = 2 * len(TEN_SECONDS)
    refused(tmp_path / "a", content[:-1], f"{promised - 1} bytes of sound.*promises {promised}")


@pytest.mark.parametrize(
    ("kind", "before", "size"),
    [
        ("WAV", b"data", bytes(4)),
        ("WAV", b"data", b"\xff\xff\xff\xff"),
        ("WAV", b"data", b"\xf0\xff\xff\xff"),
        ("WAV", b"data", b"\x00\xf0\xff\x7f"),
        ("AU", b".snd\0\0\0\x18", b"\xff\xff\xff\xff"),
        ("CAF", b"data", b"\xff" * 8),
        ("AIFF", b"SSND", bytes(4)),
    ],
)
def test_what_is_written_into_a_pipe_does_not_say_how_long_it_is(
    tmp_path: Path, kind: str, before: bytes, size: bytes
) -> None:
    content = bytearray(stored(kind))
    at = content.index(before) + len(before)
    content[at : at + len(size)] = size
    refused(tmp_path / "a", bytes(content), "does not say how long it is")


def chunk(name: bytes, size: int) -> bytes:
    return name + size.to_bytes(4, "little") + bytes(size + size % 2)


def test_other_chunks_are_stepped_over(tmp_path: Path) -> None:
    content = stored("WAV")
    at = content.index(b"data")
    more = content[:at] + chunk(b"LIST", 333) + content[at:] + chunk(b"LIST", 4_000)
    assert length(tmp_path / "a", more) == len(TEN_SECONDS)
    refused(tmp_path / "a", more[:-8_000], "is cut short")


def test_chunks_without_end(tmp_path: Path) -> None:
    content = stored("WAV")[:12] + chunk(b"JUNK", 0) * 2 * containers.MAX_CHUNKS
    refused(tmp_path / "a", content, "no samples where its header says")


def test_chunks_that_lead_nowhere(tmp_path: Path) -> None:
    content = stored("W64")
    at = content.index(b"fmt ") + 16
    huge = content[:at] + b"\xff" * 8 + content[at + 8 :]
    refused(tmp_path / "a", huge, "no samples where its header says")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_chain_of_ogg_files_is_not_the_first_of_them(tmp_path: Path, subtype: str) -> None:
    first, second = (stored("OGG", part, subtype=subtype) for part in np.split(TEN_SECONDS, 2))
    refused(tmp_path / "a", first + second, "does not say how long it is: it is a chain")


def test_what_follows_the_last_page_of_an_ogg_file(tmp_path: Path) -> None:
    assert length(tmp_path / "a", stored("OGG") + bytes(500)) == len(TEN_SECONDS)


def test_an_ogg_file_without_its_last_page(tmp_path: Path) -> None:
    content = stored("OGG")
    refused(tmp_path / "a", content[: content.rindex(b"OggS")], "its end is missing")


def test_pages_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_PAGES", 3)
    refused(tmp_path / "a", stored("OGG"), "more than 3 pages")


@pytest.mark.parametrize("kind", ["VOC", "SVX", "IRCAM", "PAF", "PVF", "AVR", "MAT5", "XI", "SDS"])
def test_kinds_that_may_be_cut_without_a_trace(tmp_path: Path, kind: str) -> None:
    subtype = "DPCM_16" if kind == "XI" else "PCM_16"
    content = stored(kind, subtype=subtype)
    refused(tmp_path / "a", content, "onvert it to wav|no samples where its header says")
