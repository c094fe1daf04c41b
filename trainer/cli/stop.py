"""``stop``: end a training."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import TREE
from drivesync.daemon import is_alive
from drivesync.errors import DrivesyncError, NotFoundError, UnfinishedError
from drivesync.holder import read_life
from trainer.background import signal_supervisor
from trainer.cli.arguments import find_tree
from trainer.cli.offspring import find_offspring
from trainer.cli.orders import AT_ONCE
from trainer.cli.words import print_status
from trainer.status import peek_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STOP_WAIT_S = 60.0
AT_ONCE_WAIT_S = 10.0
"""How long a supervisor is given to kill darknet and to release the lease, before it is killed itself."""

ENDED_WAIT_S = 2.0
"""How long what it had started is given to end by itself then."""

_KILLED_WAIT_S = 5.0
_LOOK_EVERY_S = 0.1


@click.command("stop", short_help="End the training, and push what is queued.")
@TREE
@click.option(
    "--now", is_flag=True, help="Kill it, and wait for no pushes: what is queued is pushed next time."
)
def stop_command(tree: Path | None, *, now: bool) -> None:
    """Stop the training in TREE: darknet is ended, what is queued is pushed, and another session may have the run.

    The same `trainer supervise` goes on from the last checkpoint. With --now nothing is pushed any more: what is
    queued stays in TREE/.drivesync, and a supervisor that does not answer within 10 s is killed, darknet with it; the
    run is then free for another machine a few minutes later.

    \b
    trainer stop
    trainer stop --now mytree

    Exit status: 0 stopped; 64 called wrongly; 66 nothing runs there; 70 it cannot even be killed; 75 it still pushes,
    or does not answer; 77 it is another user's.
    """
    place = find_tree(tree)
    pid = _order(place, AT_ONCE if now else signal.SIGTERM)
    if pid is None:
        raise NotFoundError(f"no supervisor runs in {place}")
    killed = False
    if now:
        killed = not _wait_for(lambda: not is_alive(pid), AT_ONCE_WAIT_S)
        if killed:
            _kill(place, pid)
    elif not _wait_for(lambda: not is_alive(pid), STOP_WAIT_S):
        raise _unfinished(place, pid)
    if killed:
        click.echo(f"trainer: process {pid} did not answer, and was killed with all that it had started")
    if (status := peek_status(place)) is not None:
        print_status(status)


def _order(tree: Path, number: signal.Signals) -> int | None:
    """Send a signal to the supervisor, and let it run if it stands still: it could not answer."""
    pid = signal_supervisor(tree, number)
    if pid is not None:
        signal_supervisor(tree, signal.SIGCONT)
    return pid


def _kill(tree: Path, pid: int) -> None:
    """End a supervisor that does not answer, and what it has started.

    Raises:
        DrivesyncError: one of them does not end even so.
    """
    offspring = find_offspring(pid)
    signal_supervisor(tree, signal.SIGKILL)
    if not _wait_for(lambda: not is_alive(pid), _KILLED_WAIT_S):
        raise _immortal(pid)
    # darknet ends with its supervisor, and what darknet has started too; but not on every system.
    if not _wait_for(lambda: not any(one.lives for one in offspring), ENDED_WAIT_S):
        for one in offspring:
            one.kill()
    if not _wait_for(lambda: not any(one.lives for one in offspring), _KILLED_WAIT_S):
        raise _immortal(next(one.pid for one in offspring if one.lives))


def _immortal(pid: int) -> DrivesyncError:
    return DrivesyncError(
        f"process {pid} was killed and does not end: it waits for a disk, a network or a GPU that hangs",
        hint="It ends when that answers, or with the machine.",
    )


def _unfinished(tree: Path, pid: int) -> UnfinishedError:
    status = peek_status(tree)
    if status is not None and status.state == "pushing":
        said = f"process {pid} is still pushing"
        return UnfinishedError(
            said, hint="Wait for it with `trainer status --watch`; or: trainer stop --now."
        )
    life = read_life(pid)
    waits = ": it waits for a disk that hangs" if life is not None and life[0] == "D" else ""
    return UnfinishedError(
        f"process {pid} has not answered in {STOP_WAIT_S:g} s{waits}", hint="To kill it: trainer stop --now."
    )


def _wait_for(condition: Callable[[], bool], limit_s: float) -> bool:
    """Whether it came true in time."""
    give_up_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True
