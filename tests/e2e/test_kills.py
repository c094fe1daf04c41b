"""darknet is killed at random, again and again: each time on from the newest whole checkpoint, and to the end once."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

SEED = 1
"""Of its kills no three come at the same iteration, after which a run is given up, and rightly so."""
KILLS = 10
EVERY = 100
"""The original darknet saves so often."""


def possible_starts(before: list[int], newest: int) -> set[int]:
    """Where the next run may begin after one that printed ``before`` and began with a checkpoint of ``newest``."""
    if not before:
        return {newest + 1}
    last = before[-1]
    saved = max(newest, last // EVERY * EVERY)
    # An iteration is printed before it is saved: killed in between, it is not.
    return {saved + 1, max(newest, saved - EVERY) + 1} if saved == last else {saved + 1}


def kill_at_random(session: Session, run: int, chance: random.Random) -> None:
    """Kill darknet in its ``run``-th run, counted from 0, at random: before its first save there, or after it."""
    session.wait_until(
        lambda: len(session.attempts) > run and session.attempts[run], "the next run of darknet"
    )
    last = session.attempts[run][0] + chance.randrange(EVERY * 3 // 2)
    session.wait_until(lambda: session.attempts[run][-1] >= last, "a moment to kill in")
    session.kill(session.processes("darknet"))


def test_ten_kills_in_one_run(new_session: Callable[..., Session]) -> None:
    chance = random.Random(SEED)
    session = new_session(max_batches=700)
    session.supervise_in_background()
    for run in range(KILLS):
        kill_at_random(session, run, chance)
    status = session.finish()

    attempts = session.attempts
    assert len(attempts) == KILLS + 1
    newest = 0
    for before, after in pairwise(attempts):
        assert after[0] in possible_starts(before, newest)
        newest = after[0] - 1
    assert attempts[-1][-1] == 700
    assert session.log("darknet.log").count("Saving weights to backup//remote_final.weights") == 1
    assert len(status.restarts) == KILLS
    assert status.attempts == KILLS + 1
    assert session.iterations_on_drive() == {
        "remote.backup": 700,
        "remote_final.weights": 700,
        **{f"remote_{number}.weights": number for number in range(100, 701, 100)},
    }
