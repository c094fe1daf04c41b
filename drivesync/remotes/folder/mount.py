"""The calls on files that a folder remote makes, and what their errors mean on a file system that lies elsewhere.

A mounted Drive is a program behind FUSE: it answers EIO when Google does not answer it, ETIMEDOUT, and, after hours,
ENOTCONN ("Transport endpoint is not connected", https://github.com/googlecolab/colabtools/issues/3874).
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.errors import NotAllowedError, NotFoundError, RemoteError, RemoteFullError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.ENXIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class FileSystem:
    """What the operating system is asked for; a test hands in one that fails as a mount does."""

    def names(self, folder: Path) -> list[str]:
        """What is in ``folder``, sorted."""
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)

    def stat(self, place: Path) -> os.stat_result:
        """Of what a link at ``place`` leads to."""
        return place.stat()

    def lstat(self, place: Path) -> os.stat_result:
        """Of a link itself."""
        return place.lstat()

    def resolve(self, place: Path) -> Path:
        """``place`` without any link in it; ENOENT where it leads to nothing, ELOOP where it leads in a circle."""
        # Path.resolve raises RuntimeError for a circle before Python 3.13.
        return Path(os.path.realpath(place, strict=True))

    def is_mount(self, place: Path) -> bool:
        """Whether a file system of its own begins there."""
        return place.is_mount()

    def open(self, place: Path, flags: int) -> int:
        """A descriptor, not inherited by children."""
        return os.open(place, flags | os.O_CLOEXEC, 0o666)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes."""
        return os.pread(descriptor, size, offset)

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        """How many bytes of ``block`` were taken."""
        return os.write(descriptor, block)

    def fsync(self, descriptor: int) -> None:
        """Come back when everything has arrived."""
        os.fsync(descriptor)

    def uncache(self, descriptor: int) -> None:
        """Let what is read of a file that was fsynced come from where it is kept, not from this machine's memory.

        A wish: a file system may refuse, live in memory, or have a cache of its own.
        """
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self, descriptor: int) -> None:
        """Some file systems tell only here that a write has failed."""
        os.close(descriptor)

    def make_folder(self, place: Path) -> None:
        """Make ``place`` and what is missing above it; one that is there will do."""
        place.mkdir(parents=True, exist_ok=True)

    def rename(self, source: Path, target: Path) -> None:
        """Replace ``target`` in one step."""
        source.replace(target)

    def remove(self, place: Path) -> None:
        """A file that is gone already will do."""
        place.unlink(missing_ok=True)

    def room(self, place: Path) -> tuple[int, int]:
        """Bytes used, and bytes that this user may still write, on the file system that ``place`` is on, or will be."""
        while not place.exists() and place != place.parent:
            place = place.parent
        usage = shutil.disk_usage(place)
        return usage.used, usage.free

    def set_time(self, place: Path, modified_ns: int) -> None:
        """Set when ``place`` was changed last, where that can be kept."""
        with _where_it_can_be_kept():
            os.utime(place, ns=(modified_ns, modified_ns))

    def make_executable(self, place: Path) -> None:
        """Set the run bits, where they can be kept."""
        with _where_it_can_be_kept():
            place.chmod(place.stat().st_mode | 0o111)


@contextmanager
def _where_it_can_be_kept() -> Iterator[None]:
    """A file system without times or bits may say so, and the content is no worse for that."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOSYS, errno.ENOTSUP}:
            raise


@contextmanager
def translate_os_errors(action: str, hint: str) -> Iterator[None]:
    """Let only typed errors leave, each saying which ``action`` failed ("reading data/1.png").

    Args:
        action: what was being done.
        hint: what to do where the file system itself does not answer.

    Raises:
        TransientError: a retry may help.
        NotFoundError: there is no such file or folder.
        NotAllowedError: the system does not let this user.
        RemoteFullError: there is no room.
        RemoteError: anything else; a retry will not help.
    """
    try:
        yield
    except OSError as error:
        said = f"{action}: {error.strerror or error}"
        if error.errno in _PASSING:
            raise TransientError(said, hint=hint) from error
        if error.errno in _GONE:
            raise NotFoundError(said) from error
        if error.errno in _FORBIDDEN:
            allow = "Let this user read it, and write to it where you push."
            raise NotAllowedError(said, hint=allow) from error
        if error.errno in _FULL:
            free = "Free some space there (Drive's trash counts too) and run the same command again."
            raise RemoteFullError(f"{action}: the remote's disk is full", hint=free) from error
        raise RemoteError(said) from error
