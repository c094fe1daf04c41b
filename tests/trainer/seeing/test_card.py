"""What a card makes of a status."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from trainer.seeing.card import Card, Tone, make_card
from trainer.seeing.facts import describe_pace, describe_time
from trainer.status import DEAD, Status
from trainer.testing.standings import NOW_S, STANDINGS, TRAINING, ZONE

FULL = "waiting to push: Drive has no room"


def card(**changes: Any) -> Card:
    return make_card(replace(TRAINING, **changes), NOW_S, zone=ZONE)


def row(label: str, **changes: Any) -> str:
    (text,) = [one.text for one in card(**changes).rows if one.label == label]
    return text


@pytest.mark.parametrize(
    ("changes", "safety", "tone"),
    [
        pytest.param({}, "good", "good", id="all is well"),
        pytest.param({"safe_iteration": None}, "waiting", "good", id="nothing safe yet"),
        pytest.param({"pushing": False}, "waiting", "good", id="nothing is pushed"),
        pytest.param({"trouble": "waiting to push: 503"}, "waiting", "waiting", id="passes by itself"),
        pytest.param({"trouble": FULL, "remedy": "Make room."}, "trouble", "trouble", id="does not"),
        pytest.param({"warning": "lies on a mount"}, "good", "waiting", id="warned of"),
        pytest.param({"disk_free_bytes": 1}, "good", "trouble", id="no room on this disk"),
        pytest.param({"remote_free_bytes": 1}, "good", "trouble", id="soon none on Drive"),
        pytest.param({"checkpoint_bytes": None, "disk_free_bytes": 1}, "good", "good", id="of unknown files"),
        pytest.param({"updated_s": NOW_S - 119.0}, "good", "good", id="slow"),
        pytest.param({"updated_s": NOW_S - 121.0}, "good", "trouble", id="silent"),
        pytest.param({"state": "pulling", "updated_s": NOW_S - 999.0}, "good", "waiting", id="long pull"),
        pytest.param({"state": "restarting"}, "good", "waiting", id="restarting"),
        pytest.param({"state": "finished", "exit_code": 0, "message": "done"}, "good", "over", id="finished"),
        pytest.param({"state": "stopped", "exit_code": 75, "message": "so"}, "good", "over", id="stopped"),
        pytest.param({"state": "stopped", "exit_code": 76, "message": "so"}, "good", "trouble", id="lost"),
        pytest.param({"state": "gave up", "exit_code": 70, "message": "so"}, "good", "trouble", id="gave up"),
        pytest.param({"state": "failed", "exit_code": 78, "message": "so"}, "good", "trouble", id="failed"),
        pytest.param({"state": DEAD, "message": "gone"}, "good", "trouble", id="dead"),
    ],
)
def test_red_is_where_the_user_is_needed(changes: dict[str, Any], safety: Tone, tone: Tone) -> None:
    made = card(**changes)
    assert (made.safety, made.tone) == (safety, tone)


@pytest.mark.parametrize("name", STANDINGS)
def test_whoever_is_needed_is_told_what_for(name: str) -> None:
    """Beside the words of an error that says it itself."""
    made = make_card(STANDINGS[name], NOW_S, zone=ZONE)
    needed = [notice for notice in made.notices if notice.tone == "trouble"]
    assert bool(needed) is (made.tone == "trouble")
    assert all(notice.remedy for notice in needed)
    assert made.notices[: len(needed)] == tuple(needed)


@pytest.mark.parametrize(
    ("iteration", "goal", "progress"),
    [(None, None, None), (None, 10, 0.0), (5, 10, 0.5), (12, 10, 1.0), (-1, 10, 0.0), (5, 0, None)],
)
def test_progress(iteration: int | None, goal: int | None, progress: float | None) -> None:
    assert card(iteration=iteration, max_batches=goal).progress == progress


@pytest.mark.parametrize(
    ("now", "earlier", "said"),
    [
        (0.5, 1.0, "0.5, falling: 1 at 2,460"),
        (2.0, 1.0, "2, rising: 1 at 2,460"),
        (0.96, 1.0, "0.96, steady: 1 at 2,460"),
        (0.5, None, "0.5"),
        (0.5, 0.0, "0.5"),
    ],
)
def test_trend(now: float, earlier: float | None, said: str) -> None:
    assert row("avg loss", avg_loss=now, smooth_loss=now, earlier_loss=earlier) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, "best 61.9 % at 2,400, last 60.1 % at 2,700", id="it was better"),
        pytest.param({"map_last_iteration": 2400}, "best 61.9 % at 2,400", id="it is the best"),
        pytest.param({"map_best_iteration": None, "map_last": None}, "best 61.9 %", id="nobody knows where"),
    ],
)
def test_map(changes: dict[str, Any], said: str) -> None:
    assert row("mAP", **changes) == said


def test_of_many_restarts_the_last_three_are_told() -> None:
    notes = tuple(replace(TRAINING.restarts[0], iteration=at) for at in range(1, 9))
    (told,) = [one for one in card(restarts=notes, restarted=20).rows if one.label == "restarts"]
    assert told.text == "20 in this session, the last of them:"
    assert [line.partition(",")[0] for line in told.more] == [f"14:24 at iteration {at}" for at in (8, 7, 6)]


@pytest.mark.parametrize(
    ("per_minute", "said"),
    [
        (12345.6, "12,346 iterations a minute"),
        (19.96, "20.0 iterations a minute"),
        (2.0, "2.0 iterations a minute"),
        (1.99, "119 iterations an hour"),
        (0.21, "12.6 iterations an hour"),
    ],
)
def test_paces(per_minute: float, said: str) -> None:
    assert describe_pace(per_minute) == said


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        (0.0, "16:00"),
        (-3600.0, "15:00"),
        (7.9 * 3600.0, "23:54"),
        (8.0 * 3600.0, "tomorrow 00:00"),
        (-17.0 * 3600.0, "yesterday 23:00"),
        (2.0 * 86_400.0, "Thu 16:00"),
        (-2.0 * 86_400.0, "2026-09-20 16:00"),
        (7.0 * 86_400.0, "2026-09-29 16:00"),
        (1e300, "9999-12-31 "),
        (-1e300, "1970-01-01 02:00"),
    ],
)
def test_times_are_told_as_they_are_where_the_user_is(ahead_s: float, said: str) -> None:
    assert describe_time(NOW_S + ahead_s, NOW_S, ZONE).startswith(said)


def test_the_finish_is_told_in_the_zone_that_was_asked_for() -> None:
    there = make_card(TRAINING, NOW_S, zone=timezone(timedelta(hours=-7)))
    assert [one.text for one in there.rows if one.label == "time left"] == ["104 min, until 08:44"]


def test_of_what_is_over_nothing_is_foretold() -> None:
    labels = {one.label for one in card(state="stopped").rows}
    assert not labels & {"speed", "time left", "GPU"}
    assert "ended" in labels


def test_the_least_that_there_is() -> None:
    made = make_card(Status("starting", 1, 2.0), NOW_S, zone=ZONE)
    assert (made.headline, made.standing, made.rows, made.notices, made.progress) == (
        "it is not known yet what is safe on Drive",
        "starting",
        (),
        (),
        None,
    )
