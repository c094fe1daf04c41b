"""A folder in Google Drive as a remote.

    places      PURE: what the user calls it
    folders     from its name, and from paths below it, to ids
    listing     all that is below it; shortcuts are followed by ``shortcuts``
    changes     what is not as it was listed
    search      the questions that all of these put to Drive
    entries     PURE: what Drive says, as values
    writing     a file that is written: ``upload`` sends it, ``upload_note`` is what a later process goes on with
    edits       files that are moved or deleted
    leases      who may write
    client      carries everything, and brings content out

Google's untyped objects never leave these modules. What is relied upon (see Google's guides to searching, uploading
and handling errors, https://developers.google.com/workspace/drive/api/guides): names are not unique in a folder, an
update switches revisions in one step, and a create with an id of ours is made once however often it is sent.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from drivesync.errors import NotFoundError
from drivesync.files import RemoteFile
from drivesync.remotes.drive.account import ask_room
from drivesync.remotes.drive.changes import ask_token, ask_whose, parse_mark, read_changes, take_mark
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.edits import delete_file, move_file
from drivesync.remotes.drive.entries import FIELDS, is_folder, is_shortcut, join, order_of, to_value
from drivesync.remotes.drive.folders import Folders
from drivesync.remotes.drive.leases import DriveLeases
from drivesync.remotes.drive.listing import list_tree
from drivesync.remotes.drive.search import Search, ask_all, ask_by_name, for_queries, look_up
from drivesync.remotes.drive.shortcuts import follow
from drivesync.remotes.drive.writing import write_file
from drivesync.remotes.places import parse_drive_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.files import Changes, LeaseRecord, Page, Room
    from drivesync.remotes.base import Note, Sink
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.usage import Usage

_Answer = TypeVar("_Answer")


class DriveRemote:
    """The folder that a user calls ``name`` as a remote.

    Args:
        name: such as ``darknet``, ``Shareddrives/TEAM/darknet`` or a folder's address; see ``places``.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long, and when the tree's folder is made.
        first_wait_s: the first pause before a repeat, in seconds.

    Raises:
        UsageError: ``name`` means nothing in Drive.
    """

    workers = 64
    pull_only = False
    reads_ranges = True
    proves = True

    def __init__(
        self,
        name: str,
        settings: Settings,
        on_wait: Callable[[str], None] = lambda _line: None,
        *,
        first_wait_s: float = 1.0,
    ) -> None:
        self.name = name
        self._client = DriveClient(settings, on_wait, first_wait_s=first_wait_s)
        self._folders = Folders(self._client, parse_drive_place(name), name, on_wait)
        self._leases = DriveLeases(self._client, self._folders, settle_s=settings.settle_s)
        self.usage: Usage = self._client.usage

    @property
    def slowed_by(self) -> str:
        """See ``Remote.slowed_by``."""
        return self._client.slowed_by

    def __enter__(self) -> DriveRemote:
        self._client.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def cancel(self) -> None:
        """See ``Remote.cancel``."""
        self._client.cancel()

    def list(self) -> Iterator[Page]:
        """See ``Remote.list``."""
        with self._forgetting_what_is_gone():
            yield from list_tree(self._client, self._folders.root().folder)
        # Whoever lists again wants to know whether it is still the same folder.
        self._folders.forget()

    def mark(self) -> str:
        """See ``Remote.mark``; what it asks for, it asks for at once, since the first byte waits for it."""
        with ThreadPoolExecutor(2, thread_name_prefix="mark") as aside:
            account, token = aside.submit(ask_whose, self._client), aside.submit(ask_token, self._client)
            root = self._folders.root()
        return take_mark(self._client, root, self.name, account.result(), token.result())

    def changes(self, mark: str, folders: Mapping[str, str]) -> Changes:
        """See ``Remote.changes``; two requests at once where nothing has changed."""
        return read_changes(self._client, parse_mark(mark, self.name), folders)

    def most_bytes(self) -> int | None:
        """See ``Remote.most_bytes``: all that the user keeps in Drive, if the tree is the user's own.

        What others share in it does not count, nor does what Drive has not counted yet.
        """
        root = self._folders.root()
        if not root.mine or root.folder.drive_id:
            return None
        request = self._client.about.get(fields="storageQuota(usage,usageInDrive)")
        quota = self._client.execute("asking how much is stored", "other", request).get("storageQuota", {})
        used = quota.get("usageInDrive", quota.get("usage"))
        return None if used is None else int(used)

    def find(self, path: str) -> RemoteFile | None:
        """See ``Remote.find``."""
        return self._ask_below(partial(self._find, path), None)

    def files_in(self, path: str) -> tuple[RemoteFile, ...]:
        """See ``PackingRemote.files_in``."""
        return self._ask_below(partial(self._files_in, path), ())

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        """See ``Remote.renew``."""
        try:
            entry = look_up(
                self._client,
                f"looking at {file.path}",
                file.id,
                file.resource_key,
                fields=f"{FIELDS},trashed",
            )
        except NotFoundError:
            return None
        value = None if entry["trashed"] else to_value(entry, file.path)
        return value if isinstance(value, RemoteFile) else None

    def read(self, file: RemoteFile, sink: Sink, first: int = 0, last: int | None = None) -> None:
        """See ``Remote.read``."""
        end = file.size - 1 if last is None else last
        # An empty file has no bytes to range over: Drive would answer 416.
        if first <= end:
            self._client.read_media(
                f"reading {file.path}",
                file.id,
                first,
                end,
                sink,
                resource_key=file.resource_key,
                size_bytes=file.size,
            )

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
        """See ``Remote.write``."""
        with self._forgetting_what_is_gone():
            return write_file(
                self._client,
                self._folders,
                path,
                source,
                size=size,
                modified_s=modified_s,
                properties=properties,
                executable=executable,
                replaces=replaces,
                before_end=before_end,
                note=note,
            )

    def delete(self, file: RemoteFile) -> None:
        """See ``Remote.delete``."""
        delete_file(self._client, file)

    def move(self, file: RemoteFile, path: str) -> RemoteFile:
        """See ``Remote.move``."""
        with self._forgetting_what_is_gone():
            return move_file(self._client, self._folders, file, path)

    def room(self) -> Room | None:
        """See ``Remote.room``; of shared drives nobody can tell."""
        return None if self._folders.are_shared() else ask_room(self._client)

    def now_s(self) -> float:
        """See ``Remote.now_s``; a request is sent only where no answer has told the time yet."""
        return self._client.now_s()

    def find_lease(self, run: str) -> LeaseRecord | None:
        """See ``Remote.find_lease``."""
        return self._leases.find(run)

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """See ``Remote.claim_lease``."""
        return self._leases.claim(run, after, holder, who)

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """See ``Remote.renew_lease``."""
        return self._leases.renew(record, release=release)

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        """See ``Remote.next_lease``."""
        return self._leases.next(record)

    def _ask_below(self, ask: Callable[[], _Answer], nothing: _Answer) -> _Answer:
        """What ``ask`` finds in a folder; ``nothing`` where that is gone."""
        try:
            return ask()
        except NotFoundError:
            # A folder that was remembered is gone; another may have its place by now.
            self._folders.forget()
        try:
            return ask()
        except NotFoundError:
            return nothing

    def _files_in(self, path: str) -> tuple[RemoteFile, ...]:
        searches = (Search(some, f"looking into {path}") for some in for_queries(self._folders.find(path)))
        entries = (entry for search in searches for entry in ask_all(self._client, search))
        values = (to_value(entry, join(path, entry["name"])) for entry in entries)
        return tuple(value for value in values if isinstance(value, RemoteFile))

    def _find(self, path: str) -> RemoteFile | None:
        folder, _, name = path.rpartition("/")
        folders = self._folders.find(folder)
        found = ask_by_name(self._client, folders, name)
        # As ``list`` has it: a folder, then what lies there itself, then what a shortcut leads to.
        is_taken = any(is_folder(entry) for entry in found)
        self._folders.note_file(path, is_folder=is_taken)
        if is_taken:
            return None
        if (file := _newest(found, path)) is not None:
            return file
        targets = [follow(self._client, entry) for entry in found if is_shortcut(entry)]
        good = [target for target in targets if not isinstance(target, str)]
        return None if any(is_folder(target) for target in good) else _newest(good, path)

    @contextmanager
    def _forgetting_what_is_gone(self) -> Iterator[None]:
        """Within it a folder that turns out to be gone, since somebody cleaned up, is forgotten and not asked again."""
        try:
            yield
        except NotFoundError:
            self._folders.forget()
            raise


def _newest(entries: list[Json], path: str) -> RemoteFile | None:
    values = (to_value(entry, path) for entry in sorted(entries, key=order_of, reverse=True))
    return next((value for value in values if isinstance(value, RemoteFile)), None)
