"""What Drive says of its files, revisions and drives: resources, built field by field as they are wanted. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from drivesync.testing.entries import SHORTCUT_TYPE, Entry, Revision, SharedDrive
from drivesync.testing.matching import USER_EMAIL
from drivesync.testing.rfc3339 import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.testing.fields import Mask
    from drivesync.testing.store import Store
    from drivesync.testing.wire import JsonObject

_FileField: TypeAlias = "Callable[[Store, Entry], object]"

USER: JsonObject = {
    "kind": "drive#user",
    "displayName": "Emulated User",
    "me": True,
    "permissionId": "01234567890123456789",
    "emailAddress": USER_EMAIL,
}
_OWNER: JsonObject = {
    "kind": "drive#permission",
    "id": USER["permissionId"],
    "type": "user",
    "emailAddress": USER_EMAIL,
    "displayName": USER["displayName"],
    "role": "owner",
    "deleted": False,
    "pendingOwner": False,
}


def file_resource(store: Store, entry: Entry, mask: Mask) -> JsonObject:
    """The wanted fields of a file that it has."""
    resource: JsonObject = {}
    for name, part in mask.wanted(_FILE_FIELDS):
        value = _FILE_FIELDS[name](store, entry)
        if value is not None:
            resource[name] = part.select(value)
    return resource


def revision_resource(revision: Revision) -> JsonObject:
    """All fields of a revision."""
    return {
        "kind": "drive#revision",
        "id": revision.id,
        "mimeType": revision.mime_type,
        "modifiedTime": format_time(revision.modified_ms),
        "keepForever": revision.keep_forever,
        "published": False,
        "lastModifyingUser": USER,
        "originalFilename": revision.original_filename,
        "md5Checksum": revision.content.md5,
        "size": str(revision.content.size_bytes),
    }


def drive_resource(drive: SharedDrive) -> JsonObject:
    """All fields of a shared drive."""
    return {
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "createdTime": format_time(drive.created_ms),
        "hidden": False,
        "capabilities": {"canAddChildren": True, "canListChildren": True, "canDownload": True},
    }


def about_resource(store: Store) -> JsonObject:
    """The account and what its storage holds; trashed files count."""
    quota = {
        "usage": str(store.used_bytes),
        "usageInDrive": str(store.used_bytes),
        "usageInDriveTrash": str(store.trashed_bytes()),
    }
    if store.storage_limit_bytes is not None:
        quota["limit"] = str(store.storage_limit_bytes)
    return {
        "kind": "drive#about",
        "user": USER,
        "storageQuota": quota,
        "maxUploadSize": str(5_242_880_000_000),
        "appInstalled": False,
        "canCreateDrives": True,
        "canCreateTeamDrives": True,
        "importFormats": {"text/plain": ["application/vnd.google-apps.document"]},
        "exportFormats": {kind: list(EXPORT_TYPES) for kind in ("application/vnd.google-apps.document",)},
        "folderColorPalette": ["#ac725e"],
        "driveThemes": [],
        "teamDriveThemes": [],
        "maxImportSizes": {},
    }


EXPORT_TYPES = ("text/plain", "application/pdf", "text/html")
"""What a Google document can be exported as."""


def _from_head(read: Callable[[Revision], object]) -> _FileField:
    return lambda _, entry: read(entry.head) if entry.head else None


def _extension(entry: Entry) -> str | None:
    if not entry.revisions:
        return None
    return entry.name.rpartition(".")[2] if "." in entry.name else ""


def _shortcut_details(store: Store, entry: Entry) -> JsonObject | None:
    if entry.mime_type != SHORTCUT_TYPE:
        return None
    details: JsonObject = {"targetId": entry.shortcut_target_id, "targetMimeType": entry.shortcut_target_type}
    target = store.entries.get(entry.shortcut_target_id)
    if target is not None and target.resource_key:
        details["targetResourceKey"] = target.resource_key
    return details


def _capabilities(_: Store, entry: Entry) -> JsonObject:
    mine = entry.owned_by_me or bool(entry.drive_id)
    return {
        "canAddChildren": entry.is_folder and mine,
        "canCopy": not entry.is_folder,
        "canDelete": mine,
        "canDownload": not entry.is_folder,
        "canEdit": mine,
        "canListChildren": entry.is_folder,
        "canModifyContent": mine,
        "canReadRevisions": bool(entry.revisions),
        "canRename": mine,
        "canShare": mine,
        "canTrash": mine,
        "canUntrash": mine,
    }


def _mine(value: object) -> _FileField:
    """A field of files in My Drive; those of shared drives have no owner."""
    return lambda _, entry: value if entry.owned_by_me and not entry.drive_id else None


def _optional_time(read: Callable[[Entry], int | None]) -> _FileField:
    def field(_: Store, entry: Entry) -> str | None:
        at_ms = read(entry)
        return None if at_ms is None else format_time(at_ms)

    return field


_FILE_FIELDS: dict[str, _FileField] = {
    "kind": lambda _, __: "drive#file",
    "id": lambda _, entry: entry.id,
    "name": lambda _, entry: entry.name,
    "mimeType": lambda _, entry: entry.mime_type,
    "description": lambda _, entry: entry.description or None,
    "starred": lambda _, entry: entry.starred,
    "trashed": lambda store, entry: store.is_trashed(entry),
    "explicitlyTrashed": lambda _, entry: entry.trashed_ms is not None,
    "trashedTime": _optional_time(lambda entry: entry.trashed_ms),
    "parents": lambda _, entry: list(entry.parents) or None,
    "properties": lambda _, entry: dict(entry.properties) or None,
    "appProperties": lambda _, entry: dict(entry.app_properties) or None,
    "spaces": lambda _, __: ["drive"],
    "version": lambda _, entry: str(entry.version),
    "webViewLink": lambda _, entry: f"https://drive.google.com/file/d/{entry.id}/view?usp=drivesdk",
    "webContentLink": _from_head(lambda _: "https://drive.google.com/uc?export=download"),
    "iconLink": lambda _, entry: f"https://drive-thirdparty.googleusercontent.com/16/type/{entry.mime_type}",
    "hasThumbnail": lambda _, __: False,
    "thumbnailVersion": lambda _, __: "0",
    "viewedByMe": lambda _, entry: entry.viewed_ms is not None,
    "viewedByMeTime": _optional_time(lambda entry: entry.viewed_ms),
    "createdTime": lambda _, entry: format_time(entry.created_ms),
    "modifiedTime": lambda _, entry: format_time(entry.modified_ms),
    "modifiedByMe": lambda _, entry: entry.owned_by_me,
    "modifiedByMeTime": lambda _, entry: format_time(entry.modified_ms) if entry.owned_by_me else None,
    "sharedWithMeTime": _optional_time(lambda entry: entry.shared_with_me_ms),
    "owners": _mine([USER]),
    "lastModifyingUser": lambda _, entry: USER if entry.owned_by_me else None,
    "shared": lambda _, entry: not entry.owned_by_me,
    "ownedByMe": lambda _, entry: None if entry.drive_id else entry.owned_by_me,
    "capabilities": _capabilities,
    "permissions": _mine([_OWNER]),
    "permissionIds": _mine([USER["permissionId"]]),
    "viewersCanCopyContent": lambda _, __: True,
    "copyRequiresWriterPermission": lambda _, __: False,
    "writersCanShare": lambda _, entry: None if entry.drive_id else True,
    "isAppAuthorized": lambda _, __: True,
    "quotaBytesUsed": lambda _, entry: str(entry.quota_bytes),
    "folderColorRgb": lambda _, entry: entry.folder_color or None,
    "driveId": lambda _, entry: entry.drive_id or None,
    "teamDriveId": lambda _, entry: entry.drive_id or None,
    "resourceKey": lambda _, entry: entry.resource_key or None,
    "shortcutDetails": _shortcut_details,
    "exportLinks": lambda _, entry: (
        {kind: f"https://docs.google.com/feeds/download/{entry.id}?as={kind}" for kind in EXPORT_TYPES}
        if is_document(entry)
        else None
    ),
    "originalFilename": _from_head(lambda head: head.original_filename),
    "fullFileExtension": lambda _, entry: _extension(entry),
    "fileExtension": lambda _, entry: _extension(entry),
    "size": _from_head(lambda head: str(head.content.size_bytes)),
    "md5Checksum": _from_head(lambda head: head.content.md5),
    "sha1Checksum": _from_head(lambda head: head.content.sha1),
    "sha256Checksum": _from_head(lambda head: head.content.sha256),
    "headRevisionId": _from_head(lambda head: head.id),
}


def is_document(entry: Entry) -> bool:
    """Whether it is a Google document, which is exported and not downloaded."""
    return entry.is_workspace and not entry.is_folder and entry.mime_type != SHORTCUT_TYPE
