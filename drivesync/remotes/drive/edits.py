"""Files that stay what they are, and lie elsewhere or nowhere afterwards."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError, RemoteError
from drivesync.files import Skipped, refuse_name
from drivesync.remotes.drive.entries import FIELDS, to_time, to_value
from drivesync.remotes.drive.search import EVERYWHERE, ask_by_name, look_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.folders import Folders


def delete_file(client: DriveClient, file: RemoteFile) -> None:
    """Remove ``file`` for good: what lies in Drive's trash still counts. That it is gone already is no error."""
    request = client.files.delete(fileId=file.id, **EVERYWHERE)
    with suppress(NotFoundError):
        client.execute(f"deleting {file.path}", "edit", request, resource_keys=_keys(file))


def move_file(client: DriveClient, folders: Folders, file: RemoteFile, path: str) -> RemoteFile:
    """Give ``file`` another path; its id, content and time stay.

    Two requests, but for what folders need: what has the new name already, and the move.

    Raises:
        NotFoundError: it is gone.
        RemoteError: another file is there already, or none can be.
    """
    action = f"moving {file.path} to {path}"
    check_path(action, path)
    folder, _, name = path.rpartition("/")
    to_folder = folders.make(folder)
    there = ask_by_name(client, (to_folder,), name)
    entry = next((entry for entry in there if entry["id"] == file.id), None)
    if entry is None and there:
        raise RemoteError(f"{action}: something of that name is there already")
    if entry is None:
        entry = _move(client, file, action, name, to_folder.id, _parents(client, folders, file, action))
    value = to_value(entry, path)
    if isinstance(value, Skipped):
        raise NotFoundError(f"{action}: {value.reason}")
    return value


def check_path(action: str, path: str) -> None:
    """See that a local file could have ``path``, or a later listing would pass it over.

    Raises:
        RemoteError: it could not.
    """
    for name in path.split("/"):
        if reason := refuse_name(name):
            raise RemoteError(f"{action}: {reason}")


def _move(
    client: DriveClient, file: RemoteFile, action: str, name: str, to_id: str, from_ids: Sequence[str]
) -> Json:
    # Without a time of ours a new name might be taken for a change.
    body: dict[str, Any] = {"name": name, "modifiedTime": to_time(file.modified_s)}
    moved = {} if to_id in from_ids else {"addParents": to_id, "removeParents": ",".join(from_ids)}
    request = client.files.update(fileId=file.id, body=body, fields=FIELDS, **moved, **EVERYWHERE)
    return client.execute(action, "edit", request, resource_keys=_keys(file))


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
