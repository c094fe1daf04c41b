"""What signals ask of a supervisor.

========================================  ==========================================================================
SIGTERM, SIGHUP, SIGINT (Ctrl-C)          stop: end darknet, push what is queued within the grace, release the lease
SIGQUIT (Ctrl-\\, ``trainer stop --now``),  at once: kill darknet, leave what is queued in the spool, release the lease
a second SIGINT
========================================  ==========================================================================

A second SIGTERM asks for nothing new, since systems and schedulers repeat it, and so does a second ``trainer stop``.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivesync.cli import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
AT_ONCE = signal.SIGQUIT

SAME_PRESS_S = 1.0
"""Two SIGINT within this time are one: a notebook's Stop sends it to a group, and then to the cell's command again."""


class Orders:
    """Takes the process's signals from ``__enter__`` to ``__exit__``; in the main thread.

    Threads: one, which sets the events. A signal handler must not: it may interrupt the main thread while that holds
    an event's own lock, and would wait for it for ever. What it may do is to put into a SimpleQueue.

    Args:
        clock: seconds that never decrease.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stop = threading.Event()
        """Set when the training is to end."""
        self.hurry = threading.Event()
        """Set, after ``stop``, when it is to end at once."""
        self._clock = clock
        self._heard: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="orders", daemon=True)
        self._before: dict[signal.Signals, signal.Handlers | Callable[..., object] | int | None] = {}

    def __enter__(self) -> Orders:
        self._thread.start()
        self._before = {number: signal.signal(number, self._hear) for number in (*STOP, AT_ONCE)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._heard.put(None)
        self._thread.join()

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let every one of the signals raise KeyboardInterrupt, as one that has come already does."""
        with interruptible():
            before = signal.signal(AT_ONCE, signal.getsignal(signal.SIGTERM))
            try:
                if self.stop.is_set():
                    raise KeyboardInterrupt
                yield
            finally:
                signal.signal(AT_ONCE, before)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._heard.put((number, self._clock()))

    def _listen(self) -> None:
        pressed_s: float | None = None
        while (heard := self._heard.get()) is not None:
            number, at_s = heard
            self.stop.set()
            if number == AT_ONCE:
                self.hurry.set()
            elif number == signal.SIGINT:
                if pressed_s is None:
                    pressed_s = at_s
                elif at_s - pressed_s >= SAME_PRESS_S:
                    self.hurry.set()
