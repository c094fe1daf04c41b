"""A supervisor in this process, without a Drive, and what came of it."""

from __future__ import annotations

import os
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivesync.errors import DrivesyncError
from drivesync.progress import Silence
from trainer.candidates import Candidates
from trainer.curves.metrics import METRICS_NAME
from trainer.curves.writer import MetricsWriter
from trainer.learning.history import read_attempts
from trainer.settings import DEFAULT_SETTINGS
from trainer.status import Status, StatusWriter
from trainer.supervisor import Supervisor
from trainer.surroundings import Surroundings
from trainer.testing.tree import leave_chart

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.config import Run
    from trainer.learning.history import AttemptRecord
    from trainer.settings import TrainerSettings


@dataclass(frozen=True, slots=True)
class Supervised:
    """What came of a training.

    Attributes:
        records: of all its attempts, oldest first.
        error: with which it ended; None if it is finished, or was stopped where ``attempts`` said so.
        status: as it was at the end.
        notes: what a person would have read meanwhile.
    """

    records: tuple[AttemptRecord, ...]
    error: DrivesyncError | None
    status: Status
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Notes(Silence):
    """Keeps what it was told, and calls ``on_note`` with it."""

    on_note: Callable[[str], object]
    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        self.lines.append(line)
        self.on_note(line)


def supervise(
    run: Run,
    *,
    attempts: int | None = None,
    settings: TrainerSettings = DEFAULT_SETTINGS,
    stop: threading.Event | None = None,
    on_note: Callable[[str], object] = lambda _line: None,
) -> Supervised:
    """Train a run until it ends, whatever way; no chart is drawn, which takes longer than all the rest.

    Args:
        run: what is trained.
        attempts: it is stopped once darknet has ended so often, after it was decided what is to follow on that.
        settings: how it is supervised.
        stop: set by who wants to end it.
        on_note: called with each note for people, while the supervisor waits.
    """
    stop = stop or threading.Event()
    ends = 0

    def jitter() -> float:
        # Asked for once an attempt has ended, to decide on it: the end is not the user's, and nothing follows on it.
        nonlocal ends
        ends += 1
        if ends == attempts:
            stop.set()
        return 0.0

    leave_chart(run.tree)
    notes = _Notes(on_note)
    status = StatusWriter(
        run.tree, Status("starting", os.getpid(), time.time(), max_batches=run.network.max_batches)
    )
    error: DrivesyncError | None = None
    with MetricsWriter(run.tree / run.backup / METRICS_NAME) as metrics:
        around = Surroundings(
            None, queue.SimpleQueue(), status, metrics, notes, stop, settings=settings, jitter=jitter
        )
        try:
            Supervisor(run, around, Candidates(run)).train()
        except DrivesyncError as caught:
            error = caught
    return Supervised(tuple(read_attempts(run.tree)), error, status.value, tuple(notes.lines))
