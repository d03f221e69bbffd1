"""How far a run over a data set has come: a live table, or lines in a log."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from mondegreen.cli.output import Bars, err

if TYPE_CHECKING:
    from mondegreen.runs.drive import Tally

LOG_EVERY = 30.0  # s between two lines in a log
LOG_NEWS_EVERY = 10.0  # s, where a clip has been dealt with meanwhile


class Dashboard:
    """How far a run over a data set has come: a live table, and what it has to say above it."""

    def __init__(self, name: str) -> None:
        self._name = escape(name)
        self._bars = Bars(self._name)
        self._live = Live(console=err, refresh_per_second=4, transient=True)
        self._told = 0
        self._logged = 0, -LOG_EVERY

    def __enter__(self) -> Dashboard:
        self._bars.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.__exit__(kind, error, traceback)
        self._live.stop()

    def work(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        self._bars.count(what, done, total)

    def show(self, tally: Tally) -> None:
        """Show where the run stands."""
        if not self._live.is_started:
            self._bars.__exit__(None, None, None)
            self._live.start()
        for note in tally.notes[self._told :]:
            err.print(f"[yellow]note:[/yellow] {escape(note)}")
        self._told = len(tally.notes)
        self._live.update(_tally_table(self._name, tally))
        if not err.is_terminal:  # a log: no table that is drawn over, but a line now and then
            self._log(tally)

    def _log(self, tally: Tally) -> None:
        since = time.monotonic() - self._logged[1]
        if since < (LOG_EVERY if tally.done == self._logged[0] else LOG_NEWS_EVERY):
            return
        self._logged = tally.done, time.monotonic()
        left = tally.seconds_left
        rest = "" if left is None else f", {_duration(left)} left"
        under_way = f", {len(tally.jobs)} under way by {tally.workers} workers"
        err.print(f"{self._name}: {_counts(tally)}{under_way}{rest}", highlight=False)


def _tally_table(name: str, tally: Tally) -> Table:
    """The live table: the run in a line, then what each worker is at."""
    left = tally.seconds_left
    speed = "" if left is None else f"{tally.rate:.0f} an hour, {_duration(left)} left"
    table = Table.grid(padding=(0, 2))
    table.add_row(f"[bold]{name}[/]", _counts(tally), "stopping" if tally.stopped else speed)
    for clip, passes, of in tally.jobs.values():
        bar = ProgressBar(total=max(of, 1), completed=passes, width=24)
        table.add_row("", bar, f"{escape(clip)}  {passes} of {of} passes" if of else escape(clip))
    return table


def _counts(tally: Tally) -> str:
    return (
        f"{tally.done} of {tally.clips} clips: [green]{tally.verified} verified[/],"
        f" {tally.failed} not, [red]{tally.errors} errors[/]"
    )


def _duration(seconds: float) -> str:
    """As 2:03:45."""
    return str(timedelta(seconds=round(seconds)))
