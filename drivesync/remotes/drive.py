"""A folder in Google Drive as a remote.

Google's untyped objects never leave this module and its neighbours. What is relied upon (see Google's guides
to searching, uploading and handling errors, https://developers.google.com/workspace/drive/api/guides): names are
not unique in a folder, an update switches revisions in one step, and a create with an id of ours is made once
however often it is sent.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError
from drivesync.files import RemoteFile, Skipped, refuse_name
from drivesync.remotes.client import DriveClient
from drivesync.remotes.upload import Upload, make_once, send_upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.config import Settings
    from drivesync.remotes.base import Sink

FOLDER = "application/vnd.google-apps.folder"
_GOOGLE_TYPE = "application/vnd.google-apps."

_PARENTS_A_QUERY = 50
_READ_BYTES = 16 << 20
_FIELDS = "id,name,mimeType,parents,size,md5Checksum,sha256Checksum,headRevisionId,modifiedTime"
_EVERYWHERE = {"supportsAllDrives": True}


class DriveRemote:
    """The folder ``name`` (a path below My Drive) as a remote.

    Args:
        name: such as ``darknet`` or ``work/darknet``.
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.
        first_wait_s: the first pause before a repeat, in seconds.
    """

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
        self._folders: dict[str, str] = {}
        self._folders_lock = threading.Lock()

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

    def list(self) -> Iterator[RemoteFile | Skipped]:
        """See ``Remote.list``; asks for 50 folders at once."""
        root = self._find_root(make=False)
        level = {root: ""}
        visited = {root}
        while level:
            below: dict[str, str] = {}
            folders = iter(level.items())
            while group := dict(islice(folders, _PARENTS_A_QUERY)):
                for entry in self._list_folders(tuple(group)):
                    parent = next(id_ for id_ in entry["parents"] if id_ in group)
                    path = _join(group[parent], entry["name"])
                    if reason := refuse_name(entry["name"]):
                        yield Skipped(path, reason)
                    elif entry["mimeType"] != FOLDER:
                        yield _to_value(entry, path)
                    elif entry["id"] not in visited:
                        visited.add(entry["id"])
                        below[entry["id"]] = path
            level = below

    def find(self, path: str) -> RemoteFile | None:
        """See ``Remote.find``."""
        folder, _, name = path.rpartition("/")
        with self._remembering_folders():
            parent = self._find_folder(folder, make=False)
            if parent is None:
                return None
            entries = [
                entry
                for entry in self._search(
                    f"'{parent}' in parents and name = '{_escape(name)}' and trashed = false",
                    f"looking for {path}",
                )
                # Drive's `name =` is blind to case.
                if entry["name"] == name and entry["mimeType"] != FOLDER
            ]
        files = [value for entry in entries if isinstance(value := _to_value(entry, path), RemoteFile)]
        return max(files, key=lambda file: (file.modified_s, file.id), default=None)

    def read(self, file: RemoteFile, sink: Sink) -> None:
        """See ``Remote.read``; in ranges of 16 MiB, each repeated by itself."""
        request = self._client.files.get_media(fileId=file.id, acknowledgeAbuse=False, **_EVERYWHERE)
        # An empty file has no bytes to range over: Drive would answer 416.
        for first in range(0, file.size, _READ_BYTES):
            last = min(first + _READ_BYTES, file.size) - 1
            sink.write(self._client.fetch_range(f"reading {file.path}", request.uri, first, last))

    def write(
        self,
        path: str,
        source: BinaryIO,
        *,
        size: int,
        modified_s: float,
        properties: Mapping[str, str],
        replaces: RemoteFile | None,
    ) -> RemoteFile:
        """See ``Remote.write``."""
        body: dict[str, Any] = {"modifiedTime": _to_time(modified_s), "appProperties": dict(properties)}
        action = f"writing {path}"
        with self._remembering_folders():
            if replaces is not None:
                file_id = replaces.id
            else:
                folder, _, name = path.rpartition("/")
                file_id = self._new_id()
                body |= {"id": file_id, "name": name, "parents": [self._find_folder(folder, make=True)]}
            upload = Upload(file_id, body, source, size, make=replaces is None)
            entry = send_upload(self._client, upload, fields=f"{_FIELDS},trashed", action=action)
            if entry["trashed"]:
                raise NotFoundError(
                    f"{action}: its folder was thrown into Drive's trash",
                    hint="Run the same command again to make the folder anew, or restore it.",
                )
        value = _to_value(entry, path)
        if isinstance(value, Skipped):
            raise NotFoundError(f"{action}: afterwards {value.reason}")
        return value

    def _list_folders(self, folders: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """The children of ``folders``; each that comes back empty is asked for alone once more.

        Drive can leave the children of some parents out of an OR-ed query's answer without a word
        (incompleteSearch stays false), as rclone's authors found.
        """
        answered: set[str] = set()
        for entry in self._search(_children_of(folders), "listing"):
            answered.update(entry["parents"])
            yield entry
        if len(folders) > 1:
            for folder in folders:
                if folder not in answered:
                    yield from self._search(_children_of([folder]), "listing")

    def _search(self, query: str, action: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            answer = self._client.execute(
                action,
                self._client.files.list(
                    q=query,
                    pageSize=1000,
                    pageToken=token,
                    orderBy="createdTime",
                    fields=f"nextPageToken,files({_FIELDS})",
                    includeItemsFromAllDrives=True,
                    **_EVERYWHERE,
                ),
            )
            yield from answer.get("files", [])
            token = answer.get("nextPageToken")
            if not token:
                return

    def _find_root(self, *, make: bool) -> str:
        root = self._find_folder("", make=make)
        if root is None:
            raise NotFoundError(
                f"there is no folder {self.name!r} in My Drive",
                hint="Name the folder that holds the darknet tree: python -m drivesync pull REMOTE.",
            )
        return root

    @contextmanager
    def _remembering_folders(self) -> Iterator[None]:
        """Within it a folder that turns out to be gone, since somebody cleaned up, is forgotten and not asked again."""
        try:
            yield
        except NotFoundError:
            with self._folders_lock:
                self._folders.clear()
            raise

    def _find_folder(self, path: str, *, make: bool) -> str | None:
        """The id of the folder at ``path`` below the tree's; made where it is missing, or None."""
        with self._folders_lock:
            full, folder = "", "root"
            for name in f"{self.name}/{path}".strip("/").split("/"):
                full = _join(full, name)
                known = self._folders.get(full) or self._ask_for_folder(folder, name)
                if known is None:
                    if not make:
                        return None
                    known = self._make_folder(folder, name)
                folder = self._folders[full] = known
            return folder

    def _ask_for_folder(self, parent: str, name: str) -> str | None:
        query = f"'{parent}' in parents and name = '{_escape(name)}' and mimeType = '{FOLDER}' and trashed = false"
        found = [entry["id"] for entry in self._search(query, f"looking for {name}") if entry["name"] == name]
        # Of several folders of one name the oldest, so that every session takes the same one.
        return found[0] if found else None

    def _make_folder(self, parent: str, name: str) -> str:
        folder_id = self._new_id()
        body = {"id": folder_id, "name": name, "parents": [parent], "mimeType": FOLDER}
        request = self._client.files.create(body=body, fields="id", **_EVERYWHERE)
        make_once(self._client, request, f"making the folder {name}")
        return folder_id

    def _new_id(self) -> str:
        request = self._client.files.generateIds(count=1, space="drive", type="files", fields="ids")
        return str(self._client.execute("asking for a file id", request)["ids"][0])


def _children_of(folders: Iterable[str]) -> str:
    parents = " or ".join(f"'{folder}' in parents" for folder in folders)
    return f"({parents}) and trashed = false"


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _to_value(entry: Mapping[str, Any], path: str) -> RemoteFile | Skipped:
    if entry["mimeType"].startswith(_GOOGLE_TYPE):
        kind = entry["mimeType"][len(_GOOGLE_TYPE) :]
        return Skipped(path, f"it is a Google {kind}, not a file")
    if "md5Checksum" not in entry or "size" not in entry:
        return Skipped(path, "Drive gives no checksum for it")
    return RemoteFile(
        path=path,
        id=entry["id"],
        size=int(entry["size"]),
        md5=entry["md5Checksum"].lower(),
        modified_s=_from_time(entry["modifiedTime"]),
        sha256=entry.get("sha256Checksum", "").lower(),
        revision_id=entry.get("headRevisionId", ""),
    )


def _from_time(text: str) -> float:
    """Unix time of Drive's RFC 3339 (``2026-11-23T04:56:00.000Z``), which Python 3.10 reads only without the Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _to_time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
