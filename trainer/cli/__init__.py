"""The commands; the one place of this package that prints and exits."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from drivesync.cli import run_command
from drivesync.cli.arguments import CONTEXT
from trainer.cli.arguments import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = (
    "run",
    "init",
    "doctor",
    "check",
    "build",
    "supervise",
    "status",
    "plot",
    "serve",
    "logs",
    "stop",
)
"""The one that does all first, the others in the order of their use; each is a module of that name."""


class _Commands(click.Group):
    """Imports a command when it is asked for: a status, looked at again and again, needs nothing that pulls."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"trainer.cli.{cmd_name}"), f"{cmd_name}_command")
        return command


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(package_name="darknet-drivesync")
def cli() -> None:
    """Run darknet and keep it running, from the last good checkpoint to the end, with nothing lost on the way.

    \b
    trainer run --background          pull, check, build and train, in one; run it again after a dropped session
    trainer init --images DIR         make a tree from a folder of images with labels
    trainer doctor                    what of this machine, and of Drive, is fit for training
    trainer check                     find what is wrong with the tree, before darknet starts
    trainer build                     compile darknet for this machine's GPU, or take what was kept of it
    trainer supervise --background    train; run it again after a dropped session, and training goes on
    trainer status --watch            what is safe, how far it is; until the end
    trainer plot                      its chart as a file; or several runs in one
    trainer serve                     all of it as a page, for a browser on this machine
    trainer logs -f                   what darknet says
    trainer stop                      stop darknet, push what is queued

    Exit status: 0 done, 64 usage, 65 damaged data, 66 not found, 69 Drive unreachable after retries, 73 cannot
    write locally, 75 stopped before the end (run again to go on), 76 another session has the run, 77 not allowed,
    78 settings or tree wrong.
    """


def run(argv: Sequence[str]) -> int:
    """Run a command line; returns the exit status. What follows ``--`` is darknet's."""
    cut = argv.index("--") if "--" in argv else len(argv)
    return run_command(cli, list(argv[:cut]), Call(tuple(argv[:cut]), tuple(argv[cut + 1 :])))


def main() -> None:
    """The console command."""
    sys.exit(run(sys.argv[1:]))
