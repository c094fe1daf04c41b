"""``verify``: is what is here what is there?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal as format_size

from drivesync.cli.arguments import (
    AS_JSON,
    REMOTE,
    REMOTE_NAMES,
    TREE,
    existing_tree,
    settings,
    source_of,
)
from drivesync.cli.running import interruptible
from drivesync.cli.words import count, describe_skipped, describe_usage, print_skipped, print_some
from drivesync.progress import TerminalReporter, printable
from drivesync.remotes import open_remote
from drivesync.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.verify import VerifyResult


@click.command("verify", short_help="Compare every file with the remote's.", epilog=REMOTE_NAMES)
@REMOTE
@TREE
@AS_JSON
def verify_command(remote: str | None, tree: Path | None, *, as_json: bool) -> None:
    """Read every file of TREE and compare it with what REMOTE holds; nothing is moved, nothing written.

    The exit status is 0 if everything that REMOTE holds is here and equal, else 65. Files that are only here, and
    old checkpoints that are only there, are counted and are no fault. An archive that a pull has unpacked is compared
    by what came out of it.

    \b
    python -m drivesync verify
    python -m drivesync verify darknet /content/darknet
    """
    tree = existing_tree(tree)
    with (
        TerminalReporter() as reporter,
        interruptible(),
        open_remote(source_of(tree, remote), settings(), reporter.note) as source,
    ):
        result = verify(source, tree, reporter=reporter)
    try:
        if as_json:
            click.echo(json.dumps({"tree": str(tree), "remote": source.name, **_describe(result)}))
        else:
            _print(result)
    finally:
        # Also where nobody reads what is printed.
        result.raise_failure()


def _describe(result: VerifyResult) -> dict[str, Any]:
    return {
        "equal": {"files": result.equal, "bytes": result.equal_bytes},
        "different": [{"path": path, "reason": reason} for path, reason in result.different],
        "missing": result.missing,
        "left": result.left,
        "only_here": result.only_here,
        "unpacked": [{"path": path, "files": files} for path, files in result.unpacked],
        "skipped": describe_skipped(result.skipped),
        **describe_usage(result.usage, result.retries),
        "seconds": round(result.seconds, 3),
    }


def _print(result: VerifyResult) -> None:
    click.echo(
        f"verify: {count(result.equal, 'file')} ({format_size(result.equal_bytes)}) equal, "
        f"{len(result.different):,} different, {len(result.missing):,} missing here, "
        f"{len(result.only_here):,} only here, in {result.seconds:.1f} s"
    )
    for path, files in result.unpacked:
        click.echo(f"{printable(path)}: unpacked here, {count(files, 'file')} of these are of it")
    print_some("different", [f"{path}: {reason}" for path, reason in result.different])
    print_some("missing here", result.missing)
    print_some("only here", result.only_here)
    if result.left:
        click.echo(f"{count(len(result.left), 'old checkpoint')} only there, as a pull leaves them")
    print_skipped(result.skipped)
