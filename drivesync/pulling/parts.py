"""Files on their way into the tree, in ``TREE/.drivesync/partial/``.

    KEY.part    what has arrived: written, fsynced, then renamed into place
    KEY.done    of a large file's part: which of its bytes have arrived, as pairs of first and last

A kill between any two lines leaves the old file or the new one, and of a large file's part what has arrived. KEY
names a content, so a part is gone on with only while the remote still holds that content. Nothing is ever written
outside the tree, also where a symbolic link in it leads out.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, make_state_folder
from drivesync.errors import DamagedError, LocalWriteError, MovedError, NotFoundError
from drivesync.pulling.flushing import FileSystemFlush, ask_errors
from drivesync.pulling.part import open_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivesync.files import RemoteFile
    from drivesync.pulling.part import Part

_FOLDER = "partial"
_TOGETHER = 4
"""Fewer files are flushed one by one."""
_FLUSHES_AT_ONCE = 4


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
        part = open_part(path, done if resumable else None, file.size)
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
        elif self._file_system.survives(parts[0].descriptor):
            for part in parts:
                part.sync(ask_errors)
            return
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
