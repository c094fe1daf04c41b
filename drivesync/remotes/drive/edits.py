"""Files that stay what they are, and lie elsewhere or nowhere afterwards."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError
from drivesync.files import Skipped
from drivesync.remotes.drive.entries import FIELDS, to_time, to_value
from drivesync.remotes.drive.search import EVERYWHERE, look_up

if TYPE_CHECKING:
    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.folders import Folders


def delete_file(client: DriveClient, file: RemoteFile) -> None:
    """Remove ``file`` for good: what lies in Drive's trash still counts. That it is gone already is no error."""
    request = client.files.delete(fileId=file.id, **EVERYWHERE)
    with suppress(NotFoundError):
        client.execute(f"deleting {file.path}", "edit", request, resource_keys=_keys(file))


def move_file(client: DriveClient, folders: Folders, file: RemoteFile, path: str) -> RemoteFile:
    """Give ``file`` another path; its id, content and time stay. One request, but for what folders need.

    Raises:
        NotFoundError: it is gone.
    """
    action = f"moving {file.path} to {path}"
    folder, _, name = path.rpartition("/")
    # Without a time of ours a new name might be taken for a change.
    body: dict[str, Any] = {"name": name, "modifiedTime": to_time(file.modified_s)}
    to_id = folders.make(folder).id
    from_ids = _parents(client, folders, file, action)
    moved = {} if to_id in from_ids else {"addParents": to_id, "removeParents": ",".join(from_ids)}
    request = client.files.update(fileId=file.id, body=body, fields=FIELDS, **moved, **EVERYWHERE)
    value = to_value(client.execute(action, "edit", request, resource_keys=_keys(file)), path)
    if isinstance(value, Skipped):
        raise NotFoundError(f"{action}: {value.reason}")
    return value


def _parents(client: DriveClient, folders: Folders, file: RemoteFile, action: str) -> list[str]:
    """The ids of the folders that ``file`` lies in."""
    found = folders.find(file.path.rpartition("/")[0])
    if len(found) == 1:
        return [found[0].id]
    # Several folders of one name count as one.
    entry = look_up(client, action, file.id, file.resource_key, fields="parents")
    return list(entry.get("parents", ()))


def _keys(file: RemoteFile) -> dict[str, str]:
    return {file.id: file.resource_key} if file.resource_key else {}
