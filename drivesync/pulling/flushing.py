"""All that was written to one file system, taken by the disk in one go (Linux).

The flush of a new file has the disk write a block of inodes and one of its folder, and waits for each: a third of what
the kernel does for a small file. What several files share is written once where the whole file system is flushed
first. That says nothing of what went wrong with one of them, and does not reach a server behind a file system in user
space (syncfs(2); FUSE passes it on to virtiofs alone). So each file is flushed after it nevertheless, for which a disk
empties its cache each time; but where a journal on a disk has taken all of it, with the disk's cache emptied behind it
(ext4, XFS, F2FS), a file is only asked for its errors (sync_file_range(2)).
"""

from __future__ import annotations

import errno
import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_JOURNALLED = frozenset({"ext4", "f2fs", "xfs"})
_WAIT_BEFORE = 1
"""SYNC_FILE_RANGE_WAIT_BEFORE: wait for what is being written, and tell the file's errors."""
_MOUNTS = "/proc/self/mountinfo"

_LONG_S = 1.0
"""Whoever waits for longer waits for what others write."""


class FileSystemFlush:
    """Flushes a file system, until that turns out to be the work of others; used by one thread.

    Args:
        flush: flushes the file system of a descriptor; False if it cannot.
        clock: seconds that never decrease.
        is_journalled: whether what a descriptor's file system has been flushed of survives a crash.
    """

    def __init__(
        self,
        flush: Callable[[int], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_journalled: Callable[[int], bool] | None = None,
    ) -> None:
        self._flush = flush or _flush_by_system
        self._clock = clock
        self._is_journalled = is_journalled or _is_journalled
        self._survives: bool | None = None
        self._is_worth_it = True

    def run(self, descriptor: int) -> bool:
        """Flush the file system that holds the file ``descriptor``; False if that was left to its files' own."""
        if self._is_worth_it:
            began_s = self._clock()
            is_flushed = self._flush(descriptor)
            self._is_worth_it = is_flushed and self._clock() - began_s < _LONG_S
            return is_flushed
        return False

    def survives(self, descriptor: int) -> bool:
        """Whether what ``run`` has flushed survives a crash; each file is then to be given to ``ask_errors``."""
        if self._survives is None:
            self._survives = self._is_journalled(descriptor)
        return self._survives


def ask_errors(descriptor: int) -> None:
    """Raise what went wrong with a file that was flushed with its file system.

    Raises:
        OSError: the disk could not take it.
    """
    wait = _find_wait()
    failed = errno.ENOSYS if wait is None else wait(descriptor)
    if failed in {errno.ENOSYS, errno.EINVAL}:
        os.fsync(descriptor)
    elif failed:
        raise OSError(failed, os.strerror(failed))


def _is_journalled(descriptor: int) -> bool:
    if _find_wait() is None:
        return False
    device = os.fstat(descriptor).st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as mounts:  # noqa: PTH123 - no path of ours
            lines = [line.split() for line in mounts]
    except OSError:
        return False
    # proc_pid_mountinfo(5): the third field is the device; after a lone dash comes the kind of file system.
    kinds = {line[line.index("-") + 1] for line in lines if len(line) > 2 and line[2] == name and "-" in line}
    return bool(kinds) and kinds <= _JOURNALLED


def _flush_by_system(descriptor: int) -> bool:
    """Flush by syncfs(2), which Python does not offer."""
    flush = _find_syncfs()
    return flush is not None and flush(descriptor) == 0


@cache
def _find_syncfs() -> Callable[[int], int] | None:
    """The C library's, if it has one."""
    if sys.platform != "linux":
        return None

    import ctypes  # noqa: PLC0415 - slow to import, and of no use for a few files

    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "syncfs", None)
    return found


@cache
def _find_wait() -> Callable[[int], int] | None:
    """sync_file_range(2) for all of a file; given back is the error's number, or 0."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None

    import ctypes  # noqa: PLC0415 - see _find_syncfs

    wait = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if wait is None:
        return None
    wait.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

    def ask(descriptor: int) -> int:
        return ctypes.get_errno() if wait(descriptor, 0, 0, _WAIT_BEFORE) else 0

    return ask
