"""The things a Drive holds: contents, revisions, files, shared drives. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

FOLDER_TYPE = "application/vnd.google-apps.folder"
SHORTCUT_TYPE = "application/vnd.google-apps.shortcut"
WORKSPACE_PREFIX = "application/vnd.google-apps."
BLOB_TYPE = "application/octet-stream"

REVISIONS_KEPT = 100
"""How many revisions of a file Drive keeps."""

REVISION_LIFETIME_MS = 30 * 24 * 3600 * 1000
"""Older revisions may be purged, unless they are kept forever."""

UPLOAD_STEP_BYTES = 256 * 1024
"""Chunks of a resumable upload are multiples of this, and that much at least is kept of a broken one."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with their checksums in hexadecimal; ``data`` is never changed, and may be a view of a mapped file."""

    data: bytes | bytearray | memoryview
    md5: str
    sha1: str
    sha256: str

    @classmethod
    def of(cls, data: bytes | bytearray) -> Content:
        """Hash ``data``."""
        digester = Digester()
        digester.update(data)
        return digester.content(data)

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return len(self.data)


class Digester:
    """The three checksums of bytes that arrive piece by piece."""

    def __init__(self) -> None:
        # Checksums, not signatures: Drive publishes md5 and sha1 of every file.
        self._hashes = tuple(hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256"))

    def update(self, data: bytes | bytearray) -> None:
        """Go on with ``data``."""
        for running in self._hashes:
            running.update(data)

    def content(self, data: bytes | bytearray) -> Content:
        """Bind the checksums so far to ``data``, which must be the same bytes."""
        md5, sha1, sha256 = (running.hexdigest() for running in self._hashes)
        return Content(data, md5, sha1, sha256)


@dataclass(slots=True)
class Revision:
    """One version of a file's content."""

    id: str
    content: Content
    mime_type: str
    modified_ms: int
    keep_forever: bool = False
    original_filename: str = ""


@dataclass(slots=True)
class Entry:
    """A file, a folder, a shortcut or a Google document.

    ``revisions`` is oldest first, its last one is the head, and it is empty for everything without bytes of its own.
    ``parents`` holds at most one id, as in Drive since 2020; none means that the file was shared with the user.
    """

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...]
    created_ms: int
    modified_ms: int
    version: int = 1
    description: str = ""
    starred: bool = False
    trashed_ms: int | None = None
    viewed_ms: int | None = None
    drive_id: str = ""
    owned_by_me: bool = True
    shared_with_me_ms: int | None = None
    resource_key: str = ""
    folder_color: str = ""
    original_filename: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    app_properties: dict[str, str] = field(default_factory=dict)
    shortcut_target_id: str = ""
    shortcut_target_type: str = ""
    document: bytes = b""
    revisions: list[Revision] = field(default_factory=list)

    @property
    def is_folder(self) -> bool:
        """Whether it can hold others."""
        return self.mime_type == FOLDER_TYPE

    @property
    def is_workspace(self) -> bool:
        """Whether it is one of Google's own types, which have no bytes to download."""
        return self.mime_type.startswith(WORKSPACE_PREFIX)

    @property
    def head(self) -> Revision | None:
        """The newest revision."""
        return self.revisions[-1] if self.revisions else None

    @property
    def quota_bytes(self) -> int:
        """What counts towards storage: the head, and older revisions only where they are kept forever."""
        if not self.revisions or self.drive_id or not self.owned_by_me:
            return 0
        pinned = sum(old.content.size_bytes for old in self.revisions[:-1] if old.keep_forever)
        return self.revisions[-1].content.size_bytes + pinned

    def expire_revisions(self, now_ms: int) -> None:
        """Forget what Drive would: revisions 30 days old or beyond the last hundred, unless kept forever."""
        loose = [old for old in self.revisions[:-1] if not old.keep_forever]
        surplus = max(0, len(self.revisions) - REVISIONS_KEPT)
        oldest_ms = now_ms - REVISION_LIFETIME_MS
        doomed = {old.id for at, old in enumerate(loose) if at < surplus or old.modified_ms < oldest_ms}
        if doomed:
            self.revisions[:] = [old for old in self.revisions if old.id not in doomed]


@dataclass(slots=True)
class SharedDrive:
    """A shared drive; its id is also its root folder's id."""

    id: str
    name: str
    created_ms: int
