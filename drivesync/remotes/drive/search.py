"""Questions to Drive about files and folders: which lie in some folders, and what one of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError
from drivesync.remotes.drive.entries import FIELDS, FOLDER, SHORTCUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Folder, Json

PARENTS_A_QUERY = 50
"""As many as rclone asks for; a longer query is refused by Drive sooner or later."""

_PAGE_SIZE = 1000
EVERYWHERE: Mapping[str, Any] = {"supportsAllDrives": True}
FOLDERS_ONLY = f"(mimeType = '{FOLDER}' or mimeType = '{SHORTCUT}')"
"""What can be a folder: shortcuts are followed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of what was found.

    Attributes:
        entries: what is on it.
        next_token: asks for the next one; empty on the last.
        drive_id: of the shared drive that was searched; empty for all that the user can see.
    """

    entries: Sequence[Json]
    next_token: str
    drive_id: str


@dataclass(frozen=True, slots=True)
class Search:
    """A question about what lies in ``folders``: some, of one shared drive or of none.

    Attributes:
        folders: at most PARENTS_A_QUERY.
        action: what it is asked for, in a user's words.
        condition: what else is asked of what is found, in Drive's query language.
        order: Drive's orderBy.
        fields: what is wanted of each entry.
    """

    folders: Sequence[Folder]
    action: str
    condition: str = ""
    order: str = "folder,name,modifiedTime desc"
    fields: str = FIELDS

    @property
    def query(self) -> str:
        """As Drive's ``q``; what lies in the trash is never meant."""
        parents = " or ".join(f"'{folder_id}' in parents" for folder_id in {f.id: None for f in self.folders})
        condition = f" and {self.condition}" if self.condition else ""
        return f"({parents}){condition} and trashed = false"


def ask(client: DriveClient, search: Search) -> Answer:
    """The first page of the answer.

    Raises:
        NotFoundError: one of the folders is gone, or was never to be seen.
    """
    drive_id = search.folders[0].drive_id
    try:
        return _send(client, search, drive_id, "")
    except NotFoundError:
        if not drive_id:
            raise
        # A folder of a shared drive can be shared with somebody who is no member, and may not search the drive.
        return _send(client, search, "", "")


def ask_on(client: DriveClient, search: Search, answer: Answer) -> Answer | None:
    """The page behind ``answer``; None if that was the last."""
    return _send(client, search, answer.drive_id, answer.next_token) if answer.next_token else None


def ask_all(client: DriveClient, search: Search) -> Iterator[Json]:
    """Everything that ``search`` finds."""
    answer: Answer | None = ask(client, search)
    while answer is not None:
        yield from answer.entries
        answer = ask_on(client, search, answer)


def ask_by_name(
    client: DriveClient, folders: Iterable[Folder], name: str, condition: str = "", *, fields: str = FIELDS
) -> list[Json]:
    """What is called ``name`` in one of ``folders``; of one shared drive, or of none, the oldest first."""
    named = f"name = '{_escape(name)}'" + (f" and {condition}" if condition else "")
    searches = [
        Search(some, f"looking for {name}", named, "createdTime", fields) for some in for_queries(folders)
    ]
    # Drive's `name =` is blind to case.
    return [entry for search in searches for entry in ask_all(client, search) if entry["name"] == name]


def look_up(
    client: DriveClient, action: str, file_id: str, resource_key: str = "", fields: str = FIELDS
) -> Json:
    """What Drive says of one file or folder.

    Raises:
        NotFoundError: it is gone, or not to be seen.
        NotAllowedError: it is not allowed to be seen.
    """
    request = client.files.get(fileId=file_id, fields=fields, **EVERYWHERE)
    keys = {file_id: resource_key} if resource_key else {}
    return client.execute(action, "get", request, resource_keys=keys)


def for_queries(folders: Iterable[Folder]) -> Iterator[list[Folder]]:
    """``folders`` in the largest portions that can be one query's."""
    by_drive: dict[str, list[Folder]] = {}
    for folder in folders:
        some = by_drive.setdefault(folder.drive_id, [])
        some.append(folder)
        if len(some) == PARENTS_A_QUERY:
            yield by_drive.pop(folder.drive_id)
    yield from by_drive.values()


def _send(client: DriveClient, search: Search, drive_id: str, token: str) -> Answer:
    request = client.files.list(
        q=search.query,
        corpora="drive" if drive_id else "user",
        driveId=drive_id or None,
        pageSize=_PAGE_SIZE,
        pageToken=token or None,
        orderBy=search.order,
        fields=f"nextPageToken,files({search.fields})",
        includeItemsFromAllDrives=True,
        **EVERYWHERE,
    )
    keys = {folder.id: folder.resource_key for folder in search.folders if folder.resource_key}
    answer = client.execute(search.action, "list", request, resource_keys=keys)
    return Answer(answer.get("files", ()), answer.get("nextPageToken", ""), drive_id)


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
