"""What lies at a place in a directory, as seen through links that stay in it."""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER, RemoteFile, refuse_name

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from drivesync.remotes.folder.mount import FileSystem

ROOT_ID = "."

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
class Seen:
    """A file or folder in the tree; ``id`` is its path there without links."""

    id: str
    status: os.stat_result


def see(system: FileSystem, root: Path, place: Path) -> Seen | str:
    """What is at ``place``, links followed, or why that is nothing to transfer.

    Args:
        system: what is asked for files.
        root: of the tree, without links.
        place: below it, links only in its last part.

    Raises:
        OSError: the system cannot tell, or there is nothing.
    """
    status = system.lstat(place)
    if stat.S_ISLNK(status.st_mode):
        try:
            place = system.resolve(place)
        except OSError as error:
            if error.errno in _BROKEN_LINK:
                return _BROKEN_LINK[error.errno]
            raise
        status = system.stat(place)
    id_ = place.relative_to(root).as_posix() if place.is_relative_to(root) else ""
    if id_ == ROOT_ID:
        return "it is a link to a folder that it is in"
    if not id_ or id_.split("/", 1)[0] == STATE_FOLDER:
        return "it is a link to a place that is not in the tree"
    if any(refuse_name(part) for part in id_.split("/")):
        return "it is a link to a file whose name is not valid Unicode"
    kind = stat.S_IFMT(status.st_mode)
    return (
        _KINDS.get(kind, "it is no file") if kind not in {stat.S_IFREG, stat.S_IFDIR} else Seen(id_, status)
    )


def see_file(system: FileSystem, folder: Path, path: str) -> tuple[Path, Seen] | None:
    """The tree's root without links, and the file that ``path``, relative to ``folder``, leads to in it.

    None if it leads to something else, or out of the tree.

    Raises:
        OSError: the system cannot tell, or there is nothing.
    """
    root = system.resolve(folder)
    above, _, name = path.rpartition("/")
    seen = see(system, root, system.resolve(root / above) / name)
    return None if isinstance(seen, str) or stat.S_ISDIR(seen.status.st_mode) else (root, seen)


def revision_of(status: os.stat_result) -> str:
    """Names a content by size and mtime, as make and rsync do it.

    The inode is no part of it: a mount may number its files anew each time it is mounted.
    """
    return f"{status.st_size}-{status.st_mtime_ns}"


def to_file(path: str, seen: Seen) -> RemoteFile:
    """``seen`` as a remote file at ``path``, unread.

    A run bit that is set is told; one that is not says nothing, since a mounted Drive keeps none.
    """
    return RemoteFile(
        path=path,
        id=seen.id,
        size=seen.status.st_size,
        md5="",
        modified_s=seen.status.st_mtime_ns / 1e9,
        revision_id=revision_of(seen.status),
        executable=True if seen.status.st_mode & stat.S_IXUSR else None,
    )
