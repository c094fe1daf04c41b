"""Running a command line: signals become exceptions, and errors one line and an exit status."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drivesync.errors import DrivesyncError, TransientError
from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

USAGE = 64
INTERRUPTED = 75
STOPPED = "stopped before the end"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP end a command by KeyboardInterrupt: temporary files go, and the status says so."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_command(command: click.Command, argv: list[str], context: object = None) -> int:
    """Run a command line; errors become one line on standard error and an exit status.

    Args:
        command: click's.
        argv: without the program's name.
        context: handed to commands that ask for click's ``obj``.
    """
    # Google's client reports each refused request here; the retry policy has its own words for it.
    logging.getLogger("googleapiclient").setLevel(logging.CRITICAL)
    # And its packages complain of the age of Python, to people who did not choose it: it came with their Debian.
    warnings.filterwarnings("ignore", message="You are using a .*Python version", category=FutureWarning)
    if not argv:
        # Click has two minds about this, by its version: an error that holds the help, or success.
        run_command(command, ["--help"], context)
        return USAGE
    try:
        command.main(args=argv, standalone_mode=False, obj=context)
    except DrivesyncError as error:
        hint = (
            "Run the same command again; what is done stays done."
            if isinstance(error, TransientError)
            else ""
        )
        _complain(str(error), error.hint or hint)
        return error.exit_code
    except click.ClickException as error:
        hint = (
            f"See `{error.ctx.command_path} --help`."
            if isinstance(error, click.UsageError) and error.ctx
            else ""
        )
        _complain(error.format_message(), hint)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        _complain(STOPPED, "Run the same command again to go on.")
        return INTERRUPTED
    except click.exceptions.Exit as done:
        return done.exit_code
    return 0


def _complain(message: str, hint: str) -> None:
    name = Path(sys.argv[0]).name
    program = Path(sys.argv[0]).parent.name if name == "__main__.py" else name
    stop = "" if message.endswith((".", "?", "!")) else "."
    click.echo(f"{program}: {printable(message)}{stop} {hint}".rstrip(), err=True)
