"""When the next write may go out, so that all of them together stay below a remote's rate."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class WriteRate:
    """Gives turns to the writes of all threads; safe to use from several of them.

    Until ``burst`` writes are out nobody waits; from then on, and until there was a pause, there are ``per_s``.

    Args:
        per_s: writes a second.
        burst: so many may go out at once.
        clock: seconds that never decrease.
        wait: waits for an event for so many seconds at most.
    """

    def __init__(
        self,
        per_s: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._per_s = per_s
        self._burst_s = burst / per_s
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        # When the allowance of what was given out would be whole again.
        self._spent_until_s = clock()

    def take(self, writes: int = 1) -> None:
        """Wait for the turn of so many writes; once stopped there is no waiting."""
        with self._lock:
            now_s = self._clock()
            self._spent_until_s = max(self._spent_until_s, now_s) + writes / self._per_s
            turn_s = self._spent_until_s - self._burst_s
        while now_s < turn_s and not self._stopped.is_set():
            self._wait(self._stopped, turn_s - now_s)
            now_s = self._clock()

    def least_s(self, writes: int) -> float:
        """How long so many writes take at least, from a pause on."""
        return max(0.0, writes / self._per_s - self._burst_s)

    def stop(self) -> None:
        """End all waiting, for good."""
        self._stopped.set()

    @property
    def is_holding(self) -> bool:
        """Whether a write would have to wait now."""
        with self._lock:
            return self._spent_until_s - self._burst_s > self._clock()
