"""``push`` and ``watch``: checkpoints go to the remote."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from drivesync.acceptance import find_accept
from drivesync.cli.arguments import AS_JSON, REMOTE, REMOTE_NAMES, TREE, existing_tree, open_target
from drivesync.cli.running import interruptible
from drivesync.config import CHECKPOINT_PATTERNS
from drivesync.errors import UnfinishedError
from drivesync.index import Index
from drivesync.progress import TerminalReporter
from drivesync.push import Pusher, find_files, push
from drivesync.watch import keep_pushed

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.push import PushResult

_LOOK_EVERY_S = 1.0


@click.command("push", short_help="Send checkpoints, and verify them.", epilog=REMOTE_NAMES)
@TREE
@REMOTE
@AS_JSON
def push_command(tree: Path | None, remote: str | None, *, as_json: bool) -> None:
    """Send TREE's backup/*.weights and backup/*.backup to REMOTE, and compare Drive's checksums.

    A checkpoint that is torn, or holds values that are no numbers, is not sent.

    \b
    python -m drivesync push                       from where the last pull brought it, to where it came from
    python -m drivesync push ./darknet darknet     to the folder darknet of My Drive
    """
    tree = existing_tree(tree)
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_target(tree, remote, reporter.note) as target,
        Index(tree) as index,
    ):
        pusher = Pusher(tree, target, index, find_accept(), reporter)
        result = push(pusher, tree, CHECKPOINT_PATTERNS)
    try:
        if as_json:
            click.echo(json.dumps(_describe_push(result)))
        else:
            sent = sum(pushed.uploaded for pushed in result.pushed)
            click.echo(
                f"push: {sent} sent, {len(result.pushed) - sent} on Drive already, {len(result.refused)} not sent"
            )
    finally:
        # Also where nobody reads what is printed.
        result.raise_failure()


@click.command("watch", short_help="Push checkpoints as they are written.", epilog=REMOTE_NAMES)
@TREE
@REMOTE
@click.option(
    "--grace", "grace_s", default=20.0, show_default=True, help="Seconds to finish pushing in when stopped."
)
def watch_command(tree: Path | None, remote: str | None, *, grace_s: float) -> None:
    """Push checkpoints to REMOTE as they are written to TREE, until stopped (Ctrl-C or SIGTERM).

    Not needed beside `trainer supervise`, which does the same.

    \b
    python -m drivesync watch &
    """
    tree = existing_tree(tree)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    with (
        TerminalReporter() as reporter,
        open_target(tree, remote, reporter.note) as target,
    ):
        accept = find_accept()
        with keep_pushed(
            tree, target, CHECKPOINT_PATTERNS, accept, reporter=reporter, on_safe=lambda _receipt: None
        ) as background:
            reporter.note(f"watching {tree}/backup, pushing to {target.name}; Ctrl-C stops")
            # A signal that came just before the wait began is heard only when it ends.
            while not stop.wait(_LOOK_EVERY_S):
                pass
            # What was closed in the last moments may not have been noticed yet.
            for path in find_files(tree, CHECKPOINT_PATTERNS):
                background.offer(path)
            if not background.wait_until_safe(grace_s):
                raise UnfinishedError(
                    f"{len(background.pending)} file(s) are not on Drive yet; they are kept in {tree}/.drivesync",
                    hint="Run the same command again to push them.",
                )


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
