"""A mounted Drive (``/content/drive/MyDrive/darknet``) or any other directory as a remote.

    root         the folder itself, mounted or not, and the calls that are made in it
    mount        these calls, and what their errors mean
    listing      all that is below it
    moving       a file deleted, or moved
    seen         what is at one place of it, links followed as far as they stay in the folder
    open_file    a file while it is read
    placing      a file put into its place whole
    properties   what is kept with a file
    leases       who may push
    clock        what time it is there

What is written is read back, so that the checksum returned is that of the bytes which are there. Nothing outside the
folder is ever written to.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import BLOCK_BYTES
from drivesync.errors import MovedError, NotFoundError, RemoteError, StaleMarkError
from drivesync.files import STATE_FOLDER, Room, refuse_name
from drivesync.remotes.folder.clock import Clock
from drivesync.remotes.folder.leases import FolderLeases
from drivesync.remotes.folder.listing import list_tree
from drivesync.remotes.folder.mount import FileSystem, translate_os_errors
from drivesync.remotes.folder.moving import check_path, delete_file, move_file
from drivesync.remotes.folder.open_file import OpenFile
from drivesync.remotes.folder.placing import Content, Placing
from drivesync.remotes.folder.properties import Properties
from drivesync.remotes.folder.root import Root
from drivesync.remotes.folder.seen import revision_of, see_file, to_file
from drivesync.remotes.hashing import HashSink
from drivesync.remotes.repeats import Repeats
from drivesync.remotes.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.files import Changes, LeaseRecord, Page, RemoteFile
    from drivesync.remotes.base import Note, Sink

COLAB_MOUNT = Path("/content/drive")
"""Where ``google.colab.drive.mount`` puts Drive."""

_LOOKS = 3
"""So often is a file that changes under the reader's hands read from its beginning."""


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
    # fsync and reading back ask the mount's program, which answers from its cache and uploads when it likes: what was
    # on its way when a session ended is lost (https://github.com/googlecolab/colabtools/issues/287). Nobody can tell
    # such a mount from a disk for certain, and a disk of this machine ends with the machine.
    proves = False

    def __init__(
        self,
        name: str,
        settings: Settings,
        on_wait: Callable[[str], None] = lambda _line: None,
        *,
        system: FileSystem | None = None,
        colab_mount: Path = COLAB_MOUNT,
    ) -> None:
        self.usage = Usage()
        self._repeats = Repeats(settings, self.usage, on_wait)
        self._system = system or FileSystem()
        self._root = Root(name, self._system, self._repeats, colab_mount)
        self.name = str(self._root.path)
        self._placing = Placing(self._system, self._root.path)
        self._properties = Properties(self._system, self._root.path, self._placing)
        self._clock = Clock(self._root, self._placing)
        self._leases = FolderLeases(self._root, self._clock.now_s)

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
        """See ``Remote.list``; in the order of names, the nearest folders first, and without properties."""
        return list_tree(self._root, partial(self.usage.count, "scan"))

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
                block = self._root.call(action, partial(source.read, first, min(BLOCK_BYTES, end - first)))
                sink.write(block)
                first += len(block)
            self._root.call(action, partial(self._check, file))
        except NotFoundError as error:
            self._root.find()
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
        before_end: Callable[[], None] = lambda: None,
        note: Note | None = None,
    ) -> RemoteFile:
        """See ``Remote.write``. What is returned was read back from the file in its place.

        A write that was cut begins anew, whatever ``note`` says: what a mount has taken of it may never have reached
        the disk, and to compare it takes as long as to write it.
        """
        del note
        self.usage.count("write")
        target = path if replaces is None else replaces.id
        check_path(f"writing {path}", target)
        self._root.refuse_unmounted()
        kept = {**self._properties_of(replaces), **properties}
        content = Content(source, size, modified_s, executable)
        id_, sha256 = self._write(path, target, content, kept, before_end)
        # Those of the content before only lie there; ``kept`` is recorded already.
        with suppress(RemoteError):
            self._root.call(f"writing {path}", partial(self._properties.settle, id_, sha256, kept))
        written = self._read_whole(path, target)
        if written is None:
            raise MovedError(f"writing {path}: it is gone again: does another program work in {self.name}?")
        return written

    def delete(self, file: RemoteFile) -> None:
        """See ``Remote.delete``."""
        self.usage.count("delete")
        delete_file(self._root, self._properties, file)

    def move(self, file: RemoteFile, path: str) -> RemoteFile:
        """See ``Remote.move``; the id, which is a path, changes with it."""
        self.usage.count("move")
        return move_file(self._root, self._placing, self._properties, file, path)

    def room(self) -> Room | None:
        """See ``Remote.room``: of the disk that the folder is on.

        Colab's mount tells what the Drive holds, and what is used of it, trash included
        (https://github.com/googlecolab/colabtools/issues/6051). Some mounts tell nothing but zeros.
        """
        self._root.refuse_unmounted()
        ask = partial(self._system.room, self._root.path)
        used, free = self._root.call(f"asking how much fits into {self.name}", ask)
        return Room(limit=used + free, used=used) if used + free else None

    def now_s(self) -> float:
        """See ``Remote.now_s``; on a mounted Drive it is this machine's clock."""
        return self._clock.now_s()

    def find_lease(self, run: str) -> LeaseRecord | None:
        """See ``Remote.find_lease``."""
        return self._leases.find(run)

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """See ``Remote.claim_lease``; on a mount that syncs later two machines may both have the turn."""
        return self._leases.claim(run, after, holder, who)

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """See ``Remote.renew_lease``."""
        return self._leases.renew(record, release=release)

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        """See ``Remote.next_lease``."""
        return self._leases.next(record)

    def _write(
        self,
        path: str,
        target: str,
        content: Content,
        properties: Mapping[str, str],
        before_end: Callable[[], None],
    ) -> tuple[str, str]:
        """Put ``content`` into its place; returned are the file's id, and the sha256 of what was written."""
        action, hint = f"writing {path}", self._root.hint

        def attempt() -> tuple[str, str] | Exception:
            with translate_os_errors(action, hint):
                part = self._placing.fill(target, content)
            try:
                with translate_os_errors(action, hint):
                    self._properties.announce(part.id, part.sha256, properties)
                try:
                    before_end()
                except Exception as error:  # noqa: BLE001 - raised again below
                    return error
                with translate_os_errors(action, hint):
                    self._placing.put(part)
            finally:
                self._placing.drop(part)
            return part.id, part.sha256

        done = self._repeats.call(action, attempt)
        # What ``before_end`` raises is for the caller, and not to be repeated, whatever it is.
        if isinstance(done, Exception):
            raise done
        return done

    def _properties_of(self, file: RemoteFile | None) -> Mapping[str, str]:
        """What was recorded with ``file``; a listing does not know its content, and so not what belongs to it."""
        if file is not None and not file.sha256:
            file = self.renew(file)
        return {} if file is None else file.properties

    def _read_whole(self, path: str, id_: str) -> RemoteFile | None:
        """The file with this id, as ``path`` and with its checksums; None if it is no file, or not there."""
        if any(refuse_name(part) for part in id_.split("/")) or id_.split("/", 1)[0] == STATE_FOLDER:
            return None
        again = Retrying(
            retry=retry_if_exception_type(MovedError), stop=stop_after_attempt(_LOOKS), reraise=True
        )
        return again(self._read_whole_once, path, id_)

    def _read_whole_once(self, path: str, id_: str) -> RemoteFile | None:
        action = f"looking at {path}"
        try:
            found = self._root.call(action, partial(see_file, self._system, self._root.path, id_))
        except NotFoundError:
            return None
        if found is None:
            return None
        file = to_file(path, found[1])
        sink = HashSink()
        self.read(file, sink)
        file = sink.fill(file)
        kept = self._root.call(action, partial(self._properties.find, file.id, file.sha256))
        return replace(file, properties=kept)

    def _check(self, file: RemoteFile) -> Path:
        """Where ``file`` is, provided that it is still what it was."""
        found = see_file(self._system, self._root.path, file.id)
        if found is None or revision_of(found[1].status) != file.revision_id:
            raise MovedError(f"reading {file.path}: it has changed since it was listed")
        return found[0] / found[1].id
