"""A larger batch makes the same training fewer iterations: it goes on, on Drive as here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session


def test_what_is_trained_with_it_lands_at_once(new_session: Callable[..., Session]) -> None:
    session, other = (new_session(home, max_batches=300) for home in ("one", "two"))
    session.supervise()
    assert session.iterations_on_drive()["remote.backup"] == 300
    other.pull()

    cfg = session.tree / session.seed.cfg
    cfg.write_text(
        cfg.read_text().replace("batch=2\n", "batch=4\n").replace("_batches=300\n", "_batches=250\n")
    )
    session.seed = replace(session.seed, batch=4, max_batches=250)
    said = session.supervise()
    assert "iteration 300 counted with batch 2 is iteration 150 with batch 4: the count goes on there" in said
    assert session.attempts[-1] == list(range(151, 251))
    assert said.index("safe: backup/remote.backup, iteration 200 ") < said.index(
        "safe: backup/remote_final.weights, iteration 250 "
    )
    on_drive = session.weights_on_drive()
    assert {
        name: session.iterations_on_drive()[name] for name in ("remote.backup", "remote_final.weights")
    } == {
        "remote.backup": 200,
        "remote_final.weights": 250,
    }
    assert session.status.safe_iteration == 250

    # What was saved before the batch was changed, as it lies on a machine that knows nothing of that.
    for path in (other.tree / "backup").glob("remote*"):
        path.touch()
    said = other.run("drivesync", "push", str(other.tree))
    further = "one that was trained for longer, iteration 200 by its own count"
    reason = f"the remote holds {further}, and this is iteration 300"
    assert f"not pushed: backup/remote.backup: {reason}" in said
    assert session.weights_on_drive() == on_drive
