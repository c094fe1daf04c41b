"""Whether the tree is here, whole, and on a disk where training is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.tree import TreeState, write_tree_state
from trainer.doctoring.lines import Level
from trainer.doctoring.tree import judge_tree
from trainer.mounted import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "mountinfo").write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"2 1 0:9 / {tmp_path}/drive rw - fuse.drive drive rw\n"
        f"3 1 0:9 / {tmp_path}/share rw - nfs4 host:/x rw\n"
    )
    for name in ("drive", "share"):
        (tmp_path / name).mkdir()
    return Machine(
        tmp_path / "mountinfo", tmp_path / "content", tmp_path / "content/drive", tmp_path / "trees"
    )


def test_a_tree(tmp_path: Path, machine: Machine) -> None:
    (line,) = judge_tree(tmp_path, machine)
    assert (line.level, line.what) == (Level.GOOD, f"{tmp_path}, on a disk of this machine")


def test_no_tree(tmp_path: Path, machine: Machine) -> None:
    (line,) = judge_tree(tmp_path / "none", machine)
    assert line.level is Level.WARNING
    assert "drivesync pull" in line.remedy


def test_a_file(tmp_path: Path, machine: Machine) -> None:
    (tmp_path / "file").touch()
    (line,) = judge_tree(tmp_path / "file", machine)
    assert line.level is Level.BAD


def test_a_tree_of_which_a_part_is_here(tmp_path: Path, machine: Machine) -> None:
    write_tree_state(tmp_path, TreeState("darknet"))
    (line,) = judge_tree(tmp_path, machine)
    assert line.level is Level.WARNING
    assert "not all of darknet has arrived" in line.what


@pytest.mark.parametrize(
    ("mount", "called"), [("drive", "a mounted Google Drive (fuse.drive)"), ("share", "an NFS share (nfs4)")]
)
def test_a_tree_on_a_mount(tmp_path: Path, machine: Machine, mount: str, called: str) -> None:
    (tmp_path / mount / "darknet").mkdir()
    (line,) = judge_tree(tmp_path / mount / "darknet", machine)
    assert line.level is Level.WARNING
    assert line.what.endswith(f"lies on {called}")
    assert f"{tmp_path}/trees/darknet-" in line.remedy


def test_a_mount_and_no_disk_to_train_on(tmp_path: Path, machine: Machine) -> None:
    machine = Machine(machine.mountinfo, machine.content, machine.drive, tmp_path / "share/trees")
    (line,) = judge_tree(tmp_path / "drive", machine)
    assert line.level is Level.BAD
    assert "XDG_DATA_HOME" in line.remedy


def test_checkpoints_on_a_mount(tmp_path: Path, machine: Machine) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "backup").symlink_to(tmp_path / "drive")
    (line,) = judge_tree(tree, machine)
    assert line.level is Level.WARNING
    assert "lies on a mounted Google Drive" in line.what
