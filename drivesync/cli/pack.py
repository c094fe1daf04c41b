"""``pack``: a tree's small files are put together beside it in Drive, so that later pulls take seconds."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.cli.arguments import AS_JSON, REMOTE, REMOTE_NAMES, TREE, existing_tree, find_target
from drivesync.cli.running import INTERRUPTED, STOPPED, interruptible
from drivesync.cli.words import count, describe_usage, print_some
from drivesync.config import read_tree_settings
from drivesync.errors import DrivesyncError, SettingsError
from drivesync.packing.pack import PackResult, pack
from drivesync.progress import TerminalReporter

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.packing.plan import PackingPlan


@click.command("pack", short_help="Put small files together in Drive, for fast pulls.", epilog=REMOTE_NAMES)
@TREE
@REMOTE
@click.option("--dry-run", is_flag=True, help="Say what would be packed, and do nothing.")
@AS_JSON
def pack_command(tree: Path | None, remote: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Put REMOTE's small files, as far as TREE has them, into a few large ones beside it.

    They lie in .drivesync/packs there, and only pulls look at them: what is to be had from a pack needs no request of
    its own. REMOTE's own files are not touched. Packs can be deleted at any time; run this again when files have
    changed. Stopped or killed, run it again: it goes on.

    \b
    python -m drivesync pack                       what the last pull brought
    python -m drivesync pack ./darknet darknet     from another place, beside the folder darknet of My Drive
    python -m drivesync pack --dry-run             what would be packed

    A pull of many small files has it done by itself while the training runs; packs = "manual" or "off" in
    TREE/drivesync.toml keeps it from that.
    """
    tree = existing_tree(tree)
    if read_tree_settings(tree, os.environ).packs == "off":
        raise SettingsError('packs are "off" in this tree', hint='Set packs = "manual" in drivesync.toml.')
    result = PackResult()
    error: DrivesyncError | KeyboardInterrupt | None = None
    with TerminalReporter() as reporter, interruptible():
        target = find_target(tree, remote, reporter.note)
        try:
            with target:
                pack(target, tree, reporter=reporter, dry_run=dry_run, result=result)
        except (DrivesyncError, KeyboardInterrupt) as ended:
            error = ended
    try:
        if as_json:
            click.echo(json.dumps(_describe(tree, target.name, result, error, dry_run=dry_run)))
        elif error is None:
            _print(target.name, result, dry_run=dry_run)
    finally:
        # Also where nobody reads what is printed.
        if error is not None:
            raise error


def _describe(
    tree: Path,
    remote: str,
    result: PackResult,
    error: DrivesyncError | KeyboardInterrupt | None,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    status, said = 0, ""
    if isinstance(error, DrivesyncError):
        status, said = error.exit_code, str(error)
    elif error is not None:
        status, said = INTERRUPTED, STOPPED
    return {
        "tree": str(tree),
        "remote": remote,
        "dry_run": dry_run,
        **result.describe(),
        **describe_usage(result.usage, result.retries),
        "status": status,
        "error": said,
    }


def _print(remote: str, result: PackResult, *, dry_run: bool) -> None:
    plan = result.plan
    if plan is None:
        return
    if dry_run:
        _print_plan(remote, plan)
    elif result.packs or result.deleted_packs:
        click.echo(
            f"pack: {count(result.packed_files, 'file')} put into {count(result.packs, 'new pack')} "
            f"({format_size(result.packed_bytes)}) on {remote} in {result.seconds:.1f} s, "
            f"{count(result.deleted_packs, 'old pack')} deleted"
        )
    else:
        click.echo(f"pack: nothing to do on {remote}, {count(len(plan.keep), 'pack')} there")
    if plan.absent:
        click.echo(f"{count(plan.absent, 'small file')} there and not here, or another here, come one by one")
    print_some("changed here meanwhile, and in no pack", sorted(set(result.changed)))


def _print_plan(remote: str, plan: PackingPlan) -> None:
    click.echo(
        f"pack would put {count(plan.new_files, 'file')} into {count(len(plan.new), 'new pack')} "
        f"({format_size(plan.new_bytes)}) on {remote}, and delete {count(len(plan.drop), 'old pack')}; "
        f"{len(plan.keep):,} stay"
    )
    if plan.dead_share:
        click.echo(
            f"{plan.dead_share:.0%} of what is in packs now is of files that are gone, or have changed"
        )
