"""What is here and what is there, side by side and in the order in which it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.files import Entry, LocalFile, RemoteFile, RemoteFolder, Skipped
from drivesync.mirroring.inventory import Inventory, NewFolders
from drivesync.mirroring.upload_plan import Upload

if TYPE_CHECKING:
    from drivesync.index import Index


@pytest.fixture
def inventory(index: Index) -> Inventory:
    return Inventory(index.database)


def found(path: str, size: int = 1) -> LocalFile:
    return LocalFile(path, size, 5)


def there(path: str, md5: str = "md5", name: str = "id") -> RemoteFile:
    return RemoteFile(path, name, 1, md5, 1.25, "sha", "revision", executable=True, resource_key="key")


def paths(inventory: Inventory) -> list[str]:
    return [pair.here.path for pairs in inventory.pairs() for pair in pairs]


def test_each_file_here_comes_with_what_is_there_and_what_it_was(inventory: Inventory, index: Index) -> None:
    entries: list[Entry] = [
        there("a"),
        RemoteFolder("c", "folder"),
        Skipped("d", "it is a Google doc", "doc"),
        there("only there"),
    ]
    then = LocalFile("b", 7, 8, "old", "9")
    index.record(then)
    inventory.add_here([found("a"), found("b"), found("c"), found("d")])
    inventory.add_there(entries)
    (pairs,) = inventory.pairs()
    assert [pair.here for pair in pairs] == [
        found("a"),
        found("b"),
        found("c"),
        found("d"),
    ]
    assert [pair.there for pair in pairs] == [entries[0], None, entries[1], entries[2]]
    assert [pair.then for pair in pairs] == [None, then, None, None]


@pytest.mark.parametrize(
    ("entries", "stands"),
    [
        pytest.param([there("a", name="new"), there("a", name="old")], "new", id="the first of two files"),
        pytest.param([Skipped("a", "no file", "doc"), there("a")], "id", id="a file before what is none"),
        pytest.param([there("a"), Skipped("a", "no file", "doc")], "id", id="whichever comes first"),
        pytest.param([Skipped("a", "no file", "doc")], "doc", id="else what is none"),
    ],
)
def test_of_several_with_one_path_one_stands_for_it(
    inventory: Inventory, entries: list[Entry], stands: str
) -> None:
    inventory.add_here([found("a")])
    for entry in entries:
        inventory.add_there([entry])
    ((pair,),) = inventory.pairs()
    assert pair.there is not None
    assert pair.there.id == stands


def test_settings_and_sources_go_before_images_whose_labels_go_beside_them(inventory: Inventory) -> None:
    inventory.add_here(found(f"data/obj/{number}.{kind}") for kind in ("jpg", "txt") for number in range(3))
    inventory.add_here([found("src/a.c"), found("src/b.c"), found("zoo/run.cfg"), found("x.data")])
    assert paths(inventory) == [
        "x.data",
        "zoo/run.cfg",
        "src/a.c",
        "src/b.c",
        "data/obj/0.jpg",
        "data/obj/0.txt",
        "data/obj/1.jpg",
        "data/obj/1.txt",
        "data/obj/2.jpg",
        "data/obj/2.txt",
    ]


def test_any_number_comes_in_parts(inventory: Inventory) -> None:
    inventory.add_here(found(f"{number:05}") for number in range(1234))
    assert [len(pairs) for pairs in inventory.pairs()] == [500, 500, 234]
    assert paths(inventory) == [f"{number:05}" for number in range(1234)]


def test_what_is_to_be_sent_comes_in_its_order_large_and_small_apart(inventory: Inventory) -> None:
    sizes = {f"{number:05}": number % 3 for number in range(1600)}
    inventory.add_here(found(path, size) for path, size in sizes.items())
    inventory.add_there([there("00003")])
    for pairs in inventory.pairs():
        inventory.add_uploads(
            [Upload(pair.here, pair.there if isinstance(pair.there, RemoteFile) else None) for pair in pairs],
            large_bytes=2,
        )
    small = list(inventory.uploads(large=False))
    assert [upload.here.path for upload in small] == [path for path, size in sizes.items() if size < 2]
    assert [upload.replaces for upload in small if upload.replaces] == [there("00003")]
    assert [upload.here.path for upload in inventory.uploads(large=True)] == [
        path for path, size in sizes.items() if size == 2
    ]
    assert inventory.growth_bytes() == sum(sizes.values()) - 1


def test_what_lies_there_and_is_not_to_be_replaced_is_not(inventory: Inventory) -> None:
    inventory.add_here([found("a")])
    inventory.add_there([there("a")])
    inventory.add_uploads([Upload(found("a"), None)], large_bytes=2)
    assert [upload.replaces for upload in inventory.uploads(large=False)] == [None]


@pytest.mark.parametrize(
    ("folder", "blocker"),
    [("file", "file"), ("file/in/it", "file"), ("folder", ""), ("folder/x", ""), ("doc", ""), ("new", "")],
)
def test_a_file_where_a_folder_should_be(inventory: Inventory, folder: str, blocker: str) -> None:
    inventory.add_there([there("file"), RemoteFolder("folder", "id"), Skipped("doc", "it is none")])
    assert inventory.find_blocker(folder) == blocker


def test_each_folder_that_is_made_is_counted_once(inventory: Inventory) -> None:
    inventory.add_there([RemoteFolder("", "root"), RemoteFolder("a", "id")])
    folders = NewFolders(inventory)
    counted = [folders.count_new(path) for path in ("file", "a/file", "a/b/c/file", "a/b/file", "d/file")]
    assert counted == [0, 0, 2, 0, 1]


def test_the_first_file_of_all_needs_the_trees_own_folder(inventory: Inventory) -> None:
    folders = NewFolders(inventory)
    assert [folders.count_new(path) for path in ("a/file", "file")] == [2, 0]


def test_a_second_inventory_needs_a_connection_of_its_own(inventory: Inventory, index: Index) -> None:
    inventory.add_here([found("a")])
    index.database.__exit__(None, None, None)
    index.database.__enter__()
    assert paths(Inventory(index.database)) == []


def test_one_of_them(inventory: Inventory) -> None:
    inventory.add_here([found("a"), found("b")])
    inventory.add_there([there("a"), there("only there"), RemoteFolder("c", "folder")])
    pair = inventory.find("a")
    assert pair is not None
    assert (pair.here, pair.there) == (found("a"), there("a"))
    assert inventory.find("only there") is None
    assert [inventory.find_there(path) for path in ("only there", "c", "b")] == [
        there("only there"),
        RemoteFolder("c", "folder"),
        None,
    ]
