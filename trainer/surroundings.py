"""What a supervisor works with."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainer.gauges import NO_READING
from trainer.settings import DEFAULT_SETTINGS

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable

    from drivesync.errors import LeaseError
    from drivesync.files import Receipt
    from drivesync.leasing.lease import Lease
    from drivesync.progress import Reporter
    from drivesync.pushing.background import BackgroundPusher
    from trainer.curves.writer import MetricsWriter
    from trainer.gauges import Reading
    from trainer.notify import NoticeEvent
    from trainer.settings import TrainerSettings
    from trainer.status import StatusWriter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a supervisor works with.

    Attributes:
        pusher: entered; None where nothing is to be pushed.
        safe: receipts, put by the pushing thread.
        status, metrics: entered.
        reporter: hears what a person would want to read in a log.
        stop: set to end the training.
        settings: how the run is to be supervised.
        hurry: set, ``stop`` with it, where nothing is to be waited for.
        notify: told what people want to hear of at once: what has happened, and a sentence about it.
        grace_s: how long may be pushed after an end that is not the training's.
        lease: on the run, as it is now; None where there is none.
        jitter: a random number from 0 to 1.
        clock: Unix time in seconds.
        steady: seconds by a clock that is never set.
        gauges: what the machine has to do and to spare; answers at once.
        on_training: called when darknet has trained its first iteration, and after each restart again.
    """

    pusher: BackgroundPusher | None
    safe: queue.SimpleQueue[Receipt]
    status: StatusWriter
    metrics: MetricsWriter
    reporter: Reporter
    stop: threading.Event
    settings: TrainerSettings = DEFAULT_SETTINGS
    hurry: threading.Event = field(default_factory=threading.Event)
    notify: Callable[[NoticeEvent, str], None] = lambda _event, _message: None
    grace_s: float = 20.0
    lease: Callable[[], Lease | None] = lambda: None
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    gauges: Callable[[], Reading] = lambda: NO_READING
    on_training: Callable[[], None] = lambda: None

    @property
    def is_over(self) -> bool:
        """Whether darknet is to be stopped."""
        return self.stop.is_set() or self.lost is not None

    @property
    def lost(self) -> LeaseError | None:
        """Which other session has the run; None while nobody knows of one."""
        if (lease := self.lease()) is not None:
            return lease.lost
        # A session that began while the remote could not be asked: its first push claims the lease.
        return None if self.pusher is None else self.pusher.lost_of(self.status.value.run)
