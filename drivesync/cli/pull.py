"""``pull``: a tree comes from its remote."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import AS_JSON, REMOTE, REMOTE_NAMES, TREE, open_source
from drivesync.cli.pull_report import Pulled, describe_pulled, print_pulled
from drivesync.cli.running import interruptible
from drivesync.config import default_tree, refuse_archive
from drivesync.empty_files import create_empty, find_missing
from drivesync.errors import DrivesyncError, UsageError
from drivesync.progress import TerminalReporter
from drivesync.pull import pull, with_environment
from drivesync.pulling.plan import PullOptions

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.remotes.base import Remote


_SWITCH_S = 0.001
"""A thread that has waited for the disk gets the interpreter back so soon; Python's own 5 ms are what putting thirty
files in their places takes."""


@click.command("pull", short_help="Bring a tree from its remote.", epilog=REMOTE_NAMES)
@REMOTE
@TREE
@click.option("--theirs", is_flag=True, help="Overwrite files that were changed here.")
@click.option("--all-checkpoints", is_flag=True, help="Bring old numbered checkpoints, too.")
@click.option("--empty-labels", is_flag=True, help="Make an empty label file for each image that has none.")
@click.option(
    "--unpack", metavar="PATH", multiple=True, help="Unpack this archive of REMOTE; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Say what would come, and do nothing.")
@AS_JSON
def pull_command(
    remote: str | None,
    tree: Path | None,
    *,
    theirs: bool,
    all_checkpoints: bool,
    empty_labels: bool,
    unpack: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring the folder REMOTE to TREE.

    Files that are there already are not fetched again, files that were changed here are kept, nothing is ever
    deleted. Stopped or killed, run it again: it goes on. Of a run's numbered checkpoints the newest two come.

    \b
    python -m drivesync pull                       REMOTE darknet, TREE /content/darknet or ./darknet
    python -m drivesync pull work/darknet          another folder
    python -m drivesync pull darknet /tmp/darknet  another place
    python -m drivesync pull github:USER/REPO      a repository; a later push goes to darknet on Drive
    python -m drivesync pull --unpack data/obj.zip  a zip or tar of images, as files
    python -m drivesync pull --dry-run             what would come, and how long that takes

    An archive that is unpacked lies where `unzip` in its own folder would put what is in it, and does not come
    itself; it is fetched again when it has changed, or something of it is missing here. TREE/drivesync.toml names
    those that always are: unpack = ["data/obj.zip"]; and so does DRIVESYNC_UNPACK, with colons between them.

    REMOTE may be left out where TREE remembers it from an earlier pull or push.
    """
    tree = tree or default_tree()
    options = PullOptions(
        theirs=theirs, all_checkpoints=all_checkpoints, dry_run=dry_run, unpack=_archives(unpack)
    )
    options = with_environment(options, os.environ)
    sys.setswitchinterval(_SWITCH_S)
    with TerminalReporter() as reporter, interruptible():
        source = open_source(tree, remote, reporter.note)
        pulled = Pulled(tree, source.name, options)
        try_pull(source, pulled, reporter)
        if pulled.error is None and not dry_run and (empty_labels or source.pull_only):
            _look_for_labels(pulled, create=empty_labels)
    try:
        if as_json:
            click.echo(json.dumps(describe_pulled(pulled)))
        elif pulled.error is None:
            print_pulled(pulled)
    finally:
        # Also where nobody reads what is printed.
        pulled.raise_failure()


def _archives(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        if reason := refuse_archive(path):
            raise UsageError(
                f"--unpack {path!r} {reason}", hint="Name it by its path in REMOTE, such as data/obj.zip."
            )
    return paths


def try_pull(source: Remote, pulled: Pulled, reporter: TerminalReporter) -> None:
    """Pull, and keep in ``pulled`` how it went, whatever that was."""
    try:
        with source:
            pull(
                source,
                pulled.tree,
                reporter=reporter,
                options=pulled.options,
                on_plan=pulled.add_plan,
                result=pulled.result,
            )
    except (DrivesyncError, KeyboardInterrupt) as error:
        pulled.error = error


def _look_for_labels(pulled: Pulled, *, create: bool) -> None:
    """Find out which images have no label file, since GitHub's web page drops empty ones; make those on demand."""
    try:
        pulled.unlabelled = find_missing(pulled.tree)
        if create:
            pulled.labels_made = create_empty(pulled.tree, pulled.unlabelled)
    except DrivesyncError as error:
        pulled.error = error
