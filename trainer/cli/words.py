"""How a run's standing is put."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from drivesync.errors import NotFoundError
from drivesync.progress import printable
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


def print_status(status: Status) -> None:
    """The same, printed."""
    click.echo("\n".join(describe_lines(status)))
