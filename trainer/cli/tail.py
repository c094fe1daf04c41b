"""A log that grows: its last lines, and then what comes, over its rotation (``trainer.running.pipes.RotatedLog``)."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain, islice
from typing import IO, TYPE_CHECKING

from trainer.darknet.output import strip_escapes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_FIRST_BLOCK_BYTES = 64 << 10
_READ_BYTES = 1 << 20


class Tail:
    """Reads a log from ``__enter__`` to ``__exit__``; a log that is not there yet is empty.

    Args:
        path: of the log; what was moved away from it is ``NAME.1``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._partial = b""

    def __enter__(self) -> Tail:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def exists(self) -> bool:
        """Whether there is such a log, as far as it was looked for."""
        return self._file is not None

    def last(self, count: int) -> list[str]:
        """The last ``count`` whole lines, in order; ``more`` goes on after them. Called once, at the beginning."""
        if self._file is None:
            return []
        end = self._file.seek(0, os.SEEK_END)
        lines = _from_end(self._file, end)
        self._partial = next(lines)
        shown = list(islice(filter(None, map(readable, chain(lines, self._older()))), count))
        self._file.seek(end)
        return shown[::-1]

    def more(self) -> Iterator[list[str]]:
        """The whole lines that have come since, some at a time, up to where the log ends now."""
        if self._file is None:
            self._open()
        while self._file is not None:
            # Before the read: whoever rotates has written all of it by then.
            rotated = self._is_rotated()
            data = self._file.read(_READ_BYTES)
            *lines, self._partial = (self._partial + data).split(b"\n")
            yield [line for line in map(readable, lines) if line]
            if not data and not rotated:
                return
            if not data:
                yield self.rest()
                self._file.close()
                self._open()

    def rest(self) -> list[str]:
        """The line whose end never came, if there is one."""
        line, self._partial = readable(self._partial), b""
        return [line] if line else []

    def _open(self) -> None:
        self._file = None
        with suppress(FileNotFoundError):
            self._file = self._path.open("rb")

    def _is_rotated(self) -> bool:
        """Whether the log is another file than the one that is open, or begins again."""
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino) or now.st_size < self._file.tell()

    def _older(self) -> Iterator[bytes]:
        with suppress(FileNotFoundError), self._path.with_name(f"{self._path.name}.1").open("rb") as file:
            yield from _from_end(file, file.seek(0, os.SEEK_END))


def _from_end(file: IO[bytes], at: int) -> Iterator[bytes]:
    """All lines of a file up to ``at``, the last one first, which is empty if its end has come."""
    block_bytes, head = _FIRST_BLOCK_BYTES, b""
    while at > 0:
        start = max(0, at - block_bytes)
        file.seek(start)
        head, *lines = (file.read(at - start) + head).split(b"\n")
        yield from reversed(lines)
        # A line of a gigabyte is put together in a few steps.
        at, block_bytes = start, 2 * block_bytes
    yield head


def readable(line: bytes) -> str:
    """A line as a terminal would end up showing it, with nothing left that moves a cursor or clears a screen."""
    text = strip_escapes(line.decode("utf-8", "replace"))
    # A counter writes over itself; only where it stood last is of use.
    last = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    return "".join(letter for letter in last if letter.isprintable() or letter == "\t").rstrip()
