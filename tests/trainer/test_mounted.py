from __future__ import annotations

from typing import TYPE_CHECKING

from tests.trainer.conftest import DRIVE, fill
from trainer.mounted import Machine, find_mount, warn_of_backup

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.trainer.conftest import World


def test_a_tree_on_a_mount_is_told_by_the_file_system(world: World) -> None:
    tree = world.tree
    (world.home / "link").symlink_to(tree.parent)
    assert find_mount(tree, world.machine) == DRIVE
    assert find_mount(world.home / "link" / "darknet", world.machine) == DRIVE
    assert find_mount(tree / "not" / "yet", world.machine) == DRIVE
    assert not find_mount(world.home / "drive" / "MyDrive" / "darknet", world.machine)


def test_this_machine_s_own_table_is_read(tmp_path: Path) -> None:
    assert Machine().mountinfo.read_text()
    assert not find_mount(tmp_path)


def test_without_a_table_every_disk_is_local(world: World) -> None:
    tree = world.tree
    world.machine.mountinfo.unlink()
    assert not find_mount(tree, world.machine)


def test_a_share_is_mounted_by_looking_into_it(tmp_path: Path, world: World) -> None:
    tree = world.mount(tmp_path / "net", "autofs") / "darknet"
    assert find_mount(tree, world.machine) == "a share that is not mounted (autofs)"


def test_checkpoints_that_a_link_leads_to_a_mount_are_warned_of(world: World) -> None:
    tree, kept = world.home / "tree", world.mount(world.home / "my drive") / "MyDrive" / "backup"
    fill(tree)
    assert not warn_of_backup(tree, "backup", world.machine)
    (tree / "backup").symlink_to(kept)
    said = warn_of_backup(tree, "backup", world.machine)
    assert said.startswith(f"{tree}/backup lies on {DRIVE}, though {tree} does not: what is written there is")
    # Of a tree that lies there itself it is said already.
    assert not warn_of_backup(world.tree, "backup", world.machine)


def test_the_folder_for_copies_is_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Machine().trees == tmp_path / "darknet-drivesync" / "trees"
