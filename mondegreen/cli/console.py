"""The two consoles, through which all printing goes: results to stdout, everything else to stderr.

Ids, file names and transcripts are strangers' text. What in them would steer a terminal, or turn
the direction of writing, is shown instead of sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from mondegreen.errors import StorageError

# Controls but for tab and line feed, separators of lines, overrides and isolates of direction, and
# surrogates, which are the bytes of file names that are not UTF-8.
STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
PIPE_CLOSED: Final = 141  # exit status of what SIGPIPE ends, by convention


def visible(text: str) -> str:
    r"""A text that a terminal shows and does not obey.

    >>> visible("\x1b[31m"), visible("caf\udce9.wav"), visible("\u202egpj")
    ('\\x1b[31m', 'caf\\xe9.wav', '\\u202egpj')
    """
    return STEERING.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""A text that cannot pass for two lines of what is printed.

    >>> one_line("a\nverified           yes")
    'a\\nverified           yes'
    """
    return visible(text).replace("\n", "\\n")


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class Printer(Console):
    """A console that nothing printed can steer, and that knows when it can print no more.

    What cannot be written to stdout is a result lost, so that the command ends; without stderr it
    goes on unseen.
    """

    def render_str(self, text: str, **how: Any) -> Text:
        """A string as rich text, laid out as it will be shown."""
        return super().render_str(visible(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever is printed, as segments: all of it comes through here."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)

    def say(self, line: str) -> None:
        """Print one line as it is: no markup, no colours, and no second line."""
        self.print(one_line(line), markup=False, highlight=False)

    def __exit__(self, *raised: Any) -> None:
        """Write what was printed in the block, be it one `print` or the drawing of a bar."""
        try:
            super().__exit__(*raised)
        except OSError as error:
            self._give_up(error)

    def on_broken_pipe(self) -> None:
        """Leave it to `__exit__`: this is called where the error is at hand."""
        raise

    def _give_up(self, error: OSError) -> None:
        self.quiet = True
        with suppress(OSError, ValueError):  # or Python would try once more as it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if self.stderr:
            return
        if isinstance(error, BrokenPipeError):
            raise SystemExit(PIPE_CLOSED) from error
        raise StorageError(
            f"the output could not be written: {error.strerror or error}. Free space, or send it"
            " elsewhere."
        ) from error


out, err = (Printer(stderr=stderr, soft_wrap=True, emoji=False) for stderr in (False, True))
