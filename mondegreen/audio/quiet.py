"""Keeping the remarks of libmpg123 off the terminal.

It writes them to the C library's stream `stderr` and cannot be told not to. Python writes to the
file descriptor itself, so that stream can point elsewhere for a moment without a loss: what other
threads print, and tracebacks, still appear.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def quiet() -> Iterator[None]:
    """Within, what C code writes to `stderr` is dropped (with glibc; elsewhere nothing changes).

    Threads may be within at the same time; at worst a remark is shown.
    """
    if platform.libc_ver()[0] != "glibc":  # others forbid to change the stream
        yield
        return
    stream, shown, dropped = _streams()
    stream.value = dropped
    try:
        yield
    finally:
        stream.value = shown


@cache
def _streams() -> tuple[ctypes.c_void_p, int | None, int | None]:
    """The variable `stderr`, what it pointed to first, and a stream to nowhere."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p.in_dll(libc, "stderr")
    return stream, stream.value, libc.fopen(os.devnull.encode(), b"w")
