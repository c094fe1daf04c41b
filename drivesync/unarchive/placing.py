"""Members get their places in the tree, each under a temporary name until it is whole and flushed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, hash_file, is_case_blind, is_same, look, looks_executable
from drivesync.errors import DiskFullError, DrivesyncError, LocalWriteError, UnfinishedError
from drivesync.files import LocalFile, RemoteFile, Skipped
from drivesync.pulling.assembly import Digest
from drivesync.unarchive.forward import MalformedError
from drivesync.unarchive.naming import RefusedNameError, find_place, fold, is_junk
from drivesync.unarchive.ranges import refuse_full
from drivesync.unarchive.record import NOT_OURS_NS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.pulling.assembly import Content as Told
    from drivesync.pulling.part import Part
    from drivesync.pulling.parts import Parts
    from drivesync.unarchive.member import Member
    from drivesync.unarchive.record import Record

BLOCK_ON_DISK_BYTES = 4096
_GROUP = 200
"""Files that are flushed together, each with its descriptor open."""
_GROUP_BYTES = 64 << 20
_NAMED = 100
"""Of thousands of members that are left out so many are named: what is held of a hostile archive stays bounded."""


@dataclass(slots=True)
class Unpacked:
    """What became of one archive.

    Attributes:
        path: of the archive in the tree.
        size: of the archive, in bytes.
        files: members that came.
        size_bytes: of these.
        kept_files: members that were here already, and the same.
        junk_files: what macOS had added, left out.
        conflicts: paths of members in whose place another file lies that was not unpacked, or was changed here: kept.
        skipped: members that cannot be had, with the reason; the path is the archive's, a colon and their name.
        failed: members that this disk did not take, each with its error.
        is_done: False while it has not come to its end.
    """

    path: str
    size: int
    files: int = 0
    size_bytes: int = 0
    kept_files: int = 0
    junk_files: int = 0
    conflicts: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    failed: list[tuple[str, DrivesyncError]] = field(default_factory=list)
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    """A member that is whole, and not yet in its place, and what lies there."""

    file: RemoteFile
    part: Part
    here: LocalFile | None


class Placing:
    """One attempt to put an archive's members in their places; used by one thread, a context manager.

    Args:
        tree: the local tree.
        archive: as listed.
        parts: of ``tree``.
        record: of the archive; an attempt has begun.
        is_file_there: whether the remote holds a file as it is here by itself, which goes before a member.
        theirs: overwrite what was changed here.
        told: filled as it goes.
    """

    def __init__(
        self,
        tree: Path,
        archive: RemoteFile,
        parts: Parts,
        record: Record,
        is_file_there: Callable[[LocalFile], bool],
        *,
        theirs: bool,
        told: Unpacked,
    ) -> None:
        self._tree = tree
        self._archive = archive
        self._parts = parts
        self._record = record
        self._is_file_there = is_file_there
        self._theirs = theirs
        self._told = told
        self._left_out = 0
        self._is_case_blind = False
        self._taken: dict[str, str] = {}
        self._stack = ExitStack()
        self._waiting: dict[str, _Ready] = {}
        self._waiting_bytes = 0

    def __enter__(self) -> Placing:
        self._is_case_blind = is_case_blind(self._tree)
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of what did not get its place."""
        self._stack.close()

    def place(self, member: Member) -> None:
        """Have ``member`` put in its place soon, or say why not.

        Raises:
            MalformedError: its content is not as long as declared.
            DiskFullError: there is no room for it.
        """
        if is_junk(member.name):
            self._told.junk_files += 1
            return
        try:
            path = find_place(self._archive.path, member.name)
        except RefusedNameError as error:
            self._leave_out(member, str(error))
            return
        if reason := member.refused or self._refuse_twin(path):
            self._leave_out(member, reason)
            return
        if path in self._waiting:
            # Of several of one name the last is meant.
            self.flush()
        try:
            self._place(path, member)
        except DiskFullError:
            raise
        except LocalWriteError as error:
            self._told.failed.append((path, error))

    def flush(self) -> None:
        """Put what waits in its place.

        Raises:
            DiskFullError: there is no room.
        """
        waiting = list(self._waiting.values())
        # Each is seen to once, whatever becomes of it.
        self._waiting.clear()
        self._waiting_bytes = 0
        self._parts.sync([ready.part for ready in waiting])
        placed = [ready for ready in waiting if self._is_sound(ready)]
        # Before they have their names: what a kill leaves is known to be ours.
        self._record.add([_local_of(ready) for ready in placed])
        for ready in placed:
            self._commit(ready)
        self._stack.close()

    def finish(self) -> None:
        """All members have been seen."""
        self.flush()
        if (unnamed := self._left_out - _NAMED) > 0:
            self._told.skipped.append(
                Skipped(self._archive.path, f"{unnamed:,} more of its members are left out")
            )

    def _place(self, path: str, member: Member) -> None:
        here = look(self._tree, path)
        is_ours, is_current = (False, False) if here is None else self._record.find(here)
        if is_current or (here is not None and self._is_file_there(here)):
            self._told.kept_files += 1
        elif here is None or is_ours or self._theirs:
            self._write(path, member, here)
        else:
            self._compare(path, member, here)

    def _compare(self, path: str, member: Member, here: LocalFile) -> None:
        told = _read(member, None)
        # It may be the same, brought by somebody else, or by us before a kill.
        if self._is_equal(here, told):
            self._keep(here, told)
        else:
            self._record.add([LocalFile(path, told.size, NOT_OURS_NS, told.md5)])
            self._told.conflicts.append(path)

    def _keep(self, here: LocalFile, told: Told) -> None:
        self._record.add([replace(here, md5=told.md5)])
        self._told.kept_files += 1

    def _is_equal(self, here: LocalFile, told: Told) -> bool:
        # Read, whatever the record says: after a kill it is ahead of the disk, and an archive may give what it holds
        # one time for all.
        return here.size == told.size and hash_file(self._tree, here).md5 == told.md5

    def _write(self, path: str, member: Member, here: LocalFile | None) -> None:
        """Write it, unless it turns out to lie ``here`` already."""
        refuse_full(self._tree, member.size + BLOCK_ON_DISK_BYTES, path)
        file = RemoteFile(path, self._archive.id, member.size, self._archive.md5, member.modified_s)
        with ExitStack() as stack:
            part = stack.enter_context(self._parts.open(file, resumable=False))
            told = _read(member, part)
            if here is not None and self._is_equal(here, told):
                self._keep(here, told)
                return
            part.settle(member.modified_s, executable=member.executable or looks_executable(told.head))
            self._stack.push(stack.pop_all())
        self._waiting[path] = _Ready(replace(file, md5=told.md5), part, here)
        self._waiting_bytes += told.size
        if len(self._waiting) >= _GROUP or self._waiting_bytes >= _GROUP_BYTES:
            self.flush()

    def _is_sound(self, ready: _Ready) -> bool:
        """Whether the disk has taken it, and nobody has changed what lies in its place."""
        try:
            ready.part.synced()
        except DiskFullError:
            raise
        except LocalWriteError as error:
            self._told.failed.append((ready.file.path, error))
            return False
        if is_same(look(self._tree, ready.file.path), ready.here):
            return True
        changed = UnfinishedError(
            f"{ready.file.path} was changed here while it was unpacked, and kept as it is here",
            hint="Run the same command again.",
        )
        self._told.failed.append((ready.file.path, changed))
        return False

    def _commit(self, ready: _Ready) -> None:
        try:
            self._parts.commit(ready.file, ready.part)
        except DiskFullError:
            raise
        except LocalWriteError as error:
            self._told.failed.append((ready.file.path, error))
        else:
            self._told.files += 1
            self._told.size_bytes += ready.file.size

    def _refuse_twin(self, path: str) -> str:
        """Why this disk has no room for ``path`` beside what it was given; empty if it has."""
        if not self._is_case_blind:
            return ""
        taken = self._taken.setdefault(fold(path), path)
        return "" if taken == path else f"this disk cannot tell its name from {taken!r}"

    def _leave_out(self, member: Member, reason: str) -> None:
        self._left_out += 1
        if self._left_out <= _NAMED:
            self._told.skipped.append(Skipped(f"{self._archive.path}: {member.name}", reason))


def _read(member: Member, part: Part | None) -> Told:
    """Read all of ``member``, and write it to ``part``."""
    digest = Digest()
    content = member.open()
    while block := content.read(BLOCK_BYTES):
        if digest.size + len(block) > member.size:
            raise MalformedError(f"{member.name!r} in it is longer than it says")
        if part is not None:
            part.write_at(digest.size, block)
        digest.update(block)
    if digest.size != member.size:
        raise MalformedError(f"{member.name!r} in it is shorter than it says")
    return digest.content()


def _local_of(ready: _Ready) -> LocalFile:
    status = ready.part.synced()
    return LocalFile(ready.file.path, status.st_size, status.st_mtime_ns, ready.file.md5)
