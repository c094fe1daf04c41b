"""One session of a run: have the tree, hold its lock, push while training, and leave word of how it ended."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivesync.acceptance import find_accept
from drivesync.config import read_tree_settings
from drivesync.disk import look
from drivesync.errors import DrivesyncError, LeaseError, UnfinishedError, UsageError
from drivesync.index import Index
from drivesync.watch import keep_pushed
from drivesync.watching import refuse_beside_watch
from trainer.background import RunLock
from trainer.begin import begin
from trainer.candidates import Candidates
from trainer.config import record_run, resolve_run
from trainer.curves.metrics import METRICS_NAME
from trainer.curves.writer import MetricsWriter
from trainer.errors import GaveUpError, TreeError
from trainer.fresh import StartingOver
from trainer.gauges import Gauges
from trainer.hooks import NO_HOOKS, Bell, Hooks, give_back
from trainer.mounted import warn_of_backup
from trainer.packing import prepare_packing
from trainer.place import remember_place, resolve_place
from trainer.recall import recall
from trainer.settings import read_settings
from trainer.status import Status, StatusWriter
from trainer.supervisor import Supervisor
from trainer.surroundings import Surroundings
from trainer.vetting import vet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from drivesync.config import Settings
    from drivesync.files import Receipt
    from drivesync.progress import Reporter
    from trainer.begin import Ground, Terms
    from trainer.config import Run, Wishes
    from trainer.darknet.weights import Checkpoint

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
    hurry: threading.Event | None = None,
    hooks: Hooks = NO_HOOKS,
    in_place: bool = False,
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
        DrivesyncError: see ``Supervisor.train``, ``begin``, ``resolve_run``, ``resolve_place`` and ``read_settings``.
    """
    own = read_settings(wishes.tree, os.environ)
    hooks = hooks.over(own)
    if hooks.unassign and not pushing:
        raise UsageError("with --no-push, a machine that is given back takes the training with it")
    place = resolve_place(
        wishes.tree, in_place=in_place or own.in_place, remote=terms.remote, pushing=pushing
    )
    if place.note:
        reporter.note(place.note)
    wishes, terms = replace(wishes, tree=place.tree), replace(terms, remote=place.remote)
    with RunLock(wishes.tree):
        remember_place(place)
        status = StatusWriter(
            wishes.tree,
            Status("starting", os.getpid(), time.time(), warning=place.warning, pushing=pushing),
        )
        status.flush()
        # What is known shows while the rest is being found out.
        status.update(**recall(wishes.tree) | {"ended_s": None})
        status.flush()
        with Bell(hooks.notify, wishes.tree, status, reporter.note, time.time) as bell, _told(status, bell):
            session = _Session(wishes, status, reporter, bell, stop, hurry or threading.Event(), grace_s)
            proven = session.hold(settings, terms, pushing=pushing, while_pulling=while_pulling)
    if hooks.unassign:
        give_back(reporter.note, proven=proven)


@contextmanager
def _told(status: StatusWriter, bell: Bell) -> Iterator[None]:
    """See that the status, and people, learn how the session ended."""
    try:
        yield
    except DrivesyncError as error:
        said = f"{error}{'. ' + error.hint if error.hint else ''}"
        state = _state_after(error)
        status.update(state=state, message=said, exit_code=error.exit_code)
        if isinstance(error, LeaseError):
            bell.ring("lost lease", said)
        elif state != "stopped":
            bell.ring("gave up", said)
        raise
    except KeyboardInterrupt:
        status.update(state="stopped", message="stopped before the training began", exit_code=_INTERRUPTED)
        raise
    except BaseException as error:
        status.update(state="failed", message=f"an error in the program: {error!r}", exit_code=_BROKEN)
        raise
    bell.ring("finished", status.value.message)


def _state_after(error: DrivesyncError) -> str:
    if isinstance(error, GaveUpError):
        return "gave up"
    return "stopped" if isinstance(error, UnfinishedError | LeaseError) else "failed"


