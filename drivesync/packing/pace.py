"""How much of a core a thread may take, so that what it does beside a training is not felt there."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from drivesync.errors import UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_SHARE = 0.07
"""Of one core. What other threads do for the one that is paced comes on top: they list, and look names up."""

_CREDIT_S = 0.5
"""A thread that has waited for the network for long may not make up for all of it."""
_LEAST_WAIT_S = 0.02
"""A wait takes some work, too."""
_LOWEST_PRIORITY = 19


class Pace(Protocol):
    """Holds up the thread that calls."""

    def breathe(self) -> None:
        """Called between two small pieces of work.

        Raises:
            UnfinishedError: there is to be no more work.
        """


class FullSpeed:
    """Holds nobody up."""

    def breathe(self) -> None:
        """Return at once."""


class CpuShare:
    """Holds the thread up in which it is used, so that it takes no more than a share of a core.

    Args:
        stop: set, there is no more work.
        share: of one core, on average over a few seconds.
        clock: seconds that never decrease.
        cpu_clock: seconds of a core that the thread has used.
        wait: waits for an event for so many seconds at most.
    """

    def __init__(
        self,
        stop: threading.Event,
        share: float = CPU_SHARE,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._stop = stop
        self._share = share
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._wait = wait
        self._used_s: float | None = None
        self._due_s = 0.0

    def breathe(self) -> None:
        """See ``Pace.breathe``."""
        if self._used_s is None:
            # Only now: whoever made this may be another thread.
            self._used_s, self._due_s = self._cpu_clock(), self._clock()
        used_s, now_s = self._cpu_clock(), self._clock()
        # What was used until now is paid for at this moment.
        self._due_s = max(self._due_s, now_s - _CREDIT_S) + (used_s - self._used_s) / self._share
        self._used_s = used_s
        while self._due_s - now_s >= _LEAST_WAIT_S and not self._stop.is_set():
            self._wait(self._stop, self._due_s - now_s)
            now_s = self._clock()
        if self._stop.is_set():
            raise UnfinishedError("packing was stopped", hint="Run the same command again to go on.")


def lower_priority() -> None:
    """Let the thread that calls have only what no other wants, where the system can do that for one thread."""
    # Elsewhere it would be the whole process: https://man7.org/linux/man-pages/man2/setpriority.2.html, "C library/
    # kernel differences".
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
