"""One session of a run: have the tree, hold its lock, push while training, and leave word of how it ended."""

from __future__ import annotations

import os
import queue
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from drivesync.acceptance import find_accept
from drivesync.config import DEFAULT_REMOTE
from drivesync.disk import look
from drivesync.errors import DrivesyncError, NotFoundError, UnfinishedError
from drivesync.index import Index
from drivesync.plan import DEFAULT_OPTIONS, PullOptions
from drivesync.pull import pull
from drivesync.remotes import is_pull_only, open_remote
from drivesync.tree import read_tree_state, remember_target
from drivesync.watch import keep_pushed
from trainer.background import RunLock
from trainer.checkpoint import list_checkpoints
from trainer.config import record_run, resolve_run
from trainer.errors import GaveUpError, TreeError
from trainer.metrics import MetricsWriter
from trainer.recorder import METRICS_NAME, Surroundings
from trainer.status import Status, StatusWriter
from trainer.supervisor import Supervisor, find_candidates

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote
    from trainer.config import Run, Wishes
    from trainer.darknet.weights import Checkpoint

_INTERRUPTED = UnfinishedError.exit_code
_BROKEN = DrivesyncError.exit_code
_BACKUP = "backup/"


def supervise(
    wishes: Wishes,
    settings: Settings,
    remote: str | None,
    *,
    pushing: bool,
    grace_s: float,
    reporter: Reporter,
    stop: threading.Event,
    while_pulling: Callable[[], AbstractContextManager[None]],
) -> None:
    """Train a run to its end, from wherever the sessions before it have brought it.

    Args:
        wishes: what to train.
        settings: drivesync's.
        remote: where the tree comes from and its checkpoints go; None for what the tree remembers.
        pushing: False keeps everything on this disk.
        grace_s: how long may be pushed after a stop.
        reporter: hears how it goes.
        stop: set to end the training.
        while_pulling: a context that makes a signal raise KeyboardInterrupt, for the time of the pull.

    Raises:
        AlreadyRunningError: another supervisor has the tree.
        DrivesyncError: see ``Supervisor.train``, ``pull`` and ``resolve_run``.
    """
    with RunLock(wishes.tree):
        status = StatusWriter(wishes.tree, Status("starting", os.getpid(), time.time()))
        status.flush()
        try:
            with ExitStack() as stack:
                place: Remote | None = None
                if pushing:
                    with while_pulling():
                        place = _bring_tree(wishes, settings, remote, status, reporter, stack)
                run = resolve_run(wishes)
                record_run(run)
                status.update(max_batches=run.network.max_batches)
                _train(run, place, status, reporter, stop, grace_s)
        except DrivesyncError as error:
            said = f"{error}{'. ' + error.hint if error.hint else ''}"
            status.update(state=_state_after(error), message=said, exit_code=error.exit_code)
            raise
        except KeyboardInterrupt:
            status.update(
                state="stopped", message="stopped before the training began", exit_code=_INTERRUPTED
            )
            raise
        except BaseException as error:
            status.update(state="failed", message=f"an error in the program: {error!r}", exit_code=_BROKEN)
            raise


def _state_after(error: DrivesyncError) -> str:
    if isinstance(error, GaveUpError):
        return "gave up"
    return "stopped" if isinstance(error, UnfinishedError) else "failed"


def _bring_tree(
    wishes: Wishes,
    settings: Settings,
    remote: str | None,
    status: StatusWriter,
    reporter: Reporter,
    stack: ExitStack,
) -> Remote:
    """Open the remote that the checkpoints go to; pull the tree first if it is not there, or not all of it.

    A tree that was made here is left alone.
    """
    tree = wishes.tree
    state = read_tree_state(tree)
    is_there = any(not path.name.startswith(".") for path in tree.iterdir())
    source: Remote | None = None
    if not is_there or (state is not None and not state.complete):
        name = remote or (state.remote if state else DEFAULT_REMOTE)
        source = stack.enter_context(open_remote(name, settings, reporter.note))
        status.update(state="pulling")
        _pull(source, tree, reporter, DEFAULT_OPTIONS)
    # By its own name, which is good from any working directory.
    given = open_remote(remote, settings, reporter.note).name if remote and not is_pull_only(remote) else None
    target = remember_target(tree, given, DEFAULT_REMOTE)
    if source is not None and source.name == target:
        return source
    place = stack.enter_context(open_remote(target, settings, reporter.note))
    state = read_tree_state(tree)
    if state is not None and state.remote != target:
        # The tree comes from elsewhere, so that pull brought no checkpoints of earlier sessions; there may be none yet.
        with suppress(NotFoundError):
            status.update(state="pulling")
            _pull(place, tree, reporter, PullOptions(only=_BACKUP))
    return place


def _pull(source: Remote, tree: Path, reporter: Reporter, options: PullOptions) -> None:
    reporter.note(f"pulling {options.only or 'all'} of {source.name} to {tree}")
    result = pull(source, tree, reporter=reporter, options=options)
    result.raise_failure()
    reporter.note(f"pulled {result.downloaded_files} files ({format_size(result.downloaded_bytes)})")


def _train(
    run: Run,
    place: Remote | None,
    status: StatusWriter,
    reporter: Reporter,
    stop: threading.Event,
    grace_s: float,
) -> None:
    safe: queue.SimpleQueue[Receipt] = queue.SimpleQueue()
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricsWriter(run.tree / run.backup / METRICS_NAME))
        pusher = None
        if place is not None:
            held = _held_by_drive(run)
            _refuse_to_replace(run, held)
            status.update(
                safe_iteration=max((checkpoint.iteration for checkpoint in held), default=0) or None
            )
            pusher = stack.enter_context(
                keep_pushed(run.tree, place, run.patterns, find_accept(), reporter=reporter, on_safe=safe.put)
            )
        Supervisor(run, Surroundings(pusher, safe, status, metrics, reporter, stop, grace_s)).train()


def _held_by_drive(run: Run) -> tuple[Checkpoint, ...]:
    """The run's checkpoints that lie here as Drive holds them, whole or not."""
    with Index(run.tree) as index:
        synced = index.read()
    held = []
    for checkpoint in list_checkpoints([run.tree / run.backup], run.base, run.network):
        path = checkpoint.path.relative_to(run.tree).as_posix()
        here, then = look(run.tree, path), synced.get(path)
        if here and then and (here.size, here.mtime_ns) == (then.size, then.mtime_ns):
            held.append(checkpoint)
    return tuple(held)


def _refuse_to_replace(run: Run, held: tuple[Checkpoint, ...]) -> None:
    """See that no start from nothing would, in the end, write over what Drive holds of this run.

    Raises:
        TreeError: Drive holds checkpoints, and none is fit to resume from: the cfg was changed, most likely.
    """
    if any(checkpoint.verdict.whole for checkpoint in held):
        return
    if held and not any(candidate.verdict.whole for candidate in find_candidates(run)):
        first = held[0]
        raise TreeError(
            f"none of the {len(held)} checkpoint(s) that Drive holds fits {run.cfg}: "
            f"{first.path.relative_to(run.tree).as_posix()}: {first.verdict.reason}",
            hint=f"Put {run.cfg} back as it was, or move them out of {run.backup} on Drive and here, to start anew.",
        )
