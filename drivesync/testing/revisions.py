"""The revisions of a file: found, pinned, dropped. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.testing.wire import ApiError, not_found

if TYPE_CHECKING:
    from drivesync.testing.entries import Revision
    from drivesync.testing.store import Store


def all_revisions(store: Store, file_id: str) -> list[Revision]:
    """The revisions that a file still has, oldest first.

    Raises:
        ApiError: 404 notFound for the file.
    """
    entry = store.get(file_id)
    with store.recharged(entry):
        entry.expire_revisions(store.now_ms())
    return list(entry.revisions)


def find_revision(store: Store, file_id: str, revision_id: str) -> Revision:
    """One revision; ``head`` stands for the newest.

    Raises:
        ApiError: 404 notFound for the file or the revision.
    """
    revisions = all_revisions(store, file_id)
    for revision in revisions:
        if revision.id == revision_id or (revision_id == "head" and revision is revisions[-1]):
            return revision
    raise not_found("Revision", revision_id)


def pin_revision(store: Store, file_id: str, revision_id: str, *, keep_forever: bool) -> Revision:
    """Keep a revision from expiring, or no longer; a pinned one counts towards storage."""
    revision = find_revision(store, file_id, revision_id)
    with store.recharged(store.get(file_id)):
        revision.keep_forever = keep_forever
    return revision


def delete_revision(store: Store, file_id: str, revision_id: str) -> None:
    """Drop a revision; where it was the head, the one before it is the head again.

    Raises:
        ApiError: 404 where there is none, 403 for the only one.
    """
    entry, revision = store.get(file_id), find_revision(store, file_id, revision_id)
    if len(entry.revisions) == 1:
        raise ApiError(403, "cannotDeleteOnlyRevision", "The only revision of a file cannot be deleted.")
    with store.recharged(entry):
        entry.revisions.remove(revision)
    entry.version += 1
    store.note_change(entry)