@dataclass(frozen=True, slots=True)
class _Session:
    """What a session has from its beginning to its end."""

    wishes: Wishes
    status: StatusWriter
    reporter: Reporter
    bell: Bell
    stop: threading.Event
    hurry: threading.Event
    grace_s: float

    def hold(
        self,
        settings: Settings,
        terms: Terms,
        *,
        pushing: bool,
        while_pulling: Callable[[], AbstractContextManager[None]],
    ) -> bool:
        """Have the tree, and train it; returned is whether all of the run is proven to be on the remote."""
        with ExitStack() as stack:
            ground: Ground | None = None
            if pushing:
                refuse_beside_watch(self.wishes.tree)
                with while_pulling():
                    ground = begin(
                        self.wishes,
                        terms,
                        settings,
                        status=self.status,
                        reporter=self.reporter,
                        stack=stack,
                    )
            run = resolve_run(self.wishes)
            if ground is None:
                StartingOver(run.tree, run.name, None, self.reporter).catch_up(terms.fresh, save=lambda: None)
            if not terms.unchecked:
                vet(self.wishes, run, self.reporter.note)
            record_run(run)
            self.status.update(max_batches=run.network.max_batches)
            if warning := warn_of_backup(run.tree, run.backup):
                self.reporter.note(warning)
                self.status.update(warning=warning)
            self._train(run, ground, settings, stack)
        return ground is not None and ground.remote.proves

    def _train(self, run: Run, ground: Ground | None, settings: Settings, stack: ExitStack) -> None:
        safe: queue.SimpleQueue[Receipt] = queue.SimpleQueue()
        metrics = stack.enter_context(MetricsWriter(run.tree / run.backup / METRICS_NAME))
        around = Surroundings(
            None,
            safe,
            self.status,
            metrics,
            self.reporter,
            self.stop,
            # The tree may have brought some of its own.
            settings=read_settings(run.tree, os.environ),
            hurry=self.hurry,
            notify=self.bell.ring,
            grace_s=self.grace_s,
        )
        candidates = Candidates(run)
        if ground is not None:
            leases = ground.leases
            found = candidates.find()
            held = _held_by(ground.remote.name, run, found)
            _refuse_to_replace(run, held, found)
            self.status.update(
                run=run.name,
                proven=ground.remote.proves,
                safe_iteration=max((checkpoint.iteration for checkpoint in held), default=0) or None,
            )
            pusher = stack.enter_context(
                keep_pushed(
                    run.tree,
                    ground.remote,
                    run.patterns,
                    find_accept(),
                    reporter=self.reporter,
                    on_safe=safe.put,
                    leases=leases,
                    keep_numbered=read_tree_settings(run.tree, os.environ).keep_numbered,
                )
            )
            around = replace(around, pusher=pusher, lease=lambda: leases.held.get(run.name))
            pack = prepare_packing(run.tree, ground.remote, settings, self.reporter, stack)
            around = replace(around, on_training=pack)
        gauges = stack.enter_context(Gauges(run.tree / run.backup, ground.remote if ground else None))
        around = replace(around, gauges=lambda: gauges.reading)
        Supervisor(run, around, candidates).train()


def _held_by(remote: str, run: Run, found: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    """Those checkpoints that lie here as ``remote`` holds them, whole or not."""
    with Index(run.tree) as index:
        return tuple(
            checkpoint
            for checkpoint in found
            if index.holds(remote, look(run.tree, checkpoint.path.relative_to(run.tree).as_posix()))
        )


def _refuse_to_replace(run: Run, held: tuple[Checkpoint, ...], found: tuple[Checkpoint, ...]) -> None:
    """See that no start from nothing would, in the end, write over what Drive holds of this run.

    Raises:
        TreeError: Drive holds checkpoints, and none is fit to resume from: the cfg was changed, most likely.
    """
    if held and not any(checkpoint.verdict.whole for checkpoint in found):
        first = held[0]
        raise TreeError(
            f"none of the {len(held)} checkpoint(s) that Drive holds fits {run.cfg}: "
            f"{first.path.relative_to(run.tree).as_posix()}: {first.verdict.reason}",
            hint=f"Put {run.cfg} back as it was; or start the run over with --fresh, which keeps them in an archive.",
        )
