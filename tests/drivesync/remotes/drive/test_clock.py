"""A server's clock, read from answers that tell whole seconds."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest

from drivesync.remotes.drive.clock import ServerClock


def date(unix_s: float) -> str:
    return formatdate(int(unix_s), usegmt=True)


def test_nothing_is_known_at_first() -> None:
    clock = ServerClock()
    assert not clock.is_known
    assert clock.wants_more(0.0)
    clock.observe("in the morning", 0.0, 0.1)
    assert not clock.is_known


def test_one_answer_tells_the_time_to_about_a_second() -> None:
    clock = ServerClock()
    clock.observe(date(1_000.0), 5.0, 5.2)
    assert clock.is_known
    assert clock.read(5.1) == pytest.approx(1_000.5, abs=0.6)
    assert clock.read(65.1) - clock.read(5.1) == pytest.approx(60.0)


def test_the_more_answers_the_better() -> None:
    chance, clock, ahead_s = random.Random(0), ServerClock(), 1_700_000_000.4567
    now_s = 100.0
    for _ in range(200):
        sent_s = now_s
        given_s = sent_s + chance.uniform(0.0, 0.2)
        now_s = given_s + chance.uniform(0.0, 0.2)
        clock.observe(date(given_s + ahead_s), sent_s, now_s)
        assert clock.read(now_s) == pytest.approx(now_s + ahead_s, abs=0.71)
        now_s += 1.37
    assert clock.read(now_s) == pytest.approx(now_s + ahead_s, abs=0.05)


def test_an_answer_that_took_minutes_makes_nothing_worse() -> None:
    clock = ServerClock()
    clock.observe(date(1_000.0), 5.0, 5.2)
    before_s = clock.read(300.0)
    clock.observe(date(1_200.0), 6.0, 300.0)
    assert clock.read(300.0) == before_s


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_when_a_clock_was_put_right_or_stood_still_the_last_answer_counts(jump_s: float) -> None:
    clock = ServerClock()
    clock.observe(date(1_000.0), 5.0, 5.2)
    clock.observe(date(1_010.0 + jump_s), 15.0, 15.2)
    assert clock.read(15.1) == pytest.approx(1_010.5 + jump_s, abs=0.6)


def test_not_every_answer_is_worth_a_look() -> None:
    clock = ServerClock()
    clock.observe(date(1_000.0), 5.0, 5.2)
    assert not clock.wants_more(6.1)
    assert clock.wants_more(6.3)
