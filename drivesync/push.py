"""Push: snapshot, upload, verify. A file is safe once Drive's revision carries our checksum, and not before."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import local_errors, look
from drivesync.errors import DamagedError, UnfinishedError
from drivesync.files import LocalFile, Receipt, refuse_name
from drivesync.spool import Entry, Refused, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.index import Index
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_TRIES = 2


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The remote holds the file as it is; nothing was copied."""

    path: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """A file that is safe now; ``uploaded`` is False where the remote held its content already."""

    receipt: Receipt
    uploaded: bool


class Pusher:
    """Takes files of one tree to one remote; ``offer`` and ``push_next`` may be called from different threads.

    Args:
        tree: the local tree.
        remote: entered.
        index: entered.
        accept: judges each snapshot.
        reporter: hears how it goes.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        tree: Path,
        remote: Remote,
        index: Index,
        accept: Accept,
        reporter: Reporter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._index = index
        self._accept = accept
        self._reporter = reporter
        self._clock = clock
        self._offering = threading.Lock()
        self._refused: dict[str, LocalFile] = {}
        self.spool = Spool(tree)

    def offer(self, path: str, *, trust_index: bool = True) -> Entry | Refused | Unchanged:
        """Take a snapshot of ``path`` if the remote is not known to hold it as it is.

        Args:
            path: relative to the tree.
            trust_index: False takes the snapshot, so that ``push_next`` asks the remote itself.

        Raises:
            LocalWriteError: the disk cannot take the snapshot.
        """
        if reason := refuse_name(PurePosixPath(path).name):
            return Refused(path, reason)
        # The watch and a supervisor may offer the same file at the same moment.
        with self._offering:
            here = look(self._tree, path)
            if here is None:
                return Refused(path, "it is gone", moved=True)
            known = self._index.find(path)
            if (
                trust_index
                and known is not None
                and (known.size, known.mtime_ns) == (here.size, here.mtime_ns)
            ):
                return Unchanged(path)
            if any(entry.path == path and _is_same(entry, here) for entry in self.spool.pending()):
                return Unchanged(path)
            if self._refused.get(path) == here:
                return Refused(path, "it is as it was when it was refused", moved=True)
            outcome = self.spool.take(path, self._accept)
            if isinstance(outcome, Refused) and not outcome.moved:
                self._refused[path] = here
                self._reporter.note(f"not pushed: {path}: {outcome.reason}")
            return outcome

    def push_next(self) -> Pushed | None:
        """Push the most valuable pending snapshot and write its receipt; None if nothing is pending.

        Raises:
            DamagedError: twice, what Drive holds afterwards was not what was sent; the snapshot stays pending.
            DrivesyncError: the remote cannot take it; the snapshot stays pending.
        """
        with self.spool.claim() as entry:
            if entry is None:
                return None
            again = Retrying(
                retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
            )
            landed, uploaded = again(self._land, entry)
            receipt = Receipt(
                path=entry.path,
                size=entry.size,
                md5=entry.md5,
                sha256=entry.sha256,
                file_id=landed.id,
                revision_id=landed.revision_id,
                at_s=self._clock(),
                iteration=entry.iteration,
            )
            # Before the receipt: if the disk takes this and not that, the snapshot stays pending, and nothing is lost.
            self._index.record(replace(entry.source, revision_id=landed.revision_id))
            self.spool.settle(entry, receipt)
        which = "" if entry.iteration is None else f", iteration {entry.iteration}"
        how = (
            f"{format_size(entry.size)}, verified on Drive" if uploaded else "was on Drive already, verified"
        )
        self._reporter.note(f"safe: {entry.path}{which} ({how})")
        return Pushed(receipt, uploaded=uploaded)

    def cancel(self) -> None:
        """End a push that is under way; its snapshot stays pending."""
        self._remote.cancel()

    def _land(self, entry: Entry) -> tuple[RemoteFile, bool]:
        """See that Drive holds ``entry``; returned is its file, and whether it had to be uploaded."""
        there = self._remote.find(entry.path)
        if there is not None and _holds(there, entry):
            return there, False
        properties = {} if entry.iteration is None else {"iteration": str(entry.iteration)}
        snapshot = self.spool.snapshot_of(entry)
        with local_errors(snapshot, "read"), snapshot.open("rb") as source:
            there = self._remote.write(
                entry.path,
                source,
                size=entry.size,
                modified_s=entry.mtime_ns / 1e9,
                properties=properties,
                executable=os.access(snapshot, os.X_OK),
                replaces=there,
            )
        if not _holds(there, entry):
            raise DamagedError(
                f"{entry.path} is not on Drive as it was sent: expected {entry.size} bytes with md5 {entry.md5}, "
                f"Drive has {there.size} bytes with md5 {there.md5}"
            )
        return there, True


def _is_same(entry: Entry, here: LocalFile) -> bool:
    return (entry.size, entry.mtime_ns) == (here.size, here.mtime_ns)


def _holds(there: RemoteFile, entry: Entry) -> bool:
    same = (there.size, there.md5) == (entry.size, entry.md5)
    return same and there.sha256 in {"", entry.sha256}


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did; every tuple in the order in which it happened."""

    pushed: tuple[Pushed, ...]
    refused: tuple[Refused, ...]

    def raise_failure(self) -> None:
        """Raise the worst of what was not sent, if anything was not: a damaged file before one in use."""
        if self.refused:
            worst = min(self.refused, key=lambda refused: refused.moved)
            said = f"{len(self.refused)} file(s) were not sent; {worst.path}: {worst.reason}"
            if worst.moved:
                raise UnfinishedError(said, hint="Run the same command again when nothing writes to it.")
            raise DamagedError(said, hint="What Drive holds under that name is as it was.")


def find_files(tree: Path, patterns: Iterable[str]) -> list[str]:
    """The tree's files that match one of ``patterns``, as sorted POSIX paths."""
    found = {match for pattern in patterns for match in tree.glob(pattern) if match.is_file()}
    return sorted(match.relative_to(tree).as_posix() for match in found)


def push(pusher: Pusher, tree: Path, patterns: Sequence[str]) -> PushResult:
    """Push every file that matches, and what an earlier process left in the spool, and return when all is safe.

    Raises:
        UnfinishedError: another process pushes from this tree.
        DrivesyncError: see ``Pusher``; what was pushed before it is safe, and a rerun goes on.
    """
    refused: list[Refused] = []
    done: list[Pushed] = []
    with pusher.spool:
        # One file at a time, so that the spool never needs room for all of them.
        for path in [*find_files(tree, patterns), None]:
            if path is not None:
                outcome = pusher.offer(path, trust_index=False)
                if isinstance(outcome, Refused):
                    refused.append(outcome)
            while (pushed := pusher.push_next()) is not None:
                done.append(pushed)
    return PushResult(tuple(done), tuple(refused))
