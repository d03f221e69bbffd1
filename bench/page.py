"""Write `docs/benchmarks.md`: numbers from `bench/results.json`, text from `page.md`.

`render` is a pure function, so that a test can compare the page with the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import surviving, targets
from bench.results import KEYS, PATH, Results, Row, find, read
from bench.standing import LOSS, MEASURES, NONE, cell, groups, heard, inaudible
from bench.subjects import FIND, JUDGE, SETS, VICTIMS, WHISPER
from mondegreen.files import write_whole

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def write(results_path: Path = PATH, page: Path = PAGE) -> None:
    write_whole(page, render(read(results_path)).encode())


def render(results: Results) -> str:
    """The page's text."""
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown
    )
    return jinja.get_template("page.md").render(
        victims=VICTIMS,
        everyone=(*VICTIMS, WHISPER),
        sets={name: ", ".join(clips) for name, clips in SETS.items()},
        headline=targets.headline(results),
        targets=table(
            ("asked", "measured", "met"),
            ((one.asked, one.measured, one.answer) for one in targets.verdicts(results)),
        ),
        judged=lambda victim: standing(results, victim, JUDGE),
        found=lambda victim: standing(results, victim, FIND),
        clips=lambda victim: clip_by_clip(results, victim),
        over_clips=lambda victim: over_clips(results, victim),
        in_rooms=lambda victim: in_rooms(results, victim),
        passes=passes(results),
        batches=batches(results),
        memory=memory(results),
        threshold=ratios(find(results, "threshold")),
        rooms=ratios(find(results, "rooms")),
        circumstances=circumstances(results),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; without rows it says so."""
    body = [list(row) for row in rows] or [[NONE, *[""] * (len(head) - 1)]]
    lines = [list(head), ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def standing(results: Results, victim: str, of: str) -> str:
    """Presets and peers on the clips of a set."""
    head = ("", "passes", *(one.title for one in MEASURES), "verified", "probably inaudible")
    rows = (
        (
            f"`{preset}`",
            f"{budget:,}",
            *(cell(measure, rows) for measure in MEASURES),
            heard(rows),
            inaudible(rows),
        )
        for preset, budget, rows in groups(results, victim, of)
    )
    return table(head, rows)


def clip_by_clip(results: Results, victim: str) -> str:
    """The judging clips' files at the targets' budget."""
    head = (
        *("clip", "preset", "passes", "first success", "verified", "Zimtohrli MOS"),
        *("PESQ (Cor. 2)", "PESQ (2007)", "masking loss", "with temporal masking", "SNR, dB"),
    )
    at_budget = (rows for _, n, rows in groups(results, victim, JUDGE) if n == targets.BUDGET)
    rows = [row for group in at_budget for row in group]
    return table(head, map(_scored, sorted(rows, key=lambda row: SETS[JUDGE].index(row["clip"]))))


def _scored(row: Row) -> list[str]:
    return [
        row["clip"],
        f"`{row['preset']}`",
        f"{row['passes']:,}",
        first(row),
        "yes" if row["verified"] else "**no**",
        number(row["zimtohrli_mos"], ".2f"),
        number(row["pesq_c2"], ".2f"),
        number(row["pesq"], ".2f"),
        LOSS.form(row["masking_loss"]),
        number(row["temporal_loss"], ".3g"),
        number(row["snr_db"], ".1f"),
    ]


def first(row: Row) -> str:
    """Peers do not report at which pass they first succeeded."""
    if "first_match" not in row:
        return "not reported"
    return "none" if row["first_match"] is None else str(row["first_match"])


def number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def over_clips(results: Results, victim: str) -> str:
    head = ("method", "preset", "air", "clips", "passes", "heard in rooms: mean over clips")
    ratings = (f"{title} in a room: median clip (worst)" for title in surviving.RATINGS.values())
    return table((*head, *ratings), surviving.over_clips(results, victim))


def in_rooms(results: Results, victim: str) -> str:
    head = ("method", "preset", "air", "clip", "heard in rooms", "heard without")
    rooms = (f"{title}: median room (worst)" for title in surviving.RATINGS.values())
    dry = (f"{title} without" for title in surviving.RATINGS.values())
    return table((*head, *rooms, *dry, "SNR, dB"), surviving.clip_by_clip(results, victim))


def passes(results: Results) -> str:
    """Milliseconds of each part, and the ratio of the whole to the recogniser's own pass."""
    names = ("forward", "backward", "loop", "masking", "rooms", "bookkeeping")
    head = ("recogniser", "pass", *names, "ratio to the recogniser’s own")
    rows = [
        (
            f"`{row['victim']}`",
            row["kind"],
            *(_milliseconds(row["parts"].get(name)) for name in names),
            spread(row),
        )
        for row in find(results, "passes")
    ]
    return table(head, rows)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:,.3g} ms"


def spread(row: Row) -> str:
    return f"{row['ratio']:.3g} ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"


def batches(results: Results) -> str:
    head = (
        "recogniser",
        "clips",
        "seconds per clip and pass",
        "ratio to one clip: wall",
        "processor",
    )
    rows = (
        (
            f"`{row['victim']}`",
            str(row["size"]),
            f"{row['wall']['seconds_per_clip']:.3g}",
            spread(row["wall"]),
            spread(row["processor"]),
        )
        for row in find(results, "batches")
    )
    return table(head, rows)


def memory(results: Results) -> str:
    head = ("recogniser", "clips", "after loading", "peak")
    rows = (
        (
            f"`{row['victim']}`",
            str(row["size"]),
            f"{row['loaded_gib']:.2f} GiB",
            f"{row['peak_gib']:.2f} GiB",
        )
        for row in find(results, "memory")
    )
    return table(head, rows)


def ratios(rows: Iterable[Row]) -> str:
    head = ("", "ratio (middle half)", "first", "second")
    lines = (
        (
            row["kind"],
            spread(row),
            _milliseconds(row["seconds"]),
            _milliseconds(row["other_seconds"]),
        )
        for row in rows
    )
    return table(head, lines)


def circumstances(results: Results) -> str:
    """Where and when the rows were measured."""
    lines = []
    for where, here in results["circumstances"].items():
        rows = [(part, row) for part in KEYS for row in results[part] if row["where"] == where]
        counts = {part: sum(p == part for p, _ in rows) for part in KEYS}
        dates = sorted({row["date"] for _, row in rows})
        what = ", ".join(f"{part} ({count})" for part, count in counts.items() if count)
        lines.append((what, *_machine(here), " to ".join(dict.fromkeys((dates[0], dates[-1])))))
    return table(("rows", "machine", "threads", "versions", "date"), lines)


def _machine(here: Row) -> tuple[str, str, str]:
    cores, memory_gib, threads = (here.get(name) for name in ("cores", "memory_gib", "threads"))
    parts = [here["processor"]]
    parts += [f"{cores} cores"] if cores else []
    parts += [f"{memory_gib} GiB"] if memory_gib else []
    versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    return ", ".join(parts), str(threads) if threads else "not recorded", versions
