"""How a run's standing is put."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from drivesync.errors import NotFoundError
from drivesync.progress import printable
from trainer.learning.history import read_attempts
from trainer.life import describe_life
from trainer.status import describe, read_status

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.status import Status


def existing_status(tree: Path) -> Status:
    """How the run in ``tree`` stands.

    Raises:
        NotFoundError: there never was one.
    """
    status = read_status(tree)
    if status is None:
        raise NotFoundError(f"nothing has been trained in {tree}", hint="Start it with `trainer supervise`.")
    return status


def describe_lines(status: Status) -> list[str]:
    """The status as of now in a few lines, the most important one first, fit for a terminal."""
    return [printable(line) for line in describe(status, time.time()).splitlines()]


def print_life(tree: Path, status: Status) -> None:
    """How the run has come to where it is, over all of its sessions, below an empty line."""
    records = [record for record in read_attempts(tree) if not status.run or record.run == status.run]
    if lines := describe_life(records):
        click.echo("\n".join(["", *map(printable, lines)]))


def print_status(status: Status) -> None:
    """The same, printed."""
    click.echo("\n".join(describe_lines(status)))
