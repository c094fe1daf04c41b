"""When requests go out, on a clock that stands still until somebody sleeps."""

from __future__ import annotations

import threading
import time

import pytest

from drivesync.errors import NotAllowedError, RateLimitedError, RemoteError, TransientError
from drivesync.remotes.pacing import Pacer, retry_policy


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, wait_s: float) -> None:
        assert wait_s > 0
        self.now_s += wait_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(clock: Clock) -> Pacer:
    return Pacer(clock, clock.sleep)


def requests_in(pacer: Pacer, clock: Clock, count: int) -> float:
    """Seconds that so many requests take, none of which is answered."""
    before_s = clock.now_s
    for _ in range(count):
        pacer.wait()
    return clock.now_s - before_s


def test_at_first_nobody_waits(pacer: Pacer, clock: Clock) -> None:
    assert requests_in(pacer, clock, 100) == 0


def test_after_a_refusal_all_wait_and_then_go_one_after_the_other(pacer: Pacer, clock: Clock) -> None:
    pacer.slow_down(1.0)
    assert requests_in(pacer, clock, 1) == pytest.approx(1.0)
    assert requests_in(pacer, clock, 10) == pytest.approx(10 * 0.02)


def test_each_refusal_halves_the_rate_down_to_one_a_second(pacer: Pacer, clock: Clock) -> None:
    for refusals in range(1, 10):
        pacer.slow_down(1.0)
        pacer.wait()
        assert requests_in(pacer, clock, 1) == pytest.approx(min(0.02 * 2 ** (refusals - 1), 1.0))


def test_requests_that_are_refused_together_count_once(pacer: Pacer, clock: Clock) -> None:
    for _ in range(12):
        pacer.slow_down(1.0)
    pacer.wait()
    assert requests_in(pacer, clock, 10) == pytest.approx(10 * 0.02)


def test_the_longest_pause_that_was_asked_for_counts(pacer: Pacer, clock: Clock) -> None:
    pacer.slow_down(30.0)
    pacer.slow_down(1.0)
    assert requests_in(pacer, clock, 1) == pytest.approx(30.0)


def test_answers_bring_the_full_rate_back(pacer: Pacer, clock: Clock) -> None:
    pacer.slow_down(1.0)
    for _ in range(10):
        pacer.speed_up()
    pacer.wait()
    assert 0 < requests_in(pacer, clock, 1) < 0.01
    for _ in range(20):
        pacer.speed_up()
    pacer.wait()
    assert requests_in(pacer, clock, 100) == 0


def test_refusals_that_come_by_chance_do_not_add_up(pacer: Pacer, clock: Clock) -> None:
    before_s = clock.now_s
    for _ in range(50):
        pacer.slow_down(1.0)
        for _ in range(19):
            pacer.wait()
            pacer.speed_up()
    assert clock.now_s - before_s < 50 * (1.0 + 19 * 0.02)


class Failing:
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times = times
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "answer"


def test_what_may_pass_is_tried_again() -> None:
    send = Failing(3, TransientError("no"))
    told: list[str] = []
    assert retry_policy(3, 0.0001, threading.Event(), told.append)(send) == "answer"
    assert (send.calls, told) == (4, [])


@pytest.mark.parametrize(
    ("retries", "error", "calls"),
    [
        pytest.param(2, TransientError("no"), 3, id="until the repeats are used up"),
        pytest.param(0, TransientError("no"), 1, id="never, if told so"),
        pytest.param(5, RemoteError("no"), 1, id="what a repeat cannot help"),
        pytest.param(5, NotAllowedError("no"), 1, id="what is forbidden"),
        pytest.param(5, ValueError("no"), 1, id="an error in the program"),
    ],
)
def test_the_last_error_comes_through(retries: int, error: Exception, calls: int) -> None:
    send = Failing(99, error)
    with pytest.raises(type(error)) as caught:
        retry_policy(retries, 0.0001, threading.Event(), print)(send)
    assert caught.value is error
    assert send.calls == calls


def waits_s(error: TransientError, first_wait_s: float) -> list[float]:
    """The pauses of a policy whose sleep is cut short, by what it tells of them."""
    closing = threading.Event()
    policy = retry_policy(8, first_wait_s, closing, lambda _line: None)
    paused: list[float] = []
    policy.sleep = paused.append
    with pytest.raises(TransientError):
        policy(Failing(99, error))
    return paused


def test_each_pause_is_twice_as_long_and_a_bit_of_chance_up_to_a_minute() -> None:
    for number, wait_s in enumerate(waits_s(TransientError("no"), 1.0)):
        assert min(2**number, 64) <= wait_s <= min(2**number, 64) + 1


def test_no_pause_is_shorter_than_drive_asks_for() -> None:
    paused = waits_s(RateLimitedError("no", retry_after_s=20.0), 1.0)
    assert paused[:4] == [20.0] * 4
    assert paused[-1] > 60


def test_long_pauses_are_told_and_the_end_cuts_them_short() -> None:
    closing = threading.Event()
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        closing.set()

    before_s = time.monotonic()
    with pytest.raises(TransientError):
        retry_policy(5, 30.0, closing, tell)(Failing(99, TransientError("reading a: lost")))
    assert time.monotonic() - before_s < 5
    (line,) = told
    assert line.startswith("reading a: lost; trying again in ")
