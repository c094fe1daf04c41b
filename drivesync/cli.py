"""The commands; the one place of this package that prints and exits."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.acceptance import find_accept
from drivesync.config import CHECKPOINT_PATTERNS, DEFAULT_REMOTE, Settings, default_tree
from drivesync.errors import DrivesyncError, NotFoundError, TransientError, UnfinishedError
from drivesync.index import Index
from drivesync.progress import TerminalReporter, printable
from drivesync.pull import pull
from drivesync.push import Pusher, find_files, push
from drivesync.remotes import open_remote
from drivesync.tree import read_tree_state, remember_target
from drivesync.watch import keep_pushed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from drivesync.pull import PullResult
    from drivesync.push import PushResult

USAGE = 64
INTERRUPTED = 75

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_SHOWN = 10


@click.group(context_settings=_CONTEXT)
@click.version_option(package_name="darknet-drivesync")
def cli() -> None:
    """Copy a darknet tree from Google Drive, and its checkpoints back, every byte verified.

    \b
    python -m drivesync pull                 Drive's darknet/ -> /content/darknet (or ./darknet)
    python -m drivesync push                 backup/*.weights and *.backup -> Drive
    python -m drivesync watch                the same, as darknet writes them

    Exit status: 0 done, 64 usage, 65 damaged data, 66 not found, 69 Drive unreachable after retries, 73 cannot
    write locally, 75 stopped before the end (run again to go on), 77 not allowed, 78 settings wrong.
    """


@cli.command("pull")
@click.argument("remote", required=False)
@click.argument("tree", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def pull_command(remote: str | None, tree: Path | None, *, as_json: bool) -> None:
    """Bring the folder REMOTE of My Drive to TREE.

    Files that are there already are not fetched again, files that were changed here are kept, nothing is ever
    deleted. Stopped or killed, run it again: it goes on.

    \b
    python -m drivesync pull                       REMOTE darknet, TREE /content/darknet or ./darknet
    python -m drivesync pull work/darknet          another folder
    python -m drivesync pull darknet /tmp/darknet  another place

    REMOTE may be left out where TREE remembers it from an earlier pull or push.
    """
    tree = tree or default_tree()
    state = read_tree_state(tree)
    name = remote or (state.remote if state else DEFAULT_REMOTE)
    settings = Settings.from_environment(os.environ)
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_remote(name, settings, reporter.note) as source,
    ):
        result = pull(source, tree, reporter=reporter)
    if as_json:
        click.echo(json.dumps(_describe_pull(result, tree)))
    else:
        _print_pull(result, tree)
    result.raise_failure()


@cli.command("push")
@click.argument("tree", required=False, type=click.Path(path_type=Path))
@click.argument("remote", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def push_command(tree: Path | None, remote: str | None, *, as_json: bool) -> None:
    """Send TREE's backup/*.weights and backup/*.backup to REMOTE, and compare Drive's checksums.

    A checkpoint that is torn, or holds values that are no numbers, is not sent.

    \b
    python -m drivesync push                       from where the last pull brought it, to where it came from
    python -m drivesync push ./darknet darknet     to the folder darknet of My Drive
    """
    tree = _existing(tree)
    settings = Settings.from_environment(os.environ)
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_remote(remember_target(tree, remote, DEFAULT_REMOTE), settings, reporter.note) as target,
        Index(tree) as index,
    ):
        pusher = Pusher(tree, target, index, find_accept(), reporter)
        result = push(pusher, tree, CHECKPOINT_PATTERNS)
    if as_json:
        click.echo(json.dumps(_describe_push(result)))
    else:
        sent = sum(pushed.uploaded for pushed in result.pushed)
        click.echo(
            f"push: {sent} sent, {len(result.pushed) - sent} on Drive already, {len(result.refused)} not sent"
        )
    result.raise_failure()


@cli.command("watch")
@click.argument("tree", required=False, type=click.Path(path_type=Path))
@click.argument("remote", required=False)
@click.option(
    "--grace", "grace_s", default=20.0, show_default=True, help="Seconds to finish pushing in when stopped."
)
def watch_command(tree: Path | None, remote: str | None, *, grace_s: float) -> None:
    """Push checkpoints to REMOTE as they are written to TREE, until stopped (Ctrl-C or SIGTERM).

    Not needed beside `trainer supervise`, which does the same.

    \b
    python -m drivesync watch &
    """
    tree = _existing(tree)
    settings = Settings.from_environment(os.environ)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    with (
        TerminalReporter() as reporter,
        open_remote(remember_target(tree, remote, DEFAULT_REMOTE), settings, reporter.note) as target,
    ):
        accept = find_accept()
        with keep_pushed(
            tree, target, CHECKPOINT_PATTERNS, accept, reporter=reporter, on_safe=lambda _receipt: None
        ) as background:
            reporter.note(f"watching {tree}/backup, pushing to {target.name} on Drive; Ctrl-C stops")
            stop.wait()
            # What was closed in the last moments may not have been noticed yet.
            for path in find_files(tree, CHECKPOINT_PATTERNS):
                background.offer(path)
            if not background.wait_until_safe(grace_s):
                raise UnfinishedError(
                    f"{len(background.pending)} file(s) are not on Drive yet; they are kept in {tree}/.drivesync",
                    hint="Run the same command again to push them.",
                )


def _existing(tree: Path | None) -> Path:
    tree = tree or default_tree()
    if not tree.is_dir():
        raise NotFoundError(
            f"there is no tree at {tree}",
            hint="Name the TREE, or bring it with `python -m drivesync pull` first.",
        )
    return tree


def _describe_pull(result: PullResult, tree: Path) -> dict[str, Any]:
    return {
        "tree": str(tree),
        "downloaded": {"files": result.downloaded_files, "bytes": result.downloaded_bytes},
        "kept": result.kept_files,
        "conflicts": result.conflicts,
        "left": result.left,
        "skipped": [{"path": entry.path, "reason": entry.reason} for entry in result.skipped],
        "failed": [{"path": path, "error": str(error)} for path, error in result.failed],
        "seconds": round(result.seconds, 3),
    }


def _print_pull(result: PullResult, tree: Path) -> None:
    click.echo(
        f"pull: {result.downloaded_files} files ({format_size(result.downloaded_bytes)}) came to {tree} "
        f"in {result.seconds:.1f} s, {result.kept_files} were there already"
    )
    _print_some([(path, "changed here since it was pulled") for path in result.conflicts], "kept")
    _print_some([(entry.path, entry.reason) for entry in result.skipped], "left on Drive")


def _print_some(entries: list[tuple[str, str]], what: str) -> None:
    for path, reason in entries[:_SHOWN]:
        click.echo(f"  {what}: {printable(path)} ({reason})")
    if len(entries) > _SHOWN:
        click.echo(f"  {what}: {len(entries) - _SHOWN} more (--json lists all)")


def _describe_push(result: PushResult) -> dict[str, Any]:
    return {
        "pushed": [
            {
                "path": pushed.receipt.path,
                "iteration": pushed.receipt.iteration,
                "bytes": pushed.receipt.size,
                "md5": pushed.receipt.md5,
                "uploaded": pushed.uploaded,
            }
            for pushed in result.pushed
        ],
        "refused": [{"path": refused.path, "reason": refused.reason} for refused in result.refused],
    }


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
        _complain("stopped before the end", "Run the same command again to go on.")
        return INTERRUPTED
    except click.exceptions.Exit as done:
        return done.exit_code
    return 0


def _complain(message: str, hint: str) -> None:
    name = Path(sys.argv[0]).name
    program = Path(sys.argv[0]).parent.name if name == "__main__.py" else name
    stop = "" if message.endswith((".", "?", "!")) else "."
    click.echo(f"{program}: {printable(message)}{stop} {hint}".rstrip(), err=True)


def main() -> None:
    """The console command."""
    sys.exit(run_command(cli, sys.argv[1:]))
