"""A run's life is told in a few lines, also where a machine went away without a word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainer.deciding.endings import AttemptEnd
from trainer.learning.facts import CfgFacts
from trainer.learning.history import AttemptRecord
from trainer.life import describe_life

FACTS = CfgFacts(64, 16, 64, 0.001, 20_000, 416, 416, 3, 23_600_000, "0123abcd")
DAY_S = 86_400.0
NOON_S = 1_790_078_400.0
"""2026-09-22 12:00 UTC."""


def attempt(
    day: int,
    hour: float,
    begin: int,
    end: int,
    *,
    ending: str = "UNKNOWN",
    decided: str = "restart",
    reason: str = "it crashed",
    host: str = "one",
    facts: CfgFacts = FACTS,
) -> AttemptRecord:
    """One attempt of two hours, on the session of a day."""
    at_s = NOON_S + day * DAY_S + hour * 3600
    seen = AttemptEnd(at_s, at_s + 7200, begin, begin, end // 100 * 100, begin + 1, end, -6)
    return AttemptRecord("backup/remote", NOON_S + day * DAY_S, host, facts, seen, ending, reason, decided)


FINISHED = attempt(0, 0, 0, 20_000, ending="FINISHED", decided="finish")


def test_nothing_has_happened() -> None:
    assert describe_life([]) == []


def test_a_run_that_went_through() -> None:
    assert describe_life([FINISHED]) == [
        "1 attempt in 1 session since 2026-09-22 12:00 UTC, 2.0 h of training",
        "2026-09-22 12:00 UTC, 2.0 h: iteration 0 to 20,000, finished",
    ]


def test_restarts_are_counted_by_their_reasons() -> None:
    records = [
        attempt(0, 0, 0, 950, ending="STALLED"),
        attempt(0, 2, 900, 1950, ending="GPU_MEMORY"),
        attempt(0, 4, 1900, 2950, ending="GPU_MEMORY"),
        attempt(0, 6, 2900, 3950, ending="SOMETHING_NEW"),
        attempt(0, 8, 3900, 20_000, ending="FINISHED", decided="finish"),
    ]
    assert describe_life(records) == [
        "5 attempts in 1 session since 2026-09-22 12:00 UTC, 10.0 h of training",
        "4 restarts: 2 x the GPU was out of memory, 1 x darknet hung, 1 x SOMETHING_NEW",
        "2026-09-22 12:00 UTC, 10.0 h: iteration 0 to 20,000, 4 restarts, finished",
    ]


def test_sessions_that_end_in_all_ways() -> None:
    records = [
        attempt(0, 0, 0, 950, decided="stop", ending="STOPPED"),
        attempt(1, 0, 900, 950, decided="restart", ending="DRIVER", host="two"),
        attempt(2, 0, 900, 1050, decided="give up", ending="DRIVER", reason="CUDA has failed: it said so"),
        attempt(3, 0, 1000, 1000, decided="stop", ending="LOST_LEASE"),
        attempt(4, 0, 1000, 1150, decided="restart"),
    ]
    assert describe_life(records)[2:] == [
        "2026-09-22 12:00 UTC, 2.0 h: iteration 0 to 950, stopped by the user",
        "2026-09-23 12:00 UTC, 2.0 h: iteration 900 to 950, 1 restart, then cut short",
        "2026-09-24 12:00 UTC, 2.0 h: iteration 900 to 1,050, given up: CUDA has failed: it said so",
        "2026-09-25 12:00 UTC, 2.0 h: not beyond iteration 1,000, another session has the run",
        "2026-09-26 12:00 UTC, 2.0 h: iteration 1,000 to 1,150, 1 restart",
    ]
    assert " on 2 machines since " in describe_life(records)[0]


def test_what_machines_trained_that_went_away_without_a_word() -> None:
    records = [attempt(0, 0, 0, 950), attempt(3, 0, 7200, 20_000, ending="FINISHED", decided="finish")]
    assert describe_life(records)[2:] == [
        "2026-09-22 12:00 UTC, 2.0 h: iteration 0 to 950, 1 restart, then cut short",
        "iteration 900 to 7,200 by attempts that were cut short with their machine",
        "2026-09-25 12:00 UTC, 2.0 h: iteration 7,200 to 20,000, finished",
    ]


def test_another_batch_counts_otherwise_and_proves_no_gap() -> None:
    halved = replace(FACTS, batch=32, images_per_iteration=32)
    records = [attempt(0, 0, 0, 950), attempt(1, 0, 1800, 1950, facts=halved)]
    assert not [line for line in describe_life(records) if "cut short with" in line]


@pytest.mark.parametrize(("sessions", "lines"), [(5, 7), (6, 8), (200, 8)])
def test_of_many_sessions_the_last_are_told(sessions: int, lines: int) -> None:
    records = [attempt(day, 0, day * 100, day * 100 + 100) for day in range(sessions)]
    told = describe_life(records)
    assert len(told) == lines
    assert told[2].startswith(f"after {sessions - 5} earlier session" if sessions > 5 else "2026-09-22")
    assert f"iteration {sessions * 100 - 100:,} to {sessions * 100:,}" in told[-1]


@pytest.mark.parametrize("moment_s", [-1e15, 1e15])
def test_a_time_beyond_all_calendars_breaks_nothing(moment_s: float) -> None:
    record = replace(FINISHED, end=replace(FINISHED.end, started_s=moment_s))
    assert len(describe_life([record])) == 2
