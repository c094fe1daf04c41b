"""What has changed in a tree since it was listed, read from the log of changes of the whole account.

The log (https://developers.google.com/workspace/drive/api/guides/manage-changes) tells of each file its last change,
with no word of where it was before, and nothing of what lies in a folder that was moved. So only files are followed;
a folder of the tree, or above it, that is not where it was can be told only by a new listing.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from googleapiclient.errors import HttpError

from drivesync.errors import NotFoundError, StaleMarkError
from drivesync.files import STATE_FOLDER, Changes, Skipped, refuse_name
from drivesync.remotes.drive.entries import FIELDS, SHORTCUT_MARK, is_folder, is_shortcut, join, to_value
from drivesync.remotes.drive.search import EVERYWHERE, look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.folders import Root

_MOST_PAGES = 10
_PAGE_SIZE = 1000
_ACTION = "asking what has changed"
_REFUSED = frozenset({400, 404, 410})
_FIELDS = f"nextPageToken,newStartPageToken,changes(changeType,fileId,removed,file({FIELDS},trashed))"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of an account, and all that ``read_changes`` has to know of the tree at that moment.

    Attributes:
        name: of the remote.
        account: whose log it is in: another's says nothing of this tree, and Drive takes the token all the same.
        token: Drive's name for the moment.
        drive_id: of the shared drive that the tree lies in; empty for My Drive.
        above: the ids of the tree's own folder and of those above it, each with the name that leads on from it to
            the tree. The name is empty for the tree's own, and for all where the tree was named by its id: where
            such a tree lies means nothing.
    """

    name: str
    account: str
    token: str
    drive_id: str
    above: dict[str, str]

    def to_text(self) -> str:
        """As ``parse_mark`` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse_mark(text: str, name: str) -> Mark:
    """A mark of the remote ``name``.

    Raises:
        StaleMarkError: it is none.
    """
    try:
        mark = Mark(**json.loads(text))
    except (ValueError, TypeError):
        raise StaleMarkError("the mark of the last listing cannot be read") from None
    if mark.name != name:
        raise StaleMarkError(f"the mark of the last listing is of {mark.name!r}")
    return mark


def ask_token(client: DriveClient, drive_id: str = "") -> str:
    """Drive's name for this moment in the user's log, or in a shared drive's.

    Raises:
        NotFoundError: the user is no member of the shared drive.
    """
    request = client.changes.getStartPageToken(driveId=drive_id or None, **EVERYWHERE)
    token: str = client.execute(_ACTION, "get", request)["startPageToken"]
    return token


def ask_whose(client: DriveClient) -> str:
    """The id of the account that the credentials speak for, the same with whatever token."""
    answer = client.execute(_ACTION, "other", client.about.get(fields="user/permissionId"))
    return str(answer["user"]["permissionId"])


def take_mark(client: DriveClient, root: Root, name: str, account: str, token: str) -> str:
    """A mark of this moment; empty where the log would not tell what becomes of the tree.

    It does so for the user's own tree and for those in shared drives; not for one that a link or a shortcut led to.

    Args:
        client: opened.
        root: the tree's own folder.
        name: of the remote.
        account: whose log it is; see ``ask_whose``.
        token: of the user's log; in a shared drive's another one is asked for.
    """
    folder = root.folder
    if not root.direct or folder.resource_key or not (root.mine or folder.drive_id):
        return ""
    try:
        token = ask_token(client, folder.drive_id) if folder.drive_id else token
    except NotFoundError:
        # The user is no member of the shared drive, only of the folder.
        return ""
    above = dict(_climb(client, root)) | {folder.id: ""}
    return Mark(name, account, token, folder.drive_id, above).to_text()


def read_changes(client: DriveClient, mark: Mark, folders: Mapping[str, str]) -> Changes:
    """As ``Remote.changes``; whose account it is by now is asked at the same time.

    Raises:
        StaleMarkError: only a new listing can tell.
    """
    if any(folder_id.startswith(SHORTCUT_MARK) for folder_id in folders):
        raise StaleMarkError("there are shortcuts in the tree, and what becomes of their targets is not told")
    with ThreadPoolExecutor(1, thread_name_prefix="whose") as aside:
        account = aside.submit(ask_whose, client)
        changes = _read_log(client, mark, folders)
    if account.result() != mark.account:
        raise StaleMarkError("the last listing was another account's")
    return changes


def _read_log(client: DriveClient, mark: Mark, folders: Mapping[str, str]) -> Changes:
    log = _Log(mark, folders)
    token = mark.token
    for _ in range(_MOST_PAGES):
        answer = _ask(client, mark, token)
        for change in answer.get("changes", ()):
            log.add(change)
        if "newStartPageToken" in answer:
            return log.sum_up(answer["newStartPageToken"])
        token = answer["nextPageToken"]
    raise StaleMarkError(f"there are more than {_MOST_PAGES * _PAGE_SIZE} changes since the last listing")


class _Log:
    """The changes of an account that concern one tree; a later one of a file takes the place of the earlier."""

    def __init__(self, mark: Mark, folders: Mapping[str, str]) -> None:
        self._mark = mark
        self._folders = folders
        self._paths = frozenset(folders.values())
        self._gone: set[str] = set()
        self._entries: dict[str, list[RemoteFile | Skipped]] = {}

    def add(self, change: Json) -> None:
        if "fileId" not in change:
            # A shared drive was renamed, or is hidden now.
            if self._mark.drive_id:
                raise StaleMarkError("the shared drive has changed")
            return
        file_id, file = change["fileId"], change.get("file")
        if file is not None and (change.get("removed") or file.get("trashed")):
            file = None
        if file_id in self._mark.above or file_id in self._folders:
            if file is None or not self._is_in_place(file):
                raise StaleMarkError("a folder of the tree is not where it was")
            return
        self._gone.add(file_id)
        self._entries[file_id] = [] if file is None else list(self._place(file))

    def _is_in_place(self, folder: Json) -> bool:
        """Whether a folder of the tree, or above it, is where it was: shared, starred or otherwise touched, no more."""
        folder_id, parents, above = folder["id"], folder.get("parents", ()), self._mark.above
        if folder_id in above:
            # Nothing is above the top, and nobody asks where a tree lies that has an id.
            return not parents or not any(above.values()) or folder["name"] in map(above.get, parents)
        paths = (join(self._folders[parent], folder["name"]) for parent in parents if parent in self._folders)
        return self._folders[folder_id] in paths

    def _place(self, file: Json) -> Iterator[RemoteFile | Skipped]:
        name = file["name"]
        leads_on = is_folder(file) or is_shortcut(file)
        for parent in file.get("parents", ()):
            path = join(self._folders[parent], name) if parent in self._folders else None
            if path == STATE_FOLDER:
                continue
            if leads_on:
                if path is not None or self._mark.above.get(parent) == name:
                    raise StaleMarkError(f"there is a folder or shortcut {name!r} that was not listed")
            elif path is not None:
                yield self._to_value(file, path)

    def _to_value(self, file: Json, path: str) -> RemoteFile | Skipped:
        if reason := refuse_name(file["name"]):
            return Skipped(path, reason, file["id"])
        if path in self._paths:
            return Skipped(path, "a folder of the same name is beside it", file["id"])
        return to_value(file, path)

    def sum_up(self, token: str) -> Changes:
        entries = tuple(entry for placed in self._entries.values() for entry in placed)
        return Changes(frozenset(self._gone), entries, replace(self._mark, token=token).to_text())


def _ask(client: DriveClient, mark: Mark, token: str) -> Json:
    request = client.changes.list(
        pageToken=token,
        pageSize=_PAGE_SIZE,
        driveId=mark.drive_id or None,
        includeItemsFromAllDrives=bool(mark.drive_id),
        fields=_FIELDS,
        **EVERYWHERE,
    )

    def send(connection: Any) -> Json:
        try:
            answer: Json = request.execute(http=connection)
        except HttpError as error:
            if error.resp.status in _REFUSED:
                raise StaleMarkError("Drive no longer knows the mark of the last listing") from None
            raise
        return answer

    return client.call(_ACTION, "list", send)


def _climb(client: DriveClient, root: Root) -> Iterator[tuple[str, str]]:
    """The folders above ``root``, up to the top; of a tree that has an id only the next one is known so far."""
    yield from root.above
    at = root.above[0][0] if root.above and not root.above[0][1] else ""
    while at:
        try:
            parents = look_up(client, _ACTION, at, fields="id,parents").get("parents", ())
        except NotFoundError:
            # It is somebody else's, and does not show.
            return
        at = parents[0] if parents else ""
        if at:
            yield at, ""
