"""All that was written to one file system, taken by the disk in one go (Linux).

The flush of a new file has the disk write a block of inodes and one of its folder, and waits for each: a third of what
the kernel does for a small file. What several files share is written once where the whole file system is flushed
first. After that each file is flushed nevertheless, which is hardly any work: only that says what went wrong with it,
and only that reaches a server behind a file system in user space (syncfs(2); FUSE passes it on to virtiofs alone).
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG_S = 1.0
"""Whoever waits for longer waits for what others write."""


class FileSystemFlush:
    """Flushes a file system, until that turns out to be the work of others; used by one thread.

    Args:
        flush: flushes the file system of a descriptor; False if it cannot.
        clock: seconds that never decrease.
    """

    def __init__(
        self, flush: Callable[[int], bool] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._flush = flush or _flush_by_system
        self._clock = clock
        self._is_worth_it = True

    def run(self, descriptor: int) -> bool:
        """Flush the file system that holds the file ``descriptor``; False if that was left to its files' own."""
        if self._is_worth_it:
            began_s = self._clock()
            is_flushed = self._flush(descriptor)
            self._is_worth_it = is_flushed and self._clock() - began_s < _LONG_S
            return is_flushed
        return False


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
