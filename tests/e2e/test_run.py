"""``trainer run``: one command from an empty machine to the end of a training, and again after a loss."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

_STEP = re.compile(r"(?:pull: .* came to |check: |build: |run: ).*")


def run(session: Session, *options: str, status: int = 0) -> list[str]:
    """What was said of each step, in order."""
    said = session.run("trainer", "run", "darknet", str(session.tree), *options, status=status)
    found = [line for line in said.splitlines() if _STEP.match(line)]
    assert found, said
    return found


def test_the_same_command_after_a_loss_and_after_the_end(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=300)
    session.halt_darknet_at(110)
    pulled, checked, built = run(session, "--background")
    assert pulled.endswith(" 0 were there already")
    assert checked.startswith("check: nothing is wrong")
    assert "nothing to build" in built
    (attached,) = run(session, "--background")
    assert "so pull, check and build are left out" in attached
    session.wait_until(session.safe_iteration, "a checkpoint on Drive")
    session.lose()
    assert session.safe_iteration() == 100

    run(session)
    assert session.iterations[0] == 101
    assert session.iterations_on_drive()["remote_final.weights"] == 300
    pulled, checked, _ = run(session)
    assert pulled.startswith("pull: 0 files")
    assert checked.endswith("and nothing has changed since")


def test_a_tree_with_errors_is_not_trained_and_a_mendable_one_is_mended(
    new_session: Callable[..., Session],
) -> None:
    session = new_session(max_batches=100)
    session.copy_tree()
    (session.tree / "data/train.txt").write_bytes(
        (session.tree / "data/train.txt").read_bytes().replace(b"\n", b"\r\n")
    )
    checked = run(session, "--no-push", status=os.EX_CONFIG)[-1]
    assert "error" in checked
    assert not session.iterations
    run(session, "--no-push", "--fix")
    assert session.iterations[-1] == 100
    assert b"\r" in (session.tree / "data/train.txt.orig").read_bytes()
