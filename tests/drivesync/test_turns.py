"""Who may write a run, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivesync.files import LeaseRecord
from drivesync.turns import (
    describe_age,
    describe_holder,
    explain_wait,
    has_shown_life,
    is_live,
    lease_key,
    may_claim,
    order_turns,
    refuse,
    report_gone,
    report_taken,
)

START_S = 1_800_000_000.0
FIRST = LeaseRecord("remote", 1, "id1", "id2", "holder1", "root@1a2b3c, process 812", START_S, START_S)


@pytest.mark.parametrize(
    ("silent_s", "released", "stale_after_s", "live"),
    [
        pytest.param(0.0, False, 300.0, True, id="just claimed"),
        pytest.param(299.9, False, 300.0, True, id="heard of within five minutes"),
        pytest.param(300.0, False, 300.0, False, id="silent for five minutes"),
        pytest.param(1.0, True, 300.0, False, id="given back"),
        pytest.param(-7200.0, False, 300.0, True, id="renewed ahead of what the clock says now"),
        pytest.param(2.0, False, 1.0, False, id="a shorter lease"),
    ],
)
def test_a_session_is_live(*, silent_s: float, released: bool, stale_after_s: float, live: bool) -> None:
    record = replace(FIRST, released=released)
    now_s = record.renewed_s + silent_s
    assert is_live(record, now_s, stale_after_s) is live
    assert may_claim(record, now_s, take_over=False, stale_after_s=stale_after_s) is not live
    assert may_claim(record, now_s, take_over=True, stale_after_s=stale_after_s)


@pytest.mark.parametrize(
    ("newest", "began_s", "alive"),
    [
        pytest.param(FIRST, START_S + 30, False, id="silent since before we began"),
        pytest.param(FIRST, START_S - 0.5, True, id="heard from since we began, at the first look"),
        pytest.param(replace(FIRST, renewed_s=START_S + 60), START_S + 30, True, id="renewed since"),
        pytest.param(
            replace(FIRST, renewed_s=START_S + 20), START_S + 30, True, id="renewed, by whichever clock"
        ),
        pytest.param(replace(FIRST, id="id2", epoch=2), START_S + 30, True, id="another turn since"),
    ],
)
def test_a_session_has_shown_life(*, newest: LeaseRecord, began_s: float, alive: bool) -> None:
    assert has_shown_life(newest, FIRST, began_s) is alive


def test_the_line_of_who_waits_says_for_whom_and_what_else_to_do() -> None:
    line = explain_wait(FIRST, START_S + 120)
    assert line == (
        "another session has had the run 'remote': root@1a2b3c, process 812, since 2027-01-15 08:00 UTC (2 minutes "
        "ago), last heard from 2 minutes ago; waiting to see whether it is still there"
    )


def test_it_is_the_renewal_that_counts_not_the_beginning() -> None:
    assert is_live(replace(FIRST, renewed_s=START_S + 86_400), START_S + 86_500)


def test_a_run_that_nobody_has_had_may_be_claimed() -> None:
    assert may_claim(None, START_S, take_over=False)


@pytest.mark.parametrize(
    ("records", "current"),
    [
        pytest.param([], None, id="none"),
        pytest.param([("a", 1, 5.0)], "a", id="one"),
        pytest.param([("a", 1, 9.0), ("b", 2, 5.0)], "b", id="the highest epoch, whenever it began"),
        pytest.param([("b", 1, 5.001), ("a", 1, 5.0)], "a", id="of one epoch the earliest"),
        pytest.param([("b", 1, 5.0), ("a", 1, 5.0)], "a", id="of one moment the smallest id"),
        pytest.param([("a", 1, 1.0), ("c", 2, 3.0), ("b", 2, 2.0)], "b", id="of two chains the earlier turn"),
    ],
)
def test_of_several_records_one_is_current(
    records: list[tuple[str, int, float]], current: str | None
) -> None:
    made = [replace(FIRST, id=id_, epoch=epoch, since_s=since_s) for id_, epoch, since_s in records]
    assert next((record.id for record in order_turns(made)), None) == current
    assert order_turns(made) == order_turns(reversed(made))


NAMES = [
    "remote",
    "Remote",
    "remote/cfg",
    "remote_cfg",
    "../../etc/passwd",
    "..",
    "",
    " ",
    'it\'s \\ "one"',
    "\0\n",
    "läuft",
    "лодка",
    "\udcff",
    "x" * 300,
    "x" * 301,
]


def test_any_run_has_a_key_that_any_file_system_takes() -> None:
    keys = [lease_key(name) for name in NAMES]
    assert len({key.lower() for key in keys}) == len(NAMES)
    for key in keys:
        assert key.isascii()
        assert all(letter.isalnum() or letter in "_.-" for letter in key)
        assert len(key) <= 57


def test_a_key_can_be_recognized() -> None:
    assert lease_key("remote").startswith("remote-")


@pytest.mark.parametrize(
    ("age_s", "told"),
    [
        pytest.param(-3600.0, "just now", id="ahead"),
        pytest.param(0.5, "just now", id="less than a second"),
        pytest.param(1.0, "1 second ago", id="one second"),
        pytest.param(59.9, "59 seconds ago", id="seconds"),
        pytest.param(60.0, "1 minute ago", id="one minute"),
        pytest.param(7_199.0, "1 hour ago", id="one hour"),
        pytest.param(400_000.0, "4 days ago", id="days"),
    ],
)
def test_an_age_in_words(age_s: float, told: str) -> None:
    assert describe_age(age_s) == told


def test_who_has_it_is_said_with_what_to_do() -> None:
    record = replace(FIRST, renewed_s=START_S + 7_180)
    now_s = START_S + 7_200
    described = (
        "root@1a2b3c, process 812, since 2027-01-15 08:00 UTC (2 hours ago), last heard from 20 seconds ago"
    )
    assert describe_holder(record, now_s) == described
    refused, taken, gone = refuse(record, now_s), report_taken(record, now_s), report_gone(record)
    assert str(refused) == f"another session has the run 'remote': {described}"
    assert str(taken) == f"another session has taken the run 'remote': {described}"
    assert "'remote' is no longer this session's" in str(gone)
    assert "--take-over" in refused.hint
    assert "--take-over" in taken.hint
    assert all(error.exit_code == 76 and error.hint for error in (refused, taken, gone))
