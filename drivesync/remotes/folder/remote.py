"""A mounted Drive (``/content/drive/MyDrive/darknet``) or any other directory as a remote.

What is written comes into its place whole (see ``placing``), and is then read back, so that the checksum returned is
that of the bytes which are there. Links are followed as far as they stay in the folder. Nothing outside it is ever
written to.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import (
    MovedError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    StaleMarkError,
    TransientError,
    UsageError,
)
from drivesync.files import STATE_FOLDER, Page, RemoteFile, RemoteFolder, Skipped, refuse_name
from drivesync.remotes.folder.mount import FileSystem, translate_os_errors
from drivesync.remotes.folder.open_file import OpenFile
from drivesync.remotes.folder.placing import Content, is_part, place
from drivesync.remotes.folder.seen import ROOT_ID, revision_of, see, see_file, to_file
from drivesync.remotes.hashing import HashSink
from drivesync.remotes.repeats import Repeats
from drivesync.remotes.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.files import Changes, Entry
    from drivesync.remotes.base import Sink
    from drivesync.remotes.folder.seen import Seen

Result = TypeVar("Result")

COLAB_MOUNT = Path("/content/drive")
"""Where ``google.colab.drive.mount`` puts Drive."""

_PAGE_ENTRIES = 1000
_LOOKS = 3
"""So often is a file that changes under the reader's hands read from its beginning."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is to be listed.

    Attributes:
        root: of the tree, without links.
        path: as it is listed.
        real: where it is, without links.
        above: itself and what the walk came through, without links; who comes back there goes in a circle.
    """

    root: Path
    path: str
    real: Path
    above: frozenset[Path]


class FolderRemote:
    """The directory ``name`` as a remote.

    A file's id is its path below the folder without links.

    Args:
        name: a path; relative ones are below the working directory.
        settings: see ``Settings``.
        on_wait: told a line when a call has to be repeated after a long pause.
        system: what is asked for files.
        colab_mount: a folder below it is on a Drive that has to be mounted.

    Raises:
        UsageError: ``name`` is in the home of a user who does not exist.
    """

    # A mount fetches files by the block from far away, and has several on their way at once.
    workers = 8
    pull_only = False
    # It reads ahead, which a second reader further back in the same file undoes.
    reads_ranges = False

    def __init__(
        self,
        name: str,
        settings: Settings,
        on_wait: Callable[[str], None] = lambda _line: None,
        *,
        system: FileSystem | None = None,
        colab_mount: Path = COLAB_MOUNT,
    ) -> None:
        try:
            self._root = Path(name).expanduser().absolute()
        except RuntimeError as error:
            raise UsageError(f"{name!r} names no folder: this machine has no such user") from error
        self.name = str(self._root)
        self.usage = Usage()
        self._repeats = Repeats(settings, self.usage, on_wait)
        self._system = system or FileSystem()
        self._colab_mount = colab_mount
        self._hint = (
            f"In Colab run `from google.colab import drive; drive.mount('{colab_mount}', force_remount=True)` in a "
            "cell of its own, then the same command again."
            if self._root.is_relative_to(colab_mount)
            else "Look whether the disk or share is still mounted, then run the same command again."
        )

    def __enter__(self) -> FolderRemote:
        self._repeats.closing.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._repeats.closing.set()

    @property
    def slowed_by(self) -> str:
        """See ``Remote.slowed_by``."""
        return self._repeats.trouble

    def cancel(self) -> None:
        """See ``Remote.cancel``; a call that hangs in the system ends when the system lets it."""
        self._repeats.closing.set()

    def mark(self) -> str:
        """See ``Remote.mark``; a directory cannot tell what has changed in it."""
        return ""

    def changes(self, mark: str, folders: Mapping[str, str]) -> Changes:
        """See ``Remote.changes``."""
        del mark, folders
        raise StaleMarkError(f"what has changed in {self.name} can be told only by looking at all of it")

    def most_bytes(self) -> int | None:
        """See ``Remote.most_bytes``."""
        return None

    def list(self) -> Iterator[Page]:
        """See ``Remote.list``; in the order of names, the nearest folders first."""
        root = self._find_root()
        device = self._call(f"looking for {self.name}", partial(self._system.stat, root)).st_dev
        yield Page((RemoteFolder("", ROOT_ID),), ends=False)
        queue = deque([_Folder(root, "", root, frozenset({root}))])
        while queue:
            folder = queue.popleft()
            for page in self._list_folder(folder):
                yield page
                for entry in page.entries:
                    if isinstance(entry, RemoteFolder):
                        real = root / entry.id
                        queue.append(_Folder(root, entry.path, real, folder.above | {real}))
        # A Drive that was unmounted meanwhile looks like one that holds nothing, or like the empty place for it.
        if (
            self._call(f"looking for {self.name}", partial(self._system.stat, self._find_root())).st_dev
            != device
        ):
            raise TransientError(f"{self.name} was unmounted while it was listed", hint=self._hint)

    def find(self, path: str) -> RemoteFile | None:
        """See ``Remote.find``; reads the whole file for its checksum."""
        return self._read_whole(path, path)

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        """See ``Remote.renew``; reads the whole file for its checksum."""
        return self._read_whole(file.path, file.id)

    def read(self, file: RemoteFile, sink: Sink, first: int = 0, last: int | None = None) -> None:
        """See ``Remote.read``; size and mtime must not move from before the first byte to after the last."""
        self.usage.count("read")
        action = f"reading {file.path}"
        end = file.size if last is None else min(last + 1, file.size)
        source = OpenFile(self._system, partial(self._check, file))
        try:
            while first < end:
                block = self._call(action, partial(source.read, first, min(BLOCK_BYTES, end - first)))
                sink.write(block)
                first += len(block)
            self._call(action, partial(self._check, file))
        except NotFoundError as error:
            self._find_root()
            raise MovedError(f"{action}: it is gone") from error
        finally:
            source.close()

    def write(
        self,
        path: str,
        source: BinaryIO,
        *,
        size: int,
        modified_s: float,
        properties: Mapping[str, str],
        executable: bool,
        replaces: RemoteFile | None,
    ) -> RemoteFile:
        """See ``Remote.write``; a directory keeps no properties. What is returned was read back from it."""
        del properties
        self.usage.count("write")
        target = path if replaces is None else replaces.id
        if any(refuse_name(part) for part in target.split("/")):
            raise RemoteError(f"writing {path}: {target!r} is no path in a folder")
        self._refuse_unmounted()
        content = Content(source, size, modified_s, executable)
        self._call(f"writing {path}", partial(place, self._system, self._root, target, content))
        written = self._read_whole(path, target)
        if written is None:
            raise MovedError(f"writing {path}: it is gone again: does another program work in {self.name}?")
        return written

    def _list_folder(self, folder: _Folder) -> Iterator[Page]:
        self.usage.count("scan")
        try:
            names = self._call(f"listing {folder.real}", partial(self._system.names, folder.real))
        except NotFoundError:
            if not folder.path:
                raise
            names = []
        except NotAllowedError as error:
            if not folder.path:
                raise
            yield Page((Skipped(folder.path, _clause(error)),), ends=True)
            return
        starts = range(0, len(names), _PAGE_ENTRIES) or (0,)
        for start in starts:
            looks = (self._look(folder, name) for name in names[start : start + _PAGE_ENTRIES])
            yield Page(tuple(entry for entry in looks if entry is not None), ends=start == starts[-1])

    def _look(self, folder: _Folder, name: str) -> Entry | None:
        """What is called ``name`` in ``folder``; None for what is gone already, or is drivesync's own."""
        path = f"{folder.path}/{name}" if folder.path else name
        if path == STATE_FOLDER or is_part(name):
            return None
        if reason := refuse_name(name):
            return Skipped(os.fsencode(path).decode("utf-8", "backslashreplace"), reason)
        try:
            seen = self._call(
                f"looking at {path}", partial(see, self._system, folder.root, folder.real / name)
            )
        except NotFoundError:
            return None
        except NotAllowedError as error:
            seen = _clause(error)
        return Skipped(path, seen) if isinstance(seen, str) else _to_entry(folder, path, seen)

    def _find_root(self) -> Path:
        """The folder itself, without links."""
        self._refuse_unmounted()
        try:
            root = self._call(f"looking for {self.name}", partial(self._system.resolve, self._root))
        except NotFoundError as error:
            hint = "Name the folder that holds the darknet tree."
            raise NotFoundError(f"there is no folder {self.name}", hint=hint) from error
        if not stat.S_ISDIR(self._call(f"looking at {self.name}", partial(self._system.stat, root)).st_mode):
            raise NotFoundError(f"{self.name} is a file, not a folder", hint="Name the folder that it is in.")
        return root

    def _refuse_unmounted(self) -> None:
        """Where Drive belongs, a folder of this disk must not stand in for it: it would be lost with the machine."""
        mount = self._colab_mount
        if self._root.is_relative_to(mount) and not self._call(
            f"looking for {mount}", partial(self._system.is_mount, mount)
        ):
            raise NotFoundError(
                f"there is no folder {self.name}: Drive is not mounted",
                hint=f"Run `from google.colab import drive; drive.mount('{mount}')` in a cell of its own first.",
            )

    def _read_whole(self, path: str, id_: str) -> RemoteFile | None:
        """The file with this id, as ``path`` and with its checksums; None if it is no file, or not there."""
        if any(refuse_name(part) for part in id_.split("/")) or id_.split("/", 1)[0] == STATE_FOLDER:
            return None
        again = Retrying(
            retry=retry_if_exception_type(MovedError), stop=stop_after_attempt(_LOOKS), reraise=True
        )
        return again(self._read_whole_once, path, id_)

    def _read_whole_once(self, path: str, id_: str) -> RemoteFile | None:
        try:
            found = self._call(f"looking at {path}", partial(see_file, self._system, self._root, id_))
        except NotFoundError:
            return None
        if found is None:
            return None
        file = to_file(path, found[1])
        sink = HashSink()
        self.read(file, sink)
        return sink.fill(file)

    def _check(self, file: RemoteFile) -> Path:
        """Where ``file`` is, provided that it is still what it was."""
        found = see_file(self._system, self._root, file.id)
        if found is None or revision_of(found[1].status) != file.revision_id:
            raise MovedError(f"reading {file.path}: it has changed since it was listed")
        return found[0] / found[1].id

    def _call(self, action: str, work: Callable[[], Result]) -> Result:
        """``work()``, repeated where that may help, its errors translated."""

        def attempt() -> Result:
            with translate_os_errors(action, self._hint):
                return work()

        return self._repeats.call(action, attempt)


def _to_entry(folder: _Folder, path: str, seen: Seen) -> Entry:
    if not stat.S_ISDIR(seen.status.st_mode):
        return to_file(path, seen)
    if folder.root / seen.id in folder.above:
        return Skipped(path, "it is a link to a folder that it is in")
    return RemoteFolder(path, seen.id)


def _clause(error: NotAllowedError) -> str:
    reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
    return f"it cannot be read ({reason or error})"
