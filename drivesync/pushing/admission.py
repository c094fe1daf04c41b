"""Whether what a tree holds of a run may be added to what the remote holds: not from before the run was started over.

Asked once for each run, before anything of it lands, and after its lease was claimed: who starts a run over has that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.acceptance import as_knowing
from drivesync.errors import LeaseError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.remotes.base import Remote


class Admission:
    """Admits the runs of one tree to one remote; used by one thread.

    Args:
        tree: the local tree.
        remote: entered.
        accept: all are admitted where it does not know of runs.
    """

    def __init__(self, tree: Path, remote: Remote, accept: Accept) -> None:
        self._tree = tree
        self._remote = remote
        self._judge = as_knowing(accept)
        self._admitted = {""}

    def check(self, run: str) -> None:
        """See that ``run`` may be pushed; what is of none may.

        Raises:
            LeaseError: it may not: the run that this tree knows has ended.
            DrivesyncError: nobody can tell now.
        """
        if self._judge is None or run in self._admitted:
            return
        if reason := self._judge.refuse_run(self._tree, run, self._read):
            raise LeaseError(f"nothing of {run} is pushed: {reason}")
        self._admitted.add(run)

    def _read(self, path: str) -> bytes | None:
        blocks = _Blocks()
        try:
            file = self._remote.find(path)
            if file is None:
                return None
            self._remote.read(file, blocks)
        except NotFoundError:
            return None
        return b"".join(blocks.all)


class _Blocks:
    """A sink."""

    def __init__(self) -> None:
        self.all: list[bytes] = []

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        self.all.append(block)
