"""Folder by folder, as soon as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from drivesync.browse import browse
from drivesync.files import Page, RemoteFile, RemoteFolder, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drivesync.remotes.base import Remote


class Told:
    """Lists the given pages, and says how many were asked for."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = pages
        self.told = 0

    def list(self) -> Iterator[Page]:
        for page in self._pages:
            self.told += 1
            yield page


def file(path: str, size: int = 1) -> RemoteFile:
    return RemoteFile(path, f"id of {path}", size, "", 0.0)


def page(*entries: RemoteFile | RemoteFolder | Skipped, ends: bool = True) -> Page:
    return Page(entries, ends)


def shown(pages: list[Page], below: str = "") -> list[tuple[str, list[str]]]:
    folders = browse(cast("Remote", Told(pages)), below)
    return [(folder.path, [entry.path for entry in folder.entries]) for folder in folders]


def test_pages_of_one_folder_are_sorted_together() -> None:
    pages = [
        page(file("c"), file("a"), ends=False),
        page(Skipped("b", "a Google Doc"), RemoteFolder("d", "d")),
    ]
    assert shown(pages) == [("", ["a", "b", "c"])]


def test_folders_that_are_told_together_come_one_by_one() -> None:
    pages = [page(file("y/2"), file("x/z/1"), file("y/1"), file("x/1"))]
    assert shown(pages) == [("x", ["x/1"]), ("x/z", ["x/z/1"]), ("y", ["y/1", "y/2"])]


def test_a_folder_is_shown_before_the_next_page_is_asked_for() -> None:
    told = Told([page(file("a")), page(file("x/b"))])
    folders = browse(cast("Remote", told))
    assert next(folders).path == ""
    assert told.told == 1


def test_a_listing_that_ends_within_a_folder_loses_nothing() -> None:
    assert shown([page(file("a"), ends=False)]) == [("", ["a"])]


def test_of_two_files_of_one_name_the_older_is_skipped() -> None:
    (folder,) = browse(cast("Remote", Told([page(file("a", 5), file("a", 3))])))
    assert folder.size_bytes == 5
    assert [entry.reason for entry in folder.skipped] == ["a newer file of the same name is beside it"]


def test_every_numbered_checkpoint_is_shown() -> None:
    pages = [page(*(file(f"backup/run_{number}.weights") for number in (100, 200, 300)))]
    ((_path, paths),) = shown(pages)
    assert len(paths) == 3


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        pytest.param("cfg", ["cfg/a", "cfg/b/c"], id="a folder"),
        pytest.param("/cfg/", ["cfg/a", "cfg/b/c"], id="slashes do not matter"),
        pytest.param("cfg/a", ["cfg/a"], id="a file"),
        pytest.param("cf", [], id="the beginning of a name is none"),
    ],
)
def test_below(below: str, expected: list[str]) -> None:
    pages = [page(file("cfg/a"), file("cfg/b/c"), file("cfgs/d"), file("e"))]
    assert [path for _folder, paths in shown(pages, below) for path in paths] == expected
