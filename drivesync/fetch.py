"""Fetch: brings one file, whole and verified, or says why not.

Small files come in one read and are hashed in memory. Large ones come in several ranges at once into a part that
is as large as the file from the start; one thread hashes what has arrived without a gap, from the front, while the
others fetch on.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import BLOCK_BYTES, is_same, look, looks_executable
from drivesync.errors import (
    DamagedError,
    LocalWriteError,
    MovedError,
    NotFoundError,
    TransientError,
    UnfinishedError,
)
from drivesync.plan import missing_ranges

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import LocalFile, RemoteFile
    from drivesync.parts import Part, Parts
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

SMALL_BYTES = 1 << 20
"""A file up to this size is held in memory while it comes."""

_TRIES = 3
_MOVES = 10
_HEAD_BYTES = 4
_NOTE_EVERY_BYTES = 4 << 20
_LEAST_RANGE_BYTES = 8 << 20
_MOST_RANGE_BYTES = 64 << 20
_RANGES_A_FILE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch, and what was in its place when that was decided."""

    file: RemoteFile
    here: LocalFile | None


@dataclass(frozen=True, slots=True)
class Content:
    """What arrived: its size in bytes, md5 in lower-case hex, and first bytes."""

    size: int
    md5: str
    head: bytes


class Fetch:
    """Brings single files; safe to use from several threads.

    Args:
        remote: entered.
        tree: where the files go.
        parts: of ``tree``.
        reporter: hears how it goes.
        run_ranges: runs each of the jobs that it is given in some other thread; each raises nothing.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        parts: Parts,
        reporter: Reporter,
        run_ranges: Callable[[list[Callable[[], None]]], None],
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._parts = parts
        self._reporter = reporter
        self._run_ranges = run_ranges

    def is_large(self, file: RemoteFile) -> bool:
        """Whether ``file`` comes in ranges, for which other threads are needed."""
        # Only a checksum that was told beforehand can be compared with what came in pieces.
        return file.size > SMALL_BYTES and self._remote.reads_ranges and bool(file.md5)

    def bring(self, wanted: Wanted) -> LocalFile:
        """Fetch a file, again if its bytes are not what the remote's checksum says, and put it in place.

        Raises:
            DamagedError: the bytes were wrong every time.
            UnfinishedError: the file was changed here meanwhile, and kept; or is changed on the remote all the time.
            NotFoundError: it was deleted on the remote meanwhile.
        """
        file = wanted.file
        moving = Retrying(
            retry=retry_if_exception_type(MovedError), stop=stop_after_attempt(_MOVES), reraise=True
        )
        try:
            for attempt in moving:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        file = self._look_again(file)
                    return self._bring_content(replace(wanted, file=file))
        except MovedError as error:
            raise UnfinishedError(
                f"{file.path} is being changed on the remote all the time",
                hint="Run the same command again when nothing writes to it there.",
            ) from error
        raise AssertionError("tenacity ends with a result or an error")

    def _look_again(self, file: RemoteFile) -> RemoteFile:
        now = self._remote.renew(file)
        if now is None:
            raise NotFoundError(f"{file.path} was deleted on the remote while it was being pulled")
        return replace(now, path=file.path)

    def _bring_content(self, wanted: Wanted) -> LocalFile:
        """Fetch what ``wanted`` describes; a checksum that fails three times is an error.

        Raises:
            MovedError: the remote holds another content by now.
        """
        again = Retrying(
            retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
        )
        for attempt in again:
            with attempt:
                try:
                    return self._bring_once(wanted)
                except DamagedError as damage:
                    now = self._look_again(wanted.file)
                    if _content_of(now) != _content_of(wanted.file):
                        raise MovedError(f"{wanted.file.path} was changed while it was read") from damage
                    raise
        raise AssertionError("tenacity ends with a result or an error")

    def _bring_once(self, wanted: Wanted) -> LocalFile:
        file = wanted.file
        large = self.is_large(file)
        with self._parts.open(file, resumable=large) as part:
            if large:
                content = _Assembly(self._remote, file, part, self._reporter).run(self._run_ranges)
            elif file.size <= SMALL_BYTES:
                content = self._read_whole(file, part)
            else:
                content = self._read_through(file, part)
            expected = file.md5 or content.md5
            if (content.size, content.md5) != (file.size, expected):
                if large:
                    part.forget()
                self._reporter.advance(size_bytes=-content.size)
                raise DamagedError(
                    f"{file.path} came damaged: expected {file.size} bytes with md5 {expected}, "
                    f"got {content.size} bytes with md5 {content.md5}",
                    hint="Upload the file to Drive again if this goes on.",
                )
            if not is_same(look(self._tree, file.path), wanted.here):
                raise UnfinishedError(
                    f"{file.path} was changed here while it was being pulled, and kept as it is here",
                    hint="Run the same command again.",
                )
            run_bit = looks_executable(content.head) if file.executable is None else file.executable
            written = self._parts.commit(file, part, executable=run_bit)
        return replace(written, md5=content.md5, revision_id=file.revision_id)

    def _read_whole(self, file: RemoteFile, part: Part) -> Content:
        blocks = _Blocks()
        self._remote.read(file, blocks)
        body = b"".join(blocks.blocks)
        part.write_at(0, body)
        self._reporter.advance(size_bytes=len(body))
        return Content(len(body), hashlib.md5(body, usedforsecurity=False).hexdigest(), body[:_HEAD_BYTES])

    def _read_through(self, file: RemoteFile, part: Part) -> Content:
        """One read, from the first byte to the last; what was written is compared with what was read."""
        sink = _HashingSink(part, self._reporter)
        self._remote.read(file, sink)
        written = _hash_part(part)
        if written != sink.md5:
            raise LocalWriteError(f"cannot write {file.path}: this disk does not give back what it was given")
        return Content(sink.size, sink.md5, sink.head)


def _content_of(file: RemoteFile) -> tuple[int, str, str]:
    return file.size, file.md5, file.revision_id


def _hash_part(part: Part) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    at = 0
    while block := part.read_at(at, BLOCK_BYTES):
        md5.update(block)
        at += len(block)
    return md5.hexdigest()


class _Blocks:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)


class _HashingSink:
    """Writes what comes to a part, and hashes it."""

    def __init__(self, part: Part, reporter: Reporter) -> None:
        self._part = part
        self._reporter = reporter
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        self.head = b""

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def write(self, block: bytes) -> None:
        self._part.write_at(self.size, block)
        self._md5.update(block)
        self.head = self.head or block[:_HEAD_BYTES]
        self.size += len(block)
        self._reporter.advance(size_bytes=len(block))


class _RangeSink:
    """Writes the bytes of one range to their place, and notes every few MiB that they are there."""

    def __init__(
        self, part: Part, first: int, reporter: Reporter, arrived: Callable[[int, int], None]
    ) -> None:
        self._part = part
        self._reporter = reporter
        self._arrived = arrived
        self._noted = self._at = first

    def write(self, block: bytes) -> None:
        self._part.write_at(self._at, block)
        self._at += len(block)
        self._reporter.advance(size_bytes=len(block))
        if self._at - self._noted >= _NOTE_EVERY_BYTES:
            self.note()

    def note(self) -> None:
        if self._at > self._noted:
            self._arrived(self._noted, self._at - 1)
            self._noted = self._at


class _Assembly:
    """A large file that is put together from ranges, by several threads."""

    def __init__(self, remote: Remote, file: RemoteFile, part: Part, reporter: Reporter) -> None:
        self._remote = remote
        self._file = file
        self._part = part
        self._reporter = reporter
        self._changed = threading.Condition()
        self._running = 0
        self._error: BaseException | None = None
        self._there = dict(sorted(part.arrived))

    def run(self, run_ranges: Callable[[list[Callable[[], None]]], None]) -> Content:
        """Have all ranges fetched, hash meanwhile, and return what the whole is."""
        chunk_bytes = min(max(-(-self._file.size // _RANGES_A_FILE), _LEAST_RANGE_BYTES), _MOST_RANGE_BYTES)
        missing = missing_ranges(self._file.size, self._part.arrived, chunk_bytes)
        self._reporter.advance(size_bytes=self._file.size - sum(last - first + 1 for first, last in missing))
        self._running = len(missing)
        run_ranges([lambda span=span: self._fetch(*span) for span in missing])  # type: ignore[misc]
        try:
            return self._hash()
        finally:
            with self._changed:
                self._changed.wait_for(lambda: self._running == 0)

    def _fetch(self, first: int, last: int) -> None:
        error: BaseException | None = None
        try:
            if self._error is None:
                sink = _RangeSink(self._part, first, self._reporter, self._note_arrived)
                try:
                    self._remote.read(self._file, sink, first, last)
                finally:
                    sink.note()
        except BaseException as caught:  # noqa: BLE001 - it is raised in the thread that waits for it
            error = caught
        with self._changed:
            self._running -= 1
            self._error = self._error or error
            self._changed.notify_all()

    def _note_arrived(self, first: int, last: int) -> None:
        self._part.note_arrived(first, last)
        with self._changed:
            self._there[first] = max(last, self._there.get(first, 0))
            self._changed.notify_all()

    def _hash(self) -> Content:
        md5 = hashlib.md5(usedforsecurity=False)
        at = 0
        head = b""
        while at < self._file.size:
            front = self._wait_beyond(at)
            while at < front:
                block = self._part.read_at(at, min(BLOCK_BYTES, front - at))
                if not block:
                    raise DamagedError(f"{self._file.path}: its part is shorter than it was")
                md5.update(block)
                head = head or block[:_HEAD_BYTES]
                at += len(block)
        return Content(at, md5.hexdigest(), head)

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
