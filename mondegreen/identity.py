"""What makes a thing the same thing: the hash of a description, and where two of them differ.

Banks of rooms, runs and their items are each named by what they are made from, so that the same
command finds what is there, and another one is told what is different.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


def key_of(description: Mapping[str, Any]) -> str:
    """The SHA-256 of a description's canonical JSON, as 64 hexadecimal digits."""
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """Where two descriptions differ, a clause each, for an error message."""
    for name in sorted(there.keys() | asked.keys()):
        old, new = there.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new)
        elif json.dumps(old) != json.dumps(new):  # for which a tuple is the list it is read as
            yield f"its {name} is {json.dumps(old)}, asked for is {json.dumps(new)}"
