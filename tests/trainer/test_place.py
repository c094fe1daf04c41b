from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, SettingsError, UsageError
from drivesync.tree import TreeState, read_tree_state, remember_target, write_tree_state
from tests.trainer.conftest import DRIVE, fill, train
from trainer.place import Place, find_training_place, remember_place, resolve_place, training_place

if TYPE_CHECKING:
    from tests.trainer.conftest import World


def test_a_tree_on_a_local_disk_is_its_own_place(world: World) -> None:
    tree = world.home / "darknet"
    for remote in (None, "work/darknet"):
        assert resolve_place(tree, in_place=False, remote=remote, machine=world.machine) == Place(
            tree, remote
        )
    assert find_training_place(tree, world.machine) == tree


def test_a_tree_on_a_mount_is_trained_in_a_copy_and_pushed_back(world: World) -> None:
    tree = world.tree
    place = resolve_place(tree, in_place=False, machine=world.machine)
    assert place.tree.parent == world.home / "data" / "trees"
    assert place.tree.name.startswith("darknet-")
    assert (place.remote, place.source, place.target, place.warning) == (None, str(tree), "", "")
    assert place.note == (
        f"{tree} lies on {DRIVE}: what is written there is uploaded later, and what was not yet is lost with the "
        f"session. It is trained in {place.tree}, and checkpoints are pushed back "
        '(with --remote "MyDrive/darknet" they go to Drive itself, which confirms each)'
    )


def test_one_tree_by_whatever_path_has_one_place_and_no_other_has_it(world: World) -> None:
    tree = world.tree
    (world.home / "link").symlink_to(tree)
    fill(tree.parent / "other" / "darknet")
    place = training_place(tree, world.machine)
    assert training_place(world.home / "link", world.machine) == place
    assert training_place(tree.parent / "other" / ".." / "darknet", world.machine) == place
    assert training_place(tree.parent / "other" / "darknet", world.machine) != place


def test_the_first_session_of_a_copy_and_each_later_one_pull_from_the_mount(world: World) -> None:
    tree = world.tree
    place = resolve_place(tree, in_place=False, machine=world.machine)
    remember_place(place)
    assert read_tree_state(place.tree) == TreeState(str(tree), complete=False)
    write_tree_state(place.tree, TreeState(str(tree), complete=True, target=str(tree)))
    again = resolve_place(tree, in_place=False, machine=world.machine)
    assert again == place
    remember_place(again)
    assert read_tree_state(place.tree) == TreeState(str(tree), complete=False, target=str(tree))


def test_a_remote_that_is_named_goes_before_the_mount(world: World) -> None:
    tree = world.tree
    place = resolve_place(tree, in_place=False, remote="work/darknet", machine=world.machine)
    assert (place.remote, place.source) == ("work/darknet", "")
    assert place.note.endswith(f"It is trained in {place.tree}, and checkpoints go to work/darknet")
    remember_place(place)
    assert read_tree_state(place.tree) is None


def test_a_copy_that_came_from_elsewhere_stays_that(world: World) -> None:
    tree = world.tree
    place = training_place(tree, world.machine)
    write_tree_state(place, TreeState("work/darknet", complete=True))
    again = resolve_place(tree, in_place=False, machine=world.machine)
    assert (again.tree, again.remote, again.source) == (place, None, "")
    assert again.note.endswith("and checkpoints go to work/darknet")


def test_the_mount_named_as_the_remote_is_the_mount(world: World) -> None:
    tree = world.tree
    named = resolve_place(tree, in_place=False, remote=str(tree), machine=world.machine)
    assert named == resolve_place(tree, in_place=False, machine=world.machine)


def test_where_the_tree_on_the_mount_goes_its_copy_goes(world: World) -> None:
    tree = world.tree
    write_tree_state(tree, TreeState("work/darknet", complete=True))
    place = resolve_place(tree, in_place=False, machine=world.machine)
    assert (place.source, place.target) == (str(tree), "work/darknet")
    assert place.note.endswith("and checkpoints go to work/darknet")
    remember_place(place)
    remember_target(place.tree, None, "darknet")
    assert read_tree_state(place.tree) == TreeState(str(tree), complete=False, target="work/darknet")
    assert resolve_place(tree, in_place=False, machine=world.machine).note == place.note


@pytest.mark.parametrize(
    ("state", "remote"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(TreeState("work/darknet"), "work/darknet", id="a part of what is pulled"),
    ],
)
def test_a_mount_without_a_whole_tree_is_no_source(
    world: World, state: TreeState | None, remote: str | None
) -> None:
    tree = world.mount(world.home / "share", "nfs4") / "darknet"
    if state:
        fill(tree)
        write_tree_state(tree, state)
    place = resolve_place(tree, in_place=False, machine=world.machine)
    assert (place.remote, place.source) == (remote, "")
    assert place.note.endswith(f"and checkpoints go to {remote or 'darknet'}")


def test_a_tree_that_is_not_in_a_mounted_drive_is_looked_for_there(world: World) -> None:
    tree = world.tree.with_name("darkent")
    assert resolve_place(tree, in_place=False, machine=world.machine).source == str(tree)


