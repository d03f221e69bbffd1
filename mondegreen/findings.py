"""What one check found: of an installation, of a recogniser, or of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    id: str  # of the check
    # "error": if it fires, results cannot be believed; "warning": they mean less than they seem to
    severity: Literal["error", "warning"]
    # "ok"; "warning" or "error" of an installation; "fails" of a recogniser; "fires" of an
    # evaluation; "skipped": there was nothing to judge
    state: Literal["ok", "warning", "error", "fails", "fires", "skipped"]
    detail: str  # what was measured, in words and numbers
