"""What is in a tree on disk, told file by file."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import LocalWriteError
from drivesync.files import STATE_FOLDER, LocalFile, Skipped, spell_path
from drivesync.mirroring.upload_plan import refuse_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BROKEN_LINK = {
    errno.ENOENT: "it is a link that leads to nothing",
    errno.ENOTDIR: "it is a link that leads to nothing",
    errno.ELOOP: "it is a link that leads in a circle",
}
_KINDS = {
    stat.S_IFSOCK: "it is a socket, not a file",
    stat.S_IFIFO: "it is a pipe, not a file",
    stat.S_IFBLK: "it is a device, not a file",
    stat.S_IFCHR: "it is a device, not a file",
}


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look through.

    Attributes:
        path: relative to the tree, with a slash at its end; empty for the tree itself.
        above: itself and what the walk came through, as device and inode; who comes back there goes in a circle.
    """

    path: str
    above: frozenset[tuple[int, int]]


def scan(tree: Path, on_failed: Callable[[str, LocalWriteError], None]) -> Iterator[LocalFile | Skipped]:
    """Every file below ``tree``, in any order; what is not to be sent as ``Skipped``.

    Links are followed as far as they stay in the tree. What drivesync keeps at its top is passed over.

    Args:
        tree: a folder.
        on_failed: told the path of what nobody can look at, and why.

    Raises:
        LocalWriteError: the tree itself cannot be read.
    """
    with local_errors(tree, "read"):
        root = os.path.realpath(tree)
        status = os.stat(root)  # noqa: PTH116 - strings throughout: Path takes thrice as long, for each file of a tree
    waiting = [_Folder("", frozenset({_identity(status)}))]
    while waiting:
        folder = waiting.pop()
        try:
            for seen in _read(root, folder, on_failed):
                if isinstance(seen, _Folder):
                    waiting.append(seen)
                else:
                    yield seen
        except LocalWriteError as error:
            if not folder.path:
                raise
            on_failed(folder.path.rstrip("/"), error)


def _read(
    root: str, folder: _Folder, on_failed: Callable[[str, LocalWriteError], None]
) -> Iterator[LocalFile | Skipped | _Folder]:
    place = f"{root}/{folder.path}"
    with local_errors(place, "read"), os.scandir(place) as entries:
        for entry in entries:
            if (seen := _try_to_look(root, folder, entry, on_failed)) is not None:
                yield seen


def _try_to_look(
    root: str, folder: _Folder, entry: os.DirEntry[str], on_failed: Callable[[str, LocalWriteError], None]
) -> LocalFile | Skipped | _Folder | None:
    try:
        with local_errors(entry.path, "look at"):
            return _look(root, folder, entry)
    except LocalWriteError as error:
        on_failed(spell_path(folder.path + entry.name), error)
        return None


def _look(root: str, folder: _Folder, entry: os.DirEntry[str]) -> LocalFile | Skipped | _Folder | None:
    """What ``entry`` is; None for what is gone already, or is drivesync's own."""
    path = folder.path + entry.name
    if path == STATE_FOLDER:
        return None
    reason = refuse_entry(entry.name)
    is_link = entry.is_symlink()
    try:
        status = entry.stat()
    except OSError as error:
        if not is_link and error.errno == errno.ENOENT:
            return None
        if not is_link or error.errno not in _BROKEN_LINK:
            raise
        reason = reason or _BROKEN_LINK[error.errno]
    else:
        if is_link and not reason:
            reason = _refuse_target(root, os.path.realpath(entry.path))
        reason = reason or _refuse_kind(folder, status)
    if reason:
        return Skipped(spell_path(path), reason)
    if stat.S_ISDIR(status.st_mode):
        return _Folder(f"{path}/", folder.above | {_identity(status)})
    return LocalFile(path, status.st_size, status.st_mtime_ns)


def _refuse_target(root: str, real: str) -> str:
    """Why a link that leads to ``real`` is not followed; empty if it is."""
    if real == root:
        return "it is a link to a folder that it is in"
    if not real.startswith(f"{root}/") or any(map(refuse_entry, real[len(root) + 1 :].split("/"))):
        return "it is a link to a place that is not in the tree"
    return ""


def _refuse_kind(folder: _Folder, status: os.stat_result) -> str:
    """Why what has this ``status`` is nothing to send; empty if it is a file or a folder."""
    if stat.S_ISDIR(status.st_mode):
        return "it is a link to a folder that it is in" if _identity(status) in folder.above else ""
    if stat.S_ISREG(status.st_mode):
        return ""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "it is no file")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
