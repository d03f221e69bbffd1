"""Typed records, made in no time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mondegreen.airs import Air
from mondegreen.options import Options
from mondegreen.results.record import (
    Dry,
    InRooms,
    MaskingExcess,
    OverRooms,
    Point,
    Prices,
    Quality,
    QualityInRooms,
    Record,
    RoomTranscript,
    Success,
    Survival,
)

QUALITY = Quality(
    max_abs=120.0,
    snr_db=-3.5,
    masking=MaskingExcess("paper", 5.5, 0.25, 3.0, 9.0, edges_db=0.0),
    pesq=3.4,
    stoi=0.99,
    pesq_c2=3.9,
    zimtohrli=0.0033,
    zimtohrli_mos=4.4,
    temporal=MaskingExcess("temporal", 5.0, 0.2, 3.0, 9.0, edges_db=0.0, margin_db=-6.5),
)
SURVIVAL = Survival(
    rooms=InRooms(
        split="test",
        count=1,
        distinct=1,
        heard=1.0,
        heard_low=0.2,
        heard_high=1.0,
        heard_original=0.0,
        wer_target=0.0,
        wer_original=1.0,
        each=(RoomTranscript("test-0", 0.3, "open the door", matched=True),),
    ),
    dry=Dry(1.0, 0.0, 1.0),
)
QUALITY_IN_ROOMS = QualityInRooms(
    split="test",
    count=20,
    zimtohrli_mos=OverRooms(4.8, 3.6, "test-000015", 20),
    pesq_c2=OverRooms(4.1, 3.7, "test-000040", 19),
    pesq=None,
    stoi=OverRooms(0.9, 0.8, "test-000005", 20),
    masking_loss=OverRooms(7.0, 70.5, "test-000035", 20),
    temporal_loss=OverRooms(0.4, 60.5, "test-000035", 20),
    snr_db=OverRooms(-3.0, -4.5, "test-000000", 20),
    unmeasured={"pesq": "the package pesq is not installed"},
)
DRY = Record(
    id="clip",
    audio="clip.wav",
    target="open the door",
    spelled="Open the door.",
    text="nothing at all",
    heard_clean="Nothing at all.",
    heard="Open the door.",
    verified=True,
    options=Options(),
    stages="0123456789abcdef",
    wer_target=0.0,
    wer_original=1.0,
    wer_clean=0.0,
    understood=True,
    victim="linear",
    passes=500,
    looks=0,
    first_match=7,
    found_at=480,
    stage="last",
    interrupted=False,
    seconds=2.5,
    quality=QUALITY,
    bank=None,
    air=None,
    survival=None,
    clean=None,
    sample_rate=16_000,
    device="cpu",
    dtype="float32",
    versions={"torch": "2.13.0"},
    warnings=("doubtful",),
    curve=(Point(10, "first", 1.5, True, 1, 1, 0.01, None, None),),
    key="key",
    trail=(Success(15, "first", Prices(19.5, -8.0, 12.0, None, 3.5)),),
    files={"adversarial.wav": "abc"},
)
BOUNDED = replace(DRY, options=Options(under_threshold=3.0, exact=True, max_passes=700))
IN_ROOMS = replace(
    DRY,
    options=Options(method="robust", seed=2**63 - 1),
    bank="b" * 64,
    air=Air(gain_db=(-3.0, 0.0)),
    survival=SURVIVAL,
    clean=SURVIVAL,
    quality_in_rooms=QUALITY_IN_ROOMS,
    trail=(),
)


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of an item's record."""
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
