"""The whole path on the real darknet: pull, train, push, and the end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from typing import TYPE_CHECKING

from drivesync.testing import Delay, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.testing import DriveEmulator
    from tests.e2e.conftest import Session

ALL_OF_150 = {"remote.backup": 100, "remote_100.weights": 100, "remote_final.weights": 150}


def test_one_command_from_drive_to_drive(new_session: Callable[..., Session]) -> None:
    session = new_session(charts=True, max_batches=150)
    said = session.supervise()
    assert "remote_final.weights holds iteration 150, verified on Drive" in said
    assert session.iterations == list(range(1, 151))
    assert session.iterations_on_drive() == ALL_OF_150
    for name, content in session.weights_on_drive().items():
        assert (session.tree / "backup" / name).read_bytes() == content
    shown = ["metrics.jsonl", "chart.png", "tensorboard"]
    assert session.names_on_drive() == dict.fromkeys([*ALL_OF_150, *shown], 1)
    events = session.drive.read_tree("darknet/backup/tensorboard")
    assert events == {
        path.name: path.read_bytes() for path in (session.tree / "backup/tensorboard").iterdir()
    }
    receipts = [
        json.loads(line) for line in (session.tree / ".drivesync/receipts.jsonl").read_text().splitlines()
    ]
    final = session.weights_on_drive()["remote_final.weights"]
    assert [receipt["md5"] for receipt in receipts if receipt["iteration"] == 150] == [
        hashlib.md5(final, usedforsecurity=False).hexdigest()
    ]
    status = session.status
    assert (status.state, status.exit_code, status.safe_iteration, status.pending) == ("finished", 0, 150, 0)


def test_what_is_finished_is_not_trained_again(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=120)
    session.supervise()
    before = session.weights_on_drive()
    session.lose()
    said = session.supervise()
    assert "the training was finished already" in said
    assert not session.attempts
    assert session.weights_on_drive() == before


def test_a_raised_max_batches_goes_on_from_the_final_weights(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=120)
    session.supervise()
    session.set_max_batches(220)
    session.supervise()
    assert session.attempts == [list(range(1, 121)), list(range(121, 221))]
    assert session.loaded == ["backup/remote_final.weights"]
    assert session.status.resumed_from == 120
    assert session.iterations_on_drive()["remote_final.weights"] == 220


def test_a_tree_with_any_name_and_named_by_a_relative_path(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=100)
    session.tree = session.home / "mein Baum " / "日本 'q' [x]"
    session.tree.parent.mkdir()
    said = session.run("trainer", "supervise", "--background", os.path.relpath(session.tree, session.home))
    assert "supervising" in said
    session.finish()
    assert session.iterations_on_drive()["remote_final.weights"] == 100
    assert session.run("trainer", "status", str(session.tree)).startswith(
        "safe up to iteration 100 · pushed "
    )


def test_a_second_supervisor_in_the_background_says_that_one_runs(
    new_session: Callable[..., Session],
) -> None:
    session = new_session(max_batches=50_000)
    session.halt_darknet_at(1)
    session.supervise_in_background()
    session.wait_for_halt()
    pid = session.status.pid
    (session.home / "link").symlink_to(session.tree)
    for tree in (session.tree, session.home / "link"):
        said = session.run("trainer", "supervise", "--background", str(tree))
        assert f"process {pid} supervises {tree} already" in said
    assert f"process {pid}" in session.supervise(status=64)
    assert len(session.processes("darknet")) == 1
    assert len(session.attempts) == 1


def test_stop_pushes_what_is_queued_and_leaves_75(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=50_000)
    session.supervise_in_background()
    session.wait_for_iteration(110)
    said = session.run("trainer", "stop", str(session.tree))
    assert said.startswith("safe up to iteration ")
    assert not session.processes()
    status = session.status
    assert (status.state, status.exit_code, status.pending) == ("stopped", 75, 0)
    here = {path.name: path.read_bytes() for path in (session.tree / "backup").glob("remote*")}
    assert session.weights_on_drive() == here
    assert max(session.iterations) // 100 * 100 == session.safe_iteration()
    assert "no supervisor runs" in session.run("trainer", "stop", str(session.tree), status=66)


def test_ctrl_c_stops_a_training_in_the_foreground(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=50_000)
    with session.running("trainer", "supervise", str(session.tree)) as process:
        session.wait_for_iteration(1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 75, said
    assert "stopped at iteration " in said
    assert session.status.exit_code == 75
    assert not session.processes()


def test_a_signal_while_pulling_ends_at_once_and_the_next_call_goes_on(
    new_session: Callable[..., Session], drive_emulator: DriveEmulator
) -> None:
    session = new_session(max_batches=100)
    drive_emulator.inject(Fault(Delay(20.0), call="files.get.media", skip=3, times=None))
    with session.running("trainer", "supervise", str(session.tree)) as process:
        session.wait_until(lambda: drive_emulator.counters()["files.get.media"].requests >= 15, "all workers")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=10)
    assert process.returncode == 75, said
    assert (session.status.state, session.status.exit_code) == ("stopped", 75)
    drive_emulator.reset()
    session.supervise()
    assert session.iterations_on_drive()["remote_final.weights"] == 100
