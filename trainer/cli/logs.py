"""``logs``: what darknet says, and what the supervisor says."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import TREE
from drivesync.cli.running import interruptible
from drivesync.errors import NotFoundError
from trainer.background import running_pid
from trainer.cli.arguments import darknet_log, find_tree, supervisor_log
from trainer.cli.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_EVERY_S = 0.5


@click.command("logs", short_help="What darknet says.")
@TREE
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the supervisor has ended.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many of the last lines to print.",
)
@click.option(
    "--supervisor", is_flag=True, help="The log of the supervisor, where it runs in the background."
)
def logs_command(tree: Path | None, *, follow: bool, count: int, supervisor: bool) -> None:
    """Print the last lines of what darknet has said in TREE: blank ones, colours and cursor movements left out.

    All of it lies in TREE/.trainer/darknet.log, and the supervisor's words in supervisor.log beside it. With -f this
    ends by itself when the supervisor has ended and all is printed; Ctrl-C does the training no harm. In a notebook's
    cell rather use `trainer status --watch`: hours of output make a notebook slow.

    \b
    trainer logs
    trainer logs -f
    trainer logs -n 1000 | grep -i error
    trainer logs --supervisor mytree

    Exit status: 0 printed; 64 called wrongly; 66 there is no such log.
    """
    place = find_tree(tree)
    log = supervisor_log(place) if supervisor else darknet_log(place)
    with suppress(KeyboardInterrupt), interruptible(), Tail(log) as tail:
        if not tail.exists and not (follow and running_pid(place) is not None):
            raise _not_found(place, supervisor=supervisor)
        lines = tail.last(count)
        if follow:
            _print(lines)
            _follow(tail, place)
            _print(tail.rest())
        elif count:
            _print([*lines, *tail.rest()][-count:])


def _follow(tail: Tail, tree: Path) -> None:
    """Print what comes until nothing can come any more."""
    over = False
    while not over:
        # Before the last look: what was said until then has been written.
        over = running_pid(tree) is None
        for lines in tail.more():
            _print(lines)
        if not over:
            time.sleep(_LOOK_EVERY_S)


def _print(lines: list[str]) -> None:
    if lines:
        click.echo("\n".join(lines))


def _not_found(tree: Path, *, supervisor: bool) -> NotFoundError:
    if supervisor:
        hint = "It has one where it was started with `trainer supervise --background`."
        return NotFoundError(f"no supervisor has left a log in {tree}", hint=hint)
    return NotFoundError(
        f"darknet has said nothing in {tree}", hint="`trainer logs --supervisor` may say why."
    )
