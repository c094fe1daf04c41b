"""Which loss the present one is held against."""

from __future__ import annotations

import math

from trainer.learning.trend import Trend


def train(trend: Trend, first: int, last: int) -> None:
    """The loss at each iteration is its number."""
    for iteration in range(first, last + 1):
        trend.add(iteration, float(iteration))


def test_a_young_run_has_none() -> None:
    trend = Trend()
    trend.begin(1)
    train(trend, 1, 50)
    assert trend.earlier(50) is None
    train(trend, 51, 51)
    assert trend.earlier(51) == (1, 1.0)


def test_of_the_last_hundred_iterations_and_later_of_the_last_tenth() -> None:
    trend = Trend()
    train(trend, 1, 500)
    assert trend.earlier(500) == (399, 399.0)
    train(trend, 501, 10_000)
    at, loss = trend.earlier(10_000) or (0, 0.0)
    assert (at, loss) == (at, float(at))
    assert 8900 <= at <= 9000


def test_little_is_remembered() -> None:
    trend = Trend()
    train(trend, 1, 50_000)
    assert len(trend._samples) < 120


def test_what_is_trained_again_is_forgotten_and_what_starts_over_is_left_out() -> None:
    """darknet's average begins anew with the first loss of an attempt, which is any."""
    trend = Trend()
    train(trend, 1, 300)
    trend.begin(201)
    for iteration in range(201, 221):
        trend.add(iteration, 1e6)
        assert trend.earlier(iteration) is None
    train(trend, 221, 260)
    at, loss = trend.earlier(260) or (0, 0.0)
    assert 155 <= at <= 160
    assert loss == float(at)


def test_what_is_no_number_is_no_loss() -> None:
    trend = Trend()
    train(trend, 1, 60)
    for iteration in range(61, 200):
        trend.add(iteration, math.nan)
    assert trend.earlier(200) == (59, 59.0)