def test_a_mount_that_does_not_answer_is_not_taken_for_an_empty_one(world: World) -> None:
    tree = world.mount(world.home / "share") / "darknet"
    tree.write_text("scandir fails here, as it does where the program behind a mount has ended")
    assert resolve_place(tree, in_place=False, machine=world.machine).source == str(tree)


def test_in_place_is_trained_there_with_a_warning(world: World) -> None:
    tree = world.tree
    place = resolve_place(tree, in_place=True, remote="work/darknet", machine=world.machine)
    assert (place.tree, place.remote, place.source) == (tree, "work/darknet", "")
    assert place.warning.startswith(f"{tree} lies on {DRIVE}, and is trained there: ")
    assert place.note == place.warning
    local = world.home / "darknet"
    assert resolve_place(local, in_place=True, machine=world.machine) == Place(local)


def test_in_place_on_a_share_tells_of_the_share(world: World) -> None:
    tree = world.mount(world.home / "share", "nfs4") / "darknet"
    warning = resolve_place(tree, in_place=True, machine=world.machine).warning
    assert "lies on an NFS share (nfs4), and is trained there: a save that the network cuts short" in warning


def test_a_copy_that_is_not_pushed_is_refused(world: World) -> None:
    tree = world.tree
    with pytest.raises(UsageError, match="with --no-push nothing would come back"):
        resolve_place(tree, in_place=False, pushing=False, machine=world.machine)
    assert resolve_place(tree, in_place=True, pushing=False, machine=world.machine).tree == tree
    local = world.home / "darknet"
    assert resolve_place(local, in_place=False, pushing=False, machine=world.machine) == Place(local)


def test_a_home_on_a_share_is_no_place_either(world: World) -> None:
    tree = world.tree
    world.mount(world.home / "data", "nfs4")
    with pytest.raises(SettingsError, match=r"lies on an NFS share \(nfs4\)") as caught:
        resolve_place(tree, in_place=False, machine=world.machine)
    assert "XDG_DATA_HOME" in caught.value.hint
    assert "--in-place" in caught.value.hint
    assert resolve_place(tree, in_place=True, machine=world.machine).tree == tree
    assert find_training_place(tree, world.machine) == tree


@pytest.mark.parametrize(
    ("state", "names", "is_taken"),
    [
        pytest.param(None, None, True, id="not there"),
        pytest.param(None, [".trainer"], True, id="begun, before anything came"),
        pytest.param("THE MOUNT", ["cfg"], True, id="pulled from there by hand"),
        pytest.param(None, ["Makefile"], False, id="a clone of darknet"),
        pytest.param("darknet", ["cfg"], False, id="pulled from Drive"),
        pytest.param("/content/drive/MyDrive/other", ["cfg"], False, id="pulled from another folder"),
    ],
)
def test_in_colab_a_copy_has_the_tree_s_name_where_that_is_free(
    world: World, state: str | None, names: list[str] | None, *, is_taken: bool
) -> None:
    world.be_colab()
    tree = world.tree
    plain = world.machine.content / "darknet"
    for name in names or []:
        (plain / name).mkdir(parents=True)
    if state:
        write_tree_state(plain, TreeState(str(tree) if state == "THE MOUNT" else state, complete=True))
    place = training_place(tree, world.machine)
    assert (place == plain) is is_taken
    assert place.parent == world.machine.content
    # Once it is somewhere it stays there.
    remember_place(resolve_place(tree, in_place=False, machine=world.machine))
    fill(place)
    assert training_place(tree, world.machine) == place


def test_in_colab_a_mount_of_the_tree_s_name_is_no_local_place(world: World) -> None:
    world.be_colab()
    drive = world.mount(world.machine.content / "drive")
    assert training_place(drive, world.machine).name.startswith("drive-")


def test_who_asks_finds_where_it_is_trained(world: World) -> None:
    tree = world.tree
    place = training_place(tree, world.machine)
    assert find_training_place(tree, world.machine) == tree
    train(place, 100.0)
    assert find_training_place(tree, world.machine) == place
    train(tree, 200.0)
    assert find_training_place(tree, world.machine) == tree
    train(place, 300.0)
    assert find_training_place(tree, world.machine) == place


def test_a_mount_that_is_gone_hides_no_training_and_nothing_is_trained_in_its_stead(world: World) -> None:
    tree = world.tree
    place = resolve_place(tree, in_place=False, machine=world.machine)
    remember_place(place)
    train(place.tree, 100.0)
    (tree / "cfg").rmdir()
    world.unmount_all()
    assert find_training_place(tree, world.machine) == place.tree
    with pytest.raises(NotFoundError, match="is not mounted") as caught:
        resolve_place(tree, in_place=False, machine=world.machine)
    assert str(place.tree) in caught.value.hint


def test_a_drive_that_is_not_mounted_is_not_stood_in_for(world: World) -> None:
    world.be_colab()
    tree = world.machine.drive / "MyDrive" / "darknet"
    for in_place in (False, True):
        with pytest.raises(NotFoundError, match="Drive is not mounted"):
            resolve_place(tree, in_place=in_place, machine=world.machine)
