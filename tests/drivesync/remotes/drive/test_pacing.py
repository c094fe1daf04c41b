"""Turns for many threads, on a clock that stands still until somebody waits."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import RateLimitedError
from drivesync.remotes.drive.pacing import Pacer

if TYPE_CHECKING:
    import threading

DOWNLOAD = 200


class Clock:
    """Seconds that pass only by waiting."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, changed: threading.Event, wait_s: float) -> None:
        assert wait_s > 0
        if not changed.is_set():
            self.now_s += wait_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(clock: Clock) -> Pacer:
    return Pacer(1.0, clock, clock.wait)


def refuse(pacer: Pacer, clock: Clock, times: int = 5) -> None:
    for _ in range(times):
        pacer.refused(clock.now_s, DOWNLOAD)


def requests_in(pacer: Pacer, clock: Clock, count: int) -> float:
    """Seconds that so many requests take."""
    before_s = clock.now_s
    for _ in range(count):
        pacer.wait("reading a", DOWNLOAD, before_s)
        pacer.taken(DOWNLOAD)
    return clock.now_s - before_s


def test_at_first_nobody_waits(pacer: Pacer, clock: Clock) -> None:
    assert requests_in(pacer, clock, 100) == 0
    assert not pacer.is_holding


def test_after_refusals_requests_go_one_after_the_other(pacer: Pacer, clock: Clock) -> None:
    requests_in(pacer, clock, 27)
    refuse(pacer, clock)
    # So many at once are what a second's quota units pay for.
    assert requests_in(pacer, clock, 28) == pytest.approx(1.1, rel=0.05)


def test_retry_after_is_heeded_by_all(pacer: Pacer, clock: Clock) -> None:
    pacer.refused(clock.now_s, DOWNLOAD, retry_after_s=30.0)
    pacer.refused(clock.now_s, DOWNLOAD, retry_after_s=1.0)
    assert requests_in(pacer, clock, 10) == pytest.approx(30.0)


def test_who_waits_hears_of_a_new_refusal() -> None:
    clock = Clock()
    waited: list[Pacer] = []

    def wait(changed: threading.Event, wait_s: float) -> None:
        if waited:
            waited.pop().refused(clock.now_s, DOWNLOAD, retry_after_s=12.0)
            assert changed.is_set()
        else:
            clock.wait(changed, wait_s)

    pacer = Pacer(1.0, clock, wait)
    waited.append(pacer)
    pacer.refused(clock.now_s, DOWNLOAD, retry_after_s=4.0)
    assert pacer.wait("reading a", DOWNLOAD, 100.0) == pytest.approx(112.0)


def test_a_request_is_given_up_when_none_was_taken_for_minutes(pacer: Pacer, clock: Clock) -> None:
    pacer.taken(DOWNLOAD)
    asked_s: list[float] = []

    def ask() -> None:
        while True:
            asked_s.append(pacer.wait("reading a", DOWNLOAD, 100.0))
            refuse(pacer, clock, 1)

    with pytest.raises(RateLimitedError, match=r"^reading a: .* for minutes"):
        ask()
    assert clock.now_s == pytest.approx(400.0)
    pauses_s = [after - before for before, after in itertools.pairwise(asked_s)]
    assert sum(pauses_s[:-9]) < 2
    assert pauses_s[-9:] == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0])
    # Later ones ask again: it may have passed.
    assert pacer.wait("reading b", DOWNLOAD, clock.now_s) >= 400.0


def test_stopping_ends_all_waiting() -> None:
    pacer = Pacer()
    pacer.refused(0.0, DOWNLOAD, retry_after_s=3600.0)
    with ThreadPoolExecutor(4) as pool:
        turns = [pool.submit(pacer.wait, "reading a", DOWNLOAD, time.monotonic()) for _ in range(4)]
        assert pacer.is_holding
        pacer.stop()
        assert all(turn.result(timeout=10) for turn in turns)
    assert pacer.wait("reading b", DOWNLOAD, 0.0) > 0


def test_turns_are_apart_whatever_thread_takes_them() -> None:
    pacer = Pacer()
    for _ in range(5):
        pacer.refused(1e9, DOWNLOAD)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(pacer.wait, "reading a", DOWNLOAD, time.monotonic()) for _ in range(4)]
        turns_s = sorted(turn.result() for turn in asked)
    # Nothing is known yet but that none was taken: ten a second is where it begins.
    assert [after - before for before, after in itertools.pairwise(turns_s)] == pytest.approx(
        [0.1] * 3, rel=0.5
    )
