"""``run``: pull, check, build and supervise, for who wants one cell."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from drivesync.cli.arguments import REMOTE, REMOTE_NAMES, TREE, open_source, settings
from drivesync.cli.pull import try_pull
from drivesync.cli.pull_report import Pulled, print_pulled
from drivesync.cli.running import interruptible
from drivesync.config import default_tree
from drivesync.errors import NotAllowedError, NotFoundError, RemoteError
from drivesync.progress import TerminalReporter, printable
from drivesync.pull import with_environment
from drivesync.pulling.plan import DEFAULT_OPTIONS
from drivesync.tree import read_tree_state
from trainer.background import RunLock, running_pid
from trainer.checking.passed import digest_tree, find_passed, note_passed
from trainer.cli.build import build_tree
from trainer.cli.check import check_tree, mend_tree, print_report, refuse
from trainer.cli.training import Training, training_options
from trainer.place import remember_place
from trainer.vetting import without_cured

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.cli.arguments import Call
    from trainer.place import Place


@click.command("run", short_help="Pull, check, build and supervise: one cell for all.", epilog=REMOTE_NAMES)
@REMOTE
@TREE
@click.option("--fix", is_flag=True, help="Mend what needs no thought, as `trainer check --fix` does.")
@click.option("--no-build", is_flag=True, help="Take the darknet that is there, and build none.")
@training_options
@click.pass_obj
def run_command(
    call: Call,
    /,
    remote: str | None,
    tree: Path | None,
    *,
    fix: bool,
    no_build: bool,
    **options: Any,
) -> None:
    """Bring the folder REMOTE to TREE, check it, build its darknet, and train it to the end.

    The same as `drivesync pull`, `trainer check`, `trainer build` and `trainer supervise` one after the other; what is
    done already is not done again, and each step says so. After whatever happened, run the same command again. What
    follows `--` is handed to darknet. The options are those of `trainer supervise`; for others, of one step alone, run
    that step by itself before: this command goes on from there.

    \b
    trainer run --background                REMOTE darknet, TREE /content/darknet or ./darknet
    trainer run work/darknet /tmp/darknet   another folder, another place
    trainer run --no-push darknet mytree    a tree of this machine, without any Drive
    trainer run --fix --background -- -map

    Exit status: that of the step that failed; 0 trained to the end, or detached; 78 also where the tree has errors.
    """
    training = Training(**options)
    tree = tree or default_tree()
    place = training.place(tree, remote)
    if (pid := running_pid(place.tree)) is not None:
        click.echo(f"run: process {pid} trains {place.tree}, so pull, check and build are left out")
    else:
        if place.note:
            click.echo(f"trainer: {place.note}", err=True)
        steps = _Steps(training, place, call.extra)
        with TerminalReporter() as reporter, interruptible():
            steps.pull(remote, reporter)
            if training.no_check:
                click.echo("check: left out, by --no-check")
            else:
                steps.check(reporter, fix=fix)
            if no_build or training.darknet:
                click.echo(f"build: left out, by {'--no-build' if no_build else '--darknet'}")
            else:
                build_tree(place.tree, remote, reporter, no_cache=training.no_push)
    training.start(tree, remote, call.extra, settings())


@dataclass(frozen=True, slots=True)
class _Steps:
    """What comes before a training, each a line at least."""

    training: Training
    place: Place
    extra: tuple[str, ...]

    def pull(self, given: str | None, reporter: TerminalReporter) -> None:
        """Bring the tree; one that is here already needs no remote to be trained.

        Args:
            given: the remote that the user named, if any.
            reporter: hears how it goes.
        """
        tree = self.place.tree
        if self.training.no_push:
            click.echo("pull: left out, by --no-push")
            return
        if self.place.source:
            with RunLock(tree):
                remember_place(self.place)
        source = open_source(tree, self.place.remote, reporter.note)
        pulled = Pulled(tree, source.name, with_environment(DEFAULT_OPTIONS, os.environ))
        try_pull(source, pulled, reporter)
        state = read_tree_state(tree)
        is_here = state.complete if state else _has_files(tree)
        is_without = isinstance(pulled.error, RemoteError | NotAllowedError) and not (
            given and isinstance(pulled.error, NotFoundError)
        )
        if is_here and is_without:
            click.echo(printable(f"pull: left out, the tree is here and {pulled.error}"))
            return
        if pulled.error is None:
            print_pulled(pulled)
        pulled.raise_failure()

    def check(self, reporter: TerminalReporter, *, fix: bool) -> None:
        """Look at all that training will read, unless nothing of it has changed since it passed.

        Raises:
            TreeError: there are errors.
        """
        tree = self.place.tree
        wishes = self.training.wishes(tree, self.extra)
        digest = digest_tree(wishes)
        if (passed_s := find_passed(tree, digest)) is not None:
            at = time.strftime("%Y-%m-%d %H:%M", time.localtime(passed_s))
            click.echo(f"check: passed at {at}, and nothing has changed since")
            return
        report = check_tree(wishes, reporter)
        if fix and mend_tree(report):
            digest = digest_tree(wishes)
            report = check_tree(wishes, reporter)
        report = without_cured(report)
        print_report(report)
        refuse(report)
        note_passed(tree, digest, time.time())


def _has_files(tree: Path) -> bool:
    with suppress(OSError):
        return any(not path.name.startswith(".") for path in tree.iterdir())
    return False
