"""How far work has come: bars on a terminal, a line now and then in a log; both on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from mondegreen.cli.console import err

if TYPE_CHECKING:
    from mondegreen.results.record import Point

LOG_EVERY: Final = 10.0  # s between two lines in a log
WIDE: Final = 100  # columns of a terminal that has room for a bar beside the numbers
NAMES: Final = 3  # the part of the width that a name may take: one in so many


@contextmanager
def working(on: str) -> Iterator[Callable[[str], None]]:
    """Say what is being done while nothing can be counted; on a terminal, also what just now."""
    if not err.is_terminal:
        err.say(on)
        yield lambda _: None
        return
    with err.status(on) as status:
        yield lambda now: status.update(f"{on}: {now}")


class Cut(ProgressColumn):
    """A text in one line, cut off where there is no room for it."""

    def __init__(self, field: str, column: Column) -> None:
        super().__init__(column)
        self._field = field

    def render(self, task: Task) -> Text:
        """The text of a bar."""
        return Text(task.fields[self._field], no_wrap=True, overflow="ellipsis")


class Bars:
    """Progress bars, one for each kind of work, drawn as the work comes up; lines in a log.

    Its `step` is called after every step of an attack, its `count` with anything countable.
    """

    def __init__(self, name: str, passes: int = 0) -> None:
        self._name = name
        self._bars = Progress(
            Cut("what", Column(no_wrap=True, max_width=err.width // NAMES)),
            MofNCompleteColumn(),
            *([BarColumn(bar_width=20)] if err.width >= WIDE else []),
            Cut("state", Column()),
            console=err,
            disable=not err.is_terminal,
        )
        self._logged = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
        self._heard_at: int | None = None
        if passes:
            self._add("", name, passes)

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def step(self, _clip: str, seen: Point) -> None:
        """Show a step of a search over one clip."""
        if self._heard_at is None and seen.matched:
            self._heard_at = seen.passes
        self._update("", completed=seen.passes, state=state(seen, self._heard_at))

    def count(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if what not in self._tasks:
            self._add(what, f"{self._name}: {what}", total)
        self._update(what, completed=done)

    def _add(self, key: str, what: str, total: int) -> None:
        self._tasks[key] = self._bars.add_task("", total=total, what=what, state="")

    def _update(self, key: str, **changed: Any) -> None:
        self._bars.update(self._tasks[key], **changed)
        bar = next(task for task in self._bars.tasks if task.id == self._tasks[key])
        due = bar.finished or time.monotonic() - self._logged >= LOG_EVERY
        if due and not err.is_terminal:
            self._logged = time.monotonic()
            line = f"{bar.fields['what']}: {bar.completed:,.0f} of {bar.total:,.0f}"
            err.say(f"{line}  {bar.fields['state']}".rstrip())


def state(seen: Point, heard_at: int | None) -> str:
    """A step in a line: whether the target was heard yet; its loss, ε or α, and masking loss.

    Args:
        seen: the step.
        heard_at: the pass of the first success; None: there was none yet. What the step itself is
            heard as would say little: the last one is seldom the one that is kept.
    """
    from mondegreen.audio.pcm import FULL_SCALE

    parts = ["not heard yet" if heard_at is None else f"heard at pass {heard_at}"]
    if seen.judged > 1:
        parts.append(f"now in {seen.hits} of {seen.judged}")
    if seen.loss is not None:
        parts.append(f"loss {seen.loss:.1f}")
    if seen.eps is not None:
        parts.append(f"ε {seen.eps * FULL_SCALE:.0f}")
    if seen.alpha is not None:
        parts.append(f"α {seen.alpha:.3g}")
    if seen.masking_loss is not None:
        parts.append(f"masking {seen.masking_loss:.1f}")
    return "  ".join(parts)
