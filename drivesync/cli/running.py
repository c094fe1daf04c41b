"""Running a command line: signals become exceptions, and errors one line and an exit status."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drivesync.disk import is_full
from drivesync.errors import DiskFullError, DrivesyncError, TransientError
from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import TextIO

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

    A reader that goes away, of what a command prints, is no error of it.

    Args:
        command: click's.
        argv: without the program's name.
        context: handed to commands that ask for click's ``obj``.
    """
    if sys.stderr is None:
        # Closed by whoever started this; progress and complaints go there.
        sys.stderr = _nowhere()
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
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit:
        # Click ends so where nobody reads any more what is printed: what was asked for has had its effect.
        return 0
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - whoever started this needs a status of every end
        return _explain(error)
    return 0


def _explain(error: BaseException) -> int:
    """Say what ended a command, and what to do; returned is the exit status for it."""
    try:
        sys.stdout.flush()
    except OSError:
        # What could not be printed is still held, and must not become the status at the end.
        sys.stdout = _nowhere()
    match error:
        case DrivesyncError():
            again = "Run the same command again; what is done stays done."
            _complain(str(error), error.hint or (again if isinstance(error, TransientError) else ""))
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            _complain(STOPPED, "Run the same command again to go on.")
            return INTERRUPTED
        case click.ClickException():
            context = error.ctx if isinstance(error, click.UsageError) else None
            _complain(error.format_message(), f"See `{context.command_path} --help`." if context else "")
            return USAGE
        case OSError(filename=None) if is_full(error):
            # All other files' errors are translated, and so name them.
            _complain("no space left for what should be printed", "What was asked for is done.")
            return DiskFullError.exit_code
    _write_error(traceback.format_exc())
    _complain(f"an error in this program ({type(error).__name__})", "Please report it with the lines above.")
    return DrivesyncError.exit_code


def _complain(message: str, hint: str) -> None:
    name = Path(sys.argv[0]).name
    program = Path(sys.argv[0]).parent.name if name == "__main__.py" else name
    stop = "" if message.endswith((".", "?", "!")) else "."
    _write_error(f"{program}: {printable(message)}{stop} {hint}".rstrip() + "\n")


def _write_error(text: str) -> None:
    try:
        click.echo(text, err=True, nl=False)
    except OSError:
        # Its reader is gone, or its disk is full; the status still tells.
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    """In place of a stream that cannot be written to: at its end Python flushes both, and fails if it cannot."""
    return Path(os.devnull).open("w")
