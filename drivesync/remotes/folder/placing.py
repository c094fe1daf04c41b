"""One file put into a directory whole: a hidden name beside its place, fsync, rename.

    FOLDER/.drivesync-KEY-RANDOM.part    KEY is made of the file's name, so that the next write of it knows what
                                         killed ones have left

Of two writers of one file the later removes the earlier's part; the earlier then cannot rename it, and begins again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
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
        modified_s: Unix time.
        executable: sets the run bits.
    """

    source: BinaryIO
    size: int
    modified_s: float
    executable: bool


def is_part(name: str) -> bool:
    """Whether a file of that name is on its way to another, or was left on it."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def place(system: FileSystem, root: Path, path: str, content: Content) -> None:
    """Put ``content`` at ``path`` below ``root``, in place of what is there.

    Args:
        system: what is asked for files.
        root: made where it is missing.
        path: relative, with no ``..`` in it; folders in it are made where they are missing.
        content: its source is read from the beginning.

    Raises:
        OSError: the system cannot do it; what was there is still there.
        RemoteError: the folder that it belongs into lies outside of ``root``, or the source ends early.
        TransientError: another writer has taken the part away.
        LocalWriteError: the source cannot be read.
    """
    *above, name = path.split("/")
    folder = _make_folders(system, root, above)
    key = f"{_PREFIX}{hashlib.sha256(name.encode()).hexdigest()[:16]}-"
    for left in system.names(folder):
        if left.startswith(key) and is_part(left):
            system.remove(folder / left)
    part = folder / f"{key}{secrets.token_hex(4)}{_SUFFIX}"
    try:
        _fill(system, part, path, content)
        # The clock on Drive has milliseconds; what is pulled from here later and there should say the same.
        system.set_time(part, round(content.modified_s * 1000) * 1_000_000)
        if content.executable:
            system.make_executable(part)
        system.rename(part, folder / name)
    except FileNotFoundError as error:
        raise TransientError(f"another program writes {path} as well") from error
    finally:
        # After the rename it is gone; where the mount has broken down the next write clears it.
        with suppress(OSError):
            system.remove(part)
    _sync_folder(system, folder)


def _make_folders(system: FileSystem, root: Path, names: list[str]) -> Path:
    """The folder below ``root`` that these names lead to, without links."""
    system.make_folder(root)
    real_root = folder = system.resolve(root)
    for name in names:
        try:
            system.make_folder(folder / name)
        except FileExistsError as error:
            raise RemoteError(
                f"a file is where the folder {name} should be, in {folder}",
                hint="Move that file away and run the same command again.",
            ) from error
        folder = system.resolve(folder / name)
        if not folder.is_relative_to(real_root):
            raise RemoteError(
                f"{name} is a link that leads out of {root}",
                hint="Replace that link by a folder, or by a link to a place inside.",
            )
    return folder


def _fill(system: FileSystem, part: Path, path: str, content: Content) -> None:
    descriptor = system.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        for block in _blocks(path, content):
            rest = memoryview(block)
            while rest:
                rest = rest[system.write(descriptor, rest) :]
        system.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            system.close(descriptor)
        raise
    system.close(descriptor)


def _blocks(path: str, content: Content) -> Iterator[bytes]:
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


def _sync_folder(system: FileSystem, folder: Path) -> None:
    """Make the rename survive a crash, where the file system can do that."""
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
