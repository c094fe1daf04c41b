"""One session of a run: have the tree, hold its lock, push while training, and leave word of how it ended."""

from __future__ import annotations

import os
import queue
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from drivesync.acceptance import find_accept
from drivesync.config import read_tree_settings
from drivesync.disk import look
from drivesync.errors import DrivesyncError, LeaseError, UnfinishedError
from drivesync.index import Index
from drivesync.watch import keep_pushed
from trainer.background import RunLock
from trainer.begin import begin
from trainer.checkpoint import list_checkpoints
from trainer.config import record_run, resolve_run
from trainer.errors import GaveUpError, TreeError
from trainer.fresh import StartingOver
from trainer.hooks import NO_HOOKS
from trainer.metrics import METRICS_NAME, MetricsWriter
from trainer.recorder import Surroundings
from trainer.status import Status, StatusWriter
from trainer.supervisor import Supervisor, find_candidates

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from drivesync.config import Settings
    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from trainer.begin import Ground, Terms
    from trainer.config import Run, Wishes
    from trainer.darknet.weights import Checkpoint
    from trainer.hooks import Hooks

_INTERRUPTED = UnfinishedError.exit_code
_BROKEN = DrivesyncError.exit_code


def supervise(
    wishes: Wishes,
    settings: Settings,
    terms: Terms,
    *,
    pushing: bool,
    grace_s: float,
    reporter: Reporter,
    stop: threading.Event,
    while_pulling: Callable[[], AbstractContextManager[None]],
    hurry: threading.Event | None = None,  # noqa: ARG001 - what the commands are written against
    hooks: Hooks = NO_HOOKS,  # noqa: ARG001 - likewise
    in_place: bool = False,  # noqa: ARG001 - likewise
) -> None:
    """Train a run to its end, from wherever the sessions before it have brought it.

    Args:
        wishes: what to train.
        settings: drivesync's.
        terms: where from, and on what terms.
        pushing: False keeps everything on this disk.
        grace_s: how long may be pushed after a stop.
        reporter: hears how it goes.
        stop: set to end the training.
        while_pulling: a context that makes a signal raise KeyboardInterrupt, for the time of the pull.
        hurry: set, ``stop`` with it, to end it at once: darknet is killed, and nothing waits for pushes.
        hooks: what is done for people.
        in_place: train on a mount, too, instead of on local disk.

    Raises:
        AlreadyRunningError: another supervisor has the tree.
        LeaseError: another session has the run, or has taken it over.
        DrivesyncError: see ``Supervisor.train``, ``begin`` and ``resolve_run``.
    """
    with RunLock(wishes.tree):
        status = StatusWriter(wishes.tree, Status("starting", os.getpid(), time.time()))
        status.flush()
        try:
            with ExitStack() as stack:
                ground: Ground | None = None
                if pushing:
                    with while_pulling():
                        ground = begin(
                            wishes,
                            terms,
                            settings,
                            status=status,
                            reporter=reporter,
                            stack=stack,
                        )
                run = resolve_run(wishes)
                if ground is None:
                    StartingOver(run.tree, run.name, None, reporter).catch_up(terms.fresh, save=lambda: None)
                record_run(run)
                status.update(max_batches=run.network.max_batches)
                _train(run, ground, status, reporter, stop, grace_s)
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
    return "stopped" if isinstance(error, UnfinishedError | LeaseError) else "failed"


def _train(
    run: Run,
    ground: Ground | None,
    status: StatusWriter,
    reporter: Reporter,
    stop: threading.Event,
    grace_s: float,
) -> None:
    safe: queue.SimpleQueue[Receipt] = queue.SimpleQueue()
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricsWriter(run.tree / run.backup / METRICS_NAME))
        around = Surroundings(None, safe, status, metrics, reporter, stop, grace_s)
        if ground is not None:
            leases = ground.leases
            held = _held_by_drive(run)
            _refuse_to_replace(run, held)
            status.update(
                run=run.name,
                safe_iteration=max((checkpoint.iteration for checkpoint in held), default=0) or None,
            )
            pusher = stack.enter_context(
                keep_pushed(
                    run.tree,
                    ground.remote,
                    run.patterns,
                    find_accept(),
                    reporter=reporter,
                    on_safe=safe.put,
                    leases=leases,
                    keep_numbered=read_tree_settings(run.tree, os.environ).keep_numbered,
                )
            )
            around = replace(around, pusher=pusher, lease=lambda: leases.held.get(run.name))
        Supervisor(run, around).train()


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
            hint=f"Put {run.cfg} back as it was; or start the run over with --fresh, which keeps them in an archive.",
        )
