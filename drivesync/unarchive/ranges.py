"""The bytes of one file on a remote: any of them, and all of them in order, fetched by several connections."""

from __future__ import annotations

import concurrent.futures
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from rich.filesize import decimal as format_size

from drivesync.disk import BLOCK_BYTES, free_bytes, local_errors, make_state_folder
from drivesync.errors import DiskFullError, DrivesyncError, MovedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import BinaryIO

    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Remote

SPARE_BYTES = 64 << 20
"""Left free on the disk."""

_RANGE_BYTES = 8 << 20
_CONNECTIONS = 4
_AHEAD = 6
"""Ranges that are here or on their way; with them, memory is bounded."""
_LOOK_EVERY_S = 0.2


class Source(Protocol):
    """The bytes of one file."""

    def read_at(self, first: int, size_bytes: int) -> bytes:
        """``size_bytes`` from ``first``.

        Raises:
            MovedError: the remote holds another content by now.
            TransientError: they cannot be had after all repeats.
        """

    def blocks(self) -> Iterator[bytes]:
        """All from the front; raises as ``read_at``."""


@contextmanager
def open_source(remote: Remote, file: RemoteFile, tree: Path) -> Iterator[Source]:
    """The bytes of ``file``; from a copy that has no name where ``remote`` cannot read from the middle.

    Threads: four that fetch; they are joined in the end.

    Raises:
        DiskFullError: there is no room for the copy.
    """
    if not remote.reads_ranges:
        with tempfile.TemporaryFile(dir=make_state_folder(tree)) as copy:
            refuse_full(tree, file.size, file.path)
            remote.read(file, _CopySink(file, copy))
            yield _Copy(file, copy)
        return
    pool = ThreadPoolExecutor(_CONNECTIONS, "unpack")
    try:
        yield _Ranges(remote, file, pool)
    except DrivesyncError:
        raise
    except BaseException:
        # Nobody wants anything more of this remote: what is under way is cut off.
        remote.cancel()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def refuse_full(tree: Path, need_bytes: int, path: str) -> None:
    """See that there is room for what ``path`` brings.

    Raises:
        DiskFullError: there is none.
    """
    free = free_bytes(tree)
    if need_bytes > max(free - SPARE_BYTES, 0):
        raise DiskFullError(
            f"{path} brings {format_size(need_bytes)}, and the disk of {tree} has {format_size(free)} free, "
            f"of which {format_size(SPARE_BYTES)} stay so",
            hint="Free some space, or name a TREE on a larger disk.",
        )


class _RangeSink:
    """Takes the bytes of one range."""

    def __init__(self, file: RemoteFile, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self.content = bytearray()

    def write(self, block: bytes) -> None:
        if len(self.content) + len(block) > self._size_bytes:
            raise MovedError(f"reading {self._file.path}: more came than was asked for")
        self.content += block


class _Ranges:
    """Reads ranges of a remote file."""

    def __init__(self, remote: Remote, file: RemoteFile, pool: ThreadPoolExecutor) -> None:
        self._remote = remote
        self._file = file
        self._pool = pool

    def read_at(self, first: int, size_bytes: int) -> bytes:
        sink = _RangeSink(self._file, size_bytes)
        if size_bytes:
            self._remote.read(self._file, sink, first, first + size_bytes - 1)
        if len(sink.content) != size_bytes:
            raise MovedError(f"reading {self._file.path}: less came than was asked for")
        return bytes(sink.content)

    def blocks(self) -> Iterator[bytes]:
        coming: deque[Future[bytes]] = deque()
        try:
            for first in range(0, self._file.size, _RANGE_BYTES):
                size_bytes = min(_RANGE_BYTES, self._file.size - first)
                coming.append(self._pool.submit(self.read_at, first, size_bytes))
                if len(coming) == _AHEAD:
                    yield _wait_for(coming.popleft())
            while coming:
                yield _wait_for(coming.popleft())
        finally:
            for future in coming:
                future.cancel()


def _wait_for(future: Future[bytes]) -> bytes:
    while True:
        # A signal that came just before the wait began is heard only when it ends.
        with suppress(concurrent.futures.TimeoutError):
            return future.result(_LOOK_EVERY_S)


class _CopySink:
    """Writes to the copy."""

    def __init__(self, file: RemoteFile, copy: BinaryIO) -> None:
        self._file = file
        self._copy = copy
        self._left = file.size

    def write(self, block: bytes) -> None:
        self._left -= len(block)
        if self._left < 0:
            raise MovedError(f"reading {self._file.path}: more came than it is long")
        with local_errors(f"a copy of {self._file.path}"):
            self._copy.write(block)


class _Copy:
    """Reads the copy."""

    def __init__(self, file: RemoteFile, copy: BinaryIO) -> None:
        self._file = file
        self._copy = copy

    def read_at(self, first: int, size_bytes: int) -> bytes:
        with local_errors(f"a copy of {self._file.path}", "read"):
            self._copy.seek(first)
            content = self._copy.read(size_bytes)
        if len(content) != size_bytes:
            raise MovedError(f"reading {self._file.path}: it is shorter than it was")
        return content

    def blocks(self) -> Iterator[bytes]:
        for first in range(0, self._file.size, BLOCK_BYTES):
            yield self.read_at(first, min(BLOCK_BYTES, self._file.size - first))
