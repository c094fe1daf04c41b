"""Files on their way into the tree, in ``TREE/.drivesync/partial/``.

    KEY.part    what has arrived: written, fsynced, then renamed into place
    KEY.done    of a large file's part: which of its bytes have arrived, as pairs of first and last

A kill between any two lines leaves the old file or the new one, and of a large file's part what has arrived. KEY
names a content, so a part is gone on with only while the remote still holds that content. Nothing is ever written
outside the tree, also where a symbolic link in it leads out.

A pair is noted after its bytes were written. What a crash of the whole machine lets be noted and not written shows
when the checksum of the whole file is compared.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, make_state_folder
from drivesync.errors import DamagedError, LocalWriteError, MovedError, NotFoundError
from drivesync.pulling.flushing import FileSystemFlush

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivesync.files import RemoteFile

_PAIR = struct.Struct("<QQ")
_FOLDER = "partial"
_TOGETHER = 4
"""Fewer files are flushed one by one."""
_FLUSHES_AT_ONCE = 4
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

    def sync(self) -> None:
        """Make it all survive a crash. A disk tells only once that it cannot, so ``synced`` has to be asked."""
        try:
            os.fsync(self.descriptor)
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


class Parts:
    """The parts of one tree; safe to use from several threads.

    Args:
        tree: the local tree; made if it is not there.

    Raises:
        LocalWriteError: the state folder cannot be made.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._folder = make_state_folder(tree, _FOLDER)
        # Thousands of files go to the same few folders.
        self._made: set[str] = set()
        self._file_system = FileSystemFlush()

    @contextmanager
    def open(self, file: RemoteFile, *, resumable: bool) -> Iterator[Part]:
        """The part of ``file``; with ``resumable`` as an earlier process left it, and left for the next after an error.

        Raises:
            DiskFullError: there is no room for the whole file.
            LocalWriteError: the disk cannot be written to.
        """
        path, done = self._paths(file)
        part = _open(path, done if resumable else None, file.size)
        keep = False
        try:
            yield part
        except (DamagedError, MovedError, NotFoundError):
            # What has arrived is of no use to anybody.
            raise
        except BaseException:
            keep = resumable
            raise
        finally:
            part.close()
            # The journal first: without it the part counts for nothing.
            leftovers = () if keep else (done, path) if resumable else () if part.is_in_place else (path,)
            for leftover in leftovers:
                with suppress(OSError):
                    os.unlink(leftover)  # noqa: PTH108 - a string, see _paths

    def sync(self, parts: Sequence[Part]) -> None:
        """Flush what these hold, in less time than one after the other; ``commit`` tells how that went.

        None is renamed meanwhile: each rename would have the next flush write the folder anew.
        """
        is_few = len(parts) < _TOGETHER
        if is_few or not self._file_system.run(parts[0].descriptor):
            for part in parts:
                part.begin_sync()
        if is_few:
            _sync_all(parts)
            return
        # Each flush waits for the disk, which sees to several at once in hardly more time: here, 128 files one by one
        # take 110 ms after all was written, and 6 ms in four threads.
        with ThreadPoolExecutor(_FLUSHES_AT_ONCE, thread_name_prefix="flush") as pool:
            pool.map(_sync_all, [parts[start::_FLUSHES_AT_ONCE] for start in range(_FLUSHES_AT_ONCE)])

    def commit(self, file: RemoteFile, part: Part) -> os.stat_result:
        """Flush ``part``, unless ``sync`` has, and put it in its place in the tree; returned is what it is then.

        Raises:
            LocalWriteError: the place cannot be written to, or lies outside the tree.
        """
        status = part.synced()
        target = f"{self._tree}/{file.path}"
        with local_errors(target):
            folder = file.path.rpartition("/")[0]
            if folder not in self._made:
                _make_parents(self._tree, Path(target))
                self._made.add(folder)
            # Also a link to one, which would be replaced without a word.
            if os.path.isdir(target):  # noqa: PTH112 - strings, see _paths
                raise LocalWriteError(
                    f"cannot write {target}: a folder is in its place",
                    hint="Move that folder away and run the same command again.",
                )
            os.replace(part.path, target)  # noqa: PTH105
        part.is_in_place = True
        return status

    def kept_bytes(self, file: RemoteFile) -> int:
        """Room that the part of ``file`` has taken already."""
        try:
            return os.stat(self._paths(file)[0]).st_blocks * 512  # noqa: PTH116 - a string
        except OSError:
            return 0

    def clear(self, but: Iterable[RemoteFile] = ()) -> None:
        """Remove what stopped pulls left, but for the parts of these files.

        Raises:
            LocalWriteError: it cannot be removed.
        """
        wanted = {place for file in but for place in self._paths(file)}
        # The journals first: without them the parts count for nothing.
        for leftover in [*self._folder.glob("*.done"), *self._folder.iterdir()]:
            if str(leftover) not in wanted:
                with local_errors(leftover):
                    leftover.unlink(missing_ok=True)

    def _paths(self, file: RemoteFile) -> tuple[str, str]:
        """Where its part and its journal are: strings, since Path's work is half of all that a small file takes."""
        identity = "\0".join((file.path, file.id, str(file.size), file.md5, file.revision_id))
        key = hashlib.sha256(identity.encode()).hexdigest()[:32]
        return f"{self._folder}/{key}.part", f"{self._folder}/{key}.done"


def _sync_all(parts: Sequence[Part]) -> None:
    for part in parts:
        part.sync()


def _open(path: str, done: str | None, size: int) -> Part:
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


def _make_parents(tree: Path, target: Path) -> None:
    """Make the folders above ``target``, refusing a link that leads out of the tree."""
    root = tree.resolve()
    parent = target.parent
    existing = parent
    # Above the tree there is nothing to find out, not even where somebody has deleted it meanwhile.
    while existing != tree and not existing.exists():
        existing = existing.parent
    if not existing.resolve().is_relative_to(root):
        raise LocalWriteError(
            f"cannot write {target}: {existing} leads out of {tree}",
            hint="Replace that symbolic link by a folder, or by a link to a place inside the tree.",
        )
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocked = next(folder for folder in (parent, *parent.parents) if os.path.lexists(folder))
        raise LocalWriteError(
            f"cannot write {target}: a file is where the folder {blocked} should be",
            hint="Move that file away and run the same command again.",
        ) from error
