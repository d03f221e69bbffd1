"""Sound files made ill: bytes and values changed at random, most of them a little."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

DEEP = "[" * 50_000 + "]" * 50_000
MARK = "nested 50,000 deep"  # what stands for it until the text is written
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**9, 10**400),
    *(0.5, -0.0, 1e308, 1e999, -1e999, float("nan"), 1e-320),
    *(
        "",
        " ",
        "0",
        "1e999",
        "nan",
        "\0",
        "\ud800",
        "\udcff",
        "\ufeff",
        "\u202e",
        "\x1b[2J",
        "日本",
    ),
    *("../../x", "/etc/passwd", "..", ".", "a/b", "=1+1", "<script>", "x" * 5_000, "x y " * 300),
    *([], {}, [[]], [None], {"": None}, ["a"] * 50, MARK),
)
TOKENS = (
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\n", b"\r\n", b'"', b"'", b'"""', b",", b"\t", b"\\"),
    *(b"[", b"]", b"{", b"}", b"=", b":", b"#", b"null", b"NaN", b"1e999", b"-1", b"true", b"a.b."),
    *(b"9" * 30, b"9" * 5_000, b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"2026-01-01"),
    *("\u2028".encode(), b"../../", b"[[a]]\n", b"a." * 200, b"[" * 2_000, b'{"a":' * 2_000),
)
EXTREMES = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)


def changed_bytes(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """A file with one to four changes."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(BYTE_CHANGES)(found, others, rng)
    return bytes(found)


def _place(found: bytearray, rng: Random) -> int:
    """Anywhere; half the time where headers are."""
    end = min(len(found), 256) if rng.random() < 0.5 else len(found)
    return rng.randrange(end + 1)


def _flip(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    for _ in range(rng.choice((1, 3, 20))):
        if (at := _place(found, rng)) < len(found):
            found[at] ^= 1 << rng.randrange(8)


def _number(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    size, at = rng.choice((1, 2, 4, 8)), _place(found, rng)
    number = rng.choice(EXTREMES) % 256**size
    found[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    del found[_place(found, rng) :]


def _drop(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    at = _place(found, rng)
    del found[at : at + rng.choice((1, 2, 4, 64, 1_000))]


def _insert(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    at = _place(found, rng)
    found[at:at] = rng.choice((rng.choice(TOKENS), rng.randbytes(rng.choice((1, 8, 300)))))


def _repeat(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    at = _place(found, rng)
    found[at:at] = found[at : at + rng.choice((1, 4, 100))] * rng.choice((1, 2, 50))


def _splice(found: bytearray, others: Sequence[bytes], rng: Random) -> None:
    other = rng.choice(others)
    found[_place(found, rng) :] = other[rng.randrange(len(other) + 1) :]


BYTE_CHANGES: tuple[Callable[[bytearray, Sequence[bytes], Random], None], ...] = (
    *(_flip, _flip, _number, _number, _cut, _drop, _insert, _insert, _repeat, _splice),
)


def changed_value(value: Any, rng: Random) -> Any:
    """Plain data with one to three changes: values replaced, left out, renamed or swapped."""
    found = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(found))
        if not places:
            return deepcopy(rng.choice(HOSTILE))
        inside, name = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del inside[name]
            case 1 if isinstance(inside, dict):
                inside[f"{rng.choice(HOSTILE)}"[:200]] = inside.pop(name)
            case 2:
                other, there = rng.choice(places)
                inside[name] = json.loads(json.dumps(_get(other, there)))
            case _:
                inside[name] = deepcopy(rng.choice(HOSTILE))  # the next change may be in it
    return found


def _get(inside: Any, name: Any) -> Any:
    try:
        return inside[name]
    except (KeyError, IndexError):
        return None


def _places(value: Any) -> Any:
    """Every value within, as what holds it and its name there."""
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    for name in names:
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _places(value[name])


def as_json(value: Any, rng: Random) -> bytes:
    """As text; sometimes with a key twice, or with a byte order mark."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7)
    text = text.replace(json.dumps(MARK), DEEP)
    if rng.random() < 0.05:
        text = text.replace("{", '{"id": 1, "key": [], ', 1)
    mark = b"\xef\xbb\xbf" if rng.random() < 0.05 else b""
    return mark + text.encode("utf-8", rng.choice(("replace", "surrogatepass")))
