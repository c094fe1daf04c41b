"""``push``: checkpoints go to the remote, or with ``--all`` the whole tree."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from drivesync.acceptance import find_accept
from drivesync.cli.arguments import (
    AS_JSON,
    REMOTE,
    REMOTE_NAMES,
    TAKE_OVER,
    TREE,
    existing_tree,
    open_target,
)
from drivesync.cli.mirror import mirror
from drivesync.cli.running import interruptible
from drivesync.cli.words import count, print_some
from drivesync.config import CHECKPOINT_PATTERNS, read_tree_settings
from drivesync.errors import UsageError
from drivesync.index import Index
from drivesync.leasing.leases import Leases
from drivesync.mirroring.upload_plan import MirrorOptions
from drivesync.progress import TerminalReporter
from drivesync.push import Pusher, PushResult, push

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.config import TreeSettings
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote


@click.command(
    "push", short_help="Send checkpoints, or the whole tree, and verify them.", epilog=REMOTE_NAMES
)
@TREE
@REMOTE
@click.option(
    "--all", "everything", is_flag=True, help="Send the whole tree, as the first time from a laptop."
)
@click.option("--ours", is_flag=True, help="With --all: replace what is another there, too.")
@click.option("--dry-run", is_flag=True, help="With --all: say what would be sent; send nothing.")
@TAKE_OVER
@AS_JSON
def push_command(
    tree: Path | None,
    remote: str | None,
    *,
    everything: bool,
    ours: bool,
    dry_run: bool,
    take_over: bool,
    as_json: bool,
) -> None:
    """Send TREE's backup/*.weights and backup/*.backup to REMOTE, and compare the remote's checksums.

    A checkpoint that is torn, holds values that are no numbers, or is behind what the remote has, is not sent. Nor is,
    with --all, what a pull has unpacked of an archive that is still there.

    \b
    python -m drivesync push                       from where the last pull brought it, to where it came from
    python -m drivesync push ./darknet darknet     to the folder darknet of My Drive
    python -m drivesync push --all ./darknet       the whole tree, what is there already left out
    """
    tree = existing_tree(tree)
    if (ours or dry_run) and not everything:
        raise UsageError("--ours and --dry-run are about the whole tree", hint="Add --all.")
    tree_settings = read_tree_settings(tree, os.environ)
    sent: PushResult | None = None
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_target(tree, remote, reporter.note, remember=not dry_run) as target,
    ):
        options = MirrorOptions(ours=ours, dry_run=dry_run, unpack=tree_settings.unpack)
        mirrored = mirror(target, tree, reporter, options) if everything else None
        if not dry_run and (mirrored is None or mirrored.error is None):
            sent = _push_checkpoints(target, tree, reporter, tree_settings, take_over=take_over)
    try:
        if as_json:
            said: dict[str, Any] = _describe_push(sent) if sent else {}
            click.echo(json.dumps(said | (mirrored.describe() if mirrored else {})))
        else:
            if mirrored is not None:
                mirrored.print()
            if sent is not None:
                _print_push(sent)
    finally:
        # Also where nobody reads what is printed.
        if mirrored is not None:
            mirrored.raise_failure()
        if sent is not None:
            sent.raise_failure()


def _push_checkpoints(
    target: Remote, tree: Path, reporter: Reporter, tree_settings: TreeSettings, *, take_over: bool
) -> PushResult:
    keep = tree_settings.keep_numbered
    with Index(tree) as index, Leases(target, take_over=take_over, tell=reporter.note) as leases:
        pusher = Pusher(tree, target, index, find_accept(), reporter, leases=leases, keep_numbered=keep)
        return push(pusher, tree, CHECKPOINT_PATTERNS)


def _print_push(result: PushResult) -> None:
    sent = sum(pushed.uploaded for pushed in result.pushed)
    already = len(result.pushed) - sent
    behind = f", {len(result.outdone)} behind what is there" if result.outdone else ""
    click.echo(
        f"push: {count(sent, 'checkpoint')} sent, {already} there already, {len(result.refused)} not sent{behind}"
    )
    print_some("left as it is there", [f"{outdone.path}: {outdone.reason}" for outdone in result.outdone])


def _describe_push(result: PushResult) -> dict[str, Any]:
    return {
        "pushed": [
            {
                "path": pushed.receipt.path,
                "iteration": pushed.receipt.iteration,
                "bytes": pushed.receipt.size,
                "md5": pushed.receipt.md5,
                "uploaded": pushed.uploaded,
                "proven": pushed.receipt.proven,
            }
            for pushed in result.pushed
        ],
        "refused": [{"path": refused.path, "reason": refused.reason} for refused in result.refused],
        "outdone": [{"path": outdone.path, "reason": outdone.reason} for outdone in result.outdone],
    }
