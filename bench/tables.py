"""Curves to a table: python bench/tables.py bench/curves/*.jsonl --at 250 500 1000 2000 5000."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

COLUMNS = ("clip", "preset", "passes", "verified", "masking loss", "above θ", "PESQ", "STOI", "SNR")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", type=Path, nargs="+")
    parser.add_argument("--at", type=int, nargs="+", required=True, help="passes to show")
    options = parser.parse_args()
    rows = [json.loads(line) for path in options.curves for line in path.open()]
    shown = [row for row in rows if row["passes"] in options.at]
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for row in sorted(shown, key=lambda r: (r["preset"], r["passes"], r["id"])):
        print("| " + " | ".join(cells(row)) + " |")
    for preset, passes in sorted({(row["preset"], row["passes"]) for row in shown}):
        group = [r for r in shown if (r["preset"], r["passes"]) == (preset, passes)]
        print(f"\n{summary(preset, passes, group)}", end="")
    print()


def cells(row: dict[str, Any]) -> list[str]:
    head = [row["id"], row["preset"], str(row["passes"])]
    if "masking" not in row:
        return [*head, "no", "", "", "", "", ""]
    masking = row["masking"]
    return [
        *head,
        "yes" if row["verified"] else "no",
        f"{masking['loss']:.2f}",
        f"{masking['share_above']:.1%}",
        f"{row['pesq']:.2f}",
        f"{row['stoi']:.3f}",
        f"{row['snr_db']:.1f} dB",
    ]


def summary(preset: str, passes: int, rows: list[dict[str, Any]]) -> str:
    verified = sum(row["verified"] for row in rows)
    measured = [row for row in rows if "pesq" in row]
    pesq = statistics.median(row["pesq"] for row in measured)
    loss = statistics.median(row["masking"]["loss"] for row in measured)
    return (
        f"- `{preset}`, {passes} passes: {verified} of {len(rows)} verified,"
        f" median PESQ {pesq:.2f}, median masking loss {loss:.2f}"
    )


if __name__ == "__main__":
    main()
