"""The commands; the one place of this package that prints and exits."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import click

from drivesync.cli.arguments import CONTEXT
from drivesync.cli.running import INTERRUPTED, USAGE, interruptible, run_command

__all__ = ["INTERRUPTED", "USAGE", "cli", "interruptible", "main", "run_command"]


_COMMANDS = {
    "pull": "pull",
    "push": "push",
    "watch": "watch",
    "pack": "pack",
    "status": "status",
    "ls": "ls",
    "verify": "verify",
    "login": "account",
    "logout": "account",
    "whoami": "account",
}
"""The module of each command, in the order of their use."""

_LOOK_FOR_CYCLES_AFTER = 100_000
"""Objects; Python's own default is 700."""


class _Commands(click.Group):
    """Imports a command when it is asked for: what all the others need would cost each of them a tenth of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"drivesync.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(package_name="darknet-drivesync")
def cli() -> None:
    """Copy a darknet tree from Google Drive, and its checkpoints back, every byte verified.

    \b
    python -m drivesync pull                 Drive's darknet/ -> /content/darknet (or ./darknet)
    python -m drivesync push                 backup/*.weights and *.backup -> Drive
    python -m drivesync watch                the same, as darknet writes them
    python -m drivesync pack                 many small files into a few large ones, for fast pulls
    python -m drivesync status               what a pull and a push would do

    Exit status: 0 done, 64 usage, 65 damaged data, 66 not found, 69 Drive unreachable after retries, 73 cannot
    write locally, 75 stopped before the end (run again to go on), 76 another session has the run, 77 not allowed,
    78 settings wrong.
    """


def main() -> None:
    """The console command."""
    # Of thousands of files nothing is left in cycles, and looking for it takes a tenth of a pull's work.
    gc.set_threshold(_LOOK_FOR_CYCLES_AFTER)
    status = run_command(cli, sys.argv[1:])
    # Nor is it worth while at the very end, when Python would look through all that was loaded, some times over.
    gc.freeze()
    sys.exit(status)
