"""One archive, from its first byte to the record that says that it is done."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivesync.disk import look
from drivesync.errors import DamagedError, DiskFullError, MovedError, SettingsError, UnfinishedError
from drivesync.pulling.assembly import Count, Digest
from drivesync.unarchive.forward import Forward, MalformedError
from drivesync.unarchive.naming import RefusedNameError, find_place, is_junk
from drivesync.unarchive.placing import BLOCK_ON_DISK_BYTES, Placing, Unpacked
from drivesync.unarchive.ranges import open_source, refuse_full
from drivesync.unarchive.tars import TarArchive
from drivesync.unarchive.witness import Witness
from drivesync.unarchive.zips import ZipArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.files import LocalFile, RemoteFile
    from drivesync.progress import Reporter
    from drivesync.pulling.parts import Parts
    from drivesync.remotes.base import Remote
    from drivesync.unarchive.member import Archive
    from drivesync.unarchive.ranges import Source
    from drivesync.unarchive.record import Record

_TRIES = 3

_OF_PARSERS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
)
"""What Python's parsers raise for bytes that make no sense to them."""


class Extraction:
    """Unpacks archives of one remote into one tree; used by one thread.

    Args:
        remote: entered.
        tree: the local tree.
        parts: of ``tree``.
        reporter: hears how it goes.
        is_file_there: whether the remote holds a file as it is here by itself, which then goes before an archive's.
        theirs: overwrite what was changed here.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        parts: Parts,
        reporter: Reporter,
        is_file_there: Callable[[LocalFile], bool],
        *,
        theirs: bool,
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._parts = parts
        self._reporter = reporter
        self._is_file_there = is_file_there
        self._theirs = theirs

    def run(self, file: RemoteFile, record: Record, told: Unpacked) -> None:
        """Unpack the archive ``file``; what came damaged is fetched again.

        Raises:
            DamagedError: it came damaged every time, or is no archive that can be read (``MalformedError``).
            SettingsError: it is encrypted, or of a kind that is not supported.
            UnfinishedError: it was changed on the remote meanwhile.
            DiskFullError: there is no room.
            TransientError: the remote cannot be reached after all repeats.
        """
        for tries_left in reversed(range(_TRIES)):
            count = Count(self._reporter)
            self._start_over(told)
            record.begin()
            try:
                self._unpack(file, record, told, count)
            except BaseException as error:
                count.take_back()
                if not isinstance(error, (DamagedError, MovedError)) or isinstance(error, MalformedError):
                    raise
                self._refuse_move(file)
                if not tries_left:
                    raise
            else:
                return

    def _start_over(self, told: Unpacked) -> None:
        told.files = told.size_bytes = told.kept_files = told.junk_files = 0
        for found in (told.conflicts, told.skipped, told.failed):
            found.clear()

    def _unpack(self, file: RemoteFile, record: Record, told: Unpacked, count: Count) -> None:
        digest = Digest()
        with open_source(self._remote, file, self._tree) as source:
            witness = Witness(source)
            blocks = _digested(witness.blocks(), digest, count)
            malformed: MalformedError | None = None
            try:
                self._place_all(file, witness, Forward(blocks), record, told)
            except MalformedError as error:
                malformed = error
            except (SettingsError, DiskFullError) as error:
                # Said by the directory, and all of the archive need not come to prove that.
                if witness.confirm():
                    raise
                raise DamagedError(
                    f"{file.path} came damaged: its directory differs when read again"
                ) from error
            # Whatever is in them: only all bytes tell whether they are the remote's.
            for _block in blocks:
                pass
        md5 = digest.content().md5
        if not witness.agrees or md5 != (file.md5 or md5):
            raise DamagedError(
                f"{file.path} came damaged: expected md5 {file.md5 or md5}, got {md5}"
                f"{'' if witness.agrees else ', and other bytes before'}",
                hint="Upload the file again if this goes on.",
            )
        if malformed is not None:
            raise MalformedError(
                f"{file.path} cannot be unpacked: {malformed}",
                hint="It came as it is there: make the archive again and upload it.",
            ) from malformed
        if not told.failed:
            record.complete()
            told.is_done = True

    def _place_all(
        self, file: RemoteFile, source: Source, forward: Forward, record: Record, told: Unpacked
    ) -> None:
        placing = Placing(
            self._tree, file, self._parts, record, self._is_file_there, theirs=self._theirs, told=told
        )
        with placing, _parsing():
            archive = _open(file, source, forward)
            refuse_full(self._tree, self._need_bytes(file, archive, record), file.path)
            try:
                for member in archive.members():
                    placing.place(member)
            finally:
                # What is whole by now is of use, whatever the rest is.
                placing.finish()

    def _need_bytes(self, file: RemoteFile, archive: Archive, record: Record) -> int:
        """The room that is needed beside what is taken already, as far as the archive says beforehand."""
        declared = archive.declared()
        if declared is not None:
            return sum(self._missing_bytes(file, name, size) for name, size in declared.items())
        if not file.path.endswith(".tar"):
            # How much was compressed is not known; each member is asked for in its turn.
            return 0
        here = (look(self._tree, path) for path in {member.path for member in record.members()})
        return max(file.size - sum(found.size for found in here if found is not None), 0)

    def _missing_bytes(self, file: RemoteFile, name: str, size: int) -> int:
        try:
            here = None if is_junk(name) else look(self._tree, find_place(file.path, name))
        except RefusedNameError:
            return 0
        return 0 if is_junk(name) or (here and here.size == size) else size + BLOCK_ON_DISK_BYTES

    def _refuse_move(self, file: RemoteFile) -> None:
        now = self._remote.renew(file)
        if now is None or (now.size, now.md5, now.revision_id) != (file.size, file.md5, file.revision_id):
            raise UnfinishedError(
                f"{file.path} was changed on the remote while it was unpacked",
                hint="Run the same command again.",
            )


def _open(file: RemoteFile, source: Source, forward: Forward) -> Archive:
    if file.path.endswith(".zip"):
        return ZipArchive(file.path, source, file.size, forward)
    return TarArchive(forward, is_compressed=not file.path.endswith(".tar"))


def _digested(blocks: Iterator[bytes], digest: Digest, count: Count) -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        count.add(len(block))
        yield block


@contextmanager
def _parsing() -> Iterator[None]:
    """Let parsers' errors leave as ours."""
    try:
        yield
    except _OF_PARSERS as error:
        raise MalformedError(f"{error}" or type(error).__name__) from error
