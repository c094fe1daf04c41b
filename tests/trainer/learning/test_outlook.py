"""What is made of what darknet says."""

from __future__ import annotations

import pytest

from trainer.learning.outlook import Outlook
from trainer.status import Status


def test_nothing_is_known_at_first() -> None:
    outlook = Outlook(1000)
    outlook.begin(1, [])
    assert set(outlook.tell().values()) == {None}


def test_it_tells_fields_of_a_status() -> None:
    Status("training", 1, 2.0, **Outlook(1000).tell())


def test_the_rest_is_told_from_where_it_is_now() -> None:
    outlook = Outlook(1000)
    for first in (1, 301):
        outlook.begin(first, [])
        for step in range(400):
            outlook.hear(first + step, 1.0, 10_000.0 * first + step)
    told = outlook.tell()
    assert told["per_minute"] == pytest.approx(60.0)
    assert told["left_s"] == pytest.approx(300.0)


def test_the_sessions_before_tell_of_the_trend() -> None:
    outlook = Outlook(1000)
    outlook.recall((iteration, 2.0) for iteration in range(1, 400))
    outlook.begin(301, [])
    for iteration in range(301, 330):
        outlook.hear(iteration, 1.0, float(iteration))
    told = outlook.tell()
    assert (told["earlier_loss"], told["earlier_iteration"]) == (2.0, 229)
    assert 1.0 < told["smooth_loss"] < 2.0


def test_the_best_is_the_best_of_all_sessions_and_the_first_of_equals() -> None:
    outlook = Outlook(1000)
    outlook.begin(301, [(100, 0.5), (200, 0.7), (300, 0.6)])
    fields = ("map_last", "map_last_iteration", "map_best", "map_best_iteration")

    def told() -> tuple[object, ...]:
        return tuple(outlook.tell()[name] for name in fields)

    assert told() == (0.6, 300, 0.7, 200)
    outlook.hear(400, 1.0, 0.0)
    outlook.hear_map(0.7)
    assert told() == (0.7, 400, 0.7, 200)
    outlook.hear(500, 1.0, 1.0)
    outlook.hear_map(0.8)
    assert told() == (0.8, 500, 0.8, 500)
    # It is lost with the iterations that are trained again.
    outlook.begin(401, [(100, 0.5), (200, 0.7), (300, 0.6), (400, 0.7)])
    assert told() == (0.7, 400, 0.7, 200)


def test_the_first_map_is_the_best() -> None:
    outlook = Outlook(1000)
    outlook.begin(1, [])
    outlook.hear(100, 1.0, 0.0)
    outlook.hear_map(0.0)
    assert (outlook.tell()["map_best"], outlook.tell()["map_best_iteration"]) == (0.0, 100)
