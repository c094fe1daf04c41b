"""``push --all``: a whole tree goes up, side by side and within Drive's write rate.

What is here and what is there is compared first, so that it is known from the beginning how much is to go. Then small
files, which use up writes, go beside a few large ones, which use up bandwidth. Stopped anywhere, a later run finds what
is there, and goes on. What was unpacked of an archive that is there is there as well, and not sent.

Checkpoints do not go this way: ``push`` sends them, which knows whether they are whole, and whose turn it is.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from rich.filesize import decimal as format_size

from drivesync.config import CHECKPOINT_PATTERNS
from drivesync.disk import lock_state
from drivesync.errors import (
    DamagedError,
    DiskFullError,
    DrivesyncError,
    LocalWriteError,
    NotFoundError,
    RemoteError,
    RemoteFullError,
    UnfinishedError,
    UsedUpError,
)
from drivesync.files import RemoteFile
from drivesync.index import Index
from drivesync.mirroring.compare import Comparison
from drivesync.mirroring.inventory import Inventory, NewFolders
from drivesync.mirroring.lanes import Lane, run_lanes
from drivesync.mirroring.sending import LARGE_BYTES, ReplacedError, Sender
from drivesync.mirroring.upload_plan import (
    DEFAULT_MIRROR_OPTIONS,
    MirrorOptions,
    Standing,
    Upload,
    UploadPlan,
    goes_singly,
)
from drivesync.mirroring.write_rate import WriteRate
from drivesync.remotes.places import DriveId, DrivePath, parse_place
from drivesync.result import TransferResult
from drivesync.tree import remember_target
from drivesync.unarchive.record import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from drivesync.mirroring.upload_plan import Unpacked
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

WRITES_PER_S = 2.9
"""Drive takes fewer than three a second of an account for long:
https://developers.google.com/workspace/drive/api/guides/limits."""
WRITES_AT_ONCE = 30
"""After a pause."""
NAMED_FAILURES = 10
"""So many files that could not be sent are named as it goes."""

_SMALL_THREADS = 8
"""A small file takes a second or two, nearly all of it waiting for answers: enough to keep up with the rate of writes,
few enough for each to have its share of a slow line."""
_LARGE_THREADS = 3
_HOPELESS = 8
"""So many files in a row that the remote could not take, after all repeats, mean that it takes none."""

_OF_ONE_FILE = (DamagedError, LocalWriteError, NotFoundError, RemoteError, UnfinishedError)
_OF_ALL = (DiskFullError, RemoteFullError, UsedUpError)


@dataclass(slots=True)
class UnpackedArchive:
    """What a push does about an archive that a pull has unpacked here.

    Attributes:
        path: of the archive.
        standing: what the remote has of it.
        sent: its files go one by one; else they stay, and count as nothing else.
        files: that came out of it, that nobody has changed since, and that the remote does not have as files; of
            ``Standing.UNKNOWN`` nobody can say, and it is 0.
        size_bytes: of these.
    """

    path: str
    standing: Standing
    sent: bool
    files: int = 0
    size_bytes: int = 0

    def add(self, unpacked: Unpacked) -> None:
        """One file more."""
        self.files += 1
        self.size_bytes += unpacked.here.size


@dataclass(slots=True)
class MirrorResult(TransferResult):
    """What a ``push --all`` did.

    Attributes:
        least_s: so many seconds that takes at least, by the remote's write rate.
        uploaded_files: files that were sent and are there, verified.
        uploaded_bytes: their size.
        behind: paths of files that were changed there and not here; kept there.
        apart: paths of checkpoints, which ``push`` sends.
        unpacked: by its path, each archive of which files lie here.
    """

    FAILED: ClassVar[str] = "were not sent"

    least_s: float = 0.0
    uploaded_files: int = 0
    uploaded_bytes: int = 0
    behind: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    unpacked: dict[str, UnpackedArchive] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """All of it but what it has cost, for machines."""
        return {
            "planned": {
                "files": self.planned_files,
                "bytes": self.planned_bytes,
                "least_seconds": round(self.least_s, 3),
            },
            "uploaded": {"files": self.uploaded_files, "bytes": self.uploaded_bytes},
            "kept": self.kept_files,
            "conflicts": self.conflicts,
            "behind": self.behind,
            "checkpoints": self.apart,
            "unpacked": [
                {
                    "path": path,
                    "archive": archive.standing.value,
                    "sent": archive.sent,
                    "files": archive.files,
                    "bytes": archive.size_bytes,
                }
                for path, archive in sorted(self.unpacked.items())
            ],
            "skipped": [{"path": entry.path, "reason": entry.reason} for entry in self.skipped],
            "failed": [{"path": path, "error": str(error)} for path, error in self.failed],
            "seconds": round(self.seconds, 3),
        }

    def _paths(self) -> tuple[list[str], ...]:
        return self.conflicts, self.behind, self.apart


