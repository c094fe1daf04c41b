"""Whose turn a run is, as a session that begins sees it.

A session that was killed has left its lease on the remote, where it looks alive for minutes. Two things are known
here that the lease does not tell: whoever holds this tree's lock knows that the session before it in this tree is
dead; and one that has not been heard from for longer than it renews is so in all likelihood, and worth waiting for.

    .trainer/lease.json   the last session's name for itself, and on which machine that was
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import write_atomically
from drivesync.errors import DrivesyncError, LeaseError
from drivesync.lease import Leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

_HERE = ".trainer/lease.json"
_SILENT_S = 90.0
"""A session that is alive is heard from every minute."""
_LOOK_EVERY_S = 5.0


def open_leases(
    tree: Path, run: str, remote: Remote, stack: ExitStack, reporter: Reporter, *, take_over: bool
) -> Leases:
    """Enter the leases of a session in ``tree``, whose lock is held.

    Args:
        tree: the local tree.
        run: to be claimed; empty where it is not known yet.
        remote: entered on ``stack``.
        stack: gives the leases back at its end, over new connections: pulling and pushing may have cut theirs.
        reporter: hears what keeps a lease from being renewed.
        take_over: take the run from another session that has it.
    """
    if not take_over and run and (before := _read(tree)):
        # Should the remote not be there, it is asked again when the lease is claimed.
        with suppress(DrivesyncError):
            newest = remote.find_lease(run)
            take_over = newest is not None and newest.holder == before
    leases = stack.enter_context(Leases(remote, take_over=take_over, tell=reporter.note))
    stack.callback(_reopen, remote)
    return leases


def claim(
    tree: Path,
    run: str,
    remote: Remote,
    leases: Leases,
    reporter: Reporter,
    *,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """Claim ``run``; where another session has it that seems to be dead, when that is certain.

    Returns:
        Which turn of the run this is.

    Raises:
        LeaseError: another session has it, and is alive.
        LocalWriteError: the tree cannot be written.
        DrivesyncError: see ``Leases.hold``.
    """
    is_told = False
    while (refused := _find_dead(run, remote, leases)) is not None:
        if not is_told:
            reporter.note(f"waiting until it is certain that it is gone: {refused}. {refused.hint}")
        is_told = True
        wait(_LOOK_EVERY_S)
    lease = leases.hold(run)
    content = {"holder": lease.holder, "machine": _machine(tree)}
    write_atomically(tree / _HERE, json.dumps(content).encode() + b"\n")
    return lease.epoch


def _find_dead(run: str, remote: Remote, leases: Leases) -> LeaseError | None:
    """Claim ``run``; None if that is done, else which session has it that has been silent for long."""
    try:
        leases.hold(run)
    except LeaseError as error:
        newest = remote.find_lease(run)
        if newest is not None and remote.now_s() - newest.renewed_s < _SILENT_S:
            raise
        return error
    return None


def _read(tree: Path) -> str:
    """The name of the session before this one in this tree; empty if it was on another machine."""
    try:
        said = json.loads((tree / _HERE).read_bytes())
        return str(said["holder"]) if said["machine"] == _machine(tree) else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _machine(tree: Path) -> str:
    """Tells this tree on this machine from a copy of it: the lock that is held is on no other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    status = tree.stat()
    return f"{socket.gethostname()} {boot} {status.st_dev}:{status.st_ino}"


def _reopen(remote: Remote) -> None:
    with suppress(DrivesyncError):
        remote.__exit__(None, None, None)
        remote.__enter__()
