"""Pushing: snapshot, upload, verify. A file is safe once the remote's revision carries our checksum, not before."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.errors import (
    DamagedError,
    DrivesyncError,
    LeaseError,
    MovedError,
    RemoteError,
    RemoteFullError,
)
from drivesync.files import Receipt, refuse_path, spell_path
from drivesync.pushing.audit import find_overwritten
from drivesync.pushing.headroom import Headroom
from drivesync.pushing.landing import Landed, Landing, Outdone
from drivesync.pushing.offering import Offering
from drivesync.pushing.summing import Summing
from drivesync.pushing.trimming import Trimming
from drivesync.spooling.outcome import Refused
from drivesync.spooling.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from drivesync.acceptance import Accept
    from drivesync.index import Index
    from drivesync.leasing.leases import Leases
    from drivesync.progress import Reporter
    from drivesync.pushing.offering import Unchanged
    from drivesync.remotes.base import Remote
    from drivesync.spooling.entries import Entry

_ASIDE = 4
"""Two that ask what is there, one that asks for the lease, and one that looks for room."""
_OF_ONE_FILE = frozenset({DamagedError, RemoteError})
"""Just these, and none of their kinds: what is transient, or about the account, meets every file."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A file that is safe now; ``uploaded`` is False where the remote held its content already."""

    receipt: Receipt
    uploaded: bool


