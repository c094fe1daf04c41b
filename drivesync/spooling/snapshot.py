"""A snapshot: a copy of one file that may be written to at any moment, known to be of one piece.

The copy costs nothing where the file system can share blocks between files (btrfs, XFS), and goes through the kernel
alone where it can do that. It is judged while the disk takes it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, is_full, local_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import Verdict

    Judge = Callable[[Path], Verdict]

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_AT_ONCE_BYTES = 64 << 20
_TICK_NS = 10_000_000
"""Linux takes a file's time from a clock that ticks 100 to 1000 times a second."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells one state of a file from the next."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A file as it was when its copy, or it itself, was judged."""

    seen: Seen
    verdict: Verdict


def see(place: Path) -> Seen | None:
    """The file at ``place``; None if it is not there, or no file."""
    try:
        return _seen(place.stat())
    except OSError:
        return None


def take_snapshot(place: Path, target: Path, judge: Judge) -> Judged | None:
    """Copy the file at ``place`` to ``target``, durably, and judge the copy; None if it moved meanwhile.

    A copy that is not accepted, or of a file that moved, is left to the caller.

    Args:
        place: of a file that others may write to.
        target: not there yet.
        judge: gets ``target``.

    Raises:
        DiskFullError: there is no room for the copy.
        LocalWriteError: the disk cannot take it, or not read the file.
    """
    with ThreadPoolExecutor(1, "fsync") as beside, local_errors(target):
        try:
            source = place.open("rb", buffering=0)
        except FileNotFoundError:
            return None
        with source, target.open("xb", buffering=0) as copy:
            before = _settle(lambda: _seen(os.fstat(source.fileno())))
            if before is None:
                return None
            size = _copy(source.fileno(), copy.fileno(), before.size)
            # The run bit goes with the content.
            os.fchmod(copy.fileno(), os.fstat(source.fileno()).st_mode & 0o777 | 0o600)
            if size != before.size or see(place) != before:
                return None
            flushed = beside.submit(os.fsync, copy.fileno())
            verdict = judge(target)
            flushed.result()
    return Judged(before, verdict)


def judge_in_place(place: Path, judge: Judge) -> Judged | None:
    """Judge the file at ``place`` itself; None if it moved meanwhile."""
    before = _settle(lambda: see(place))
    if before is None:
        return None
    verdict = judge(place)
    return Judged(before, verdict) if see(place) == before else None


def _seen(status: os.stat_result) -> Seen | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino)


def _settle(look: Callable[[], Seen | None]) -> Seen | None:
    """What ``look`` sees once whatever is written from now on gets another time."""
    seen = look()
    if seen is not None and 0 <= time.time_ns() - seen.mtime_ns < _TICK_NS:
        time.sleep(_TICK_NS / 1e9)
        seen = look()
    return seen


def _copy(source: int, target: int, size: int) -> int:
    """Copy ``size`` bytes between two descriptors at their starts; returned is more if there were more, or less."""
    # Whether the two files are on one file system, and that one can do it, only the attempt tells.
    with suppress(OSError):
        fcntl.ioctl(target, _FICLONE, source)
        return os.fstat(target).st_size
    copied = _copy_in_kernel(source, target, size)
    # Where the kernel could not, or did not to the end; a byte more is read to see that the file has grown.
    while copied <= size and (block := os.read(source, BLOCK_BYTES)):
        left = memoryview(block)
        while left:
            left = left[os.write(target, left) :]
        copied += len(block)
    return copied


def _copy_in_kernel(source: int, target: int, size: int) -> int:
    copied = 0
    try:
        while copied < size and (
            count := os.copy_file_range(source, target, min(size - copied, _AT_ONCE_BYTES))
        ):
            copied += count
    except OSError as error:
        if is_full(error):
            raise
    return copied