def push_all(
    remote: Remote,
    tree: Path,
    *,
    reporter: Reporter,
    options: MirrorOptions = DEFAULT_MIRROR_OPTIONS,
    on_plan: Callable[[UploadPlan], None] = lambda _plan: None,
    result: MirrorResult | None = None,
    rate: WriteRate | None = None,
) -> MirrorResult:
    """Bring what ``tree`` holds to ``remote``; delete nothing, overwrite nothing that others put there unless told so.

    Threads: what ``Comparison`` has, then up to eleven that send; they have ended when this returns.

    Args:
        remote: entered; its folder is made if it is not there.
        tree: a folder.
        reporter: hears how it goes.
        options: see ``MirrorOptions``.
        on_plan: hears what is planned, part by part, before anything is sent.
        result: filled as it goes, and so tells what was done even where an error is raised; a new one unless given.
        rate: of writes; Drive's for a folder in Drive, and none for other places, unless given.

    Returns:
        What was done. A file that could not be sent is in ``failed``, and the others were nevertheless.

    Raises:
        TransientError: the remote cannot be reached after all repeats; what was sent stays.
        RemoteFullError: the remote has no room, said before the first byte where it can tell.
        UnfinishedError: another one, or a pull, is at work in this tree.
        LocalWriteError: the tree cannot be read, or its state folder not written.
    """
    started_s = time.monotonic()
    result = MirrorResult() if result is None else result
    rate = rate or _rate_of(remote)
    try:
        with ExitStack() as stack:
            if not options.dry_run:
                stack.enter_context(lock_state(tree, "push-all"))
                # A pull would throw the listing away that is being stored here, and the other way round.
                stack.enter_context(lock_state(tree, "pull"))
            index = stack.enter_context(Index(tree, leaves_traces=not options.dry_run))
            reporter.begin(
                "push", lambda: remote.slowed_by or ("Drive's write rate" if rate.is_holding else "")
            )
            work = _Work(remote, tree, index, reporter, rate, result)
            work.plan(stack, options, on_plan)
            if not options.dry_run:
                remember_target(tree, remote.name, remote.name)
                work.run()
    finally:
        result.close(remote, time.monotonic() - started_s)
    return result


def _rate_of(remote: Remote) -> WriteRate:
    if isinstance(parse_place(remote.name), (DriveId, DrivePath)):
        return WriteRate(WRITES_PER_S, WRITES_AT_ONCE)
    return WriteRate(math.inf, 1)


