"""``status`` as people and scripts meet it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import lock_state
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from drivesync.tree import TreeState, write_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]

LAST = "backup/run_last.weights"


def test_what_a_pull_and_a_push_would_do(drivesync: Run, full: DriveEmulator, tree: Tree) -> None:
    content = tree.save("run_last.weights", 1200)
    before = sorted(tree.root.rglob("*"))
    ended = drivesync("status", tree.root)
    assert ended.status == 0
    assert ended.out.splitlines() == [
        f"tree: {tree.root}",
        "remote: darknet",
        "push would send 1 file",
        f"  {LAST} ({len(content)} bytes, iteration 1,200)",
        f"pull would bring 1 file (7 bytes) to {tree.root}, 1 are there already",
    ]
    assert sorted(tree.root.rglob("*")) == before
    assert full.read_tree("darknet").keys() == {"cfg/run.cfg", "data/it's a [red]file[/red].txt"}


def test_what_is_safe_and_what_will_not_be_sent(drivesync: Run, full: DriveEmulator, tree: Tree) -> None:
    assert full.read_tree("darknet")
    content = tree.save("run_last.weights", 1200)
    drivesync("pull", "darknet", tree.root)
    drivesync("push", tree.root, "mine")
    tree.save("run_2000.weights", 2000)
    os.truncate(tree.root / "backup" / "run_2000.weights", 30)
    out = drivesync("status", tree.root).out
    assert "remote: darknet to pull from, mine to push to\n" in out
    assert f"last proven safe: {LAST}, iteration 1,200, at 2" in out
    assert "push would send 0 files\n  backup/run_2000.weights (30 bytes): will not be sent: " in out
    answer = json.loads(drivesync("status", tree.root, "--json").out)
    assert (answer["source"], answer["target"], answer["complete"]) == ("darknet", "mine", True)
    assert answer["last_receipt"]["size"] == len(content)
    (unpushed,) = answer["unpushed"]
    assert unpushed["path"] == "backup/run_2000.weights"
    assert not unpushed["accepted"]
    assert answer["pull"]["dry_run"]
    assert answer["pull"]["planned"]["files"] == 0


def test_beside_a_pull_that_is_at_work(drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
    tree = tmp_path / "t"
    assert drivesync("pull", "darknet", tree).status == 0
    full.put("darknet/new", b"new")
    state = tree / ".drivesync"
    with lock_state(tree, "pull"):
        before = {path: path.read_bytes() for path in state.iterdir() if path.is_file()}
        ended = drivesync("status", tree)
        assert {path: path.read_bytes() for path in before} == before
        assert {path for path in state.iterdir() if path.is_file()} == before.keys()
    assert ended.status == 0
    assert ended.out.splitlines()[-1].startswith("pull would bring 1 file (3 bytes) to ")


def test_69_what_the_tree_knows_is_told_without_drive(drivesync: Run, tree: Tree, tmp_path: Path) -> None:
    tree.save("run_last.weights", 1200)
    ended = drivesync("status", tree.root, DRIVE_EMULATOR_HOST="http://127.0.0.1:1", HOME=str(tmp_path))
    assert ended.status == 69
    assert "push would send 1 file\n" in ended.out
    assert "Run the same command again" in ended.complaint


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        pytest.param({"DRIVESYNC_PACKS": "perhaps"}, 78, "perhaps", id="a setting is wrong"),
        pytest.param({}, 66, "nowhere", id="the remote is missing"),
    ],
)
def test_what_is_known_here_is_told_though_the_remote_cannot_be_asked(
    drivesync: Run, full: DriveEmulator, tree: Tree, change: dict[str, str], status: int, said: str
) -> None:
    assert full.read_tree("darknet")
    tree.save("run_last.weights", 1200)
    write_tree_state(tree.root, TreeState("nowhere", complete=True))
    ended = drivesync("status", tree.root, **change)
    assert ended.status == status
    assert "push would send 1 file" in ended.out
    assert said in ended.complaint
    ended = drivesync("status", tree.root, "--json", **change)
    answer = json.loads(ended.out)
    assert ended.status == answer["pull"]["status"] == status
    assert said in answer["pull"]["error"]
    assert [unpushed["path"] for unpushed in answer["unpushed"]] == [LAST]


@pytest.mark.parametrize("gone", [f"darknet/{LAST}", "darknet"])
def test_what_was_safe_and_is_gone_would_be_pushed_again(
    drivesync: Run, drive_emulator: DriveEmulator, tree: Tree, gone: str
) -> None:
    content = tree.save("run_last.weights", 1200)
    drivesync("push", tree.root)
    assert drivesync("pull", "darknet", tree.root).status == 0
    with drive_emulator.locked() as store:
        entry = find(store, gone)
        assert entry is not None
        store.update(entry.id, Metadata(trashed=True))
    ended = drivesync("status", tree.root)
    assert (
        f"no longer in darknet, to be pushed again:\n  {LAST} ({len(content)} bytes, iteration 1,200)\n"
        in ended.out
    )
    said = json.loads(drivesync("status", tree.root, "--json").out)
    assert ([one["path"] for one in said["unpushed"]], said["safe"]) == ([LAST], [])
