"""What signals ask of a supervisor.

========================================  ==========================================================================
SIGTERM, SIGHUP, SIGINT (Ctrl-C)          stop: end darknet, push what is queued within the grace, release the lease
SIGQUIT (Ctrl-\\, ``trainer stop --now``),  at once: kill darknet, leave what is queued in the spool, release the lease
a second SIGINT
========================================  ==========================================================================

A second SIGTERM asks for nothing new, since systems and schedulers repeat it, and so does a second ``trainer stop``.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivesync.cli import interruptible
from drivesync.cli.signals import SignalThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
AT_ONCE = signal.SIGQUIT

SAME_PRESS_S = 1.0
"""Two SIGINT within this time are one: a notebook's Stop sends it to a group, and then to the cell's command again."""


class Orders:
    """Takes the process's signals from ``__enter__`` to ``__exit__``; in the main thread.

    Threads: one, see ``SignalThread``.

    Args:
        clock: seconds that never decrease.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stop = threading.Event()
        """Set when the training is to end."""
        self.hurry = threading.Event()
        """Set, after ``stop``, when it is to end at once."""
        self._pressed_s: float | None = None
        self._signals = SignalThread((*STOP, AT_ONCE), self._hear, clock)

    def __enter__(self) -> Orders:
        self._signals.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.__exit__(kind, error, trace)

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

    def _hear(self, number: int, at_s: float) -> None:
        self.stop.set()
        if number == AT_ONCE:
            self.hurry.set()
        elif number == signal.SIGINT:
            if self._pressed_s is None:
                self._pressed_s = at_s
            elif at_s - self._pressed_s >= SAME_PRESS_S:
                self.hurry.set()
