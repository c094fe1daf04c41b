"""Of several sessions one trains and pushes; nothing that it has on Drive is replaced by what is worse."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

ROUNDS = 2
REFUSED = 76
STOPPED = 75


def signal_all(session: Session, number: signal.Signals) -> None:
    for pid in session.processes():
        os.kill(pid, number)


def race(pair: list[Session]) -> None:
    """Start both at once: one trains, the other is refused; then end the one that trains."""
    for session in pair:
        session.halt_darknet_at(1)
    with ExitStack() as stack:
        started = [
            stack.enter_context(session.start("trainer", "supervise", str(session.tree))) for session in pair
        ]
        for session in pair:
            stack.callback(session.kill_everything)  # what is waited for ends, whatever fails here
        pair[0].wait_until(lambda: any(one.poll() is not None for one in started), "one to be refused")
        lost = 0 if started[0].poll() is not None else 1
        said, _ = started[lost].communicate()
        assert started[lost].returncode == REFUSED, said
        winner = pair[1 - lost]
        assert "another session has the run 'backup/remote': " in said
        assert f"process {winner.status.pid}" in said
        winner.wait_for_state("training")
        darknet = winner.wait_for_halt()
        assert not pair[lost].processes("darknet")
        os.kill(winner.status.pid, signal.SIGTERM)
        os.kill(darknet, signal.SIGCONT)
        said, _ = started[1 - lost].communicate()
        assert started[1 - lost].returncode == STOPPED, said


def test_two_that_start_at_the_same_moment(new_session: Callable[..., Session]) -> None:
    pair = [new_session(home, max_batches=50_000) for home in ("one", "two")]
    for session in pair:
        session.copy_tree()
    for _ in range(ROUNDS):
        # Each time it is given back, so that the next ones need not wait until it is stale.
        race(pair)


def test_one_that_stood_still_while_another_took_over(new_session: Callable[..., Session]) -> None:
    first, second = (new_session(home, max_batches=400) for home in ("one", "two"))
    first.halt_darknet_at(110)
    first.supervise_in_background()
    first.wait_for_halt()
    first.wait_until(lambda: first.safe_iteration() >= 100, "a checkpoint on Drive")
    signal_all(first, signal.SIGSTOP)
    first.pass_time(600)
    # It has the run still when the first looks.
    second.halt_darknet_at(310)
    second.supervise_in_background()
    second.wait_until(lambda: second.safe_iteration() >= 200, "progress of the second")
    signal_all(first, signal.SIGCONT)
    first.wait_until_gone()
    status = first.status
    assert (status.state, status.exit_code, status.epoch) == ("stopped", REFUSED, None)
    assert f"process {second.status.pid}" in status.message
    second.let_darknet_go_on()
    second.finish()
    here = {path.name: path.read_bytes() for path in (second.tree / "backup").glob("remote*[!n]")}
    on_drive = second.weights_on_drive()
    assert on_drive == {name: here[name] for name in on_drive}
    assert second.iterations_on_drive()["remote_final.weights"] == 400


def test_a_session_that_is_alive_is_stopped_by_a_take_over(new_session: Callable[..., Session]) -> None:
    first, second = (new_session(home, max_batches=50_000) for home in ("one", "two"))
    for session in (first, second):
        session.halt_darknet_at(1)
    first.supervise_in_background()
    said = second.supervise_in_background(status=REFUSED)
    assert "--take-over takes the run from it" in said
    second.supervise_in_background("--take-over")
    first.let_darknet_go_on()
    first.wait_until_gone()
    assert first.status.exit_code == REFUSED
    assert second.wait_for_state("training").epoch == 2


def test_checkpoints_deleted_by_hand_while_darknet_dies(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=250)
    session.halt_darknet_at(210)
    session.supervise_in_background()
    session.wait_until(lambda: session.safe_iteration() >= 200, "a checkpoint on Drive")
    darknet = session.wait_for_halt()
    os.kill(session.status.pid, signal.SIGSTOP)
    session.kill([darknet])
    # Lest the checkpoint of 100 gives way to that of 200 before anybody has tried to push it.
    session.halt_darknet_at(110)
    for place in (session.tree / "backup", session.tree / ".drivesync/spool"):
        subprocess.run(["find", place, "-mindepth", "1", "-delete"], check=True)
    os.kill(session.status.pid, signal.SIGCONT)

    refused = "the remote holds iteration 200, and this is iteration 100"
    session.wait_until(
        lambda: refused in session.log("supervisor.log"), "the checkpoint of 100 to be refused"
    )
    session.let_darknet_go_on()

    def check() -> bool:
        assert (session.iterations_on_drive()["remote.backup"] or 0) >= 200
        return session.status.state == "finished"

    session.wait_until(check, "the end")
    assert session.attempts[-1] == list(range(1, 251))
    assert session.iterations_on_drive()["remote_final.weights"] == 250


def test_started_over_once(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=120)
    session.supervise()
    before = session.weights_on_drive()
    for _ in range(2):
        session.lose()
        session.supervise("--fresh")
    assert "finished already" in session.status.message
    assert not session.attempts
    files = session.drive.read_tree("darknet/backup")
    archives = {path.partition("/")[0] for path in files if path.startswith("archive-")}
    assert len(archives) == 1
    (archive,) = archives
    for name in ("metrics.jsonl", "chart.png"):
        assert f"{archive}/{name}" in files
    assert {name: files[f"{archive}/{name}"] for name in before} == before
    assert session.iterations_on_drive()["remote_final.weights"] == 120
