"""``push`` and ``watch`` as people and scripts meet them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.testing import Delay, Fault
from drivesync.tree import read_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]

LAST = "backup/run_last.weights"


class TestPush:
    def test_done(self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator) -> None:
        content = tree.save("run_last.weights", 100)
        ended = drivesync("push", tree.root)
        assert (ended.status, ended.out) == (0, "push: 1 sent, 0 on Drive already, 0 not sent\n")
        assert drive_emulator.read_tree("darknet") == {LAST: content}
        assert drivesync("push", tree.root).out == "push: 0 sent, 1 on Drive already, 0 not sent\n"

    def test_a_relative_folder_is_remembered_so_that_it_is_found_from_anywhere(
        self, drivesync: Run, tree: Tree, tmp_path: Path
    ) -> None:
        content = tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, "./kept").status == 0
        assert (tmp_path / "kept" / LAST).read_bytes() == content
        state = read_tree_state(tree.root)
        assert state is not None
        assert state.target == str(tmp_path / "kept")

    def test_json(self, drivesync: Run, tree: Tree) -> None:
        content = tree.save("run_last.weights", 100)
        tree.save("run_200.weights", 200)
        os.truncate(tree.root / "backup" / "run_200.weights", 30)
        ended = drivesync("push", tree.root, "--json")
        answer = json.loads(ended.out)
        (pushed,) = answer["pushed"]
        assert len(pushed.pop("md5")) == 32
        assert pushed == {"path": LAST, "iteration": 100, "bytes": len(content), "uploaded": True}
        (refused,) = answer["refused"]
        assert refused["path"] == "backup/run_200.weights"
        assert ended.status == 65

    def test_a_remote_given_once_is_remembered(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, "mine").status == 0
        content = tree.save("run_last.weights", 200)
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("mine") == {LAST: content}
        assert drive_emulator.read_tree("darknet") == {}

    @pytest.mark.parametrize("named", [["mine"], []], ids=["where it was told to", "where it came from"])
    def test_a_tree_goes_where_it_went_wherever_it_comes_from_now(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator, named: list[str]
    ) -> None:
        drive_emulator.put("mine/data/a", b"a")
        drive_emulator.put("darknet/data/b", b"b")
        assert drivesync("pull", "mine", tree.root).status == 0
        tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, *named).status == 0
        assert drivesync("pull", "darknet", tree.root).status == 0
        content = tree.save("run_last.weights", 200)
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("mine") == {"data/a": b"a", LAST: content}
        assert drive_emulator.read_tree("darknet") == {"data/b": b"b"}
        assert "remote: darknet to pull from, mine to push to\n" in drivesync("status", tree.root).out


class TestWatch:
    @pytest.fixture
    def watching(self, environment: dict[str, str], tree: Tree) -> Iterator[subprocess.Popen[bytes]]:
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
        self,
        watching: subprocess.Popen[bytes],
        tree: Tree,
        drive_emulator: DriveEmulator,
        wait_for: Callable[..., None],
        number: signal.Signals,
    ) -> None:
        first = tree.save("run_100.weights", 100)
        wait_for(lambda: drive_emulator.read_tree("darknet") == {"backup/run_100.weights": first})
        last = tree.save("run_last.weights", 200)
        watching.send_signal(number)
        assert watching.wait(20) == 0
        assert drive_emulator.read_tree("darknet") == {"backup/run_100.weights": first, LAST: last}

    def test_75_what_could_not_be_pushed_in_time_is_kept(
        self, environment: dict[str, str], tree: Tree, drive_emulator: DriveEmulator, drivesync: Run
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
        assert "1 file(s) are not on Drive yet; they are kept in" in err.decode().splitlines()[-1]
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("darknet") == {LAST: content}

    def test_75_another_one_is_at_work(
        self, watching: subprocess.Popen[bytes], tree: Tree, drivesync: Run
    ) -> None:
        assert watching.poll() is None
        for command in ("push", "watch"):
            ended = drivesync(command, tree.root)
            assert ended.status == 75
            assert "another push is at work" in ended.complaint
