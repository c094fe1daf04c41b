"""Colab takes the machine away, again and again: the same commands go on from what Drive holds, verified."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

MAX_BATCHES = 600
SEED = 5

# When the machine goes: while the cells still run, before anything new is safe, or some time after.
LOSSES = ["setup", "early", "late", "setup", "early", "setup", "late", "early", "setup", "early"]


def lose(session: Session, when: str, chance: random.Random) -> list[int]:
    """Run the cells, and lose the machine at a random moment; returned is what darknet printed until then."""
    safe = session.safe_iteration()
    # Where it stands still is where it is lost, however long it takes until that is seen.
    last = safe + chance.randrange(1, 41) + (100 if when == "late" else 0)
    session.halt_darknet_at(last)
    with session.running_cells():
        if when == "setup":
            time.sleep(chance.uniform(0.1, 1.2))
        elif when == "early":
            session.wait_for_iteration(last)
        else:
            session.wait_until(lambda: session.iterations, "the first iteration")
            session.wait_until(lambda: session.safe_iteration() > safe, "a new checkpoint on Drive")
            time.sleep(chance.uniform(0.0, 0.2))
    iterations = session.iterations
    session.lose()
    return iterations


def test_ten_losses_in_one_run(new_session: Callable[..., Session]) -> None:
    chance = random.Random(SEED)
    session = new_session(max_batches=MAX_BATCHES)
    starts = []
    for when in LOSSES:
        safe = session.safe_iteration()
        iterations = lose(session, when, chance)
        if iterations:
            starts.append((iterations[0], safe))
        assert session.safe_iteration() >= safe
        assert None not in session.iterations_on_drive().values()
    safe = session.safe_iteration()
    session.pull()
    session.supervise_in_background()
    session.finish()

    starts.append((session.iterations[0], safe))
    assert len(starts) >= LOSSES.count("early") + LOSSES.count("late") + 1
    # An upload that was complete when the machine went may have been verified by nobody: then it is one further.
    assert all(start in {safe + 1, safe + 101} for start, safe in starts), starts
    assert starts[-1][1] >= 100 * LOSSES.count("late")
    assert session.iterations[-1] == MAX_BATCHES
    numbered = {f"remote_{number}.weights": number for number in range(100, MAX_BATCHES + 1, 100)}
    results = {"remote.backup": MAX_BATCHES, "remote_final.weights": MAX_BATCHES}
    # What training goes on from is pushed first, so one of the numbered may have been lost with its machine.
    last = {name: number for name, number in numbered.items() if number > safe}
    on_drive = session.iterations_on_drive()
    assert {**last, **results}.items() <= on_drive.items() <= {**numbered, **results}.items()
    assert set(session.names_on_drive().values()) == {1}
