"""Verify: every local file is read and compared with the remote's checksum; nothing moves, nothing is written.

An archive that a pull has unpacked is compared by its members: with what they were when they came out of it, the
archive's own checksum being the remote's then, and now.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import hash_file, look
from drivesync.errors import DamagedError, LocalWriteError
from drivesync.files import STATE_FOLDER, LocalFile, RemoteFile, Skipped, spell_path
from drivesync.index import Index
from drivesync.pulling.plan import Chooser
from drivesync.unarchive.record import Records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote
    from drivesync.remotes.usage import Spent
    from drivesync.unarchive.record import Record

_THREADS = 3
"""Two cores hash about as fast as most disks read; the third waits for the disk meanwhile."""
_AHEAD = 200


@dataclass(slots=True)
class VerifyResult:
    """What a comparison found; every list is sorted by path once it is closed.

    Attributes:
        equal: files that are here as they are there.
        equal_bytes: their size.
        different: paths of files that differ, each with what does.
        missing: paths of files that are not here.
        left: paths of old numbered checkpoints that are not here, and need not be.
        only_here: paths of files that are not there, nor in an archive that was unpacked.
        unpacked: paths of archives that were unpacked here, and are what they were then, each with the number of
            members that the remote does not have as files, too; these are told as any file is.
        skipped: what the remote holds that cannot be a file here.
        usage: requests and quota units by kind.
        retries: requests that had to be repeated.
        seconds: how long it took.
    """

    equal: int = 0
    equal_bytes: int = 0
    different: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    only_here: list[str] = field(default_factory=list)
    unpacked: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    usage: dict[str, Spent] = field(default_factory=dict)
    retries: int = 0
    seconds: float = 0.0

    def close(self, remote: Remote, seconds: float) -> None:
        """Note what it has cost, and bring all in order."""
        self.usage, self.retries, self.seconds = remote.usage.by_kind, remote.usage.retries, seconds
        for paths in (self.missing, self.left, self.only_here, self.different, self.unpacked):
            paths.sort()
        self.skipped.sort(key=lambda entry: entry.path)

    def raise_failure(self) -> None:
        """Raise what is wrong, if anything is.

        Raises:
            DamagedError: files differ or are missing.
        """
        if self.different or self.missing:
            path = min([path for path, _reason in self.different] or self.missing)
            raise DamagedError(
                f"{len(self.different)} file(s) differ and {len(self.missing)} are missing; the first is {path}",
                hint="A pull brings what is missing; with --theirs it overwrites what differs.",
            )


def verify(remote: Remote, tree: Path, *, reporter: Reporter) -> VerifyResult:
    """Compare all of ``tree`` with what ``remote`` holds now.

    Threads: three that read and hash; they are joined before it returns.

    Args:
        remote: entered.
        tree: a folder.
        reporter: hears how it goes.

    Raises:
        NotFoundError: the remote folder does not exist.
        DrivesyncError: the remote cannot tell.
    """
    began_s = time.monotonic()
    result = VerifyResult()
    reporter.begin("verify", lambda: remote.slowed_by)
    there: set[str] = set()
    pending: deque[tuple[RemoteFile, Future[str]]] = deque()
    pool = ThreadPoolExecutor(_THREADS, "hash")
    try:
        with Index(tree, leaves_traces=False) as index:
            for file, here in _pairs(remote, tree, Records(index.database), result, there):
                reporter.expect(files=1, size_bytes=file.size)
                pending.append((file, pool.submit(_compare, remote, tree, file, here)))
                while len(pending) > _AHEAD:
                    _settle(*pending.popleft(), result, reporter)
        while pending:
            _settle(*pending.popleft(), result, reporter)
    finally:
        pool.shutdown(cancel_futures=True)
    result.only_here = [spell_path(path) for path in _walk(tree) if path not in there]
    result.close(remote, time.monotonic() - began_s)
    return result


def _pairs(
    remote: Remote, tree: Path, records: Records, result: VerifyResult, there: set[str]
) -> Iterator[tuple[RemoteFile, LocalFile]]:
    """The remote's files and its archives' members that are here, each with what is here; the rest is in ``result``."""
    chooser = Chooser()
    known = frozenset(records.archives())
    unpacked: list[tuple[RemoteFile, Record]] = []
    for page in remote.list():
        chosen = chooser.take(page)
        result.skipped += chosen.skipped
        for file in chosen.files:
            there.add(file.path)
            here = look(tree, file.path)
            record = records.open(file.path, file) if file.path in known else None
            if here is not None:
                yield file, here
            if record is not None and record.is_complete():
                unpacked.append((file, record))
            elif here is None:
                (result.left if file.path in chosen.old else result.missing).append(file.path)
    listed = frozenset(there)
    for file, record in unpacked:
        members = [member for member in record.members() if member.path not in listed]
        there.update(member.path for member in members)
        result.unpacked.append((file.path, len(members)))
        for member in members:
            here = look(tree, member.path)
            if here is not None:
                yield RemoteFile(member.path, file.id, member.size, member.md5, file.modified_s), here
            else:
                result.missing.append(member.path)


def _compare(remote: Remote, tree: Path, file: RemoteFile, here: LocalFile) -> str:
    """What differs; empty if nothing does."""
    if here.size != file.size:
        return f"{here.size:,} bytes here, {file.size:,} there"
    try:
        here = hash_file(tree, here)
    except LocalWriteError as error:
        return str(error)
    expected: RemoteFile | None = file if file.md5 else remote.renew(file)
    if expected is None:
        return "gone there"
    return "" if here.md5 == expected.md5 else f"md5 {here.md5} here, {expected.md5} there"


def _settle(file: RemoteFile, difference: Future[str], result: VerifyResult, reporter: Reporter) -> None:
    if said := difference.result():
        result.different.append((file.path, said))
    else:
        result.equal += 1
        result.equal_bytes += file.size
    reporter.advance(files=1, size_bytes=file.size)


def _walk(tree: Path) -> Iterator[str]:
    """Every file of the tree but our own; links to folders are not followed."""
    for folder, folders, names in os.walk(tree):
        if Path(folder) == tree:
            folders[:] = [name for name in folders if name != STATE_FOLDER]
        for name in names:
            yield (Path(folder) / name).relative_to(tree).as_posix()