class Pusher:
    """Takes files of one tree to one remote; a context manager, the only one of its tree at a time.

    ``offer`` may be called from any thread, the rest from one.

    Attributes:
        spool: what is to be pushed.
        lost: runs that another session has; nothing of them is pushed any more.
        full_bytes: the size of a file for which the remote had no room, until one as large has been taken.

    Args:
        tree: the local tree.
        remote: entered.
        index: entered.
        accept: judges each snapshot.
        reporter: hears how it goes.
        leases: entered; each run's is taken when its first file is pushed. None pushes without.
        keep_numbered: so many numbered checkpoints of each run stay on the remote; None for all.
        clock: Unix time in seconds.
        monotonic: seconds that never decrease.
    """

    def __init__(
        self,
        tree: Path,
        remote: Remote,
        index: Index,
        accept: Accept,
        reporter: Reporter,
        *,
        leases: Leases | None = None,
        keep_numbered: int | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._index = index
        self._accept = accept
        self._reporter = reporter
        self._clock = clock
        self._trimming = Trimming(tree, remote, reporter, keep_numbered, clock)
        self._headroom = Headroom(remote, reporter, monotonic)
        self.spool = Spool(tree)
        self._summing = Summing()
        self._offering = Offering(
            tree,
            remote.name,
            self.spool,
            index,
            self._summing,
            accept,
            reporter,
            self._trimming.has_trimmed,
        )
        self._landing = Landing(tree, remote, self.spool, self._summing, accept, leases, clock)
        self._aside: ThreadPoolExecutor | None = None
        self.lost: dict[str, LeaseError] = {}
        self.full_bytes: int | None = None
        self._put_off: set[int] = set()

    def __enter__(self) -> Pusher:
        """Take the spool.

        Raises:
            UnfinishedError: another process pushes from this tree.
            LocalWriteError: the state folder cannot be written.
        """
        self.spool.__enter__()
        self._sweep()
        self.spool.measure(self._accept)
        self._summing.__enter__()
        self._aside = ThreadPoolExecutor(_ASIDE, "push-aside")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._aside is not None:
            self._aside.shutdown(cancel_futures=True)
        self._summing.__exit__(kind, error, traceback)
        self.spool.__exit__(kind, error, traceback)

    def _sweep(self) -> None:
        """Put aside what can never be sent: an earlier version took files by any name."""
        for entry in self.spool.pending():
            if reason := refuse_path(entry.path):
                kept = self.spool.reject(entry, reason)
                where = f"; a copy is kept as {kept}" if kept else ""
                self._reporter.note(f"not pushed: {spell_path(entry.path)}: {reason}{where}")

    def offer(self, path: str, *, trust_index: bool = True) -> Entry | Refused | Unchanged:
        """Take a snapshot of ``path`` if the remote is not known to hold it as it is; see ``Offering``.

        Raises:
            LocalWriteError: the disk cannot take the snapshot.
        """
        return self._offering.offer(path, trust_index=trust_index)

    def may_push(self, below_bytes: int | None = None) -> bool:
        """Whether ``push_next`` would find something."""
        return any(self._is_wanted(entry, below_bytes) for entry in self.spool.pending())

    def push_next(self, *, below_bytes: int | None = None) -> Pushed | Outdone | None:
        """Push the most valuable pending snapshot and write its receipt; None if there is none to push.

        One that the remote would not take, for a reason of its own, is tried again when all others have been.

        Args:
            below_bytes: passes over what is as large, or larger.

        Raises:
            LeaseError: another session has its run, of which nothing is pushed any more; the snapshot stays pending.
            RemoteFullError: the hint says what would free how much; the snapshot stays pending.
            DamagedError: twice, what Drive holds afterwards was not what was sent; the snapshot stays pending.
            DrivesyncError: the remote cannot take it; the snapshot stays pending.
        """
        wanted = {entry.sequence for entry in self.spool.pending() if self._is_wanted(entry, below_bytes)}
        if wanted <= self._put_off:
            self._put_off.clear()
        with self.spool.claim(
            lambda entry: self._is_wanted(entry, below_bytes) and entry.sequence not in self._put_off
        ) as entry:
            if entry is None:
                return None
            try:
                outcome = self._land(entry)
            except DrivesyncError as error:
                if type(error) in _OF_ONE_FILE:
                    self._put_off.add(entry.sequence)
                raise
            if isinstance(outcome, Outdone):
                self._drop(entry, outcome)
                return outcome
            pushed = self._settle(entry, outcome)
        self._trimming.trim(entry)
        return pushed

    def audit(self) -> None:
        """See that what this session pushed, and is written over by design, is what the remote has.

        What a session that has lost the run put there since is replaced by the next ``push_next``.

        Raises:
            DrivesyncError: the remote does not answer.
        """
        for own, there in find_overwritten(self._landing, self._remote):
            path = own.entry.path
            if any(entry.path == path for entry in self.spool.pending()):
                # It is on its way, and judged when its turn comes.
                continue
            if self._landing.refuse(path, own.entry.role, own.landed.standing, there):
                del self._landing.own[path]
                continue
            self._reporter.note(
                f"{path} was replaced on the remote by a session that no longer has the run; putting this one's back"
            )
            self._queue_again(path)

    def cancel(self) -> None:
        """End a push that is under way; its snapshot stays pending."""
        self._remote.cancel()

    def reopen(self) -> None:
        """Have the remote look for credentials anew.

        Raises:
            NotAllowedError: there are none now.
        """
        self._remote.__exit__(None, None, None)
        self._remote.__enter__()

    def _is_wanted(self, entry: Entry, below_bytes: int | None) -> bool:
        return entry.run not in self.lost and (below_bytes is None or entry.size < below_bytes)

    def _land(self, entry: Entry) -> Landed | Outdone:
        if self._aside is None:
            raise RuntimeError("a pusher is used outside its context")
        if reason := self._trimming.refuse(entry):
            return Outdone(entry.path, reason)
        if entry.iteration is not None:
            self._headroom.begin_to_look(entry.size, self._aside)
        try:
            landed = self._landing.land(entry, self._aside)
        except LeaseError as error:
            self.lost[entry.run] = error
            raise
        except MovedError as error:
            if not entry.direct:
                raise
            # It is offered again when it is closed.
            return Outdone(entry.path, str(error))
        except RemoteFullError as error:
            self.full_bytes = entry.size
            raise RemoteFullError(str(error), hint=self._advise() or error.hint) from error
        if self.full_bytes is not None and entry.size >= self.full_bytes:
            self.full_bytes = None
        return landed

    def _settle(self, entry: Entry, landed: Landed) -> Pushed:
        receipt = Receipt(
            path=entry.path,
            size=landed.sums.size,
            md5=landed.sums.md5,
            sha256=landed.sums.sha256,
            file_id=landed.there.id,
            revision_id=landed.there.revision_id,
            at_s=self._clock(),
            iteration=entry.iteration,
            run=entry.run,
            role=entry.role.value,
            proven=self._remote.proves,
            progress=entry.progress,
            remote=self._remote.name,
        )
        known = replace(
            entry.source, md5=receipt.md5, revision_id=receipt.revision_id, remote=self._remote.name
        )
        if entry.direct:
            # It ends with this process: what is in the index is not offered again, and would have no receipt ever.
            self.spool.settle(entry, receipt)
            self._index.record(known)
        else:
            # If the disk takes this and not that, the snapshot stays pending, and nothing is lost.
            self._index.record(known)
            self.spool.settle(entry, receipt)
        self._reporter.note(_describe(receipt, uploaded=landed.uploaded))
        return Pushed(receipt, uploaded=landed.uploaded)

    def _drop(self, entry: Entry, outcome: Outdone) -> None:
        self._offering.refuse(entry.source)
        self.spool.drop(entry)
        self._reporter.note(f"not pushed: {outcome.path}: {outcome.reason}")

    def _queue_again(self, path: str) -> None:
        kept = [entry for entry in self.spool.entries() if entry.path == path and entry.pushed]
        if kept:
            self.spool.queue_again(kept[-1])
            return
        self._offering.allow(path)
        outcome = self.offer(path, trust_index=False)
        if isinstance(outcome, Refused):
            self._reporter.note(f"{path} cannot be put back: {outcome.reason}")

    def _advise(self) -> str:
        room = self._headroom.look(0)
        return self._trimming.describe_freeable(room.trashed if room else 0)


def _describe(receipt: Receipt, *, uploaded: bool) -> str:
    which = receipt.path if receipt.iteration is None else f"{receipt.path}, iteration {receipt.iteration}"
    if not receipt.proven:
        how = f"{format_size(receipt.size)}, read back" if uploaded else "was there already"
        return f"written: {which} ({how})"
    how = f"{format_size(receipt.size)}, verified on Drive" if uploaded else "was on Drive already, verified"
    return f"safe: {which} ({how})"
