"""What a pull does about archives: the listing goes on without them, and in the end they are unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.disk import hash_file, is_same, look
from drivesync.errors import (
    DiskFullError,
    DrivesyncError,
    LocalWriteError,
    NotAllowedError,
    TransientError,
    UsedUpError,
)
from drivesync.files import Skipped
from drivesync.unarchive.extract import Extraction
from drivesync.unarchive.placing import Unpacked
from drivesync.unarchive.record import name_content, open_record
from drivesync.unarchive.withheld import Withheld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from drivesync.files import LocalFile, Page, RemoteFile
    from drivesync.index import Index
    from drivesync.progress import Reporter
    from drivesync.pulling.parts import Parts
    from drivesync.pulling.plan import PullOptions
    from drivesync.remotes.base import Remote
    from drivesync.result import TransferResult
    from drivesync.unarchive.record import Record

_OF_ALL = (DiskFullError, UsedUpError, NotAllowedError, TransientError)
"""Where one of these ends an archive, it would end the next one, too."""


class Archives:
    """The archives of one pull; used by one thread.

    Args:
        remote: entered.
        tree: the local tree.
        index: of ``tree``.
        reporter: hears how it goes.
        options: of the pull.
    """

    def __init__(
        self, remote: Remote, tree: Path, index: Index, reporter: Reporter, options: PullOptions
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._reporter = reporter
        self._options = options
        self._withheld = Withheld(remote, tree, index, options)

    def withhold(self, pages: Iterable[Page]) -> Iterator[Page]:
        """``pages`` without the archives; see ``Withheld``."""
        return self._withheld.filter(pages)

    @property
    def packs(self) -> str:
        """See ``Withheld``."""
        return self._withheld.packs

    def plan(self, result: TransferResult, told: list[Unpacked]) -> None:
        """Add to ``told`` each archive that was withheld, and whether it stands; nothing is fetched."""
        self._tell_absent(result)
        for file in self._withheld.archives:
            told.append(unpacked := Unpacked(file.path, file.size))
            unpacked.is_done = self._stands(self._record_of(file), unpacked)
            result.conflicts += unpacked.conflicts

    def run(self, parts: Parts, result: TransferResult, told: list[Unpacked]) -> None:
        """Unpack what does not stand; what is to be said of it goes to ``result`` and ``told``.

        Raises:
            DiskFullError: there is no room.
            TransientError: the remote cannot be reached after all repeats.
            NotAllowedError: the credentials do not do.
            UsedUpError: the remote gives nothing more today.
        """
        self._tell_absent(result)
        extraction = Extraction(
            self._remote, self._tree, parts, self._reporter, self._is_file_there, theirs=self._options.theirs
        )
        for file in self._withheld.archives:
            told.append(unpacked := Unpacked(file.path, file.size))
            try:
                self._bring(file, extraction, unpacked)
            except _OF_ALL:
                raise
            except DrivesyncError as error:
                result.failed.append((file.path, error))
                self._reporter.note(str(error))
            finally:
                result.conflicts += unpacked.conflicts
                result.skipped += unpacked.skipped
                result.failed += unpacked.failed

    def _bring(self, file: RemoteFile, extraction: Extraction, unpacked: Unpacked) -> None:
        record = self._record_of(file)
        if self._stands(record, unpacked):
            unpacked.is_done = True
            return
        self._reporter.expect(files=1, size_bytes=file.size)
        unpacked.conflicts.clear()
        unpacked.kept_files = 0
        extraction.run(file, record, unpacked)
        self._reporter.advance(files=1)

    def _record_of(self, file: RemoteFile) -> Record:
        return open_record(self._index.database, file.path, name_content(file))

    def _stands(self, record: Record, unpacked: Unpacked) -> bool:
        """Whether all is here as far as it may be written, and so nothing has to be fetched."""
        if not record.is_complete():
            return False
        is_whole = True
        for member in record.members():
            here = look(self._tree, member.path)
            if here is None:
                is_whole = False
            elif self._is_unchanged(record, member, here) or self._is_file_there(here):
                unpacked.kept_files += 1
            else:
                unpacked.conflicts.append(member.path)
        return is_whole and not (unpacked.conflicts and self._options.theirs)

    def _is_file_there(self, here: LocalFile) -> bool:
        return self._index.holds(self._remote.name, here)

    def _is_unchanged(self, record: Record, member: LocalFile, here: LocalFile) -> bool:
        if is_same(member, here):
            return True
        if member.size != here.size:
            return False
        try:
            is_equal = hash_file(self._tree, here).md5 == member.md5
        except LocalWriteError:
            return False
        if is_equal:
            record.touch(member, here)
        return is_equal

    def _tell_absent(self, result: TransferResult) -> None:
        result.skipped += [
            Skipped(path, "it is to be unpacked, and is not there") for path in self._withheld.absent
        ]
