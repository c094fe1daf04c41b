"""The calls on changes, the account, shared drives and revisions. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.testing.fields import Mask, parse_fields
from drivesync.testing.file_calls import answer_media
from drivesync.testing.resources import about_resource, drive_resource, file_resource, revision_resource
from drivesync.testing.revisions import all_revisions, find_revision, pin_revision
from drivesync.testing.revisions import delete_revision as drop_revision
from drivesync.testing.rfc3339 import format_time
from drivesync.testing.schema import shape_of
from drivesync.testing.wire import Answer, ApiError, JsonObject, answer_json, invalid, not_found

if TYPE_CHECKING:
    from drivesync.testing.changes import Change
    from drivesync.testing.entries import Entry
    from drivesync.testing.service import Request, Service

_ALL = parse_fields("*")
_DEFAULT_CHANGES = parse_fields(
    "kind,nextPageToken,newStartPageToken,"
    "changes(kind,type,changeType,time,removed,fileId,driveId,file(kind,id,name,mimeType,driveId,teamDriveId))"
)
_DEFAULT_REVISION = parse_fields("kind,id,mimeType,modifiedTime")
_DEFAULT_REVISIONS = parse_fields("kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)")
_DEFAULT_DRIVE = parse_fields("kind,id,name")
_DEFAULT_DRIVES = parse_fields("kind,nextPageToken,drives(kind,id,name)")


def get_start_page_token(service: Service, request: Request) -> Answer:
    """changes.getStartPageToken; all drives have one log here, so one token serves for each of them."""
    _check_drive(service, request)
    mask = request.mask(_ALL, shape_of("StartPageToken"))
    token = str(service.store.changes.next_number)
    return answer_json(mask.select({"kind": "drive#startPageToken", "startPageToken": token}))


def list_changes(service: Service, request: Request) -> Answer:
    """changes.list: of each file only the last change, in the order of those."""
    mask = request.mask(_DEFAULT_CHANGES, shape_of("ChangeList"))
    _check_drive(service, request)
    token = request.query.get("pageToken", "")
    if not token.isdecimal() or not 1 <= int(token) <= service.store.changes.next_number:
        raise invalid("Invalid Value", location="pageToken")
    page_size = request.number("pageSize", default=100, highest=1000)
    pending = service.store.changes.since(int(token))
    changes: list[object] = []
    change_mask = mask.part("changes")
    body: JsonObject = {"kind": "drive#changeList", "changes": changes}
    for change in pending:
        if len(changes) == page_size:
            body["nextPageToken"] = str(change.number)
            break
        if change_mask is not None and _is_visible(service, request, change.file_id):
            changes.append(_change_resource(service, change, change_mask))
    else:
        body["newStartPageToken"] = str(service.store.changes.next_number)
    return answer_json({name: body[name] for name, _ in mask.wanted(body)})


def get_about(service: Service, request: Request) -> Answer:
    """about.get, the one call that needs ``fields``."""
    if not request.query.get("fields"):
        message = "The 'fields' parameter is required for this method."
        raise ApiError(400, "required", message, location="fields")
    return answer_json(request.mask(_ALL, shape_of("About")).select(about_resource(service.store)))


def list_drives(service: Service, request: Request) -> Answer:
    """drives.list."""
    mask = request.mask(_DEFAULT_DRIVES, shape_of("DriveList"))
    drives = list(service.store.drives.values())
    start, page_size = _read_offset(request, len(drives), default=10, highest=100)
    page = [drive_resource(drive) for drive in drives[start : start + page_size]]
    body: JsonObject = {"kind": "drive#driveList", "drives": page}
    return _answer_page(mask, body, start + page_size, len(drives))


def get_drive(service: Service, request: Request) -> Answer:
    """drives.get."""
    drive_id = request.call.ids[0]
    drive = service.store.drives.get(drive_id)
    if drive is None:
        raise not_found("Shared drive", drive_id)
    return answer_json(request.mask(_DEFAULT_DRIVE, shape_of("Drive")).select(drive_resource(drive)))


def create_drive(service: Service, request: Request) -> Answer:
    """drives.create."""
    body = request.json()
    name = body.get("name") if isinstance(body, dict) else None
    if not request.query.get("requestId"):
        raise ApiError(400, "required", "Required parameter: requestId", location="requestId")
    if not isinstance(name, str) or not name:
        raise invalid("The shared drive needs a name.", location="drive.name")
    drive = service.store.create_drive(name)
    return answer_json(request.mask(_DEFAULT_DRIVE, shape_of("Drive")).select(drive_resource(drive)))


def list_revisions(service: Service, request: Request) -> Answer:
    """revisions.list, oldest first."""
    entry = _revised(service, request)
    mask = request.mask(_DEFAULT_REVISIONS, shape_of("RevisionList"))
    revisions = all_revisions(service.store, entry.id)
    start, page_size = _read_offset(request, len(revisions), default=200, highest=1000)
    page = [revision_resource(revision) for revision in revisions[start : start + page_size]]
    body: JsonObject = {"kind": "drive#revisionList", "revisions": page}
    return _answer_page(mask, body, start + page_size, len(revisions))


def get_revision(service: Service, request: Request) -> Answer:
    """revisions.get."""
    entry = _revised(service, request)
    mask = request.mask(_DEFAULT_REVISION, shape_of("Revision"))
    revision = find_revision(service.store, entry.id, request.call.ids[1])
    return answer_json(mask.select(revision_resource(revision)))


def download_revision(service: Service, request: Request) -> Answer:
    """revisions.get with alt=media."""
    entry = _revised(service, request)
    revision = find_revision(service.store, entry.id, request.call.ids[1])
    return answer_media(request, revision.content.data, revision.mime_type)


def update_revision(service: Service, request: Request) -> Answer:
    """revisions.update, of which only keepForever means something for files with bytes of their own."""
    entry = _revised(service, request)
    mask = request.mask(_DEFAULT_REVISION, shape_of("Revision"))
    body = request.json()
    keep = body.get("keepForever") if isinstance(body, dict) else None
    if not isinstance(keep, bool):
        raise invalid("Invalid value for: keepForever", location="keepForever")
    revision = pin_revision(service.store, entry.id, request.call.ids[1], keep_forever=keep)
    return answer_json(mask.select(revision_resource(revision)))


def delete_revision(service: Service, request: Request) -> Answer:
    """revisions.delete."""
    drop_revision(service.store, _revised(service, request).id, request.call.ids[1])
    return Answer(204)


def _revised(service: Service, request: Request) -> Entry:
    """The file whose revisions are asked for; these calls have no supportsAllDrives and know all drives."""
    entry = service.store.get(request.file_id)
    if not entry.revisions:
        raise ApiError(
            403, "revisionsNotSupported", "The file does not support revisions.", location="fileId"
        )
    return entry


def _read_offset(request: Request, count: int, *, default: int, highest: int) -> tuple[int, int]:
    """Where a page starts, and how long it may be."""
    token = request.query.get("pageToken", "0")
    if not token.isdecimal() or int(token) > count:
        raise invalid("Invalid Value", location="pageToken")
    return int(token), request.number("pageSize", default=default, highest=highest)


def _answer_page(mask: Mask, body: JsonObject, end: int, count: int) -> Answer:
    """A page that ends before item ``end`` of ``count``, with a token for the next one if there is one."""
    if end < count:
        body["nextPageToken"] = str(end)
    return answer_json(mask.select(body))


def _check_drive(service: Service, request: Request) -> None:
    drive_id = request.query.get("driveId", "")
    if drive_id and drive_id not in service.store.drives:
        raise not_found("Shared drive", drive_id)


def _is_visible(service: Service, request: Request, file_id: str) -> bool:
    entry = service.store.entries.get(file_id)
    drive_id = request.query.get("driveId", "")
    if entry is None:
        return request.flag("includeRemoved", default=True)
    if drive_id:
        return entry.drive_id == drive_id
    with_drives = request.flag("includeItemsFromAllDrives") or request.flag("includeTeamDriveItems")
    return not entry.drive_id or (with_drives and not request.flag("restrictToMyDrive"))


def _change_resource(service: Service, change: Change, mask: Mask) -> object:
    entry = service.store.entries.get(change.file_id)
    resource: JsonObject = {
        "kind": "drive#change",
        "type": "file",
        "changeType": "file",
        "time": format_time(change.at_ms),
        "removed": entry is None,
        "fileId": change.file_id,
    }
    file_mask = mask.part("file")
    if entry is not None and file_mask is not None:
        # Built with its own mask: only the fields that are wanted cost time.
        resource["file"] = file_resource(service.store, entry, file_mask)
        if entry.drive_id:
            resource["driveId"] = entry.drive_id
    return mask.select(resource)
