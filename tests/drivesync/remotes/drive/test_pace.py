"""How near to a server's limit many workers come, and how seldom they are refused: simulated, with no clock at all."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import TYPE_CHECKING

import pytest

from drivesync.remotes.drive.pace import Pace
from drivesync.testing.costs import QUOTA_UNITS_PER_MINUTE, Costs, Meter
from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIST = 100
DOWNLOAD = 200
UNITS_PER_S = QUOTA_UNITS_PER_MINUTE / 60
LATENCY_S = 0.1


class Simulation:
    """Workers that send one request after the other to a server with a limit, as events in a queue.

    Args:
        costs: the server's limit.
        workers: so many requests are on their way at once at most.
        noise: the share of requests that is refused by chance.
    """

    def __init__(self, costs: Costs, *, workers: int = 64, noise: float = 0.0) -> None:
        self.pace = Pace()
        self.now_s = 0.0
        self.refused = 0
        self.taken_at_s: list[float] = []
        self._meter = Meter(costs, 0.0)
        self._workers = workers
        self._noise = noise
        self._random = random.Random(0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[int, int]] = {}

    def set_costs(self, costs: Costs) -> None:
        self._meter = Meter(costs, self.now_s)

    def run(self, requests: Sequence[int]) -> float:
        """Seconds until all requests, given by their quota units, are taken."""
        begun_s, wanted = self.now_s, len(self.taken_at_s) + len(requests)
        self._requests = iter(requests)
        for _ in range(self._workers):
            self._send_next()
        while len(self.taken_at_s) < wanted:
            at_s, _number, event = heapq.heappop(self._events)
            self.now_s = at_s
            event()
        return self.now_s - begun_s

    def _after(self, delay_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._numbers), event))

    def _send_next(self) -> None:
        units = next(self._requests, None)
        if units is not None:
            self._wait_for_turn(units, 0)

    def _wait_for_turn(self, units: int, refusals: int) -> None:
        number = next(self._numbers)
        self._waiting[number] = (units, refusals)
        turn_s = self.pace.reserve(self.now_s, units)
        self._after(turn_s - self.now_s, lambda: self._send(number))

    def _send(self, number: int) -> None:
        if number in self._waiting:
            units, refusals = self._waiting.pop(number)
            sent_s = self.now_s
            latency_s = LATENCY_S * (1 + 0.3 * self._random.random())
            self._after(latency_s, lambda: self._hear(units, refusals, sent_s))

    def _hear(self, units: int, refusals: int, sent_s: float) -> None:
        epoch = self.pace.epoch
        if self._serves(units):
            self.taken_at_s.append(self.now_s)
            self.pace.take(self.now_s, units)
            self._send_next()
        else:
            self.refused += 1
            self.pace.refuse(sent_s, self.now_s, units)
            pause_s = min(0.1 * 2**refusals, 2.0)
            self._after(pause_s, lambda: self._wait_for_turn(units, refusals + 1))
        if self.pace.epoch != epoch:
            waiting, self._waiting = list(self._waiting.values()), {}
            for others in waiting:
                self._wait_for_turn(*others)

    def _serves(self, units: int) -> bool:
        if self._random.random() < self._noise:
            return False
        try:
            self._meter.charge(units, self.now_s)
        except ApiError:
            return False
        return True


def units_limit(burst_s: float) -> Costs:
    return Costs(units_per_minute=QUOTA_UNITS_PER_MINUTE, units_burst_s=burst_s)


def floor_s(costs: Costs, requests: Sequence[int]) -> float:
    """The least time in which a server with these limits takes these requests."""
    by_requests = by_units = 0.0
    if costs.requests_per_s is not None:
        by_requests = len(requests) / costs.requests_per_s - costs.requests_burst_s
    if costs.units_per_minute is not None:
        by_units = sum(requests) / (costs.units_per_minute / 60) - costs.units_burst_s
    return max(by_requests, by_units)


TREE = [LIST] * 10 + [DOWNLOAD] * 2001


@pytest.mark.parametrize(
    ("costs", "requests", "workers", "most_refused"),
    [
        pytest.param(Costs(requests_per_s=200), TREE, 64, 60, id="200 requests a second"),
        pytest.param(Costs(requests_per_s=200), TREE, 32, 40, id="with 32 workers"),
        pytest.param(
            Costs(requests_per_s=200, requests_burst_s=60), [DOWNLOAD] * 24000, 64, 60, id="a minute's worth"
        ),
        pytest.param(units_limit(1), TREE, 64, 80, id="quota units"),
        pytest.param(units_limit(1), TREE, 8, 40, id="quota units, 8 workers"),
        pytest.param(units_limit(60), [DOWNLOAD] * 3000, 64, 80, id="a minute's worth of quota units"),
        pytest.param(units_limit(10), [DOWNLOAD] * 3000, 64, 130, id="ten seconds' worth: no limit looks so"),
        pytest.param(Costs(requests_per_s=50), [DOWNLOAD] * 2000, 64, 140, id="a limit that nobody knows of"),
        pytest.param(Costs(requests_per_s=5), [DOWNLOAD] * 300, 64, 110, id="a very low limit"),
        pytest.param(
            Costs(requests_per_s=200, units_per_minute=QUOTA_UNITS_PER_MINUTE, units_burst_s=60),
            [DOWNLOAD] * 3000,
            64,
            200,
            id="both limits, one after the other",
        ),
    ],
)
def test_nothing_of_the_allowance_is_lost_and_few_are_refused(
    costs: Costs, requests: list[int], workers: int, most_refused: int
) -> None:
    simulation = Simulation(costs, workers=workers)
    took_s = simulation.run(requests)
    assert took_s <= 1.015 * floor_s(costs, requests) + 2 * LATENCY_S
    assert simulation.refused <= most_refused


def test_after_the_first_refusals_there_is_hardly_one_more() -> None:
    simulation = Simulation(units_limit(1))
    simulation.run(TREE[:300])
    at_first = simulation.refused
    simulation.run([DOWNLOAD] * 1700)
    assert at_first <= 64 + 5
    assert simulation.refused - at_first <= 10


def test_one_refusal_in_twenty_is_no_limit() -> None:
    simulation = Simulation(Costs(), noise=0.05)
    took_s = simulation.run([DOWNLOAD] * 10_000)
    unhindered_s = 10_000 / 0.95 / 64 * (LATENCY_S * 1.15)
    assert took_s <= 1.1 * unhindered_s


@pytest.mark.parametrize("costs", [Costs(requests_per_s=200), units_limit(1)], ids=["requests", "units"])
def test_refusals_by_chance_do_not_slow_a_pull_below_the_limit(costs: Costs) -> None:
    simulation = Simulation(costs, noise=0.05)
    assert simulation.run(TREE) <= 1.05 * floor_s(costs, TREE) + 1.0


def test_a_limit_that_is_lifted_is_found_out() -> None:
    simulation = Simulation(Costs(requests_per_s=20))
    simulation.run([DOWNLOAD] * 400)
    simulation.set_costs(Costs())
    simulation.run([DOWNLOAD] * 4000)
    last = simulation.taken_at_s[-500:]
    assert 499 / (last[-1] - last[0]) > 200


def test_a_limit_that_falls_is_found_out() -> None:
    simulation = Simulation(Costs(requests_per_s=200))
    simulation.run([DOWNLOAD] * 1000)
    simulation.set_costs(Costs(requests_per_s=20))
    before = simulation.refused
    assert simulation.run([DOWNLOAD] * 600) <= 1.03 * (600 - 20) / 20
    assert simulation.refused - before <= 120


def test_at_first_nobody_waits() -> None:
    pace = Pace()
    assert [pace.reserve(100.0, DOWNLOAD) for _ in range(1000)] == [100.0] * 1000
    assert not pace.is_holding(100.0)


def test_while_nothing_is_taken_one_request_at_a_time_asks_whether_that_has_changed() -> None:
    pace = Pace(first_pause_s=1.0)
    now_s = 100.0
    for _ in range(10):
        pace.refuse(now_s, now_s, DOWNLOAD)
        now_s += 1.0
    asked_s = []
    for _ in range(9):
        # Of two that wait, the second goes long after the first is answered.
        first_s, second_s = pace.reserve(now_s, DOWNLOAD), pace.reserve(now_s, DOWNLOAD)
        assert second_s - first_s >= 1.0
        asked_s.append(first_s - now_s)
        for _ in range(5):
            pace.refuse(first_s, first_s, DOWNLOAD)
        now_s = first_s
    assert asked_s[2:] == sorted(asked_s[2:])
    assert asked_s[-1] == pytest.approx(64.0)

    epoch = pace.epoch
    pace.take(now_s, DOWNLOAD)
    assert pace.epoch > epoch
    assert pace.reserve(now_s, DOWNLOAD) == pytest.approx(now_s)
    assert pace.reserve(now_s, DOWNLOAD) - now_s < 1.0


def test_retry_after_holds_for_all() -> None:
    pace = Pace()
    pace.refuse(99.9, 100.0, DOWNLOAD, retry_after_s=30.0)
    pace.refuse(99.9, 100.0, DOWNLOAD, retry_after_s=5.0)
    assert pace.epoch > 0
    assert [pace.reserve(101.0, DOWNLOAD) for _ in range(3)] == [130.0] * 3
    assert pace.is_holding(101.0)
    assert not pace.is_holding(130.0)
    assert pace.reserve(131.0, DOWNLOAD) == 131.0


def test_what_was_on_its_way_when_the_limit_was_met_tells_nothing_new() -> None:
    pace = Pace()
    for _ in range(5):
        pace.refuse(100.0, 100.1, DOWNLOAD)
    epoch = pace.epoch
    for _ in range(100):
        pace.refuse(100.0, 100.2, DOWNLOAD)
    assert pace.epoch == epoch
