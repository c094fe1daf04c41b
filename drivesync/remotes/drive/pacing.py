"""When the next request may go out, for all workers together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from drivesync.errors import RateLimitedError
from drivesync.remotes.drive.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 300.0
"""Times the first pause: after so long without a single request taken, pauses that Drive asked for not included, one
that was refused is given up."""


class Pacer:
    """Gives turns to the requests of all workers; see ``Pace`` for when.

    Args:
        first_pause_s: of those that grow while nothing is taken at all.
        clock: seconds, monotonic.
        wait: waits for an event for so many seconds at most.
    """

    def __init__(
        self,
        first_pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._patience_s = _PATIENCE * first_pause_s
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._pace = Pace(first_pause_s)
        self._changed = threading.Event()
        self._is_stopped = False

    def wait(self, action: str, units: int, since_s: float) -> float:
        """Pause until this request's turn; returned is the moment when it goes out, for ``refused``.

        Once stopped there is no pause.

        Args:
            action: for messages.
            units: quota units that it costs.
            since_s: when it was tried first, by the same clock.

        Raises:
            RateLimitedError: Drive has taken no request at all for minutes.
        """
        with self._lock:
            now_s = self._clock()
            turn_s = self._pace.reserve(now_s, units)
            if turn_s <= now_s:
                return now_s
            changed = self._changed
        return self._wait_for_turn(action, units, since_s, turn_s, changed)

    def taken(self, units: int) -> None:
        """A request was not refused for its rate."""
        with self._lock:
            epoch = self._pace.epoch
            self._pace.take(self._clock(), units)
            self._tell_if_changed(epoch)

    def refused(self, sent_s: float, units: int, retry_after_s: float = 0.0) -> None:
        """A request that went out at ``sent_s`` was refused for its rate; for ``retry_after_s`` no other goes out."""
        with self._lock:
            epoch = self._pace.epoch
            self._pace.refuse(sent_s, self._clock(), units, retry_after_s)
            self._tell_if_changed(epoch)

    def stop(self) -> None:
        """End all waiting, for good."""
        with self._lock:
            self._is_stopped = True
            self._changed.set()

    @property
    def is_holding(self) -> bool:
        """Whether requests that want to go out have to wait."""
        with self._lock:
            return self._pace.is_holding(self._clock())

    def _tell_if_changed(self, epoch: int) -> None:
        if self._pace.epoch != epoch and not self._is_stopped:
            self._changed.set()
            self._changed = threading.Event()

    def _wait_for_turn(
        self, action: str, units: int, since_s: float, turn_s: float, changed: threading.Event
    ) -> float:
        while not self._is_stopped:
            now_s = self._clock()
            if changed.is_set():
                with self._lock:
                    turn_s = self._pace.reserve(now_s, units)
                    changed = self._changed
            if now_s >= turn_s:
                return now_s
            give_up_s = max(since_s, self._pace.taken_at_s, self._pace.paused_until_s) + self._patience_s
            if now_s >= give_up_s:
                raise RateLimitedError(f"{action}: Drive has refused every request for minutes (rate limit)")
            self._wait(changed, min(turn_s, give_up_s) - now_s)
        return self._clock()
