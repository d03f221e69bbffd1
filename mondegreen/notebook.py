"""Results and progress in a notebook: the report's own page of a result, and a bar over the passes.

Importing mondegreen in a notebook is enough for the first; the second is `on_news=watch()`.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from mondegreen.attacks.result import Result
from mondegreen.reading import read_bytes
from mondegreen.report.page.write import write_report
from mondegreen.results.record import OnNews, Point, Record
from mondegreen.victims.embedded.bundled import RECORDING, asset

HEIGHT: Final = 900  # px of the frame; the page scrolls in it
INSIDE: Final = 2**30  # bytes of sounds and pictures: all of them, since a notebook is one file


def shown(result: Result) -> str:
    """The page of a result, as HTML that stands by itself in a notebook.

    It is what `mondegreen report` writes: a player for the original, the adversarial sound and the
    difference, the transcripts, the verdict, the pictures.

    Raises:
        StorageError: there is no room for it in the folder for temporary files.
    """
    with TemporaryDirectory(prefix="mondegreen-") as folder:
        item, page = Path(folder) / result.record.id, Path(folder) / "page.html"
        result.save(item)
        write_report([[item]], page, inside=INSIDE)
        html = read_bytes(page, INSIDE).decode()
    return (
        f'<iframe srcdoc="{escape(html)}" width="100%" height="{HEIGHT}" style="border: 0"'
        f' title="{escape(result.record.id)}"></iframe>'
    )


def example() -> Path:
    """A recording to try things on, of ten seconds; it comes with the embedded recogniser.

    Raises:
        VictimError: that is not installed.
    """
    return asset(RECORDING)


def watch() -> OnNews:
    """A line that shows how far an attack has come, in a terminal or a notebook.

    Give a new one to each call: `mg.attack(victim, "clip.wav", "open the door", on_news=watch())`.
    """
    bars = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    clips: dict[str, TaskID] = {}
    heard: dict[str, int] = {}

    def on_news(clip: str, news: Point | Record) -> None:
        if clip not in clips:
            bars.start()
            clips[clip] = bars.add_task(clip, total=None)
        if isinstance(news, Record):
            word = "verified" if news.verified else "not verified"
            bars.update(clips[clip], description=f"{clip}: {word}", total=1, completed=1)
            if bars.finished:
                bars.stop()
            return
        if news.matched:
            heard.setdefault(clip, news.passes)
        when = f"heard at pass {heard[clip]}" if clip in heard else "not heard yet"
        bars.update(clips[clip], description=f"{clip}: pass {news.passes}, {when}")

    return on_news
