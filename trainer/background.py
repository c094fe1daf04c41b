"""One supervisor to a tree: ``TREE/.trainer/supervisor.lock`` and ``.pid``, see ``drivesync.daemon``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.daemon import JobLock, holder_of, signal_holder
from trainer.errors import AlreadyRunningError

if TYPE_CHECKING:
    import signal
    from pathlib import Path


class RunLock(JobLock):
    """Be the one supervisor of ``tree`` as long as the ``with`` block lasts; see ``JobLock``.

    Raises:
        AlreadyRunningError: on entering, if another supervisor has the tree.
        LocalWriteError: on entering, if ``tree`` cannot be written or its file system has no locks.
    """

    def __init__(self, tree: Path) -> None:
        super().__init__(_job(tree), lambda pid: AlreadyRunningError(tree, pid))


def running_pid(tree: Path) -> int | None:
    """The pid of the supervisor that has ``tree`` now; ``None`` if there is none. See ``holder_of``."""
    return holder_of(_job(tree))


def signal_supervisor(tree: Path, sig: signal.Signals) -> int | None:
    """Send ``sig`` to the supervisor of ``tree``; see ``signal_holder``."""
    return signal_holder(_job(tree), sig)


def _job(tree: Path) -> Path:
    return tree / ".trainer" / "supervisor"
