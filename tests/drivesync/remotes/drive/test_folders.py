"""From what a user calls a remote to a folder in Drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.remotes.base import Remote
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.remotes.conftest import Drive, Listed

    ListAll = Callable[[Remote], Listed]
    Enter = Callable[[str], DriveRemote]

FOLDERS = "https://drive.google.com/drive/folders"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("work/darknet", id="its path"),
        pytest.param("work/darknet/", id="its path and a slash"),
        pytest.param("MyDrive/work/darknet", id="its path as Colab's mount has it"),
        pytest.param("id:ID", id="its id, said to be one"),
        pytest.param("ID", id="its id alone"),
        pytest.param(f"{FOLDERS}/ID", id="the browser's address"),
        pytest.param(f"{FOLDERS}/ID?usp=sharing", id="a copied link"),
        pytest.param(
            "https://drive.google.com/drive/u/0/folders/ID", id="the address in one of two accounts"
        ),
        pytest.param("https://drive.google.com/open?id=ID", id="an older link"),
        pytest.param("work/link", id="a shortcut to it"),
        pytest.param("id:LINK", id="the id of a shortcut to it"),
        pytest.param("link above/darknet", id="a path through a shortcut"),
    ],
)
def test_a_folder_by(enter: Enter, drive: Drive, list_all: ListAll, name: str) -> None:
    drive.add("work/darknet/data", "1.png")
    root = drive.id_of("work/darknet")
    link = drive.add_shortcut("work/link", root)
    drive.add_shortcut("link above", drive.id_of("work"))
    remote = enter(name.replace("ID", root).replace("LINK", link))
    listed = list_all(remote)
    assert set(listed.files) == {"data/1.png"}
    assert listed.folders[root] == ""
    assert remote.find("data/1.png") == listed.files["data/1.png"]


def test_my_drive_itself(enter: Enter, drive: Drive, list_all: ListAll) -> None:
    drive.add("work", "a")
    listed = list_all(enter("MyDrive"))
    assert (set(listed.files), listed.folders[drive.emulator.store.root_id]) == ({"work/a"}, "")


@pytest.mark.parametrize("name", ["Shareddrives/team", "id:DRIVE", f"{FOLDERS}/DRIVE"])
def test_a_shared_drive_itself(enter: Enter, drive: Drive, list_all: ListAll, name: str) -> None:
    drive_id = drive.make_shared_drive("team", "data/1.png")
    assert set(list_all(enter(name.replace("DRIVE", drive_id))).files) == {"data/1.png"}


def test_of_several_shared_drives_of_one_name_the_oldest(
    enter: Enter, drive: Drive, list_all: ListAll
) -> None:
    for number in range(12):
        drive.make_shared_drive("team", f"{number}")
        drive.make_shared_drive("Team", "of another case")
    same = [shared for shared in drive.emulator.store.drives.values() if shared.name == "team"]
    oldest = min(same, key=lambda shared: (shared.created_ms, shared.id))
    (entry,) = drive.emulator.store.children(oldest.id)
    assert set(list_all(enter("Shareddrives/team")).files) == {entry.name}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("absent", "no folder 'absent' in My Drive", id="none"),
        pytest.param("darknet/absent", "no folder 'darknet/absent' in My Drive", id="none in it"),
        pytest.param("DARKNET", "no folder 'DARKNET' in My Drive", id="of another case"),
        pytest.param("a file", "no folder 'a file' in My Drive", id="a file"),
        pytest.param("thrown away", "no folder 'thrown away' in My Drive", id="in the trash"),
        pytest.param("link", "no folder 'link' in My Drive", id="a shortcut to a file"),
        pytest.param("id:TRASHED", "is in Drive's trash", id="in the trash, by its id"),
        pytest.param("id:" + "x" * 33, "or it is not shared with this account", id="no such id"),
        pytest.param("x" * 33, f"no folder '{'x' * 33}' in My Drive", id="neither a name nor an id"),
        pytest.param("Shareddrives/absent/a", "no shared drive 'absent'", id="no such shared drive"),
        pytest.param("Shareddrives/team/a", "in the shared drive 'team'", id="none in the shared drive"),
    ],
)
def test_there_is_no_such_folder(enter: Enter, drive: Drive, name: str, said: str) -> None:
    drive.make_shared_drive("team")
    drive.add("darknet", "a file")
    drive.add_shortcut("link", drive.add("", "a file"))
    drive.add("thrown away", "file")
    trashed = drive.id_of("thrown away")
    drive.trash("thrown away")
    remote = enter(name.replace("TRASHED", trashed))
    for ask in (lambda: list(remote.list()), remote.mark, remote.most_bytes):
        with pytest.raises(NotFoundError, match=said) as caught:
            ask()
        assert caught.value.hint
    assert remote.find("a") is None


@pytest.mark.parametrize("name", ["id:FILE", f"{FOLDERS}/FILE", "https://drive.google.com/open?id=FILE"])
def test_an_id_of_a_file(enter: Enter, drive: Drive, name: str) -> None:
    file_id = drive.add("darknet", "yolo.weights")
    remote = enter(name.replace("FILE", file_id))
    with pytest.raises(UsageError, match=r"is a file in Drive, not a folder: yolo\.weights"):
        list(remote.list())


def test_a_folder_whose_name_looks_like_an_id(enter: Enter, drive: Drive, list_all: ListAll) -> None:
    drive.add("by id", "by id")
    name = drive.id_of("by id")
    assert set(list_all(enter(name)).files) == {"by id"}
    drive.add(name, "by name")
    assert set(list_all(enter(name)).files) == {"by name"}


def test_the_oldest_of_several_folders_of_its_name_and_a_shortcut_last(
    enter: Enter, drive: Drive, list_all: ListAll
) -> None:
    drive.add_shortcut("tree", drive.add_folder("elsewhere"))
    for _ in range(3):
        folder = drive.add_folder("tree")
        drive.add_in(folder, folder)
    folders = [entry for entry in drive.entries("") if entry.name == "tree" and entry.is_folder]
    oldest = min(folders, key=lambda entry: entry.created_ms).id
    assert set(list_all(enter("tree")).files) == {oldest}


def test_blind_to_case_is_only_drive(enter: Enter, drive: Drive, list_all: ListAll) -> None:
    drive.add("Darknet", "theirs")
    drive.add("darknet", "ours")
    assert set(list_all(enter("darknet")).files) == {"ours"}
