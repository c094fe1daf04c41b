"""One file's way onto the remote: never backwards, only by who has the run, and compared afterwards.

hash, twice at once ---.
                        +--> there already? may it be replaced? --> write --> compare --> still ours?
what does it have? ----'                                             |
                                 just before the last byte: still ours? still the same file?

What the remote has under a name takes two requests to find out. Where a guess is at hand, what this session has put
there itself or what was there before the run was claimed, the write begins with that, and its last byte waits for the
answer. One checksum is enough to begin with; both are compared in the end.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivesync.errors import DamagedError, DrivesyncError, NotFoundError
from drivesync.files import Role
from drivesync.pushing.admission import Admission
from drivesync.pushing.inspection import Inspection
from drivesync.pushing.sending import Sending
from drivesync.pushing.standing import (
    UNKNOWN,
    Standing,
    is_content,
    read_record,
    refuse_to_replace,
    tells_enough,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.disk import Checksums
    from drivesync.files import RemoteFile
    from drivesync.leasing.leases import Leases
    from drivesync.pushing.summing import Sum, Summing
    from drivesync.remotes.base import Remote
    from drivesync.spooling.entries import Entry
    from drivesync.spooling.spool import Spool

_TRIES = 2


@dataclass(frozen=True, slots=True)
class Outdone:
    """A file that is not pushed after all, since the remote has a better one, or it has changed; and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Landed:
    """A file that the remote holds.

    Attributes:
        there: as the remote describes it.
        sums: of what was sent; the remote's are the same.
        standing: of what was sent.
        uploaded: False where the remote held its content already.
    """

    there: RemoteFile
    sums: Checksums
    standing: Standing
    uploaded: bool


@dataclass(frozen=True, slots=True)
class Own:
    """What this session has pushed."""

    entry: Entry
    landed: Landed

    def is_at(self, there: RemoteFile) -> bool:
        """Whether ``there`` has what was pushed."""
        return (there.size, there.md5) == (self.landed.there.size, self.landed.there.md5)


class _MisguessedError(Exception):
    """Something else lies there than was taken for granted."""


