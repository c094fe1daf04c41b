"""One snapshot's bytes on their way: from the spool to the remote, with what is known of them, by who has the run.

The write ends only if the run is still ours and, without a snapshot, the file still what was hashed (see ``guard``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import MovedError
from drivesync.pushing.guard import LateCheck, Sent
from drivesync.pushing.standing import make_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from drivesync.files import RemoteFile
    from drivesync.leasing.lease import Lease
    from drivesync.pushing.standing import Standing
    from drivesync.pushing.summing import Sum
    from drivesync.remotes.base import Remote
    from drivesync.spooling.entries import Entry
    from drivesync.spooling.spool import Spool


@dataclass(frozen=True, slots=True)
class Sending:
    """What is to land, and by which right; used by one thread.

    Attributes:
        remote: entered.
        spool: entered.
        entry: claimed from it.
        summed: its checksums, as they come.
        ours: its standing.
        lease: held on its run; None pushes without.
        aside: asks for the lease meanwhile.
        clock: Unix time in seconds.
    """

    remote: Remote
    spool: Spool
    entry: Entry
    summed: Sum
    ours: Standing
    lease: Lease | None
    aside: Executor
    clock: Callable[[], float]

    def send(self, there: RemoteFile | None, confirm: Callable[[], None] = lambda: None) -> RemoteFile:
        """Write it, and tell what the remote has then, which is still to be compared.

        Args:
            there: what it takes the place of; None makes a new file.
            confirm: called before the last byte goes; what it raises leaves the remote as it was.

        Raises:
            LeaseError: another session has the run.
            MovedError: a direct entry's file has changed.
            DrivesyncError: the remote cannot take it.
        """
        entry = self.entry
        late = LateCheck(self.lease.check if self.lease else lambda: None, self.aside)
        sent = Sent(lambda: self.spool.open(entry), entry.size, late.begin, hashes=entry.direct)

        def before_end() -> None:
            confirm()
            late.finish()
            if entry.direct:
                self.spool.check(entry)
                if sent.md5() != self.summed.all().md5:
                    raise MovedError(f"{entry.path} was written to while it was sent")

        with sent.buffered() as source, local_errors(entry.path, "read"):
            return self.remote.write(
                entry.path,
                source,
                size=entry.size,
                modified_s=entry.mtime_ns / 1e9,
                properties=self._record(),
                executable=os.access(self.spool.place_of(entry), os.X_OK),
                replaces=there,
                before_end=before_end,
                note=self.spool.note_of(entry),
            )

    def _record(self) -> dict[str, str]:
        known = self.summed.first()
        return make_record(
            self.ours,
            md5=known.md5,
            sha256=known.sha256,
            size=str(self.entry.size),
            role=self.entry.role.value,
            run=self.entry.run,
            holder=self.lease.holder if self.lease else "",
            at=str(round(self.clock())),
        )
