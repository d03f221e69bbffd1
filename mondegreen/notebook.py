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
from mondegreen.audio.passage import read_part
from mondegreen.audio.pcm import encode
from mondegreen.errors import StorageError, reason
from mondegreen.files import cache_folder, write_whole
from mondegreen.reading import read_bytes
from mondegreen.report.page.write import write_report
from mondegreen.results.record import OnNews, Point, Record
from mondegreen.victims.embedded.bundled import RECORDING, asset

RATE: Final = 16_000  # Hz, of the recording that comes along
WORDS: Final = 54_400  # samples: its first four words end before, where the speaker pauses
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
    """A recording to try things on: "Ever tried, ever failed", in 3.4 seconds.

    It is the beginning of one that comes with the embedded recogniser, as a file in the cache, so
    that all of what is attacked and saved is short.

    Raises:
        VictimError: that recogniser is not installed.
        StorageError: the file cannot be written.
    """
    path = cache_folder() / "ever-tried.wav"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path.parent} could not be made: {reason(error)}. Set MONDEGREEN_CACHE to a folder"
            " that you may write to."
        ) from error
    write_whole(path, encode(read_part(asset(RECORDING), RATE, (0, WORDS)), RATE))
    return path


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
