"""One file's way onto the remote: never backwards, only by who has the run, and compared afterwards.

hash, twice at once ---.
                        +--> there already? may it be replaced? --> write --> compare --> still ours?
what does it have? ----'                                             |
                                 just before the last byte: still ours? still the same file?
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, Checksums, hash_stream, local_errors, make_state_folder
from drivesync.errors import DamagedError, MovedError
from drivesync.files import Role
from drivesync.guard import LateCheck, Sent
from drivesync.receipts import read_receipts
from drivesync.standing import UNKNOWN, Standing, make_record, read_record, refuse_to_replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path
    from typing import BinaryIO

    from drivesync.acceptance import Accept
    from drivesync.entries import Entry
    from drivesync.files import RemoteFile
    from drivesync.lease import Lease, Leases
    from drivesync.remotes.base import Remote
    from drivesync.spool import Spool

_TRIES = 2
_FETCHED = "fetched.tmp"


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


class Landing:
    """Brings files of one tree to one remote, one at a time; used by one thread.

    Attributes:
        own: what this session has pushed last, by path.

    Args:
        tree: the local tree.
        remote: entered.
        spool: entered.
        accept: judges what lies on the remote, where nobody has recorded what that is.
        leases: entered; None pushes without.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        tree: Path,
        remote: Remote,
        spool: Spool,
        accept: Accept,
        leases: Leases | None,
        clock: Callable[[], float],
    ) -> None:
        self._tree = tree
        self._remote = remote
        self._spool = spool
        self._accept = accept
        self._leases = leases
        self._clock = clock
        self._hashed: tuple[Entry, Checksums] | None = None
        self._looked_into: dict[tuple[str, str], Standing] = {}
        self.own: dict[str, Own] = {}

    def land(self, entry: Entry, aside: Executor) -> Landed | Outdone:
        """See that the remote holds ``entry``, if it is not to keep what it has.

        Args:
            entry: claimed from the spool.
            aside: for what is done at the same time; of four threads at least.

        Raises:
            LeaseError: another session has the run.
            DamagedError: twice, what the remote held afterwards was not what was sent.
            MovedError: a direct entry's file has changed.
            DrivesyncError: the remote cannot take it.
        """
        lease = self._leases.hold(entry.run) if self._leases is not None and entry.run else None
        if lease is not None and lease.lost is not None:
            # Known already: so that nothing is sent in vain.
            lease.check()
        ours = Standing(entry.iteration, entry.score, lease.epoch if lease else None)
        summed = self._begin_to_sum(entry, aside)
        there = self._remote.find(entry.path)
        sums = summed()
        if there is not None:
            if _holds(there, sums):
                return self._note(entry, Landed(there, sums, ours, uploaded=False))
            if reason := self.refuse(entry.path, entry.role, ours, there):
                return Outdone(entry.path, reason)
        for _ in range(_TRIES):
            there = self._send(entry, sums, self._record(entry, ours, sums, lease), there, lease, aside)
            if _holds(there, sums):
                if lease is not None:
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
            DrivesyncError: nobody has recorded what is there, and it cannot be looked into.
        """
        theirs = read_record(there)
        if theirs is None:
            is_checkpoint = role is not Role.OTHER or ours.iteration is not None
            theirs = self._look_into(path, there) if is_checkpoint else UNKNOWN
        own = self.own.get(path)
        return refuse_to_replace(role, ours, theirs, straggler=own is not None and not own.is_at(there))

    def _note(self, entry: Entry, landed: Landed) -> Landed:
        self.own[entry.path] = Own(entry, landed)
        return landed

    def _begin_to_sum(self, entry: Entry, aside: Executor) -> Callable[[], Checksums]:
        """Have both checksums made at once; returned is what waits for them."""
        if self._hashed is not None and self._hashed[0] is entry:
            self._spool.check(entry)
            known = self._hashed[1]
            return lambda: known
        # Both read the file, which lies in memory; hashlib lets other threads run meanwhile.
        md5, sha256 = (aside.submit(self._digest, entry, algorithm) for algorithm in ("md5", "sha256"))

        def wait() -> Checksums:
            sums = Checksums(entry.size, md5.result(), sha256.result())
            # An outage may last for many tries.
            self._hashed = entry, sums
            return sums

        return wait

    def _digest(self, entry: Entry, algorithm: str) -> str:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with self._spool.open(entry) as source, local_errors(entry.path, "read"):
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def _record(self, entry: Entry, ours: Standing, sums: Checksums, lease: Lease | None) -> dict[str, str]:
        return make_record(
            ours,
            md5=sums.md5,
            sha256=sums.sha256,
            size=str(entry.size),
            role=entry.role.value,
            run=entry.run,
            holder=lease.holder if lease else "",
            at=str(round(self._clock())),
        )

    def _send(
        self,
        entry: Entry,
        sums: Checksums,
        record: dict[str, str],
        there: RemoteFile | None,
        lease: Lease | None,
        aside: Executor,
    ) -> RemoteFile:
        late = LateCheck(lease.check if lease else lambda: None, aside)
        sent = Sent(lambda: self._spool.open(entry), entry.size, late.begin, hashes=entry.direct)

        def before_end() -> None:
            late.finish()
            if entry.direct:
                self._spool.check(entry)
                if sent.md5() != sums.md5:
                    raise MovedError(f"{entry.path} was written to while it was sent")

        with sent.buffered() as source, local_errors(entry.path, "read"):
            return self._remote.write(
                entry.path,
                source,
                size=entry.size,
                modified_s=entry.mtime_ns / 1e9,
                properties=record,
                executable=os.access(self._spool.place_of(entry), os.X_OK),
                replaces=there,
                before_end=before_end,
                note=self._spool.note_of(entry),
            )

    def _look_into(self, path: str, there: RemoteFile) -> Standing:
        """How far the checkpoint is that is ``there``; unknown if it is none.

        What an earlier version pushed is told by its receipt. Of what was uploaded by hand only the content can say,
        so it is fetched once and judged as any other, but for its score: the judge's is this session's.
        """
        key = there.id, there.md5
        if key not in self._looked_into:
            told = [
                receipt.iteration
                for receipt in read_receipts(self._tree)
                if (receipt.path, receipt.md5) == (path, there.md5)
            ]
            self._looked_into[key] = Standing(told[-1]) if told else self._fetch_and_judge(path, there)
        return self._looked_into[key]

    def _fetch_and_judge(self, path: str, there: RemoteFile) -> Standing:
        place = make_state_folder(self._tree) / _FETCHED
        with local_errors(place):
            try:
                with place.open("wb") as file:
                    self._remote.read(there, _ToFile(file))
                with place.open("rb") as fetched:
                    arrived = hash_stream(fetched)
                if arrived.md5 != there.md5:
                    raise DamagedError(f"what the remote has as {path} came damaged")
                verdict = self._accept(self._tree, path, place)
            finally:
                place.unlink(missing_ok=True)
        return Standing(verdict.iteration) if verdict.accepted else UNKNOWN


class _ToFile:
    """A sink."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        self._file.write(block)


def _holds(there: RemoteFile, sums: Checksums) -> bool:
    same = (there.size, there.md5) == (sums.size, sums.md5)
    return same and there.sha256 in {"", sums.sha256}
