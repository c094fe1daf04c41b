"""What a long job reports: a bar on a terminal, a line every few seconds in a notebook or a log."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from drivesync.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import TextIO

FIRST_LINE_S = 1.0
LINE_EVERY_S = 5.0

_LOOK_EVERY_S = 1.0
_DRAW_EVERY_S = 0.25
_DUMB_TERMINALS = frozenset({"dumb", "unknown"})


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


class Display(Protocol):
    """Where the words of a reporter appear; used by one thread at a time, but for ``write``.

    Every method raises OSError where it cannot be written to, and ValueError where it is closed.
    """

    @property
    def draws(self) -> bool:
        """Whether ``draw`` draws anything."""

    def write(self, line: str) -> None:
        """Write ``line``."""

    def draw(self, words: Sequence[str], share: float) -> None:
        """Draw a bar of which ``share``, from 0 to 1, is full, and ``words`` below it."""

    def close(self) -> None:
        """Take the bar away."""


class Log:
    """A notebook, a file or a pipe.

    Args:
        stream: is given the lines.
    """

    draws = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write ``line``, however long it is."""
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def draw(self, words: Sequence[str], share: float) -> None:
        """Draw nothing."""

    def close(self) -> None:
        """There is nothing to take away."""


def is_screen(stream: TextIO) -> bool:
    """Whether what is written to ``stream`` can be drawn over.

    A command in a notebook's cell is given a terminal as well, but what it writes there stays in the notebook: that
    is a log. Jupyter's kernels, Colab's too, set JPY_PARENT_PID; FORCE_COLOR, which they also set, says nothing.
    """
    is_dumb = os.environ.get("TERM", "").lower() in _DUMB_TERMINALS
    return stream.isatty() and not is_dumb and "JPY_PARENT_PID" not in os.environ


def open_display() -> Display:
    """Standard error, as a terminal only where there is a screen."""
    if not is_screen(sys.stderr):
        return Log(sys.stderr)

    from drivesync.screen import Screen  # noqa: PLC0415 - slow to import, and of no use in a log

    return Screen(sys.stderr)


class TerminalReporter:
    """Reports on standard error; a context manager.

    Threads: one, from the first ``begin`` to the end of the context, which shows now and then how far the job is.
    So whoever does the work only counts, and a job that waits is seen to wait.

    Args:
        display: standard error unless given.
        clock: seconds that never decrease.
    """

    def __init__(self, display: Display | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display or open_display()
        self._clock = clock
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
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
        with suppress(OSError, ValueError):
            self._display.close()

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
            if words == self._shown or not (self._display.draws or now_s >= self._next_line_s):
                return
            self._shown, self._next_line_s = words, now_s + LINE_EVERY_S
        if self._display.draws:
            with suppress(OSError, ValueError):
                self._display.draw([printable(line) for line in words], share)
        elif not is_done:
            self._print(", ".join(filter(None, words)))

    def _show_for_ever(self) -> None:
        while not self._closing.wait(_DRAW_EVERY_S if self._display.draws else _LOOK_EVERY_S):
            self.show()

    def _print(self, line: str) -> None:
        # What goes on must not end because its log is full or its reader is gone.
        with suppress(OSError, ValueError):
            self._display.write(printable(line))
