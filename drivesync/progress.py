"""What a long job reports: a bar on a terminal, a line every few seconds in a notebook or a log."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.filesize import decimal as format_size
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LINE_EVERY_S = 5.0


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


class TerminalReporter:
    """Reports on standard error; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _Console(file=sys.stderr, highlight=False)
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._what = ""
        self._slowed_by: Callable[[], str] = str
        self._files = self._files_done = self._size = self._size_done = 0
        self._last_line_s = 0.0

    def __enter__(self) -> TerminalReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_bar()

    def begin(self, what: str, slowed_by: Callable[[], str] = str) -> None:
        """Show a bar on a terminal, lines elsewhere."""
        self._stop_bar()
        with self._lock:
            self._what, self._slowed_by = what, slowed_by
            self._files = self._size = 0
            self._files_done = self._size_done = 0
            self._last_line_s = time.monotonic()
            if self._console.is_terminal:
                self._bar = Progress(
                    TextColumn("{task.description} {task.fields[files]}/{task.fields[all_files]}"),
                    BarColumn(),
                    DownloadColumn(binary_units=True),
                    TransferSpeedColumn(),
                    TimeRemainingColumn(),
                    console=self._console,
                    transient=True,
                )
                self._bar.add_task(what, total=0, files=0, all_files=0)
                self._bar.start()

    def expect(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Make the bar longer."""
        with self._lock:
            self._files += files
            self._size += size_bytes
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], total=self._size, all_files=self._files)

    def advance(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Move the bar, or write a line if the last one is some seconds old."""
        with self._lock:
            self._files_done += files
            self._size_done += size_bytes
            now_s = time.monotonic()
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._size_done, files=self._files_done)
            elif now_s - self._last_line_s >= LINE_EVERY_S:
                self._last_line_s = now_s
                done = f"{self._files_done}/{self._files} files"
                self._print(
                    f"{self._what}: {done}, {format_size(self._size_done)} of {format_size(self._size)}"
                )

    def note(self, line: str) -> None:
        """Write ``line`` above the bar."""
        with self._lock:
            self._print(line)

    def _print(self, line: str) -> None:
        # What goes on must not end because its log is full or its reader is gone.
        with suppress(OSError, ValueError):
            self._console.print(printable(line), markup=False, emoji=False, soft_wrap=True)

    def _stop_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()
