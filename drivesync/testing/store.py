"""What a Drive account holds and how it changes. PURE: the clock and the source of ids are handed in.

    Store
    ├── entries        id -> Entry; a child names its parent, _children is the index the other way
    ├── drives         id -> SharedDrive
    ├── ids            which a create may use, and which were used
    ├── uploads        resumable sessions
    └── changes        what changed in which order

Nothing here is locked: whoever shares a store between threads holds one lock around each call.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from drivesync.testing.changes import ChangeLog
from drivesync.testing.entries import (
    BLOB_TYPE,
    FOLDER_TYPE,
    SHORTCUT_TYPE,
    WORKSPACE_PREFIX,
    Content,
    Entry,
    Revision,
    SharedDrive,
)
from drivesync.testing.ids import FileIds
from drivesync.testing.metadata import Metadata, apply_metadata, copied_metadata
from drivesync.testing.upload_sessions import UploadSessions
from drivesync.testing.wire import ApiError, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FREE_STORAGE_BYTES: Final = 15 * 2**30
"""What a Google account has without paying."""


class Store:
    """One account's Drive.

    Args:
        now_ms: milliseconds since 1970; read whenever something is stamped.
        new_id: an unused id for files, revisions, drives, uploads and page tokens.
        storage_limit_bytes: what My Drive may hold; None for no limit.
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        storage_limit_bytes: int | None = FREE_STORAGE_BYTES,
    ) -> None:
        self.now_ms = now_ms
        self.new_id = new_id
        self.storage_limit_bytes = storage_limit_bytes
        self.ids = FileIds(new_id)
        self.entries: dict[str, Entry] = {}
        self.drives: dict[str, SharedDrive] = {}
        self.uploads = UploadSessions(now_ms=now_ms, new_id=new_id)
        self.used_bytes = 0
        self._children: dict[str, dict[str, None]] = {}
        self.changes = ChangeLog()
        self.root_id = self._add_root(new_id(), "My Drive", drive_id="")

    # Looking

    def resolve(self, file_id: str) -> str:
        """The id that ``root`` stands for, or the id itself."""
        return self.root_id if file_id == "root" else file_id

    def get(self, file_id: str) -> Entry:
        """The entry with this id or alias.

        Raises:
            ApiError: 404 notFound.
        """
        entry = self.entries.get(self.resolve(file_id))
        if entry is None:
            raise not_found("File", file_id)
        return entry

    def children(self, parent_id: str) -> Iterator[Entry]:
        """What lies in a folder, trashed or not, in the order in which it came there."""
        return (self.entries[child_id] for child_id in self._children.get(self.resolve(parent_id), ()))

    def is_trashed(self, entry: Entry) -> bool:
        """Whether the entry or any folder above it is in the trash."""
        return any(at.trashed_ms is not None for at in self._way_up(entry))

    def trashed_bytes(self) -> int:
        """How much of the storage lies in the trash."""
        return sum(entry.quota_bytes for entry in self.entries.values() if self.is_trashed(entry))

    # Changing

    def create(self, metadata: Metadata, content: Content | None = None, *, content_type: str = "") -> Entry:
        """Make a file, folder, shortcut or document.

        Raises:
            ApiError: 409 for an id in use, 404 for a missing parent or shortcut target, 403 where storage is full.
        """
        if metadata.id is not None:
            self.ids.check_new(metadata.id)
        parent = self._find_parent(metadata.parents)
        now_ms = self.now_ms()
        entry = Entry(
            id=metadata.id or self.new_id(),
            name="Untitled" if metadata.name is None else metadata.name,
            mime_type=metadata.mime_type or content_type or BLOB_TYPE,
            parents=(parent.id,),
            created_ms=now_ms if metadata.created_ms is None else metadata.created_ms,
            modified_ms=now_ms,
            drive_id=parent.drive_id,
        )
        if entry.mime_type == SHORTCUT_TYPE:
            self._aim_shortcut(entry, metadata)
        if not entry.is_workspace:
            self._add_revision(entry, content or Content.of(b""), entry.mime_type)
        elif content is not None:
            entry.document = bytes(content.data)
        apply_metadata(entry, metadata, self.now_ms())
        self._add(entry)
        self._place(entry, entry.parents)
        self.note_change(entry)
        return entry

    def update(
        self,
        file_id: str,
        metadata: Metadata,
        content: Content | None = None,
        *,
        content_type: str = "",
        add_parents: tuple[str, ...] = (),
        remove_parents: tuple[str, ...] = (),
    ) -> Entry:
        """Change what is said of a file, where it lies, what it holds; all of it or nothing.

        Raises:
            ApiError: 404 for the file or a parent, 403 where it may not be.
        """
        entry = self.get(file_id)
        parents = self._moved_parents(entry, add_parents, remove_parents)
        if entry.id == self.root_id and (metadata.trashed or parents != entry.parents):
            raise ApiError(
                403, "insufficientFilePermissions", "The root folder can be neither moved nor trashed."
            )
        if content is not None:
            if entry.mime_type in {FOLDER_TYPE, SHORTCUT_TYPE}:
                raise ApiError(403, "fileNotDownloadable", "A folder or shortcut takes no content.")
            self._replace_content(entry, content, metadata.mime_type or content_type or entry.mime_type)
        if parents != entry.parents:
            self._place(entry, parents)
        apply_metadata(entry, metadata, self.now_ms())
        if metadata.mime_type is not None and content is None and not entry.is_workspace:
            entry.mime_type = metadata.mime_type
        entry.version += 1
        self.note_change(entry)
        return entry

    def copy(self, file_id: str, metadata: Metadata) -> Entry:
        """A new file with the same head content, beside the old one unless ``metadata`` says where.

        Raises:
            ApiError: 404 for the file, 403 for a folder.
        """
        source = self.get(file_id)
        if source.is_folder:
            raise ApiError(403, "cannotCopyFile", "This file cannot be copied by the user.")
        copied = self.create(copied_metadata(source, metadata), source.head.content if source.head else None)
        copied.document = source.document
        return copied

    def delete(self, file_id: str) -> None:
        """Remove a file for good, and with a folder all that lies in it.

        Raises:
            ApiError: 404 for the file, 403 for a root folder.
        """
        entry = self.get(file_id)
        if entry.id == self.root_id or entry.id in self.drives:
            raise ApiError(403, "insufficientFilePermissions", "The root folder cannot be deleted.")
        for child in list(self.children(entry.id)):
            self.delete(child.id)
        self.used_bytes -= entry.quota_bytes
        self._place(entry, ())
        del self.entries[entry.id]
        self._children.pop(entry.id, None)
        self.note_change(entry)

    def empty_trash(self, drive_id: str = "") -> None:
        """Delete whatever was trashed in My Drive, or in one shared drive."""
        trashed = [e.id for e in self.entries.values() if e.trashed_ms is not None and e.drive_id == drive_id]
        for file_id in trashed:
            if file_id in self.entries:
                self.delete(file_id)

    def disown(self, file_id: str, *, resource_key: str = "") -> Entry:
        """Make a file another user's, who shares it by a link; with a key only who sends that may see it."""
        entry = self.get(file_id)
        with self.recharged(entry):
            self._place(entry, ())
            entry.owned_by_me, entry.resource_key = False, resource_key
            entry.shared_with_me_ms = self.now_ms()
        return entry

    def create_drive(self, name: str) -> SharedDrive:
        """Make a shared drive."""
        drive = SharedDrive(id=self.new_id(), name=name, created_ms=self.now_ms())
        self.drives[drive.id] = drive
        self._add_root(drive.id, name, drive_id=drive.id)
        return drive

    # Storage

    def check_storage(self, more_bytes: int, *, drive_id: str = "") -> None:
        """Whether so many bytes more may be stored; shared drives do not count.

        Raises:
            ApiError: 403 storageQuotaExceeded.
        """
        if (
            drive_id
            or self.storage_limit_bytes is None
            or self.used_bytes + more_bytes <= self.storage_limit_bytes
        ):
            return
        message = "The user's Drive storage quota has been exceeded."
        raise ApiError(403, "storageQuotaExceeded", message, domain="usageLimits")

    # Keeping account, for whoever changes an entry from outside

    @contextmanager
    def recharged(self, entry: Entry) -> Iterator[None]:
        """Keep ``used_bytes`` right while what ``entry`` stores, or for whom, is changed."""
        before_bytes = entry.quota_bytes
        yield
        self.used_bytes += entry.quota_bytes - before_bytes

    def note_change(self, entry: Entry) -> None:
        """Tell changes.list that ``entry`` was changed."""
        self.changes.note(entry.id, self.now_ms())

    # Inside

    def _add_root(self, root_id: str, name: str, *, drive_id: str) -> str:
        now_ms = self.now_ms()
        root = Entry(root_id, name, FOLDER_TYPE, (), now_ms, now_ms, drive_id=drive_id)
        self._add(root)
        return root_id

    def _add(self, entry: Entry) -> None:
        self.entries[entry.id] = entry
        self.ids.used.add(entry.id)

    def _find_parent(self, parents: tuple[str, ...] | None) -> Entry:
        if parents is not None and len(parents) > 1:
            raise invalid("A file cannot be created with more than one parent.", location="file.parents")
        parent = self.get(parents[0] if parents else self.root_id)
        if not parent.is_folder:
            raise ApiError(403, "parentNotAFolder", "The specified parent is not a folder.")
        return parent

    def _moved_parents(self, entry: Entry, add: tuple[str, ...], remove: tuple[str, ...]) -> tuple[str, ...]:
        """Where an entry lies after an update: one folder, and not inside itself."""
        gone = {self.resolve(parent_id) for parent_id in remove}
        added = [self._find_parent((parent_id,)) for parent_id in add]
        left = [parent_id for parent_id in entry.parents if parent_id not in gone]
        wanted = tuple(dict.fromkeys([*left, *(parent.id for parent in added)]))
        if len(wanted) > 1:
            raise ApiError(403, "cannotAddParent", "Increasing the number of parents is not allowed")
        if any(at is entry for parent in added for at in self._way_up(parent)):
            raise ApiError(403, "cyclicParents", "A folder cannot be moved into itself.")
        return wanted or entry.parents

    def _way_up(self, entry: Entry) -> Iterator[Entry]:
        """The entry, and each folder above it."""
        at: Entry | None = entry
        while at is not None:
            yield at
            at = self.entries.get(at.parents[0]) if at.parents else None

    def _place(self, entry: Entry, parents: tuple[str, ...]) -> None:
        for parent_id in entry.parents:
            self._children.get(parent_id, {}).pop(entry.id, None)
        entry.parents = parents
        for parent_id in parents:
            self._children.setdefault(parent_id, {})[entry.id] = None

    def _aim_shortcut(self, entry: Entry, metadata: Metadata) -> None:
        if not metadata.shortcut_target_id:
            raise invalid("A shortcut needs a target.", location="file.shortcutDetails.targetId")
        target = self.get(metadata.shortcut_target_id)
        entry.shortcut_target_id, entry.shortcut_target_type = target.id, target.mime_type

    def _replace_content(self, entry: Entry, content: Content, content_type: str) -> None:
        if entry.is_workspace:
            entry.document = bytes(content.data)
            return
        mime_type = entry.mime_type if content_type.startswith(WORKSPACE_PREFIX) else content_type
        self._add_revision(entry, content, mime_type)
        entry.mime_type, entry.modified_ms = mime_type, self.now_ms()

    def _add_revision(self, entry: Entry, content: Content, mime_type: str) -> None:
        head_bytes = entry.head.content.size_bytes if entry.head and not entry.head.keep_forever else 0
        self.check_storage(content.size_bytes - head_bytes, drive_id=entry.drive_id)
        name = entry.original_filename or entry.name
        with self.recharged(entry):
            entry.revisions.append(
                Revision(self.new_id(), content, mime_type, self.now_ms(), original_filename=name)
            )
            entry.expire_revisions(self.now_ms())
