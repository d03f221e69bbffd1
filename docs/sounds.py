"""Make what the site plays, in build/sounds: the notebook, run, and the attacks of the gallery.

`make sounds` runs it, once, in some minutes; without it, the site has no sounds. The recordings are
those that come with the installation, and nothing made from them is kept in the repository.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Final

from docs.notebook import notebook_page, run
from mondegreen.audio.pcm import encode
from mondegreen.report.page.write import write_report
from mondegreen.results.item import read_record
from mondegreen.results.record import Record
from mondegreen.results.sounds import read_sounds
from mondegreen.results.verdict import verdict_sentences
from mondegreen.victims.embedded.bundled import asset

ROOT: Final = Path(__file__).resolve().parents[1]
NOTEBOOK: Final = ROOT / "examples" / "quickstart.ipynb"
MADE: Final = ROOT / "build" / "sounds"
NOTED: Final = "quickstart"  # the result of the notebook
EVENING: Final = 'beckett.wav --to 3.4 --target "good evening everyone" --max-passes 150'
COMMANDS: Final = {
    "ten-seconds": 'beckett.wav --target "everyone can hear what nobody ever said"',
    "telephone": f"{EVENING} --through telephone",
    "untargeted": "two_cities.wav --to 5 --method untargeted --snr 30 --max-passes 150",
}
TITLES: Final = {
    NOTED: "A few words, 150 passes",
    "ten-seconds": "Ten seconds, 500 passes",
    "telephone": "Through a telephone line",
    "untargeted": "No target: what is said gets lost, at 30 dB",
}


def make() -> None:
    """Run the notebook and the attacks that are not there yet."""
    results = MADE / "results"
    results.mkdir(parents=True, exist_ok=True)
    for name in ("beckett.wav", "two_cities.wav"):
        (results / name).unlink(missing_ok=True)
        (results / name).symlink_to(asset(f"moonshine_voice/assets/{name}"))
    if not (results / NOTED).exists():
        page = notebook_page(run(NOTEBOOK, results), MADE)
        (MADE / "quickstart.md").write_text(page, encoding="utf-8")
        (results / "quickstart-result").rename(results / NOTED)
    for name, words in COMMANDS.items():
        if not (results / name).exists():
            command = [sys.executable, "-m", "mondegreen", "attack", *shlex.split(words)]
            subprocess.run([*command, "--out", name], cwd=results, check=True)
    for name in TITLES:
        _write(results / name, name)


def _write(item: Path, name: str) -> None:
    """What is played of an item, and its report."""
    sounds = read_sounds(item, read_record(item))
    for track in ("original", "adversarial", "perturbation"):
        (MADE / f"{name}-{track}.flac").write_bytes(
            encode(getattr(sounds, track), sounds.rate, "FLAC")
        )
    write_report([[item]], MADE / f"{name}.html")


def players(names: list[str]) -> str:
    """The players of these results, or of all, as HTML in Markdown; none where none was made."""
    found = [name for name in names or TITLES if (MADE / f"{name}.html").exists()]
    heads = {name: "" if names else f"### {TITLES[name]}\n\n" for name in found}
    return "\n\n".join(heads[name] + _player(name) for name in found)


def _player(name: str) -> str:
    record = read_record(MADE / "results" / name)
    tracks = {
        "original": ("Original", record.heard_clean),
        "adversarial": ("Adversarial", record.heard),
        "perturbation": ("The difference, amplified", None),
    }
    figures = "\n".join(_figure(name, track, *told) for track, told in tracks.items())
    return f'<div class="sounds">\n{figures}\n</div>\n\n{_told(name, record)}'


def _figure(name: str, track: str, title: str, heard: str | None) -> str:
    words = f"<q>{escape(heard)}</q>" if heard else ""
    label = f"{title} of {name}"
    return (
        f"<figure><figcaption><strong>{title}</strong>{words}</figcaption>"
        f'<audio controls preload="none" aria-label="{label}" src="sounds/{name}-{track}.flac">'
        "</audio></figure>"
    )


def _told(name: str, record: Record) -> str:
    proof = "Verified from the saved file." if record.verified else "Not verified."
    how = (
        f"`mondegreen attack {COMMANDS[name]}`"
        if name in COMMANDS
        else "[The notebook](quickstart.md)"
    )
    return f"{proof} {verdict_sentences(record)} {how} · [its report](sounds/{name}.html)"


if __name__ == "__main__":
    make()
