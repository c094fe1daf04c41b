"""``watch`` as people and scripts meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.leasing.leases import Leases
from drivesync.testing import Delay, ErrorAnswer, Fault
from drivesync.watching import read_watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]
    Held = Callable[[str], dict[str, bytes]]

LAST = "backup/run_last.weights"


@pytest.fixture
def watching(environment: dict[str, str], tree: Tree) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "drivesync", "watch", str(tree.root), "--grace", "5"],
        env=environment,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert b"watching" in process.stderr.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_checkpoints_are_pushed_until_it_is_stopped(
    watching: subprocess.Popen[bytes],
    tree: Tree,
    on_drive: Held,
    wait_for: Callable[..., None],
    number: signal.Signals,
) -> None:
    first = tree.save("run_100.weights", 100)
    wait_for(lambda: on_drive("darknet") == {"backup/run_100.weights": first})
    last = tree.save("run_last.weights", 200)
    watching.send_signal(number)
    assert watching.wait(20) == 0
    assert on_drive("darknet") == {"backup/run_100.weights": first, LAST: last}


def test_75_what_could_not_be_pushed_in_time_is_kept(
    environment: dict[str, str], tree: Tree, drive_emulator: DriveEmulator, on_drive: Held, drivesync: Run
) -> None:
    content = tree.save("run_last.weights", 100)
    drive_emulator.inject(Fault(Delay(60.0), "upload.*", times=1))
    with subprocess.Popen(
        [sys.executable, "-m", "drivesync", "watch", str(tree.root), "--grace", "0.1"],
        env=environment,
        stderr=subprocess.PIPE,
    ) as process:
        while not drive_emulator.counters()["upload.final"].requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=20)
    assert process.returncode == 75
    said = err.decode().splitlines()[-1]
    assert "1 file not on the remote yet, kept in" in said
    assert LAST in said
    assert drivesync("push", tree.root).status == 0
    assert on_drive("darknet") == {LAST: content}


@pytest.mark.parametrize("command", ["push", "watch"])
def test_75_another_one_is_at_work(
    watching: subprocess.Popen[bytes], tree: Tree, drivesync: Run, command: str
) -> None:
    assert watching.poll() is None
    ended = drivesync(command, tree.root)
    assert ended.status == 75
    assert f"another {command}" in ended.complaint
    assert "at work" in ended.complaint
    assert "watch --stop" in ended.complaint


@pytest.mark.parametrize("pattern", ["", "/abs", "**/**x", "../outside/*"])
def test_64_a_pattern_that_names_nothing_of_the_tree(tree: Tree, drivesync: Run, pattern: str) -> None:
    ended = drivesync("watch", tree.root, "darknet", "--pattern", pattern)
    assert ended.status == 64
    assert f"{pattern!r}: " in ended.complaint


def test_any_files_of_any_folder(
    environment: dict[str, str], tree: Tree, on_drive: Held, wait_for: Callable[..., None]
) -> None:
    runs = tree.root / "runs"
    runs.mkdir()
    command = [sys.executable, "-m", "drivesync", "watch", str(runs), "runs", "--pattern", "**/*.pt"]
    with subprocess.Popen(
        [*command, "--pattern", "*.csv"], env=environment, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"**/*.pt, *.csv" in process.stderr.readline()
        (runs / "one" / "deep").mkdir(parents=True)
        (runs / "one" / "deep" / "a.pt").write_bytes(b"a")
        (runs / "loss.csv").write_bytes(b"1")
        (runs / "other.txt").write_bytes(b"no")
        wait_for(lambda: on_drive("runs") == {"one/deep/a.pt": b"a", "loss.csv": b"1"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


class TestBackground:
    @pytest.fixture
    def _stopped(self, tree: Tree) -> Iterator[None]:
        """No watch outlives its test."""
        yield
        if (there := read_watching(tree.root)) is not None:
            os.kill(there.pid, signal.SIGKILL)

    @pytest.mark.usefixtures("_stopped")
    def test_it_goes_on_by_itself_and_status_tells(
        self, tree: Tree, drivesync: Run, on_drive: Held, wait_for: Callable[..., None]
    ) -> None:
        ended = drivesync("watch", "--background", tree.root)
        assert ended.status == 0
        there = read_watching(tree.root)
        assert there is not None
        assert f"process {there.pid} watches {tree.root}" in ended.out
        content = tree.save("run_last.weights", 100)
        wait_for(lambda: on_drive("darknet") == {LAST: content})
        assert f"process {there.pid} watches backup/*.weights" in drivesync("status", tree.root).out
        assert json.loads(drivesync("status", tree.root, "--json").out)["watching"]["pid"] == there.pid
        assert "already" in drivesync("watch", "--background", tree.root).out
        ended = drivesync("watch", "--stop", tree.root)
        assert (ended.status, ended.out) == (
            0,
            f"drivesync: process {there.pid} has stopped; all that it watched is on the remote\n",
        )
        assert read_watching(tree.root) is None

    @pytest.mark.usefixtures("_stopped")
    def test_status_tells_what_it_waits_for(
        self, tree: Tree, drivesync: Run, drive_emulator: DriveEmulator, wait_for: Callable[..., None]
    ) -> None:
        drive_emulator.inject(Fault(ErrorAnswer(403, "storageQuotaExceeded"), "upload.*", times=1000))
        tree.save("run_last.weights", 100)
        assert drivesync("watch", "--background", tree.root, "--grace", "0.1").status == 0

        def trouble() -> str:
            there = read_watching(tree.root)
            return there.trouble if there else ""

        wait_for(trouble)
        out = drivesync("status", tree.root).out
        assert "waiting to push: " in out
        assert "full" in out
        ended = drivesync("watch", "--stop", tree.root, "--grace", "0.1")
        assert ended.status == 75
        assert "1 file not on the remote yet" in ended.complaint

    def test_66_there_is_none_to_stop(self, tree: Tree, drivesync: Run) -> None:
        assert drivesync("watch", "--stop", tree.root).status == 66

    def test_what_keeps_it_from_beginning_is_said(self, tree: Tree, drivesync: Run) -> None:
        ended = drivesync("watch", "--background", tree.root, "github:someone/something")
        assert ended.status != 0
        assert "nothing can be pushed to" in ended.complaint


def test_76_the_run_is_taken_over(
    watching: subprocess.Popen[bytes],
    tree: Tree,
    remote: DriveRemote,
    on_drive: Held,
    wait_for: Callable[..., None],
) -> None:
    first = tree.save("run_last.weights", 100)
    wait_for(lambda: on_drive("darknet") == {LAST: first})
    with Leases(remote, take_over=True, who="root@elsewhere, process 7") as elsewhere:
        elsewhere.hold("backup/run")
        tree.save("run_last.weights", 200)
        assert watching.wait(20) == 76
    assert watching.stderr is not None
    assert b"root@elsewhere, process 7" in watching.stderr.read()
    assert on_drive("darknet") == {LAST: first}
