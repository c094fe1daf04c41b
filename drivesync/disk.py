"""The local disk: look, hash, and writes that are whole or not there.

Every file is written under a temporary name in ``TREE/.drivesync/partial/``, fsynced, and renamed into place,
so that a kill between any two lines leaves the old file or the new one. Nothing is ever written outside the
tree, also where a symbolic link in it leads out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from drivesync.errors import DiskFullError, LocalWriteError, UnfinishedError
from drivesync.files import STATE_FOLDER, LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

BLOCK_BYTES = 1 << 20

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Checksums:
    """Of one content: its size in bytes, and lower-case hex digests."""

    size: int
    md5: str
    sha256: str


def local_errors(path: Path | str, verb: str = "write") -> _LocalErrors:
    """Within it the operating system's errors are turned into ours.

    Args:
        path: named where the system names no file.
        verb: what cannot be done to it.

    Raises:
        DiskFullError: there is no room.
        LocalWriteError: anything else; both name the file.
    """
    return _LocalErrors(path, verb)


class _LocalErrors:
    # A class, since a generator takes twice as long to enter and leave, and each file goes through several of these.
    __slots__ = ("_path", "_verb")

    def __init__(self, path: Path | str, verb: str) -> None:
        self._path = path
        self._verb = verb

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            said = f"cannot {self._verb} {error.filename or self._path}: {reason}"
            if is_full(error):
                hint = "Free some space on this disk and run the same command again."
                raise DiskFullError(said, hint=hint) from error
            raise LocalWriteError(said) from error


def is_full(error: OSError) -> bool:
    """Whether there is no room on the disk that was written to."""
    return error.errno in _FULL


def look(tree: Path, path: str) -> LocalFile | None:
    """One file of the tree, unhashed; None if it is not there, or nobody can say (a loop of links)."""
    try:
        status = os.stat(f"{tree}/{path}")  # noqa: PTH116 - asked for each file of a tree, and Path takes thrice as long
    except OSError:
        return None
    return LocalFile(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def is_same(one: LocalFile | None, other: LocalFile | None) -> bool:
    """Whether both are the same file with the same size and time, or both are not there."""
    if one is None or other is None:
        return one is other
    return (one.size, one.mtime_ns) == (other.size, other.mtime_ns)


def hash_stream(source: BinaryIO, copy_to: BinaryIO | None = None) -> Checksums:
    """Read ``source`` to its end, copying what is read to ``copy_to``."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    while block := source.read(BLOCK_BYTES):
        md5.update(block)
        sha256.update(block)
        size += len(block)
        if copy_to is not None:
            copy_to.write(block)
    return Checksums(size, md5.hexdigest(), sha256.hexdigest())


def hash_file(tree: Path, file: LocalFile) -> LocalFile:
    """``file`` with its md5 filled in.

    Raises:
        LocalWriteError: it cannot be read.
    """
    place = tree / file.path
    md5 = hashlib.md5(usedforsecurity=False)
    with local_errors(place, "read"), place.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            md5.update(block)
    return replace(file, md5=md5.hexdigest())


def make_state_folder(tree: Path, name: str = "") -> Path:
    """Make ``TREE/.drivesync/NAME`` and return it.

    Raises:
        LocalWriteError: it cannot be made, or a link in its place leads out of the tree.
    """
    folder = tree / STATE_FOLDER / name
    with local_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        leads_out = not is_within(folder, tree)
    if leads_out:
        raise LocalWriteError(
            f"cannot write {folder}: it leads out of {tree}",
            hint="Remove that symbolic link; a folder is made in its place.",
        )
    return folder


@contextmanager
def lock_state(
    tree: Path, job: str, hint: str = "Wait for it to end, or stop it, and run this again."
) -> Iterator[None]:
    """Let one process at a time do ``job`` in the tree; the lock ends with its process, however that ends.

    Args:
        tree: the local tree.
        job: names the lock.
        hint: what to do where another process has it.

    Raises:
        UnfinishedError: another one is at it.
        LocalWriteError: the lock cannot be made.
    """
    path = make_state_folder(tree) / f"{job}.lock"
    lock = FileLock(path)
    with local_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UnfinishedError(f"another {job} is at work in {tree}", hint=hint) from None
    try:
        yield
    finally:
        lock.release()


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replace ``path`` with ``content``, whole or not at all.

    Args:
        path: of the file.
        content: all of it.
        mode: who may read and write it, less what the umask takes away.

    Raises:
        LocalWriteError: the disk cannot take it; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with local_errors(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            # Nobody has asked for the temporary one.
            error.filename = str(path)
            raise
        finally:
            temporary.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a crash of the machine, where the system can do that."""
    # Not every system opens folders, and not every file system syncs them: then the rename is still atomic.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def looks_executable(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is a program; Drive keeps no run bits, its content tells."""
    return head.startswith((b"\x7fELF", b"#!"))


def check_tree(tree: Path) -> None:
    """See that ``tree`` is, or can become, a folder.

    Raises:
        LocalWriteError: something else is there.
    """
    if tree.is_dir():
        return
    if tree.exists():
        hint = "Name another TREE, or move the file away."
        raise LocalWriteError(f"{tree} is a file, not a folder", hint=hint)
    if tree.is_symlink():
        hint = "Name another TREE, or make the folder that the link leads to."
        raise LocalWriteError(f"{tree} is a link that leads to nothing", hint=hint)


def is_within(path: Path, folder: Path) -> bool:
    """Whether ``path`` is ``folder``, or somewhere in it, whatever links lead there."""
    return path.resolve().is_relative_to(folder.resolve())


def is_case_blind(tree: Path) -> bool:
    """Whether the disk takes ``A`` and ``a`` for one name.

    Raises:
        LocalWriteError: the disk cannot be written to.
    """
    folder = make_state_folder(tree)
    probe = folder / f"Case-{os.getpid()}"
    with local_errors(probe):
        try:
            probe.touch()
            return (folder / probe.name.lower()).exists()
        finally:
            probe.unlink(missing_ok=True)


def free_bytes(tree: Path) -> int:
    """Room on the disk that ``tree``, there or not, lies on.

    Raises:
        LocalWriteError: nobody can say.
    """
    place = tree.absolute()
    while not place.exists():
        place = place.parent
    with local_errors(place, "look at"):
        return shutil.disk_usage(place).free


def append_line(path: Path, line: bytes) -> None:
    """Add ``line`` to a file of lines, durably; a last one that a crash has torn stays behind as one of its own.

    Args:
        path: made if it is not there; its folder is.
        line: without its newline.

    Raises:
        LocalWriteError: the disk cannot take it; nothing is left of it.
    """
    rest = line + b"\n"
    with local_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                rest = b"\n" + rest
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
    if end == 0:
        fsync_folder(path.parent)
