"""The checksums of snapshots, made ahead of time: from the moment in which the copy is there.

Meanwhile the copy is judged, goes to the disk and gets its place in the spool. One is hashed ahead at a time, so that
whatever is saved too fast for the remote is hashed only if it is sent. A push begins with the first of the two
checksums, whichever this processor is faster at, and has the other long before the last byte is out.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, Checksums, local_errors
from drivesync.spooling.snapshot import see

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.spooling.snapshot import Seen

_ALGORITHMS = "md5", "sha256"


class Summing:
    """Hashes files in threads of its own; a context manager, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead: tuple[Seen, Sum] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Summing:
        # Two for what is sent, two for what is taken meanwhile.
        self._pool = ThreadPoolExecutor(2 * len(_ALGORITHMS), "hash")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.forget()
        if self._pool is not None:
            # None is cancelled: each closes its file.
            self._pool.shutdown()

    def begin(self, snapshot: Path) -> None:
        """Hash ``snapshot``, which nobody writes to any more, in place of whatever was begun before and is not used.

        It may be moved, or removed.

        Raises:
            LocalWriteError: it cannot be read.
        """
        self.forget()
        seen = see(snapshot)
        if seen is not None:
            ahead = seen, self._start(lambda: snapshot.open("rb"), snapshot)
            with self._lock:
                self._ahead = ahead

    def forget(self) -> None:
        """End what was begun and is not used."""
        with self._lock:
            ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead[1].stop()

    def sum_up(self, place: Path, reopen: Callable[[], BinaryIO]) -> Sum:
        """Have the file at ``place`` hashed, if that is not under way.

        Args:
            place: where it lies now; it is known again by its inode, wherever it was begun.
            reopen: opens it.

        Raises:
            Exception: ``reopen`` raises it.
        """
        seen = see(place)
        with self._lock:
            if self._ahead is not None and self._ahead[0] == seen:
                (_, begun), self._ahead = self._ahead, None
                return begun
        return self._start(reopen, place)

    def _start(self, reopen: Callable[[], BinaryIO], place: Path) -> Sum:
        if self._pool is None:
            raise RuntimeError("checksums are asked for outside their context")
        return Sum(reopen, place, self._pool)


class Sum:
    """Both checksums of one file, in the making; hashlib lets other threads run meanwhile."""

    def __init__(self, reopen: Callable[[], BinaryIO], place: Path, pool: ThreadPoolExecutor) -> None:
        self._place = place
        self._stopped = threading.Event()
        self._digests: list[Future[tuple[str, int]]] = []
        for algorithm in _ALGORITHMS:
            # Here, and not in the thread: the file may have another name by then.
            with local_errors(place, "read"):
                source = reopen()
            self._digests.append(pool.submit(self._digest, source, algorithm))

    def has_failed(self) -> bool:
        """Whether the file could not be read, as far as that is known."""
        return any(digest.done() and digest.exception() is not None for digest in self._digests)

    def first(self) -> Checksums:
        """What is known once one checksum is; the other may be empty.

        Raises:
            LocalWriteError: the file cannot be read.
        """
        done, _ = wait(self._digests, return_when=FIRST_COMPLETED)
        md5, sha256 = (digest.result() if digest in done else ("", 0) for digest in self._digests)
        return Checksums(max(md5[1], sha256[1]), md5[0], sha256[0])

    def all(self) -> Checksums:
        """Both checksums, once they are known.

        Raises:
            LocalWriteError: the file cannot be read.
        """
        (md5, size), (sha256, _) = (digest.result() for digest in self._digests)
        return Checksums(size, md5, sha256)

    def stop(self) -> None:
        """Nobody waits for it."""
        self._stopped.set()

    def _digest(self, source: BinaryIO, algorithm: str) -> tuple[str, int]:
        digest, size = hashlib.new(algorithm, usedforsecurity=False), 0
        with source, local_errors(self._place, "read"):
            while not self._stopped.is_set() and (block := source.read(BLOCK_BYTES)):
                digest.update(block)
                size += len(block)
        return digest.hexdigest(), size
