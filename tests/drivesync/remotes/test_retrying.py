"""What is tried again, how often, and after which pauses."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotAllowedError, RateLimitedError, RemoteError, TransientError
from drivesync.remotes.retrying import Budget, Spokesman, retry_policy

if TYPE_CHECKING:
    from collections.abc import Callable


class Failing:
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: Exception, budget: Budget) -> None:
        self.times = times
        self.error = error
        self.budget = budget
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            if isinstance(self.error, TransientError):
                self.budget.spend(self.error)
            raise self.error
        return "answer"


def attempt(send: Callable[[], str], budget: Budget, first_wait_s: float = 1.0) -> tuple[str, list[float]]:
    """What came of it, and the pauses, none of which was made."""
    policy = retry_policy(budget, first_wait_s, threading.Event(), lambda _line: None)
    paused_s: list[float] = []
    policy.sleep = paused_s.append
    return policy(send), paused_s


def test_what_may_pass_is_tried_again() -> None:
    budget = Budget(3)
    send = Failing(3, TransientError("no"), budget)
    told: list[str] = []
    repeats: list[None] = []
    policy = retry_policy(budget, 0.0001, threading.Event(), told.append, lambda: repeats.append(None))
    assert policy(send) == "answer"
    assert (send.calls, told, len(repeats)) == (4, [], 3)


@pytest.mark.parametrize(
    ("retries", "error", "calls"),
    [
        pytest.param(2, TransientError("no"), 3, id="until the repeats are used up"),
        pytest.param(0, TransientError("no"), 1, id="never, if told so"),
        pytest.param(2, RateLimitedError("no"), 17, id="more often, if it was only asked to slow down"),
        pytest.param(0, RateLimitedError("no"), 1, id="not even then, if told so"),
        pytest.param(5, RemoteError("no"), 1, id="what a repeat cannot help"),
        pytest.param(5, NotAllowedError("no"), 1, id="what is forbidden"),
        pytest.param(5, ValueError("no"), 1, id="an error in the program"),
    ],
)
def test_the_last_error_comes_through(retries: int, error: Exception, calls: int) -> None:
    budget = Budget(retries)
    send = Failing(99, error, budget)
    with pytest.raises(type(error)) as caught:
        attempt(send, budget)
    assert caught.value is error
    assert send.calls == calls


def test_progress_gives_all_repeats_back() -> None:
    budget = Budget(2)
    calls = 0

    def send() -> str:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            budget.refill()
        if calls > 20:
            return "answer"
        error = TransientError("broken")
        budget.spend(error)
        raise error

    answer, paused_s = attempt(send, budget)
    assert answer == "answer"
    assert max(paused_s) < 4.0


def test_each_pause_is_twice_as_long_and_a_bit_of_chance_up_to_a_minute() -> None:
    budget = Budget(8)
    _answer, paused_s = attempt(Failing(8, TransientError("no"), budget), budget)
    for number, wait_s in enumerate(paused_s):
        assert min(2**number, 64) <= wait_s <= min(2**number, 64) + 1


def test_no_pause_is_shorter_than_drive_asks_for() -> None:
    budget = Budget(8)
    _answer, paused_s = attempt(Failing(8, TransientError("no", retry_after_s=20.0), budget), budget)
    assert paused_s[:4] == [20.0] * 4
    assert paused_s[-1] > 60


def test_after_a_refusal_pauses_are_short_since_the_pacer_makes_the_long_ones() -> None:
    budget = Budget(8)
    error = RateLimitedError("no", retry_after_s=20.0)
    _answer, paused_s = attempt(Failing(8, error, budget), budget)
    assert paused_s == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])


def test_long_pauses_are_told_and_the_end_cuts_them_short() -> None:
    closing = threading.Event()
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        closing.set()

    budget = Budget(5)
    before_s = time.monotonic()
    with pytest.raises(TransientError):
        retry_policy(budget, 30.0, closing, tell)(Failing(99, TransientError("reading a: lost"), budget))
    assert time.monotonic() - before_s < 10
    (line,) = told
    assert line.startswith("reading a: lost; trying again in ")


def test_of_an_outage_one_line_is_told_every_few_seconds() -> None:
    told: list[str] = []
    moments_s = iter([0.0, 0.0, 0.1, 4.9, 5.0, 5.1, 60.0])
    tell = Spokesman(told.append, lambda: next(moments_s))
    for line in "abcdef":
        tell(line)
    assert told == ["a", "d", "f"]
