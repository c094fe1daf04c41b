"""When the next request may go out, for all workers together, and how often it is tried again."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_when_event_set
from tenacity.wait import wait_base, wait_exponential, wait_random

from drivesync.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

_SLOWEST_INTERVAL_S = 1.0
_FIRST_INTERVAL_S = 0.02
_SPEED_UP = 0.9
"""So much of the interval is left after an answer. Seven answers outweigh a refusal: refusals that come by chance,
one in twenty, must not slow a pull down for good."""


class Pacer:
    """Spaces the requests of all workers: no pause at first, twice as much after each refusal, then less.

    Args:
        clock: seconds, monotonic.
        sleep: pauses the calling thread for so many seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._interval_s = 0.0
        self._next_s = 0.0
        self._paused_until_s = 0.0

    def wait(self) -> None:
        """Pause until this request's turn."""
        with self._lock:
            now_s = self._clock()
            turn_s = max(self._next_s, now_s)
            self._next_s = turn_s + self._interval_s
        if turn_s > now_s:
            self._sleep(turn_s - now_s)

    def slow_down(self, pause_s: float) -> None:
        """A request was refused for its rate: nobody asks for ``pause_s``, and all ask half as often.

        Requests that were on their way together are refused together; that counts once.
        """
        with self._lock:
            now_s = self._clock()
            if now_s >= self._paused_until_s:
                self._interval_s = min(max(self._interval_s * 2, _FIRST_INTERVAL_S), _SLOWEST_INTERVAL_S)
            self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
            self._next_s = max(self._next_s, self._paused_until_s)

    def speed_up(self) -> None:
        """A request was answered."""
        with self._lock:
            self._interval_s = self._interval_s * _SPEED_UP if self._interval_s > 0.001 else 0.0


class _WaitAsAsked(wait_base):
    """min(2^n + rand(0..1 s), 64 s), as Google's documentation asks, and never less than Retry-After."""

    def __init__(self, first_wait_s: float) -> None:
        self._wait = wait_exponential(multiplier=first_wait_s, max=64) + wait_random(0, first_wait_s)

    def __call__(self, retry_state: RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        asked_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
        return max(asked_s, self._wait(retry_state))


def retry_policy(
    retries: int, first_wait_s: float, closing: threading.Event, on_wait: Callable[[str], None]
) -> Retrying:
    """The one policy by which requests are repeated: only what may pass, more slowly each time.

    Args:
        retries: repeats after the first try.
        first_wait_s: the first pause; each further one is twice as long, up to 64 s.
        closing: set to end all waiting.
        on_wait: told a line before each pause of more than a few seconds.
    """

    def tell(state: RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action else 0.0
        if wait_s > 3 and state.outcome is not None:
            on_wait(f"{state.outcome.exception()}; trying again in {wait_s:.0f} s")

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=_WaitAsAsked(first_wait_s),
        stop=stop_after_attempt(retries + 1) | stop_when_event_set(closing),
        sleep=partial(wait_for, closing),
        before_sleep=tell,
        reraise=True,
    )


def wait_for(closing: threading.Event, wait_s: float) -> None:
    """Sleep so many seconds, or until ``closing`` is set."""
    closing.wait(wait_s)
