"""How often a request is tried again, and after what pause."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type
from tenacity.wait import wait_random

from drivesync.errors import RateLimitedError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

_REFUSALS_A_RETRY = 8
"""Being asked to slow down uses up a retry's worth only in so many times: the pacer slows all down meanwhile."""

_FIRST_AFTER_REFUSAL = 0.1
_LONGEST_AFTER_REFUSAL = 2.0
_LONGEST_S = 64.0
_TOLD_S = 3.0
_QUIET_S = 5.0


class Budget:
    """How often one request may fail.

    Attributes:
        failures: how often it has failed, but for refusals for its rate.
        refusals: these.
        since_s: the moment (monotonic) since when it has got nowhere.

    Args:
        retries: repeats after errors; being asked to slow down counts an eighth.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._is_ended = False
        self.refill()

    def spend(self, error: TransientError) -> None:
        """It has failed once more."""
        if isinstance(error, RateLimitedError):
            self.refusals += 1
        else:
            self.failures += 1

    def refill(self) -> None:
        """It got somewhere: what failed before does not count any more."""
        self.failures = self.refusals = 0
        self.since_s = time.monotonic()

    def end(self) -> None:
        """Its next error is final."""
        self._is_ended = True

    @property
    def is_used_up(self) -> bool:
        """Whether its last error is final."""
        is_over = self.failures > self._retries or self.refusals > _REFUSALS_A_RETRY * self._retries
        return is_over or self._is_ended


class Spokesman:
    """Hands on one line every few seconds; safe to use from several threads.

    An outage strikes all of dozens of requests, and what one has to say of it is what all would say.

    Args:
        tell: is given the lines.
        clock: seconds that never decrease.
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet_until_s = clock()

    def __call__(self, line: str) -> None:
        """Tell ``line``, unless another was told just now."""
        with self._lock:
            now_s = self._clock()
            if now_s < self._quiet_until_s:
                return
            self._quiet_until_s = now_s + _QUIET_S
        self._tell(line)


def retry_policy(
    budget: Budget,
    first_wait_s: float,
    closing: threading.Event,
    on_wait: Callable[[str], None],
    on_retry: Callable[[], None] = lambda: None,
) -> Retrying:
    """The one policy by which requests are repeated: only what may pass, more slowly each time.

    After an error the pauses are min(2^n + rand(0..1 s), 64 s), as Google's documentation asks, and never less than
    Retry-After. After a refusal for its rate a request only waits a moment before it asks the pacer for its turn:
    a long pause of its own would leave it behind when all others are through.

    Args:
        budget: of the request; whoever sends it spends from it.
        first_wait_s: the first pause; each further one is twice as long.
        closing: set to end all waiting.
        on_wait: told a line before each pause of more than a few seconds.
        on_retry: called before each repeat.
    """
    jitter = wait_random(0, first_wait_s)

    def choose_pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RateLimitedError):
            return first_wait_s * _double(_FIRST_AFTER_REFUSAL, budget.refusals - 1, _LONGEST_AFTER_REFUSAL)
        asked_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
        return max(asked_s, _double(first_wait_s, budget.failures - 1, _LONGEST_S) + jitter(state))

    def tell(state: RetryCallState) -> None:
        on_retry()
        wait_s = state.next_action.sleep if state.next_action else 0.0
        if wait_s > _TOLD_S and state.outcome is not None:
            on_wait(f"{state.outcome.exception()}; trying again in {wait_s:.0f} s")

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=choose_pause,
        stop=lambda _state: budget.is_used_up or closing.is_set(),
        sleep=partial(wait_for, closing),
        before_sleep=tell,
        reraise=True,
    )


def wait_for(closing: threading.Event, wait_s: float) -> None:
    """Sleep so many seconds, or until ``closing`` is set."""
    closing.wait(wait_s)


def _double(first: float, times: int, most: float) -> float:
    """``first``, doubled so many times, and no more than ``most``."""
    return float(min(first * 2 ** min(times, 32), most))