class _Work:
    """One push: plans it, and sends what is planned."""

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        index: Index,
        reporter: Reporter,
        rate: WriteRate,
        result: MirrorResult,
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._index = index
        self._reporter = reporter
        self._rate = rate
        self._result = result
        self._inventory = Inventory(index.database)
        self._made = NewFolders(self._inventory)
        self._lock = threading.Lock()
        self._fruitless = 0
        self._is_cancelled = False

    def plan(self, stack: ExitStack, options: MirrorOptions, on_plan: Callable[[UploadPlan], None]) -> None:
        """Find out what is to be sent."""
        records = Records(self._index.database)
        comparison = Comparison(self._remote, self._tree, self._index, self._inventory, records, self._failed)
        apart, skipped = comparison.gather(stack, CHECKPOINT_PATTERNS)
        self._result.apart += apart
        self._result.skipped += skipped
        writes, folders = 0, NewFolders(self._inventory)
        for plan in comparison.plans(ours=options.ours):
            self._inventory.add_uploads(plan.upload, LARGE_BYTES)
            self._account(plan)
            self._account_unpacked(plan, ours=options.ours)
            writes += sum(1 + folders.count_new(upload.here.path) for upload in plan.upload)
            self._result.least_s = self._rate.least_s(writes)
            on_plan(plan)
        if self._result.planned_files:
            self._find_unknown(options.unpack, records)
        self._tell_what_goes_singly()

    def run(self) -> None:
        """Send it all; see ``push_all``."""
        self._refuse_if_full()
        sender = Sender(self._remote, self._tree, self._reporter, self._wait_for_turn)
        lanes = [
            Lane(self._inventory.uploads(large=True), _LARGE_THREADS),
            Lane(self._inventory.uploads(large=False), _SMALL_THREADS),
        ]
        run_lanes(lanes, lambda upload: self._send(sender, upload), self._cancel)
        if not self._result.failed:
            sender.forget()

    def _account(self, plan: UploadPlan) -> None:
        size_bytes = sum(upload.here.size for upload in plan.upload)
        with self._lock:
            self._result.planned_files += len(plan.upload)
            self._result.planned_bytes += size_bytes
            self._result.kept_files += len(plan.keep)
            self._result.conflicts += plan.conflicts
            self._result.behind += plan.behind
            self._result.skipped += plan.skipped
        self._reporter.expect(files=len(plan.upload), size_bytes=size_bytes)

    def _account_unpacked(self, plan: UploadPlan, *, ours: bool) -> None:
        told = self._result.unpacked
        for one in plan.unpacked:
            sent = goes_singly(one.standing, ours=ours)
            told.setdefault(one.archive, UnpackedArchive(one.archive, one.standing, sent)).add(one)

    def _find_unknown(self, named: Iterable[str], records: Records) -> None:
        """Note the archives that pulls unpack and whose record is lost: their files cannot be told from new ones."""
        known = records.archives()
        for path in named:
            is_there = isinstance(self._inventory.find_there(path), RemoteFile)
            if is_there and path not in known and self._inventory.find(path) is None:
                self._result.unpacked[path] = UnpackedArchive(path, Standing.UNKNOWN, sent=True)

    def _tell_what_goes_singly(self) -> None:
        """Before it goes, since that may take an hour, and a pull before may spare it."""
        for path, archive in sorted(self._result.unpacked.items()):
            files = f"{archive.files:,} file(s) that were unpacked of {path} go one by one"
            if archive.standing is Standing.UNKNOWN:
                self._reporter.note(
                    f"it is not known here what was unpacked of {path}, which goes one by one; a pull finds it out"
                )
            elif archive.standing is Standing.GONE:
                self._reporter.note(f"{files}: {path} is not on {self._remote.name} any more")
            elif archive.sent:
                self._reporter.note(f"{files}, as --ours says")

    def _refuse_if_full(self) -> None:
        """See that all of it fits, as far as the remote can tell.

        Raises:
            RemoteFullError: it does not.
        """
        try:
            room = self._remote.room()
        except NotFoundError:
            # It is yet to be made, in a place that does not tell.
            return
        free = None if room is None else room.free
        need = self._inventory.growth_bytes()
        if free is not None and need > free:
            raise RemoteFullError(
                f"{format_size(need)} are to go, and {self._remote.name} has room for {format_size(free)}",
                hint="Free some space there; nothing has been sent.",
            )

    def _wait_for_turn(self, path: str) -> None:
        self._rate.take(1 + self._made.count_new(path))

    def _cancel(self) -> None:
        self._is_cancelled = True
        self._rate.stop()
        self._remote.cancel()

    def _send(self, sender: Sender, upload: Upload) -> None:
        """Send one file; raised is only what concerns all others as well."""
        try:
            sent = sender.send(upload)
        except ReplacedError as error:
            self._reporter.note(str(error))
            with self._lock:
                self._result.conflicts.append(upload.here.path)
            return
        except DrivesyncError as error:
            if _concerns_all(error) or (isinstance(error, RemoteError) and self._is_hopeless()):
                raise
            self._failed(upload.here.path, error)
            return
        self._index.record(replace(sent, remote=self._remote.name))
        with self._lock:
            self._fruitless = 0
            self._result.uploaded_files += 1
            self._result.uploaded_bytes += sent.size
        self._reporter.advance(files=1)

    def _is_hopeless(self) -> bool:
        """Count one more file that the remote could not take, and say whether it can take any."""
        with self._lock:
            self._fruitless += 1
            return self._fruitless >= _HOPELESS or self._is_cancelled

    def _failed(self, path: str, error: DrivesyncError) -> None:
        with self._lock:
            self._result.failed.append((path, error))
            failed = len(self._result.failed)
        if failed <= NAMED_FAILURES:
            self._reporter.note(str(error))


def _concerns_all(error: BaseException) -> bool:
    return isinstance(error, _OF_ALL) or not isinstance(error, _OF_ONE_FILE)
