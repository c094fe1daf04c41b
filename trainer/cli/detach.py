"""A supervisor in the background of a cell, from its start until it is clear that it trains."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from drivesync.daemon import is_alive, launch
from drivesync.errors import DrivesyncError
from trainer.background import running_pid
from trainer.cli.arguments import supervisor_log
from trainer.cli.words import print_status
from trainer.status import DEAD, ENDED, Status, peek_status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_START_WAIT_S = 15.0
_FIRST_ITERATION_WAIT_S = 2.0
_LOOK_EVERY_S = 0.1


def detach(tree: Path, argv: Sequence[str]) -> None:
    """Start a supervisor in the background, and wait until it trains or has said why it does not.

    Where one runs already, that is said instead, and how it stands.

    Args:
        tree: where it trains.
        argv: its command line, without the program.

    Raises:
        DrivesyncError: as it has ended with.
    """
    if (pid := running_pid(tree)) is not None:
        _say_running(tree, pid)
        return
    log = supervisor_log(tree)
    begin = log.stat().st_size if log.exists() else 0
    pid = launch([sys.executable, "-m", "trainer", *argv], log)
    try:
        began = _wait_for_training(tree, pid)
    except KeyboardInterrupt:  # the cell's Stop, which ends the wait and not what is waited for
        began = True
    if not began:
        if (other := running_pid(tree)) is None:
            raise DrivesyncError(
                f"the supervisor ended before it began: {_last_word(log, begin)}",
                hint=f"All of it is in {log}.",
            )
        _say_running(tree, other)
        return
    click.echo(f"trainer: supervising {tree} as process {pid}; log: {log}")
    _print_status(tree)


def _last_word(log: Path, begin: int) -> str:
    """What was written last to a log, of what came after its first ``begin`` bytes."""
    said = log.read_bytes()[begin:].decode("utf-8", "replace").split("\n") if log.exists() else []
    return next((line for line in reversed(said) if line.strip()), "it said nothing")


def _wait_for_training(tree: Path, pid: int) -> bool:
    """Wait until the supervisor that was launched trains, waits, or takes its time.

    Returns:
        False if it is gone without a word.

    Raises:
        DrivesyncError: as it has ended with.
    """
    give_up_s = time.monotonic() + _START_WAIT_S
    while time.monotonic() < give_up_s:
        status = peek_status(tree)
        if status is not None and status.pid == pid:
            if status.state in {"finished", "waiting"} or _has_trained(status):
                break
            if status.state in {"training", "restarting", "pushing"}:
                # darknet says what it misses before its first iteration, which a large network may take long for.
                give_up_s = min(give_up_s, time.monotonic() + _FIRST_ITERATION_WAIT_S)
            if status.state in {*ENDED, DEAD}:
                raise _as_error(status)
        elif not is_alive(pid):
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _has_trained(status: Status) -> bool:
    """Whether this session has brought the run any further."""
    return status.attempts > 0 and (status.iteration or 0) > (status.resumed_from or 0)


def _say_running(tree: Path, pid: int) -> None:
    click.echo(f"trainer: process {pid} supervises {tree} already")
    _print_status(tree)


def _print_status(tree: Path) -> None:
    if (status := peek_status(tree)) is not None:
        print_status(status)


def _as_error(status: Status) -> DrivesyncError:
    """The error with which another process ended."""
    error = DrivesyncError(status.message)
    error.exit_code = status.exit_code or DrivesyncError.exit_code
    return error
