"""The formats of pictures, known without loading what draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mondegreen.errors import MondegreenError

FORMATS: Final = (".png", ".svg", ".pdf")


def check_format(path: Path) -> None:
    """Check that a picture can be drawn into a file of that name.

    Raises:
        MondegreenError: its name does not end in one of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise MondegreenError(
            f"{path} is not a supported picture format. Expected a name that ends in"
            f" {', '.join(FORMATS)}."
        )
