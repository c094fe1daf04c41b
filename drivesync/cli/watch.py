"""``watch``: files go to the remote as they are written."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from drivesync.acceptance import find_accept
from drivesync.cli.arguments import GRACE, REMOTE, REMOTE_NAMES, TAKE_OVER, TREE, existing_tree, open_target
from drivesync.cli.signals import SignalThread
from drivesync.cli.words import count
from drivesync.config import CHECKPOINT_PATTERNS, read_tree_settings
from drivesync.daemon import is_alive, launch, signal_holder
from drivesync.errors import DrivesyncError, NotFoundError, UnfinishedError
from drivesync.leasing.leases import Leases
from drivesync.patterns import refuse_pattern
from drivesync.progress import TerminalReporter
from drivesync.push import find_files
from drivesync.spooling.spool import read_pending
from drivesync.watch import keep_pushed
from drivesync.watching import Watching, hold_watch, note_watching, read_watching, watch_job, watch_log

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.progress import Reporter
    from drivesync.pushing.background import BackgroundPusher

_LOOK_EVERY_S = 1.0
_START_EVERY_S = 0.05
_START_WAIT_S = 60.0
_STOP_MARGIN_S = 30.0


def _check_patterns(
    _context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    for pattern in given:
        if reason := refuse_pattern(pattern):
            raise click.BadParameter(f"{pattern!r}: {reason}", param=parameter)
    return given


@click.command("watch", short_help="Push files as they are written.", epilog=REMOTE_NAMES)
@TREE
@REMOTE
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="GLOB",
    callback=_check_patterns,
    help="Files to push, below TREE; may be given again. Default: backup/*.weights and backup/*.backup.",
)
@GRACE
@click.option("--background", is_flag=True, help="Detach, and return when it watches; see `status`.")
@click.option("--stop", is_flag=True, help="End the watch of TREE: what is queued is pushed first.")
@TAKE_OVER
def watch_command(
    tree: Path | None,
    remote: str | None,
    *,
    patterns: tuple[str, ...],
    grace_s: float,
    background: bool,
    stop: bool,
    take_over: bool,
) -> None:
    """Push TREE's checkpoints, or whatever is named, to REMOTE as they are written, until stopped (Ctrl-C, SIGTERM).

    Not needed beside `trainer supervise`, which does the same.

    \b
    python -m drivesync watch --background              checkpoints, in the background
    python -m drivesync watch ./runs MyDrive/runs --pattern '**/*.pt' --pattern '*.csv'
    python -m drivesync watch --stop
    """
    tree = existing_tree(tree)
    if stop:
        _stop(tree, grace_s)
    elif background:
        given = [remote] if remote else []
        chosen = [word for pattern in patterns for word in ("--pattern", pattern)]
        flags = ["--grace", f"{grace_s:g}s", *(["--take-over"] if take_over else [])]
        _start([*flags, *chosen, "--", str(tree.absolute()), *given], tree)
    else:
        _watch(tree, remote, patterns or CHECKPOINT_PATTERNS, grace_s, take_over=take_over)


def _watch(
    tree: Path, remote: str | None, patterns: tuple[str, ...], grace_s: float, *, take_over: bool
) -> None:
    stop = threading.Event()
    keep_numbered = read_tree_settings(tree, os.environ).keep_numbered
    with (
        SignalThread((signal.SIGTERM, signal.SIGINT), lambda _number, _at_s: stop.set()),
        TerminalReporter() as reporter,
        hold_watch(tree),
        open_target(tree, remote, reporter.note) as target,
        Leases(target, take_over=take_over) as leases,
        keep_pushed(
            tree,
            target,
            patterns,
            find_accept(),
            reporter=reporter,
            on_safe=lambda _receipt: None,
            leases=leases,
            keep_numbered=keep_numbered,
        ) as pusher,
    ):
        watching = Watching(os.getpid(), target.name, patterns)
        note_watching(tree, watching)
        reporter.note(f"watching {tree} for {', '.join(patterns)}, pushing to {target.name}; Ctrl-C stops")
        _wait(tree, watching, pusher, stop)
        _push_the_rest(tree, patterns, pusher, grace_s, reporter)
        if pusher.lost is not None:
            raise pusher.lost


def _wait(tree: Path, watching: Watching, pusher: BackgroundPusher, stop: threading.Event) -> None:
    """Return when the watch is to end; say meanwhile what keeps it from pushing."""
    told = ""
    # A signal that came just before the wait began is heard only when it ends.
    while not stop.wait(_LOOK_EVERY_S) and pusher.lost is None:
        trouble = _describe(pusher.trouble)
        if trouble != told:
            told = trouble
            note_watching(tree, Watching(watching.pid, watching.target, watching.patterns, trouble))


def _describe(trouble: Exception | None) -> str:
    if trouble is None:
        return ""
    hint = trouble.hint if isinstance(trouble, DrivesyncError) else ""
    return f"{trouble}. {hint}" if hint else str(trouble)


def _push_the_rest(
    tree: Path, patterns: tuple[str, ...], pusher: BackgroundPusher, grace_s: float, reporter: Reporter
) -> None:
    """Push what is queued, within the deadline.

    Raises:
        UnfinishedError: some of it is left, for the next time.
    """
    if pusher.lost is not None:
        return
    # What was closed in the last moments may not have been noticed yet.
    for path in find_files(tree, patterns):
        pusher.offer(path)
    if pusher.pending:
        reporter.note(f"stopping: {count(len(pusher.pending), 'file')} to push within {grace_s:g} s")
    if not pusher.wait_until_safe(grace_s):
        left = [entry.path for entry in pusher.pending]
        raise UnfinishedError(
            f"{count(len(left), 'file')} not on the remote yet, kept in {tree}/.drivesync: {', '.join(left[:5])}",
            hint="Run the same command again to push them.",
        )


def _start(arguments: list[str], tree: Path) -> None:
    """Start a watch of its own session, and wait until it watches."""
    if (there := read_watching(tree)) is not None:
        click.echo(f"drivesync: process {there.pid} watches {tree} already, pushing to {there.target}")
        return
    log = watch_log(tree)
    begin = log.stat().st_size if log.exists() else 0
    pid = launch([sys.executable, "-m", "drivesync", "watch", *arguments], log)
    give_up_s = time.monotonic() + _START_WAIT_S
    while time.monotonic() < give_up_s:
        there = read_watching(tree)
        if there is not None and there.pid == pid:
            click.echo(
                f"drivesync: process {pid} watches {tree} for {', '.join(there.patterns)}, "
                f"pushing to {there.target}; log: {log}"
            )
            return
        if not is_alive(pid):
            said = log.read_bytes()[begin:].decode("utf-8", "replace").strip().splitlines()
            raise DrivesyncError(
                f"the watch ended before it began: {said[-1] if said else 'see its log'}",
                hint=f"{log} says why.",
            )
        time.sleep(_START_EVERY_S)
    raise UnfinishedError(f"process {pid} does not watch yet", hint=f"{log} says what it waits for.")


def _stop(tree: Path, grace_s: float) -> None:
    pid = signal_holder(watch_job(tree), signal.SIGTERM)
    if pid is None:
        raise NotFoundError(f"no watch is at work in {tree}")
    give_up_s = time.monotonic() + grace_s + _STOP_MARGIN_S
    while is_alive(pid):
        if time.monotonic() > give_up_s:
            raise UnfinishedError(
                f"process {pid} is still pushing", hint="Look with `python -m drivesync status`."
            )
        time.sleep(_START_EVERY_S)
    left = read_pending(tree)
    if left:
        raise UnfinishedError(
            f"stopped; {count(len(left), 'file')} not on the remote yet, kept in {tree}/.drivesync",
            hint="`python -m drivesync push` sends them.",
        )
    click.echo(f"drivesync: process {pid} has stopped; all that it watched is on the remote")
