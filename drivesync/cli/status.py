"""``status``: what a pull and a push would do."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.acceptance import find_accept
from drivesync.cli.arguments import AS_JSON, TREE, existing_tree, settings
from drivesync.cli.pull import try_pull
from drivesync.cli.pull_report import (
    Pulled,
    describe_pulled,
    print_conflicts,
    print_expected,
    print_left,
)
from drivesync.cli.running import interruptible
from drivesync.cli.unpack_report import print_unpacked
from drivesync.cli.words import count, print_skipped, print_some
from drivesync.config import CHECKPOINT_PATTERNS, DEFAULT_REMOTE
from drivesync.errors import DrivesyncError
from drivesync.progress import TerminalReporter, printable
from drivesync.pull import with_environment
from drivesync.pulling.plan import PullOptions
from drivesync.remotes import open_remote
from drivesync.status import read_status

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.files import Receipt
    from drivesync.spooling.entries import Entry
    from drivesync.status import TreeStatus, Unpushed


@click.command("status", short_help="What a pull and a push would do.")
@TREE
@AS_JSON
def status_command(tree: Path | None, *, as_json: bool) -> None:
    """Say what a pull and a push of TREE would do; nothing is moved.

    What the tree itself can tell is told first, also where REMOTE cannot be asked: that ends it with an error, which
    --json tells as "error" of its "pull".

    \b
    python -m drivesync status
    python -m drivesync status /content/darknet --json
    """
    tree = existing_tree(tree)
    status = read_status(tree, CHECKPOINT_PATTERNS, find_accept(), DEFAULT_REMOTE)
    if not as_json:
        _print_status(status, tree)
    with TerminalReporter() as reporter, interruptible():
        pulled = _foresee_pull(tree, status.source, reporter)
    gone = pulled.result.gone if status.source == status.target else []
    now = read_status(tree, CHECKPOINT_PATTERNS, find_accept(), DEFAULT_REMOTE, gone) if gone else status
    try:
        if as_json:
            click.echo(json.dumps({**_describe_status(now, tree), "pull": describe_pulled(pulled)}))
        else:
            again = [_name_unpushed(unpushed) for unpushed in now.unpushed if unpushed.file.path in gone]
            print_some(f"no longer in {status.target}, to be pushed again", again)
            if pulled.error is None:
                _print_foreseen(pulled)
    finally:
        # Also where nobody reads what is printed.
        pulled.raise_failure()


def _foresee_pull(tree: Path, name: str, reporter: TerminalReporter) -> Pulled:
    """What a pull would do, or the error that it would end with."""
    pulled = Pulled(tree, name, PullOptions(dry_run=True))
    try:
        pulled.options = with_environment(pulled.options, os.environ)
        source = open_remote(name, settings(), reporter.note)
    except DrivesyncError as error:
        pulled.error = error
    else:
        pulled.remote = source.name
        try_pull(source, pulled, reporter)
    return pulled


def _print_foreseen(pulled: Pulled) -> None:
    print_expected(pulled)
    print_unpacked(pulled.result.unpacked, dry_run=True)
    print_conflicts(pulled.result)
    print_left(pulled.result, pulled.remote)
    print_skipped(pulled.result.skipped)


def _print_status(status: TreeStatus, tree: Path) -> None:
    click.echo(f"tree: {tree}{'' if status.complete else ', of which not all has arrived yet'}")
    if status.source == status.target:
        click.echo(f"remote: {status.source}")
    else:
        click.echo(f"remote: {status.source} to pull from, {status.target} to push to")
    if status.watching is not None:
        click.echo(f"process {status.watching.pid} watches {', '.join(status.watching.patterns)}")
        if status.watching.trouble:
            click.echo(f"waiting to push: {printable(status.watching.trouble)}")
    if status.last is not None:
        # A mount that syncs later is no proof.
        click.echo(f"last {'proven safe' if status.last.proven else 'written'}: {_name_receipt(status.last)}")
    fit = [unpushed for unpushed in status.unpushed if unpushed.verdict.accepted]
    click.echo(f"push would send {count(len(fit), 'file')}")
    for unpushed in status.unpushed:
        click.echo(f"  {printable(_name_unpushed(unpushed))}")

    print_some(
        f"{count(len(status.pending), 'snapshot')} of an earlier push would go first",
        [_name_pending(entry) for entry in status.pending],
    )


def _name_pending(entry: Entry) -> str:
    which = "" if entry.iteration is None else f", iteration {entry.iteration:,}"
    return f"{entry.path} ({format_size(entry.size)}{which})"


def _name_receipt(receipt: Receipt) -> str:
    which = "" if receipt.iteration is None else f", iteration {receipt.iteration:,}"
    at = datetime.fromtimestamp(receipt.at_s, timezone.utc).astimezone()
    return f"{printable(receipt.path)}{which}, at {at:%Y-%m-%d %H:%M}"


def _name_unpushed(unpushed: Unpushed) -> str:
    verdict = unpushed.verdict
    which = "" if verdict.iteration is None else f", iteration {verdict.iteration:,}"
    refused = "" if verdict.accepted else f": will not be sent: {verdict.reason}"
    return f"{unpushed.file.path} ({format_size(unpushed.file.size)}{which}){refused}"


def _describe_status(status: TreeStatus, tree: Path) -> dict[str, Any]:
    return {
        "tree": str(tree),
        "source": status.source,
        "target": status.target,
        "complete": status.complete,
        "last_receipt": asdict(status.last) if status.last else None,
        "safe": [asdict(receipt) for receipt in status.safe],
        "watching": asdict(status.watching) if status.watching else None,
        "unpushed": [
            {
                "path": unpushed.file.path,
                "bytes": unpushed.file.size,
                "iteration": unpushed.verdict.iteration,
                "accepted": unpushed.verdict.accepted,
                "reason": unpushed.verdict.reason,
            }
            for unpushed in status.unpushed
        ],
        "pending": [
            {"path": entry.path, "bytes": entry.size, "iteration": entry.iteration}
            for entry in status.pending
        ],
    }
