"""What a client may say about a file: the request body of create, update and copy, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from drivesync.testing.rfc3339 import parse_time
from drivesync.testing.wire import ApiError, invalid, not_writable

if TYPE_CHECKING:
    from drivesync.testing.entries import Entry

_T = TypeVar("_T")
_PROPERTY_LIMIT_BYTES = 124
_TEXTS = {
    "name": "name",
    "mimeType": "mime_type",
    "description": "description",
    "originalFilename": "original_filename",
    "folderColorRgb": "folder_color",
}
_TIMES = {"modifiedTime": "modified_ms", "viewedByMeTime": "viewed_ms"}
_FLAGS = {"starred": "starred", "trashed": "trashed"}
_PLAIN = ("name", "description", "starred", "modified_ms", "viewed_ms", "folder_color", "original_filename")
_ON_CREATE_ONLY = frozenset({"id", "parents", "createdTime", "shortcutDetails"})
_ACCEPTED_AND_UNUSED = frozenset(
    {
        "kind",
        "contentHints",
        "contentRestrictions",
        "copyRequiresWriterPermission",
        "downloadRestrictions",
        "inheritedPermissionsDisabled",
        "viewersCanCopyContent",
        "writersCanShare",
    }
)


@dataclass(slots=True)
class Metadata:
    """The fields that a request sets; None where it is silent, a None value in a property deletes that key."""

    id: str | None = None
    name: str | None = None
    mime_type: str | None = None
    parents: tuple[str, ...] | None = None
    description: str | None = None
    original_filename: str | None = None
    folder_color: str | None = None
    starred: bool | None = None
    trashed: bool | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    viewed_ms: int | None = None
    shortcut_target_id: str | None = None
    properties: dict[str, str | None] = field(default_factory=dict)
    app_properties: dict[str, str | None] = field(default_factory=dict)


def parse_metadata(body: object, *, creating: bool) -> Metadata:
    """Read a request body as decoded from JSON.

    Raises:
        ApiError: 400 for a value of the wrong kind, 403 fieldNotWritable for a field that the call may not set.
    """
    if not isinstance(body, Mapping):
        raise ApiError(400, "parseError", "Parse Error")
    found = Metadata()
    for key, value in body.items():
        if key in _ON_CREATE_ONLY and not creating:
            raise not_writable(_explain_create_only(key))
        _set_field(found, key, value)
    return found


def apply_metadata(entry: Entry, metadata: Metadata, now_ms: int) -> None:
    """Change in ``entry`` what a request may change at any time; its id, type and place are not among it."""
    for name in _PLAIN:
        value = getattr(metadata, name)
        if value is not None:
            setattr(entry, name, value)
    if metadata.trashed is not None and metadata.trashed != (entry.trashed_ms is not None):
        entry.trashed_ms = now_ms if metadata.trashed else None
    entry.properties = _merge(entry.properties, metadata.properties)
    entry.app_properties = _merge(entry.app_properties, metadata.app_properties)


def copied_metadata(source: Entry, metadata: Metadata) -> Metadata:
    """What is said of a copy of ``source`` for which a request says ``metadata``."""
    return Metadata(
        id=metadata.id,
        name=f"Copy of {source.name}" if metadata.name is None else metadata.name,
        mime_type=metadata.mime_type or source.mime_type,
        parents=metadata.parents or source.parents or None,
        description=source.description if metadata.description is None else metadata.description,
        starred=metadata.starred,
        modified_ms=metadata.modified_ms,
        shortcut_target_id=source.shortcut_target_id or None,
        properties={**source.properties, **metadata.properties},
        app_properties={**source.app_properties, **metadata.app_properties},
    )


def _merge(kept: dict[str, str], wanted: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**kept, **wanted}
    return {key: text for key, text in merged.items() if text is not None}


def _set_field(found: Metadata, key: str, value: object) -> None:
    if key in _TEXTS:
        setattr(found, _TEXTS[key], _expect(value, str, key))
    elif key in _FLAGS:
        setattr(found, _FLAGS[key], _expect(value, bool, key))
    elif key in _TIMES or key == "createdTime":
        setattr(found, _TIMES.get(key, "created_ms"), _parse_time(value, key))
    elif key == "id":
        found.id = _expect(value, str, key)
    elif key == "parents":
        found.parents = tuple(_expect(item, str, key) for item in _expect(value, list, key))
    elif key == "shortcutDetails":
        found.shortcut_target_id = _expect(_expect(value, dict, key).get("targetId"), str, key)
    elif key in {"properties", "appProperties"}:
        target = found.properties if key == "properties" else found.app_properties
        target.update(_parse_properties(value, key))
    elif key not in _ACCEPTED_AND_UNUSED:
        raise not_writable("The resource body includes fields which are not directly writable.")


def _expect(value: object, kind: type[_T], key: str) -> _T:
    if not isinstance(value, kind):
        raise invalid(f"Invalid value for: {key}")
    return value


def _parse_time(value: object, key: str) -> int:
    try:
        return parse_time(_expect(value, str, key))
    except ValueError as error:
        raise invalid(f"Invalid value for: {error}") from error


def _parse_properties(value: object, key: str) -> dict[str, str | None]:
    """Keys and values of custom properties; Drive takes at most 124 bytes of UTF-8 for both together."""
    found: dict[str, str | None] = {}
    for name, text in _expect(value, dict, key).items():
        found[name] = None if text is None else _expect(text, str, key)
        if len(name.encode()) + len((found[name] or "").encode()) > _PROPERTY_LIMIT_BYTES:
            raise invalid(
                f"The property {name!r} is longer than {_PROPERTY_LIMIT_BYTES} bytes.", location=key
            )
    return found


def _explain_create_only(key: str) -> str:
    if key == "parents":
        return (
            "The parents field is not directly writable in update requests. "
            "Use the addParents and removeParents parameters instead."
        )
    return "The resource body includes fields which are not directly writable."
