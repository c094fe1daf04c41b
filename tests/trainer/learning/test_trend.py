"""Whether the loss falls, as far as chance lets it be told."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from trainer.learning.trend import Held, Trend

if TYPE_CHECKING:
    from collections.abc import Callable


def train(trend: Trend, first: int, last: int, loss: Callable[[int], float] = float) -> None:
    """The loss at each iteration is its number, unless it is said otherwise."""
    for iteration in range(first, last + 1):
        trend.add(iteration, loss(iteration))


def told(trend: Trend) -> Held:
    held = trend.tell()
    assert held is not None
    return held


def test_a_young_run_has_none() -> None:
    trend = Trend()
    assert trend.tell() is None
    trend.begin(1)
    train(trend, 1, 50)
    assert trend.tell() is None
    train(trend, 51, 51)
    assert told(trend).iteration == 1


@pytest.mark.parametrize(
    ("last", "earliest", "latest"),
    [
        pytest.param(500, 398, 400, id="a hundred iterations back"),
        pytest.param(10_000, 8_960, 9_000, id="later a tenth"),
    ],
)
def test_how_far_it_looks_back(last: int, earliest: int, latest: int) -> None:
    trend = Trend()
    train(trend, 1, last)
    held = told(trend)
    assert earliest <= held.iteration <= latest
    # Both lag behind alike.
    assert held.now - held.earlier == pytest.approx(last - held.iteration, rel=0.1)


def test_chance_is_no_trend() -> None:
    """A network that learns nothing more, on images that are harder or easier by a fifth, as they come."""
    dice = random.Random(1)
    trend, average, wrong, held = Trend(), 1.0, 0, None
    for iteration in range(1, 5001):
        average = 0.9 * average + 0.1 * dice.uniform(0.8, 1.2)
        trend.add(iteration, average)
        held = trend.tell()
        wrong += held is not None and abs(held.now / held.earlier - 1.0) > 0.05
    assert wrong < 0.02 * 5000


def test_little_is_remembered() -> None:
    trend = Trend()
    train(trend, 1, 50_000)
    assert len(trend._samples) < 120


def test_what_is_trained_again_is_forgotten_and_what_starts_over_is_left_out() -> None:
    """darknet's average begins anew with the first loss of an attempt, which is any."""
    trend = Trend()
    train(trend, 1, 300)
    trend.begin(201)
    train(trend, 201, 220, lambda _iteration: 1e6)
    assert trend.tell() is None
    train(trend, 221, 260)
    held = told(trend)
    assert 155 <= held.iteration <= 160
    assert held.now < 260.0


def test_a_run_that_begins_anew_has_no_past() -> None:
    trend = Trend()
    train(trend, 1, 300)
    trend.begin(1)
    train(trend, 1, 40)
    assert trend.tell() is None


def test_points_far_apart_count_for_as_many_as_they_stand_for() -> None:
    """Of long runs the metrics keep a point here and there."""
    dense, thin = Trend(), Trend()
    for iteration in range(1, 20_001):
        loss = 1.0 + 1000.0 / iteration
        dense.add(iteration, loss)
        if iteration % 20 == 1:
            thin.add(iteration, loss)
    one, other = told(dense), told(thin)
    assert one.now == pytest.approx(other.now, rel=0.001)
    assert one.earlier == pytest.approx(other.earlier, rel=0.001)


def test_what_is_no_number_is_no_loss() -> None:
    trend = Trend()
    train(trend, 1, 60)
    before = told(trend)
    train(trend, 61, 200, lambda _iteration: math.nan)
    assert told(trend) == before
