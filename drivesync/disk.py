"""The local disk: look, hash, and writes that are whole or not there.

Every file is written under a temporary name in ``TREE/.drivesync/partial/``, fsynced, and renamed into place,
so that a kill between any two lines leaves the old file or the new one. Nothing is ever written outside the
tree, also where a symbolic link in it leads out.
"""

from __future__ import annotations

import errno
import hashlib
import os
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
    from typing import BinaryIO

BLOCK_BYTES = 1 << 20

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Checksums:
    """Of one content: its size in bytes, and lower-case hex digests."""

    size: int
    md5: str
    sha256: str


@contextmanager
def local_errors(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Args:
        path: named where the system names no file.
        verb: what cannot be done to it.

    Raises:
        DiskFullError: there is no room.
        LocalWriteError: anything else; both name the file.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        said = f"cannot {verb} {error.filename or path}: {reason}"
        if error.errno in _FULL:
            hint = "Free some space on this disk and run the same command again."
            raise DiskFullError(said, hint=hint) from error
        raise LocalWriteError(said) from error


def look(tree: Path, path: str) -> LocalFile | None:
    """One file of the tree, unhashed; None if it is not there, or nobody can say (a loop of links)."""
    try:
        status = (tree / path).stat()
    except OSError:
        return None
    return LocalFile(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


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
        LocalWriteError: it cannot be made.
    """
    folder = tree / STATE_FOLDER / name
    with local_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def lock_state(tree: Path, job: str) -> Iterator[None]:
    """Let one process at a time do ``job`` in the tree; the lock ends with its process, however that ends.

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
            raise UnfinishedError(
                f"another {job} is at work in {tree}",
                hint="Wait for it to end, or stop it, and run this again.",
            ) from None
    try:
        yield
    finally:
        lock.release()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` with ``content``, whole or not at all.

    Raises:
        LocalWriteError: the disk cannot take it; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with local_errors(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
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


@contextmanager
def stage(tree: Path, key: str) -> Iterator[Staged]:
    """Open a temporary file in the tree's state folder that ``Staged.commit`` puts in place; gone otherwise.

    Args:
        tree: where the file will be.
        key: unlike that of every other file staged at the same time, and fit to be a file name.
    """
    folder = make_state_folder(tree, "partial")
    part = folder / f"{key}.part"
    with local_errors(part):
        file = part.open("w+b")
    staged = Staged(tree, part, file)
    try:
        yield staged
    finally:
        # A full disk can make closing fail too; the error that matters is on its way already.
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Staged:
    """A file on its way into the tree."""

    tree: Path
    part: Path
    file: BinaryIO

    def write(self, block: bytes) -> None:
        """Append ``block``.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        with local_errors(self.part):
            self.file.write(block)

    def commit(self, path: str, modified_s: float, *, executable: bool = False) -> LocalFile:
        """Put the file at ``path`` below the tree, with that modification time (Unix).

        Raises:
            LocalWriteError: the place cannot be written to, or lies outside the tree.
        """
        target = self.tree / path
        with local_errors(target):
            self.file.flush()
            # The clock on Drive has milliseconds; make compares these times.
            os.utime(self.part, ns=(round(modified_s * 1000) * 1_000_000,) * 2)
            if executable:
                self.part.chmod(self.part.stat().st_mode | 0o111)
            os.fsync(self.file.fileno())
            _make_parents(self.tree, target)
            if target.is_dir():
                raise LocalWriteError(
                    f"cannot write {target}: a folder is in its place",
                    hint="Move that folder away and run the same command again.",
                )
            self.part.replace(target)
        written = look(self.tree, path)
        if written is None:
            raise LocalWriteError(f"{target} is gone again: does another program work in this tree?")
        return written


def _make_parents(tree: Path, target: Path) -> None:
    """Make the folders above ``target``, refusing a link that leads out of the tree."""
    root = tree.resolve()
    parent = target.parent
    existing = parent
    while not existing.exists():
        existing = existing.parent
    if not existing.resolve().is_relative_to(root):
        raise LocalWriteError(
            f"cannot write {target}: {existing} leads out of {tree}",
            hint="Replace that symbolic link by a folder, or by a link to a place inside the tree.",
        )
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise LocalWriteError(
            f"cannot write {target}: a file is where the folder {parent} should be",
            hint="Move that file away and run the same command again.",
        ) from error


def looks_executable(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is a program; Drive keeps no run bits, its content tells."""
    return head.startswith((b"\x7fELF", b"#!"))


def check_tree(tree: Path) -> None:
    """See that ``tree`` is, or can become, a folder.

    Raises:
        LocalWriteError: something else is there.
    """
    if tree.exists() and not tree.is_dir():
        hint = "Name another TREE, or move the file away."
        raise LocalWriteError(f"{tree} is a file, not a folder", hint=hint)
