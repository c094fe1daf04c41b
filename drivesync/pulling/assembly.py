"""Assembly: a large file is put together from ranges that come side by side.

The part is as large as the file from the start. One thread hashes what has arrived without a gap, from the front, while
others fetch on and note every few MiB what is there.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import LocalWriteError, MovedError, TransientError
from drivesync.pulling.plan import missing_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drivesync.files import RemoteFile
    from drivesync.progress import Reporter
    from drivesync.pulling.part import Part
    from drivesync.remotes.base import Remote

NOTE_EVERY_BYTES = 4 << 20
"""What at most is fetched again, of each range that was under way, after a kill."""

HEAD_BYTES = 4
"""So many tell whether a file is a program."""
_LEAST_RANGE_BYTES = 8 << 20
_MOST_RANGE_BYTES = 64 << 20
_RANGES_A_FILE = 24
"""More than are read at once: hashing follows from the front, and little is left of it when the last has come."""


@dataclass(frozen=True, slots=True)
class Content:
    """What arrived: its size in bytes, md5 in lower-case hex, and first bytes."""

    size: int
    md5: str
    head: bytes


class Digest:
    """Hashes what it is given, block by block."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._head = b""
        self.size = 0

    def update(self, block: bytes) -> None:
        """Go on with ``block``."""
        self._md5.update(block)
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + block)[:HEAD_BYTES]
        self.size += len(block)

    def read(self, part: Part, first: int, last: int) -> None:
        """Go on with what ``part`` holds from ``first`` to ``last`` (included).

        Raises:
            LocalWriteError: the disk cannot read it, or somebody cut it short.
        """
        at = first
        while at <= last:
            block = part.read_at(at, min(BLOCK_BYTES, last + 1 - at))
            if not block:
                raise LocalWriteError(
                    f"{part.path} is shorter than it was", hint="Run the same command again."
                )
            self.update(block)
            at += len(block)

    def content(self) -> Content:
        """All that was given so far."""
        return Content(self.size, self._md5.hexdigest(), self._head)


class Count:
    """Reports the bytes of one attempt to bring a file, and takes them back if it fails."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._size_bytes = 0

    def add(self, size_bytes: int) -> None:
        """So many have come."""
        with self._lock:
            self._size_bytes += size_bytes
        self._reporter.advance(size_bytes=size_bytes)

    def take_back(self) -> None:
        """None have come."""
        self.add(-self._size_bytes)

    def take_back_after(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """None have come, if there was an error; for an ``ExitStack``."""
        if error is not None:
            self.take_back()


class PartSink:
    """Writes a span of a file to its place in the part, and hands on what is written.

    Args:
        file: for messages.
        part: of ``file``.
        span: first and last byte, both included.
        count: hears of each block.
        written: is given each block.
    """

    def __init__(
        self,
        file: RemoteFile,
        part: Part,
        span: tuple[int, int],
        count: Count,
        written: Callable[[bytes], None],
    ) -> None:
        self._file = file
        self._part = part
        self._at, self._last = span
        self._count = count
        self._written = written

    def write(self, block: bytes) -> None:
        """Take the next bytes.

        Raises:
            MovedError: there are more than the span holds.
            LocalWriteError: the disk cannot take them.
        """
        if self._at + len(block) - 1 > self._last:
            # Written, it would spoil what is beside it, or fill the disk.
            raise MovedError(f"reading {self._file.path}: more came than it is long")
        self._part.write_at(self._at, block)
        self._at += len(block)
        self._count.add(len(block))
        self._written(block)


class _Notes:
    """Says every few MiB of a range that they are there."""

    def __init__(self, first: int, arrived: Callable[[int, int], None]) -> None:
        self._arrived = arrived
        self._noted = self._at = first

    def add(self, block: bytes) -> None:
        self._at += len(block)
        if self._at - self._noted >= NOTE_EVERY_BYTES:
            self.note()

    def note(self) -> None:
        if self._at > self._noted:
            self._arrived(self._noted, self._at - 1)
            self._noted = self._at


def ranges_of(file: RemoteFile, arrived: Iterable[tuple[int, int]] = ()) -> tuple[tuple[int, int], ...]:
    """In which ranges ``file`` is fetched, but for what has ``arrived``: first and last byte of each, in order."""
    chunk_bytes = min(max(-(-file.size // _RANGES_A_FILE), _LEAST_RANGE_BYTES), _MOST_RANGE_BYTES)
    return missing_ranges(file.size, arrived, chunk_bytes)


class Assembly:
    """A large file that is put together from ranges, by several threads.

    Args:
        remote: entered; ``reads_ranges``.
        file: with its md5.
        part: of ``file``; what it holds already is not fetched again.
        count: hears of all that is there.
    """

    def __init__(self, remote: Remote, file: RemoteFile, part: Part, count: Count) -> None:
        self._remote = remote
        self._file = file
        self._part = part
        self._count = count
        self._changed = threading.Condition()
        self._running = 0
        self._error: BaseException | None = None
        self._there = dict(sorted(part.arrived))

    def run(self, run_ranges: Callable[[list[Callable[[], None]]], None]) -> Content:
        """Have all ranges fetched, hash meanwhile, and return what the whole is.

        Args:
            run_ranges: runs each of the jobs that it is given in some other thread, whatever they raise.

        Raises:
            MovedError: the remote holds another content by now.
            TransientError: a range cannot be had after all repeats; what has arrived is noted in the part.
            LocalWriteError: the disk cannot take it.
        """
        missing = ranges_of(self._file, self._part.arrived)
        self._count.add(self._file.size - sum(last - first + 1 for first, last in missing))
        self._running = len(missing)
        run_ranges([partial(self._fetch, first, last) for first, last in missing])
        try:
            return self._hash()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            with self._changed:
                self._changed.wait_for(lambda: self._running == 0)

    def _fetch(self, first: int, last: int) -> None:
        try:
            if self._error is None:
                notes = _Notes(first, self._note_arrived)
                try:
                    sink = PartSink(self._file, self._part, (first, last), self._count, notes.add)
                    self._remote.read(self._file, sink, first, last)
                finally:
                    notes.note()
                # While the others still come; at the end there is little left to wait for.
                self._part.flush()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _give_up(self, error: BaseException) -> None:
        """Let no further range begin."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _note_arrived(self, first: int, last: int) -> None:
        self._part.note_arrived(first, last)
        with self._changed:
            self._there[first] = max(last, self._there.get(first, 0))
            self._changed.notify_all()

    def _hash(self) -> Content:
        digest = Digest()
        while digest.size < self._file.size:
            front = self._wait_beyond(digest.size)
            digest.read(self._part, digest.size, front - 1)
        return digest.content()

    def _wait_beyond(self, at: int) -> int:
        """Where the bytes end that are here without a gap; waits until that is beyond ``at``."""
        with self._changed:
            while True:
                front = at
                for first, last in sorted(self._there.items()):
                    if first > front:
                        break
                    front = max(front, last + 1)
                if front > at:
                    # What is behind the front is of no further interest.
                    self._there = {first: last for first, last in self._there.items() if last >= front}
                    return min(front, self._file.size)
                if self._error is not None:
                    raise self._error
                if self._running == 0:
                    raise TransientError(f"reading {self._file.path}: fewer bytes came than were asked for")
                self._changed.wait()