class Landing:
    """Brings files of one tree to one remote, one at a time; used by one thread.

    Attributes:
        own: what this session has pushed last, by path.

    Args:
        tree: the local tree.
        remote: entered.
        spool: entered.
        summing: entered; may have begun with what is to land.
        accept: judges what lies on the remote, where nobody has recorded what that is, and what is here of a run.
        leases: entered; None pushes without.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        tree: Path,
        remote: Remote,
        spool: Spool,
        summing: Summing,
        accept: Accept,
        leases: Leases | None,
        clock: Callable[[], float],
    ) -> None:
        self._remote = remote
        self._spool = spool
        self._summing = summing
        self._leases = leases
        self._clock = clock
        self._hashed: tuple[Entry, Sum] | None = None
        self._inspection = Inspection(tree, remote, accept)
        self._admission = Admission(tree, remote, accept)
        self.own: dict[str, Own] = {}

    def land(self, entry: Entry, aside: Executor) -> Landed | Outdone:
        """See that the remote holds ``entry``, if it is not to keep what it has.

        Args:
            entry: claimed from the spool.
            aside: for what is done at the same time; of three threads at least.

        Raises:
            LeaseError: another session has the run, or what is here of it is from before it was started over.
            DamagedError: twice, what the remote held afterwards was not what was sent.
            MovedError: a direct entry's file has changed.
            DrivesyncError: the remote cannot take it.
        """
        guess = self._begin_to_guess(entry, aside)
        lease = self._leases.hold(entry.run) if self._leases is not None and entry.run else None
        if lease is not None and lease.lost is not None:
            # Known already: so that nothing is sent in vain.
            lease.check()
        self._admission.check(entry.run)
        ours = Standing(entry.iteration, entry.score, lease.epoch if lease else None, entry.progress)
        summed = self._begin_to_sum(entry)
        # Only now: what another session did before it lost the run is there by now.
        looking = aside.submit(self._remote.find, entry.path)
        sending = Sending(self._remote, self._spool, entry, summed, ours, lease, aside, self._clock)
        written = self._write_over(guess(), sending, looking)
        there = written or looking.result()
        sums = summed.all()
        if there is not None and written is None:
            if _holds(there, sums):
                return self._note(entry, Landed(there, sums, ours, uploaded=False))
            if reason := self.refuse(entry.path, entry.role, ours, there):
                return Outdone(entry.path, reason)
        for _ in range(_TRIES):
            written, there = None, written or sending.send(there)
            if _holds(there, sums):
                if lease is not None:
                    # It landed while the run was ours.
                    lease.check()
                return self._note(entry, Landed(there, sums, ours, uploaded=True))
        raise DamagedError(
            f"{entry.path} is not on Drive as it was sent: expected {sums.size} bytes with md5 {sums.md5}, "
            f"Drive has {there.size if there else 0} bytes with md5 {there.md5 if there else ''}"
        )

    def has_lease(self, run: str) -> bool:
        """Whether this session has the lease on ``run``, as far as it knows."""
        lease = self._leases.held.get(run) if self._leases is not None else None
        return lease is not None and lease.lost is None

    def refuse(self, path: str, role: Role, ours: Standing, there: RemoteFile) -> str:
        """Say why ``ours`` must not take the place of ``there``; empty if it may.

        Raises:
            DrivesyncError: nobody has recorded how far what is there is, and it cannot be looked into.
        """
        theirs = read_record(there)
        is_checkpoint = role is not Role.OTHER or ours.iteration is not None
        if is_checkpoint and not tells_enough(theirs, ours):
            found = self._inspection.look_into(path, there)
            theirs = replace(theirs, progress=found.progress) if theirs else found
        own = self.own.get(path)
        straggler = own is not None and not own.is_at(there)
        return refuse_to_replace(role, ours, theirs or UNKNOWN, straggler=straggler)

    def _note(self, entry: Entry, landed: Landed) -> Landed:
        self.own[entry.path] = Own(entry, landed)
        return landed

    def _begin_to_guess(self, entry: Entry, aside: Executor) -> Callable[[], RemoteFile | None]:
        """Have something to begin with before the remote is asked in earnest; returned is what tells it."""
        own = self.own.get(entry.path)
        if own is not None:
            known = own.landed.there
            return lambda: known
        is_held = self._leases is None or not entry.run or entry.run in self._leases.held
        # A folder would be read from its start to its end for it.
        if is_held or not self._remote.proves:
            return lambda: None
        early = aside.submit(self._remote.find, entry.path)

        def tell() -> RemoteFile | None:
            with suppress(DrivesyncError):
                return early.result()
            return None

        return tell

    def _write_over(
        self, guess: RemoteFile | None, sending: Sending, looking: Future[RemoteFile | None]
    ) -> RemoteFile | None:
        """Write over what is there in all likelihood; what it is afterwards.

        None if something else is there after all, or this must not take its place: nothing has landed then.
        """
        entry = sending.entry
        # Where the remote does not make the one that is known first, the record would be of no use.
        known = sending.summed.first() if guess is None or guess.sha256 else sending.summed.all()
        if guess is None or looking.done() or _holds(guess, known):
            return None
        if not tells_enough(read_record(guess), sending.ours):
            # It would have to be looked into, and that is worth it only for what is there for sure.
            return None
        if self.refuse(entry.path, entry.role, sending.ours, guess):
            return None

        def confirm() -> None:
            there = looking.result()
            if there is None or not _is_same(there, guess):
                raise _MisguessedError

        try:
            return sending.send(guess, confirm)
        except (_MisguessedError, NotFoundError):
            return None

    def _begin_to_sum(self, entry: Entry) -> Sum:
        """Have both checksums made."""
        # An outage may last for many tries.
        if self._hashed is not None and self._hashed[0] is entry and not self._hashed[1].has_failed():
            self._spool.check(entry)
            return self._hashed[1]
        summed = self._summing.sum_up(self._spool.place_of(entry), lambda: self._spool.open(entry))
        self._hashed = entry, summed
        return summed


def _holds(there: RemoteFile, sums: Checksums) -> bool:
    return there.size == sums.size and is_content(there, md5=sums.md5, sha256=sums.sha256)


def _is_same(there: RemoteFile, guess: RemoteFile) -> bool:
    return (there.id, there.size, there.md5) == (guess.id, guess.size, guess.md5)
