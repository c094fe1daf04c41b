"""``push`` as people and scripts meet it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from drivesync.leasing.leases import Leases
from drivesync.tree import read_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]
    Held = Callable[[str], dict[str, bytes]]

LAST = "backup/run_last.weights"


class TestPush:
    def test_done(self, drivesync: Run, tree: Tree, on_drive: Held) -> None:
        content = tree.save("run_last.weights", 100)
        ended = drivesync("push", tree.root)
        assert (ended.status, ended.out) == (0, "push: 1 checkpoint sent, 0 there already, 0 not sent\n")
        assert on_drive("darknet") == {LAST: content}
        assert drivesync("push", tree.root).out == "push: 0 checkpoints sent, 1 there already, 0 not sent\n"

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
        assert pushed == {
            "path": LAST,
            "iteration": 100,
            "bytes": len(content),
            "uploaded": True,
            "proven": True,
        }
        (refused,) = answer["refused"]
        assert refused["path"] == "backup/run_200.weights"
        assert ended.status == 65

    def test_a_remote_given_once_is_remembered(self, drivesync: Run, tree: Tree, on_drive: Held) -> None:
        tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, "mine").status == 0
        content = tree.save("run_last.weights", 200)
        assert drivesync("push", tree.root).status == 0
        assert on_drive("mine") == {LAST: content}
        assert on_drive("darknet") == {}

    def test_a_mistyped_remote_is_told_and_only_remembered_once_it_is_there(
        self, drivesync: Run, tree: Tree
    ) -> None:
        assert drivesync("push", tree.root, "mien").status == 0
        assert read_tree_state(tree.root) is None
        tree.save("run_last.weights", 100)
        assert "made the folder work/mien in My Drive\n" in drivesync("push", tree.root, "work/mien").err
        assert "remote: work/mien\n" in drivesync("status", tree.root).out
        drivesync("push", tree.root, "mine")
        assert "remote: mine\n" in drivesync("status", tree.root).out

    @pytest.mark.parametrize("named", [["mine"], []], ids=["where it was told to", "where it came from"])
    def test_a_tree_goes_where_it_went_wherever_it_comes_from_now(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator, on_drive: Held, named: list[str]
    ) -> None:
        drive_emulator.put("mine/data/a", b"a")
        drive_emulator.put("darknet/data/b", b"b")
        assert drivesync("pull", "mine", tree.root).status == 0
        tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, *named).status == 0
        assert drivesync("pull", "darknet", tree.root).status == 0
        content = tree.save("run_last.weights", 200)
        assert drivesync("push", tree.root).status == 0
        assert on_drive("mine") == {"data/a": b"a", LAST: content}
        assert on_drive("darknet") == {"data/b": b"b"}
        assert "remote: darknet to pull from, mine to push to\n" in drivesync("status", tree.root).out

    @pytest.mark.parametrize("remote", [".", "tree", "tree/inside"])
    @pytest.mark.parametrize("options", [(), ("--all",)], ids=["checkpoints", "all"])
    def test_64_a_tree_does_not_come_into_itself(
        self, drivesync: Run, tree: Tree, tmp_path: Path, remote: str, options: tuple[str, ...]
    ) -> None:
        tree.save("run_last.weights", 100)
        ended = drivesync("push", *options, tree.root, f"{tmp_path}/{remote}")
        assert ended.status == 64
        assert "would come into itself" in ended.complaint
        assert not (tree.root / ".drivesync").exists()

    def test_what_is_behind_stays_as_it_is_there(self, drivesync: Run, tree: Tree, on_drive: Held) -> None:
        further = tree.save("run_last.weights", 300)
        assert drivesync("push", tree.root).status == 0
        tree.save("run_last.weights", 200)
        ended = drivesync("push", tree.root)
        assert ended.status == 0
        assert ended.out.splitlines() == [
            "push: 0 checkpoints sent, 0 there already, 0 not sent, 1 behind what is there",
            "left as it is there:",
            f"  {LAST}: the remote holds iteration 300, and this is iteration 200",
        ]
        assert on_drive("darknet") == {LAST: further}

    def test_76_another_session_has_the_run(
        self, drivesync: Run, tree: Tree, on_drive: Held, remote: DriveRemote
    ) -> None:
        content = tree.save("run_last.weights", 100)
        with Leases(remote, who="root@elsewhere, process 7") as elsewhere:
            elsewhere.hold("backup/run")
            ended = drivesync("push", tree.root)
            assert ended.status == 76
            assert "root@elsewhere, process 7" in ended.complaint
            assert "--take-over" in ended.complaint
            assert on_drive("darknet") == {}
            assert drivesync("push", tree.root, "--take-over").status == 0
        assert on_drive("darknet") == {LAST: content}

    def test_a_folder_is_written_and_nothing_more_is_claimed(
        self, drivesync: Run, tree: Tree, tmp_path: Path
    ) -> None:
        tree.save("run_last.weights", 100)
        ended = drivesync("push", tree.root, str(tmp_path / "mount"))
        assert ended.status == 0
        assert f"written: {LAST}, iteration 100" in ended.err
        assert "safe" not in ended.err
        assert f"last written: {LAST}" in drivesync("status", tree.root).out


class TestAll:
    @pytest.fixture
    def laptop(self, tree: Tree) -> dict[str, bytes]:
        (tree.root / "data").mkdir()
        (tree.root / "data" / "1.txt").touch()
        (tree.root / "data" / "1.png").write_bytes(b"image")
        return {
            path.relative_to(tree.root).as_posix(): path.read_bytes()
            for path in tree.root.rglob("*")
            if path.is_file()
        }

    def test_the_whole_tree_and_its_checkpoints(
        self, drivesync: Run, tree: Tree, on_drive: Held, laptop: dict[str, bytes]
    ) -> None:
        content = tree.save("run_last.weights", 100)
        ended = drivesync("push", "--all", tree.root)
        assert ended.status == 0
        first, second = ended.out.splitlines()
        assert first.startswith(f"push: {len(laptop)} files (")
        assert second == "push: 1 checkpoint sent, 0 there already, 0 not sent"
        assert on_drive("darknet") == {**laptop, LAST: content}
        again = drivesync("push", "--all", tree.root).out.splitlines()
        assert "0 files (0 bytes) sent to darknet" in again[0]
        assert f"{len(laptop)} were there already" in again[0]

    def test_dry_run_sends_nothing_and_leaves_no_trace(
        self, drivesync: Run, tree: Tree, on_drive: Held, laptop: dict[str, bytes]
    ) -> None:
        ended = drivesync("push", "--all", "--dry-run", tree.root)
        assert ended.status == 0
        assert ended.out.startswith(f"push would send {len(laptop)} files (")
        assert "data/1.png" in ended.out
        assert on_drive("") == {}
        assert not (tree.root / ".drivesync").exists()

    @pytest.mark.usefixtures("laptop")
    def test_what_others_changed_stays_unless_told_otherwise(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator, on_drive: Held
    ) -> None:
        drive_emulator.put("darknet/data/1.png", b"other")
        ended = drivesync("push", "--all", "--json", tree.root)
        assert ended.status == 0
        assert json.loads(ended.out)["conflicts"] == ["data/1.png"]
        assert on_drive("darknet")["data/1.png"] == b"other"
        assert drivesync("push", "--all", "--ours", tree.root).status == 0
        assert on_drive("darknet")["data/1.png"] == b"image"

    @pytest.mark.parametrize("option", ["--ours", "--dry-run"])
    def test_64_an_option_of_the_whole_tree_alone(self, drivesync: Run, tree: Tree, option: str) -> None:
        ended = drivesync("push", option, tree.root)
        assert ended.status == 64
        assert "--all" in ended.complaint
