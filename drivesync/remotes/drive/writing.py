"""A file that is written to a path in the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivesync.errors import NotFoundError, RemoteError
from drivesync.files import Skipped
from drivesync.remotes.drive.edits import check_path
from drivesync.remotes.drive.entries import EXECUTABLE, FIELDS, to_time, to_value
from drivesync.remotes.drive.outgoing import Outgoing
from drivesync.remotes.drive.search import EVERYWHERE
from drivesync.remotes.drive.upload import Upload, send_upload
from drivesync.remotes.drive.upload_note import UploadNote, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from drivesync.files import RemoteFile
    from drivesync.remotes.base import Note
    from drivesync.remotes.drive.client import DriveClient
    from drivesync.remotes.drive.entries import Json
    from drivesync.remotes.drive.folders import Folders


def write_file(
    client: DriveClient,
    folders: Folders,
    path: str,
    source: BinaryIO,
    *,
    size: int,
    modified_s: float,
    properties: Mapping[str, str],
    executable: bool,
    replaces: RemoteFile | None,
    before_end: Callable[[], None],
    note: Note | None,
) -> RemoteFile:
    """See ``Remote.write``.

    Raises:
        RemoteError: no local file could have that path, or a folder was found there last.
        NotFoundError: the file that was to be replaced, or the folder, is gone or in the trash.
    """
    action = f"writing {path}"
    check_path(action, path)
    if replaces is None and not folders.is_file_free(path):
        raise RemoteError(
            f"{action}: a folder of the same name is there, beside which no pull would bring the file",
            hint="Rename or delete that folder in Drive.",
        )
    folder, _, name = path.rpartition("/")
    parent_id = folders.make(folder).id if replaces is None else ""
    replaced_id = "" if replaces is None else replaces.id
    modified = to_time(modified_s)
    begun = parse_note(note.read()) if note is not None else None
    if begun is None or not begun.fits(path, size, modified, replaced_id=replaced_id, parent_id=parent_id):
        begun = UploadNote(path, size, modified, replaced_id or client.ids.take(), parent_id)
    said = _properties(properties, replaces, executable=executable)
    upload = Upload(
        action=action,
        body={"modifiedTime": modified, "appProperties": said},
        place={"name": name, "parents": [parent_id]},
        make=replaces is None,
        begun=begun,
        outgoing=Outgoing(action, source, size, before_end),
        resource_key="" if replaces is None else replaces.resource_key,
    )
    entry = send_upload(client, upload, note)
    if entry["trashed"]:
        raise NotFoundError(
            f"{action}: its folder was thrown into Drive's trash",
            hint="Run the same command again to make the folder anew, or restore it.",
        )
    value = to_value(_say(client, action, entry, said), path)
    if isinstance(value, Skipped):
        raise NotFoundError(f"{action}: afterwards {value.reason}")
    return value


def _properties(
    properties: Mapping[str, str], replaces: RemoteFile | None, *, executable: bool
) -> dict[str, str]:
    said = dict(properties)
    # A property stays until it is overwritten; of files that were never executable nothing is said.
    if executable or (replaces is not None and replaces.executable):
        said[EXECUTABLE] = "true" if executable else "false"
    return said


def _say(client: DriveClient, action: str, entry: Json, said: Mapping[str, str]) -> Json:
    """``entry`` with the properties of this write: a session that another process opened has those of that one."""
    if said.items() <= entry.get("appProperties", {}).items():
        return entry
    body: dict[str, Any] = {"appProperties": dict(said)}
    request = client.files.update(fileId=entry["id"], body=body, fields=FIELDS, **EVERYWHERE)
    return client.execute(action, "edit", request)
