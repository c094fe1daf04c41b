"""The supervisor is killed, or told to stop: darknet never outlives it, and the same command goes on."""

from __future__ import annotations

import json
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.daemon import is_alive
from trainer.learning.history import read_attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

AT_MOST_S = 1.0
"""How long darknet may be there after its supervisor."""

# The real darknet, with a child in its process group and one in a session of its own. Its pid and theirs are left.
WITH_CHILDREN = """\
#!/bin/sh
# tells which darknet it is: %f rate, %lf seconds, %d images
sleep 600 &
children=$!
setsid sleep 600 &
echo "$$ $children $!" > "$0.pids"
exec "{darknet}" "$@"
"""


def arm(session: Session) -> None:
    """Have a darknet in the tree that has children."""
    program = session.tree / "darknet"
    program.write_text(WITH_CHILDREN.format(darknet=shutil.which("darknet")))
    program.chmod(0o755)


def started(session: Session) -> list[int]:
    """The pids of darknet and of its children, as far as they are known."""
    path = session.tree / "darknet.pids"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize(
    "later_s", [pytest.param(0.0, id="as soon as darknet is there"), pytest.param(0.3, id="a little later")]
)
def test_nothing_of_darknet_outlives_a_killed_supervisor(
    new_session: Callable[..., Session], later_s: float
) -> None:
    session = new_session(max_batches=50_000)
    session.copy_tree()
    arm(session)
    with session.running("trainer", "supervise", "--no-push", str(session.tree)) as supervisor:
        session.wait_until(lambda: len(started(session)) == 3, "darknet")
        time.sleep(later_s)
        supervisor.kill()
        killed_s = time.monotonic()
        session.wait_until(lambda: not any(map(is_alive, started(session))), "the end of darknet")
        assert time.monotonic() - killed_s < AT_MOST_S
    session.wait_until_gone()


def test_the_next_call_goes_on_from_what_a_killed_supervisor_has_left(
    new_session: Callable[..., Session],
) -> None:
    session = new_session(max_batches=250)
    session.pull()
    session.halt_darknet_at(120)
    with session.running("trainer", "supervise", str(session.tree)) as supervisor:
        session.wait_for_iteration(120)
        supervisor.kill()
    session.wait_until_gone()
    status = json.loads(session.run("trainer", "status", "--json", str(session.tree)))
    assert status["state"] == "dead"
    assert "`trainer supervise` goes on where it stopped" in status["message"]
    assert "no supervisor runs" in session.run("trainer", "stop", str(session.tree), status=66)
    # As a kill in mid-save leaves it; with a pid that somebody else has by now.
    (session.tree / "backup/remote.backup").write_bytes(b"")
    (session.tree / ".trainer/supervisor.pid").write_text("1 1\n")

    session.supervise()
    first, second = session.attempts
    newest = first[-1] // 100 * 100
    assert second == list(range(newest + 1, 251))
    assert session.loaded[0].endswith((f"/remote_{newest}.weights", "/remote.backup"))
    assert session.status.state == "finished"
    assert not list(session.tree.rglob("*.part"))
    assert session.iterations_on_drive() == {
        "remote.backup": 200,
        "remote_100.weights": 100,
        "remote_200.weights": 200,
        "remote_final.weights": 250,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_pushes_and_leaves_75(
    new_session: Callable[..., Session], number: signal.Signals
) -> None:
    session = new_session(max_batches=50_000)
    session.pull()
    arm(session)
    with session.running("trainer", "supervise", str(session.tree)) as supervisor:
        session.wait_for_iteration(110)
        supervisor.send_signal(number)
        said, _ = supervisor.communicate(timeout=30)
    assert supervisor.returncode == 75, said
    assert not session.processes()
    status = session.status
    assert (status.state, status.exit_code, status.pending, status.epoch) == ("stopped", 75, 0, 1)
    (record,) = read_attempts(session.tree)
    assert (record.ending, record.decided) == ("STOPPED", "stop")
    here = {path.name: path.read_bytes() for path in (session.tree / "backup").iterdir()}
    assert session.drive.read_tree("darknet/backup") == here
    assert session.safe_iteration() == record.end.highest_after >= 100
