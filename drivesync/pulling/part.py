"""One file's part: what has arrived of it and, of a large one, a journal of which bytes those are.

The journal is pairs of first and last byte, in the order of their arrival. A pair is noted after its bytes were
written, so a kill leaves none too many, and a torn one counts for nothing. What a crash of the whole machine lets be
noted and not written shows when the checksum of the whole file is compared.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from drivesync.disk import local_errors

if TYPE_CHECKING:
    from collections.abc import Callable

_PAIR = struct.Struct("<QQ")
_CANNOT_RESERVE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class Part:
    """The part of one file, open; ``write_at`` may be called from several threads.

    Attributes:
        path: where it lies.
        descriptor: of the open file.
        size: in bytes.
        is_in_place: it was renamed, and is no part any more.
        arrived: first and last byte of each range that is here, in the order of their arrival.
    """

    def __init__(self, path: str, descriptor: int, journal: int, size: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._journal = journal
        self._lock = threading.Lock()
        self.size = size
        self.is_in_place = False
        self.arrived: list[tuple[int, int]] = []
        self._is_synced = False
        self._sync_error: OSError | None = None

    def write_at(self, offset: int, block: bytes | bytearray | memoryview) -> None:
        """Put ``block`` at ``offset``.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        view = memoryview(block)
        with local_errors(self.path):
            while view:
                written = os.pwrite(self.descriptor, view, offset)
                view, offset = view[written:], offset + written

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Up to ``size_bytes`` from ``offset``.

        Raises:
            LocalWriteError: the disk cannot read it.
        """
        with local_errors(self.path, "read"):
            return os.pread(self.descriptor, size_bytes, offset)

    def flush(self) -> None:
        """Have the disk take what was written so far.

        Raises:
            LocalWriteError: it cannot.
        """
        with local_errors(self.path):
            os.fdatasync(self.descriptor)

    def note_arrived(self, first: int, last: int) -> None:
        """These bytes (both included) were written; a later process need not fetch them again."""
        with self._lock, local_errors(self.path):
            pair = _PAIR.pack(first, last)
            if os.pwrite(self._journal, pair, len(self.arrived) * _PAIR.size) < _PAIR.size:
                # The next pair comes in its place.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.arrived.append((first, last))

    def forget(self) -> None:
        """Nothing has arrived: what is here was wrong."""
        with self._lock, local_errors(self.path):
            os.ftruncate(self._journal, 0)
            self.arrived.clear()

    def settle(self, modified_s: float, *, executable: bool) -> None:
        """Give what was written its modification time (Unix) and run bit.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        with local_errors(self.path):
            # Drive's clock has milliseconds; make compares these times.
            os.utime(self.descriptor, ns=(round(modified_s * 1000) * 1_000_000,) * 2)
            if executable:
                # For whoever may read it.
                mode = stat.S_IMODE(os.fstat(self.descriptor).st_mode)
                os.fchmod(self.descriptor, mode | (mode & 0o444) >> 2)

    def begin_sync(self) -> None:
        """Have the disk begin to take it."""
        if sys.platform == "linux":
            # The kernel begins to write such pages. What goes wrong is told by ``sync``.
            with suppress(OSError):
                os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self, flush: Callable[[int], None] | None = None) -> None:
        """Make it all survive a crash. A disk tells only once that it cannot, so ``synced`` has to be asked.

        Args:
            flush: of a descriptor, fsync if none is given; raises OSError.
        """
        try:
            (flush or os.fsync)(self.descriptor)
        except OSError as error:
            self._sync_error = error
        self._is_synced = True

    def synced(self) -> os.stat_result:
        """What it is, now that it survives a crash.

        Raises:
            LocalWriteError: it does not.
        """
        if not self._is_synced:
            self.sync()
        with local_errors(self.path):
            if self._sync_error is not None:
                raise self._sync_error
            return os.fstat(self.descriptor)

    def close(self) -> None:
        """Let go of the files."""
        for opened in (self.descriptor, self._journal):
            # A full disk can make closing fail too; the error that matters is on its way already.
            with suppress(OSError):
                if opened >= 0:
                    os.close(opened)


def open_part(path: str, done: str | None, size: int) -> Part:
    """Open a part, or make it.

    Args:
        path: where it lies.
        done: where its journal lies, of a part that is gone on with; None begins anew, without one.
        size: in bytes.

    Raises:
        DiskFullError: there is no room for the whole of it; without a journal that shows later.
        LocalWriteError: the disk cannot be written to.
    """
    descriptor = journal = -1
    try:
        with local_errors(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(path, flags | (os.O_TRUNC if done is None else 0), 0o666)
            if done is not None:
                journal = os.open(done, flags, 0o666)
            part = Part(path, descriptor, journal, size)
            if done is not None:
                part.arrived += _read_journal(journal, size) if _is_reserved(descriptor, size) else ()
                if not part.arrived:
                    part.forget()
                    _reserve(descriptor, size)
    except BaseException:
        Part(path, descriptor, journal, size).close()
        raise
    return part


def _is_reserved(descriptor: int, size: int) -> bool:
    return os.fstat(descriptor).st_size == size


def _reserve(descriptor: int, size: int) -> None:
    """Take the room now, so that a full disk shows before the bytes are fetched."""
    os.ftruncate(descriptor, 0)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in _CANNOT_RESERVE:
            # What was reserved of it is room that smaller files may find.
            os.ftruncate(descriptor, 0)
            raise
        os.ftruncate(descriptor, size)


def _read_journal(journal: int, size: int) -> list[tuple[int, int]]:
    """What an earlier process noted; nothing if that makes no sense."""
    content = os.pread(journal, os.fstat(journal).st_size, 0)
    # A pair torn by a full disk or a crash of the machine can only be the last one.
    pairs = list(_PAIR.iter_unpack(content[: len(content) - len(content) % _PAIR.size]))
    return pairs if all(first <= last < size for first, last in pairs) else []
