"""Writes keep below a rate, by a clock that the tests move."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.mirror import WRITES_AT_ONCE, WRITES_PER_S
from drivesync.mirroring.write_rate import WriteRate

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Moves only while somebody waits."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, _event: threading.Event, wait_s: float) -> None:
        self.now_s += wait_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[[float, int], WriteRate]:
    return lambda per_s, burst: WriteRate(per_s, burst, clock, clock.wait)


def times(rate: WriteRate, clock: Clock, writes: int) -> list[float]:
    out = []
    for _ in range(writes):
        rate.take()
        out.append(clock.now_s - 100.0)
    return out


def test_some_go_at_once_and_the_others_at_the_rate(
    make: Callable[[float, int], WriteRate], clock: Clock
) -> None:
    assert times(make(2.0, 3), clock, 6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


def test_over_any_time_there_are_no_more_than_the_rate_allows(clock: Clock) -> None:
    rate = WriteRate(WRITES_PER_S, WRITES_AT_ONCE, clock, clock.wait)
    out = times(rate, clock, 1000)
    assert WRITES_PER_S < 3
    for first in range(0, 1000, 50):
        for last in range(first, 1000, 50):
            assert last - first <= WRITES_AT_ONCE + WRITES_PER_S * (out[last] - out[first]) + 1e-6
    assert out[-1] == pytest.approx(rate.least_s(1000), abs=1)


def test_a_pause_is_made_up_for_by_no_more_than_the_burst(
    make: Callable[[float, int], WriteRate], clock: Clock
) -> None:
    rate = make(2.0, 3)
    times(rate, clock, 6)
    clock.now_s = 1100.0
    assert times(rate, clock, 5) == [1000.0, 1000.0, 1000.0, 1000.5, 1001.0]


def test_a_write_that_makes_folders_counts_for_each(
    make: Callable[[float, int], WriteRate], clock: Clock
) -> None:
    rate = make(2.0, 3)
    rate.take(3)
    assert not rate.is_holding
    rate.take(2)
    assert clock.now_s == 101.0


def test_whether_it_holds_writes_back(make: Callable[[float, int], WriteRate], clock: Clock) -> None:
    rate = make(1.0, 1)
    rate.take()
    assert not rate.is_holding

    def look(_event: threading.Event, wait_s: float) -> None:
        assert rate.is_holding
        clock.now_s += wait_s

    rate._wait = look
    rate.take()
    assert not rate.is_holding


@pytest.mark.parametrize(("writes", "least_s"), [(0, 0.0), (3, 0.0), (4, 0.5), (23, 10.0)])
def test_how_long_so_many_take(make: Callable[[float, int], WriteRate], writes: int, least_s: float) -> None:
    assert make(2.0, 3).least_s(writes) == least_s


def test_where_there_is_no_limit_nobody_waits(make: Callable[[float, int], WriteRate], clock: Clock) -> None:
    rate = make(math.inf, 1)
    assert times(rate, clock, 100)[-1] == 0.0
    assert rate.least_s(10**6) == 0.0
    assert not rate.is_holding


def test_once_stopped_nobody_waits_any_more() -> None:
    rate = WriteRate(0.001, 1)
    rate.take()
    waiting = threading.Thread(target=rate.take)
    waiting.start()
    rate.stop()
    waiting.join(5)
    assert not waiting.is_alive()
