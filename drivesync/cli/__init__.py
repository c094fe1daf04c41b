"""The commands; the one place of this package that prints and exits."""

from __future__ import annotations

import sys

import click

from drivesync.cli.account import login_command, logout_command, whoami_command
from drivesync.cli.arguments import CONTEXT
from drivesync.cli.ls import ls_command
from drivesync.cli.pull import pull_command
from drivesync.cli.push import push_command, watch_command
from drivesync.cli.running import INTERRUPTED, USAGE, interruptible, run_command
from drivesync.cli.status import status_command
from drivesync.cli.verify import verify_command

__all__ = ["INTERRUPTED", "USAGE", "cli", "interruptible", "main", "run_command"]


class _InOrder(click.Group):
    """Names its commands as they were added: what is used first comes first."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=CONTEXT)
@click.version_option(package_name="darknet-drivesync")
def cli() -> None:
    """Copy a darknet tree from Google Drive, and its checkpoints back, every byte verified.

    \b
    python -m drivesync pull                 Drive's darknet/ -> /content/darknet (or ./darknet)
    python -m drivesync push                 backup/*.weights and *.backup -> Drive
    python -m drivesync watch                the same, as darknet writes them
    python -m drivesync status               what a pull and a push would do

    Exit status: 0 done, 64 usage, 65 damaged data, 66 not found, 69 Drive unreachable after retries, 73 cannot
    write locally, 75 stopped before the end (run again to go on), 77 not allowed, 78 settings wrong.
    """


for _command in (
    pull_command,
    push_command,
    watch_command,
    status_command,
    ls_command,
    verify_command,
    login_command,
    logout_command,
    whoami_command,
):
    cli.add_command(_command)


def main() -> None:
    """The console command."""
    sys.exit(run_command(cli, sys.argv[1:]))
