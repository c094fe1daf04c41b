"""What a long job reports: a bar on a terminal, a line every few seconds in a notebook or a log."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from drivesync.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

FIRST_LINE_S = 1.0
LINE_EVERY_S = 5.0

_LOOK_EVERY_S = 1.0
_DRAW_EVERY_S = 0.25
_BAR_COLUMNS = 60


class Reporter(Protocol):
    """Hears how a job goes; every method may be called from any thread."""

    def begin(self, what: str, slowed_by: Callable[[], str] = str) -> None:
        """A job begins; ``slowed_by`` tells at any time what holds it back, empty if nothing does."""

    def expect(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """So much more is to be done than was known."""

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """So much more is done; negative where work was lost and begins again."""

    def note(self, line: str) -> None:
        """Something that the user should know now."""


class Silence:
    """Reports nothing."""

    def begin(self, what: str, slowed_by: Callable[[], str] = str) -> None:
        """Report nothing."""

    def expect(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Report nothing."""

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Report nothing."""

    def note(self, line: str) -> None:
        """Report nothing."""


def printable(text: str) -> str:
    """``text`` with what would move a terminal's cursor made visible."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class _Console(Console):
    """One whose reader may go away; rich would end the thread that prints, and redirect standard output."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def open_console() -> Console:
    """Standard error, as a terminal only where there is a screen.

    A command in a notebook's cell is given a terminal as well, but what it writes there stays in the notebook: that
    is a log. Jupyter's kernels, Colab's too, set JPY_PARENT_PID; FORCE_COLOR, which they also set, says nothing.
    """
    is_screen = sys.stderr.isatty() and "JPY_PARENT_PID" not in os.environ
    return _Console(file=sys.stderr, highlight=False, force_terminal=is_screen)


class TerminalReporter:
    """Reports on standard error; a context manager.

    Threads: one, from the first ``begin`` to the end of the context, which shows now and then how far the job is.
    So whoever does the work only counts, and a job that waits is seen to wait.

    Args:
        console: standard error unless given.
        clock: seconds that never decrease.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or open_console()
        self._clock = clock
        self._draws = self._console.is_terminal and not self._console.is_dumb_terminal
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None
        self._tally = Tally("", clock())
        self._slowed_by: Callable[[], str] = str
        self._next_line_s = 0.0
        self._shown = ("", "")

    def __enter__(self) -> TerminalReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.stop()

    def begin(self, what: str, slowed_by: Callable[[], str] = str) -> None:
        """Show from now on how far ``what`` is."""
        now_s = self._clock()
        with self._lock:
            self._tally, self._slowed_by = Tally(what, now_s), slowed_by
            self._next_line_s, self._shown = now_s + FIRST_LINE_S, ("", "")
        if self._thread is None:
            self._thread = threading.Thread(target=self._show_for_ever, name="progress", daemon=True)
            self._thread.start()

    def expect(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Count it."""
        now_s = self._clock()
        with self._lock:
            self._tally.expect(files, size_bytes, now_s)

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Count it, and no more: this is called for every block."""
        with self._lock:
            self._tally.advance(files, size_bytes)

    def note(self, line: str) -> None:
        """Write ``line``, above the bar if there is one."""
        self._print(line)

    def show(self) -> None:
        """Show how far it is, if that is news: by a bar, or by a line if one is due."""
        slowed_by = self._slowed_by()
        now_s = self._clock()
        with self._lock:
            self._tally.sample(now_s)
            is_done, share = self._tally.is_done(now_s), self._tally.share_done
            words = ("", "") if is_done else self._tally.describe(now_s, slowed_by)
            if words == self._shown or not (self._draws or now_s >= self._next_line_s):
                return
            self._shown, self._next_line_s = words, now_s + LINE_EVERY_S
        if self._draws:
            self._draw(words, share)
        elif not is_done:
            self._print(", ".join(filter(None, words)))

    def _show_for_ever(self) -> None:
        while not self._closing.wait(_DRAW_EVERY_S if self._draws else _LOOK_EVERY_S):
            self.show()

    def _print(self, line: str) -> None:
        # What goes on must not end because its log is full or its reader is gone.
        with suppress(OSError, ValueError):
            self._console.print(printable(line), markup=False, emoji=False, soft_wrap=True)

    def _draw(self, words: tuple[str, str], share: float) -> None:
        """Draw a bar and ``words`` below it; nothing if there are none."""
        picture = Table.grid()
        if any(words):
            bar = ProgressBar(total=1.0, completed=share, width=min(_BAR_COLUMNS, self._console.width))
            picture.add_row(bar)
            for line in words:
                picture.add_row(Text(printable(line)))
        with suppress(OSError, ValueError):
            if self._live is None:
                # Standard output is for results, which somebody may read while the bar is drawn.
                live = Live(
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                live.start()
                self._live = live
            self._live.update(picture, refresh=True)
