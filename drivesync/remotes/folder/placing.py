"""Files put into a directory whole: a hidden name beside their place, fsync, read back and compared, rename.

    FOLDER/.drivesync-KEY-RANDOM.part    KEY is made of the file's name, so that the next write of it knows what
                                         killed ones have left

Of two writers of one file the later removes the earlier's part; the earlier then cannot rename it, and begins again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, local_errors
from drivesync.errors import RemoteError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from drivesync.remotes.folder.mount import FileSystem

_PREFIX = ".drivesync-"
_SUFFIX = ".part"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file is to be.

    Attributes:
        source: seekable; ``size`` bytes of it from its beginning.
        size: in bytes.
        modified_s: Unix time; None for that of the write.
        executable: sets the run bits.
    """

    source: BinaryIO
    size: int
    modified_s: float | None = None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is whole, fsynced and compared, and hidden beside its place.

    Attributes:
        hidden: where it is.
        place: where it belongs.
        id: ``place`` relative to the tree, without links.
        sha256: of its content, lower-case hex.
    """

    hidden: Path
    place: Path
    id: str
    sha256: str


def is_part(name: str) -> bool:
    """Whether a file of that name is on its way to another, or was left on it."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def read_blocks(system: FileSystem, place: Path, *, uncached: bool = False) -> Iterator[bytes]:
    """What a file holds; ``uncached`` asks for what was kept of it, not for what is remembered.

    Raises:
        OSError: the system cannot read it.
    """
    descriptor = system.open(place, os.O_RDONLY)
    try:
        if uncached:
            system.uncache(descriptor)
        offset = 0
        while block := system.read(descriptor, BLOCK_BYTES, offset):
            offset += len(block)
            yield block
    finally:
        # That a file which was only read cannot be closed harms nobody.
        with suppress(OSError):
            system.close(descriptor)


def sync_folder(system: FileSystem, folder: Path) -> None:
    """Make what was renamed or removed in ``folder`` survive a crash, where the file system can do that.

    Raises:
        OSError: it can, and failed.
    """
    try:
        descriptor = system.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        system.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
            raise
    finally:
        system.close(descriptor)


class Placing:
    """Puts files into one tree; safe to use from several threads.

    Args:
        system: what is asked for files.
        root: the tree's folder, made where it is missing.
    """

    def __init__(self, system: FileSystem, root: Path) -> None:
        self._system = system
        self._root = root
        self._lock = threading.Lock()
        # By folder, as they were before the first write there: to list a folder for each of its files takes long.
        self._left: dict[Path, list[str]] = {}

    def place(self, path: str, content: Content) -> None:
        """Put ``content`` at ``path``, in place of what is there.

        Raises:
            OSError: see ``fill`` for all of these.
        """
        part = self.fill(path, content)
        try:
            self.put(part)
        finally:
            self.drop(part)

    def fill(self, path: str, content: Content) -> Part:
        """Have ``content`` beside ``path``; ``put`` it there, and ``drop`` it in any case.

        Args:
            path: relative, with no ``..`` in it; folders in it are made where they are missing.
            content: its source is read from the beginning.

        Raises:
            OSError: the system cannot do it.
            RemoteError: the folder that it belongs into lies outside of the tree, or the source ends early.
            TransientError: what was read back is not what was written, or another writer has taken the part away.
            LocalWriteError: the source cannot be read.
        """
        place, id_ = self.make_folders(path)
        key = f"{_PREFIX}{hashlib.sha256(place.name.encode()).hexdigest()[:16]}-"
        self._clear(place.parent, key)
        hidden = place.parent / f"{key}{secrets.token_hex(4)}{_SUFFIX}"
        try:
            sha256 = self._fill(hidden, path, content)
            self._compare(hidden, path, sha256)
            if content.modified_s is not None:
                # The clock on Drive has milliseconds; what is pulled from here later and there should say the same.
                self._system.set_time(hidden, round(content.modified_s * 1000) * 1_000_000)
            if content.executable:
                self._system.make_executable(hidden)
        except FileNotFoundError as error:
            self._remove(hidden)
            raise _taken_away(place) from error
        except BaseException:
            self._remove(hidden)
            raise
        return Part(hidden, place, id_, sha256)

    def put(self, part: Part) -> None:
        """Have ``part`` in its place, for good.

        Raises:
            OSError: the system cannot do it.
            TransientError: another writer has taken it away.
        """
        try:
            self._system.rename(part.hidden, part.place)
        except FileNotFoundError as error:
            raise _taken_away(part.place) from error
        sync_folder(self._system, part.place.parent)

    def drop(self, part: Part) -> None:
        """Remove it, if it is not in its place."""
        self._remove(part.hidden)

    def make_folders(self, path: str) -> tuple[Path, str]:
        """Where ``path`` is to be, and this relative to the tree, both without links in the folders above it.

        Raises:
            OSError: the system cannot make a folder.
            RemoteError: a folder lies outside of the tree, or a file is in its place.
        """
        *above, name = path.split("/")
        self._system.make_folder(self._root)
        root = folder = self._system.resolve(self._root)
        for part in above:
            try:
                self._system.make_folder(folder / part)
            except FileExistsError as error:
                raise RemoteError(
                    f"a file is where the folder {part} should be, in {folder}",
                    hint="Move that file away and run the same command again.",
                ) from error
            folder = self._system.resolve(folder / part)
            if not folder.is_relative_to(root):
                raise RemoteError(
                    f"{part} is a link that leads out of {self._root}",
                    hint="Replace that link by a folder, or by a link to a place inside.",
                )
        return folder / name, (folder / name).relative_to(root).as_posix()

    def _clear(self, folder: Path, key: str) -> None:
        """Remove what killed writes of one file have left."""
        with self._lock:
            if folder not in self._left:
                self._left[folder] = [name for name in self._system.names(folder) if is_part(name)]
            mine = [name for name in self._left[folder] if name.startswith(key)]
        for name in mine:
            self._system.remove(folder / name)
        with self._lock:
            self._left[folder] = [name for name in self._left[folder] if name not in mine]

    def _fill(self, hidden: Path, path: str, content: Content) -> str:
        """Returned is the sha256 of what was written."""
        sha256 = hashlib.sha256()
        descriptor = self._system.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            for block in _read_source(path, content):
                sha256.update(block)
                rest = memoryview(block)
                while rest:
                    rest = rest[self._system.write(descriptor, rest) :]
            self._system.fsync(descriptor)
        except BaseException:
            with suppress(OSError):
                self._system.close(descriptor)
            raise
        self._system.close(descriptor)
        return sha256.hexdigest()

    def _compare(self, hidden: Path, path: str, sha256: str) -> None:
        """See that what is there is what was written, before it replaces what was good."""
        there = hashlib.sha256()
        for block in read_blocks(self._system, hidden, uncached=True):
            there.update(block)
        if there.hexdigest() != sha256:
            raise TransientError(f"writing {path}: what was read back is not what was written")

    def _remove(self, hidden: Path) -> None:
        # Where the mount has broken down the next write clears it.
        with suppress(OSError):
            self._system.remove(hidden)


def _taken_away(place: Path) -> TransientError:
    return TransientError(f"another program writes {place} as well")


def _read_source(path: str, content: Content) -> Iterator[bytes]:
    with local_errors(Path(path), "read"):
        content.source.seek(0)
        left = content.size
        while left:
            block = content.source.read(min(BLOCK_BYTES, left))
            if not block:
                raise RemoteError(
                    f"{path}: the last {left} bytes of {content.size} are not there to be written"
                )
            left -= len(block)
            yield block
