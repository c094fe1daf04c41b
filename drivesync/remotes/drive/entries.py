"""What Drive says of files and folders, as values. Pure.

The fields: https://developers.google.com/workspace/drive/api/reference/rest/v3/files
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeAlias

from drivesync.files import RemoteFile, Skipped

Json: TypeAlias = Mapping[str, Any]
"""One object of Drive's, decoded."""

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
_GOOGLE_TYPE = "application/vnd.google-apps."

FIELDS = (
    "id,name,mimeType,parents,driveId,resourceKey,size,md5Checksum,sha256Checksum,headRevisionId,modifiedTime,"
    "appProperties,shortcutDetails(targetId,targetResourceKey)"
)
"""All that is read of an entry when a tree is listed."""

SHORTCUT_MARK = "shortcut:"
"""Begins the id by which a listing says that it met a shortcut; no id of Drive's does."""

EXECUTABLE = "executable"
"""The property in which a push keeps the run bit: ``true`` or ``false``."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in Drive as it is reached on one path.

    Attributes:
        id: Drive's.
        path: relative to the tree.
        drive_id: of the shared drive that it lies in; empty for My Drive.
        resource_key: opens it where it is shared by a link.
        above: the folder that it, or the shortcut to it, was found in.
    """

    id: str
    path: str
    drive_id: str = ""
    resource_key: str = field(default="", repr=False)
    above: Folder | None = field(default=None, repr=False, compare=False)

    def leads_back_to(self, folder_id: str) -> bool:
        """Whether this is that folder, or lies below it."""
        at: Folder | None = self
        while at is not None:
            if at.id == folder_id:
                return True
            at = at.above
        return False

    def child(self, entry: Json, path: str) -> Folder:
        """The folder that ``entry`` describes and that lies in this one."""
        return Folder(entry["id"], path, entry.get("driveId", ""), entry.get("resourceKey", ""), self)


def is_folder(entry: Json) -> bool:
    """Whether it can hold others."""
    return bool(entry["mimeType"] == FOLDER)


def is_shortcut(entry: Json) -> bool:
    """Whether it only names another."""
    return bool(entry["mimeType"] == SHORTCUT)


def is_file(entry: Json) -> bool:
    """Whether it has bytes of its own; Google's documents have none."""
    return not entry["mimeType"].startswith(_GOOGLE_TYPE)


def order_of(entry: Json) -> tuple[bool, str, str]:
    """Sorts, in reverse, folders before all else; then the newest first, and of one moment the greatest id.

    Drive's times have one width, and so can be compared as text.
    """
    return is_folder(entry), entry["modifiedTime"], entry["id"]


def to_value(entry: Json, path: str, *, by_shortcut: bool = False) -> RemoteFile | Skipped:
    """What is at ``path``, which is no folder."""
    if not is_file(entry):
        kind = entry["mimeType"].removeprefix(_GOOGLE_TYPE)
        reason = f"it is a shortcut to a Google {kind}, not to a file" if by_shortcut else _google(kind)
        return Skipped(path, reason, entry["id"])
    if "md5Checksum" not in entry or "size" not in entry:
        return Skipped(path, "Drive gives no checksum for it", entry["id"])
    return RemoteFile(
        path=path,
        id=entry["id"],
        size=int(entry["size"]),
        md5=entry["md5Checksum"].lower(),
        modified_s=from_time(entry["modifiedTime"]),
        sha256=entry.get("sha256Checksum", "").lower(),
        revision_id=entry.get("headRevisionId", ""),
        executable=_run_bit(entry),
        resource_key=entry.get("resourceKey", ""),
        properties={
            name: said for name, said in entry.get("appProperties", {}).items() if name != EXECUTABLE
        },
    )


def join(folder: str, name: str) -> str:
    """The path of ``name`` in ``folder``."""
    return f"{folder}/{name}" if folder else name


def from_time(text: str) -> float:
    """Unix time of Drive's RFC 3339 (``2026-11-23T04:56:00.000Z``), which Python 3.10 reads only without the Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def to_time(seconds: float) -> str:
    """Unix time as Drive writes it, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _google(kind: str) -> str:
    return f"it is a Google {kind}, not a file"


def _run_bit(entry: Json) -> bool | None:
    said = entry.get("appProperties", {}).get(EXECUTABLE)
    return None if said is None else said == "true"
