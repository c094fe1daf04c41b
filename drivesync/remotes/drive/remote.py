"""A folder in Google Drive as a remote.

    places      PURE: what the user calls it
    folders     from its name, and from paths below it, to ids
    listing     all that is below it; shortcuts are followed by ``shortcuts``
    changes     what is not as it was listed
    search      the questions that all of these put to Drive
    entries     PURE: what Drive says, as values
    upload      content on its way in; ``client`` carries everything, and brings content out

Google's untyped objects never leave these modules. What is relied upon (see Google's guides to searching, uploading
and handling errors, https://developers.google.com/workspace/drive/api/guides): names are not unique in a folder, an
update switches revisions in one step, and a create with an id of ours is made once however often it is sent.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError
from drivesync.files import RemoteFile, Skipped
from drivesync.remotes.drive.changes import ask_token, ask_whose, parse_mark, read_changes, take_mark
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.entries import (
    EXECUTABLE,
    FIELDS,
    is_folder,
    is_shortcut,
    order_of,
    to_time,
    to_value,
)
from drivesync.remotes.drive.folders import Folders, new_id
from drivesync.remotes.drive.listing import list_tree
from drivesync.remotes.drive.search import ask_by_name, look_up
from drivesync.remotes.drive.shortcuts import follow
from drivesync.remotes.drive.upload import Upload, send_upload
from drivesync.remotes.places import parse_drive_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.files import Changes, Page
    from drivesync.remotes.base import Sink
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.usage import Usage


class DriveRemote:
    """The folder that a user calls ``name`` as a remote.

    Args:
        name: such as ``darknet``, ``Shareddrives/TEAM/darknet`` or a folder's address; see ``places``.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.
        first_wait_s: the first pause before a repeat, in seconds.

    Raises:
        UsageError: ``name`` means nothing in Drive.
    """

    workers = 64
    pull_only = False
    reads_ranges = True

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
        self._folders = Folders(self._client, parse_drive_place(name), name)
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
        try:
            return self._find(path)
        except NotFoundError:
            # A folder that was remembered is gone; another may have its place by now.
            self._folders.forget()
        try:
            return self._find(path)
        except NotFoundError:
            return None

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
    ) -> RemoteFile:
        """See ``Remote.write``."""
        kept = dict(properties)
        # A property stays until it is overwritten; of files that were never executable nothing is said.
        if executable or (replaces is not None and replaces.executable):
            kept[EXECUTABLE] = "true" if executable else "false"
        body: dict[str, Any] = {"modifiedTime": to_time(modified_s), "appProperties": kept}
        action = f"writing {path}"
        with self._forgetting_what_is_gone():
            if replaces is not None:
                file_id = replaces.id
            else:
                folder, _, name = path.rpartition("/")
                parent = self._folders.make(folder)
                file_id = new_id(self._client)
                body |= {"id": file_id, "name": name, "parents": [parent.id]}
            upload = Upload(file_id, body, source, size, make=replaces is None)
            entry = send_upload(self._client, upload, fields=f"{FIELDS},trashed", action=action)
            if entry["trashed"]:
                raise NotFoundError(
                    f"{action}: its folder was thrown into Drive's trash",
                    hint="Run the same command again to make the folder anew, or restore it.",
                )
        value = to_value(entry, path)
        if isinstance(value, Skipped):
            raise NotFoundError(f"{action}: afterwards {value.reason}")
        return value

    def _find(self, path: str) -> RemoteFile | None:
        folder, _, name = path.rpartition("/")
        folders = self._folders.find(folder)
        found = ask_by_name(self._client, folders, name)
        # As ``list`` has it: a folder, then what lies there itself, then what a shortcut leads to.
        if any(is_folder(entry) for entry in found):
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
