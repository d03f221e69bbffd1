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
    parser.add_argument("--at", type=int, nargs="+", required=True, help="budgets of passes")
    options = parser.parse_args()
    rows = [json.loads(line) for path in options.curves for line in path.open()]
    groups = {
        (preset, budget): standing(rows, preset, budget)
        for preset in sorted({row["preset"] for row in rows})
        for budget in options.at
        if standing(rows, preset, budget)
    }
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for group in groups.values():
        for row in group:
            print("| " + " | ".join(cells(row)) + " |")
    for (preset, budget), group in groups.items():
        print(f"\n{summary(preset, budget, group)}", end="")
    print()


def standing(rows: list[dict[str, Any]], preset: str, budget: int) -> list[dict[str, Any]]:
    """Each clip's last line within a budget; a clip that finished early stays as it ended."""
    within = [row for row in rows if row["preset"] == preset and row["passes"] <= budget]
    last = {row["id"]: row for row in sorted(within, key=lambda row: row["passes"])}
    return [last[clip] for clip in sorted(last)]


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
