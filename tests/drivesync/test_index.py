"""The index remembers what each file was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.files import LocalFile, RemoteFile, Skipped
from drivesync.index import Index
from drivesync.listings import Listings

if TYPE_CHECKING:
    from pathlib import Path

MANY = [
    LocalFile(f"data/obj/{number:05}.png", number, number * 10**9, f"{number:032x}") for number in range(2000)
]


def test_what_is_recorded_is_found(tmp_path: Path) -> None:
    first = LocalFile("it's 日本", 1, 2, "a", "revision", "darknet")
    second = LocalFile("b", 2**40, 2**62, "b")
    with Index(tmp_path) as index:
        index.record()
        index.record(first, second)
        assert index.find("it's 日本") == first
        assert index.find("absent") is None
        changed = LocalFile("b", 3, 4, "c")
        index.record(changed)
    with Index(tmp_path) as index:
        assert index.read() == {first.path: first, "b": changed}


def test_among_many(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        index.record(*MANY)
        assert index.among([]) == {}
        wanted = [file.path for file in MANY[::2]] + [f"absent/{number}" for number in range(1000)]
        assert index.among(wanted) == {file.path: file for file in MANY[::2]}


def test_it_is_of_no_use_outside_its_context(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="outside its context"):
        Index(tmp_path).read()


A = LocalFile("a", 1, 2, "md5 of a", remote="darknet")


@pytest.mark.parametrize(
    ("remote", "here", "held"),
    [
        pytest.param("darknet", LocalFile("a", 1, 2), True, id="as it is"),
        pytest.param("other", LocalFile("a", 1, 2), False, id="another remote has proven nothing"),
        pytest.param("", LocalFile("a", 1, 2), False, id="no remote"),
        pytest.param("darknet", LocalFile("a", 1, 3), False, id="saved anew"),
        pytest.param("darknet", LocalFile("b", 1, 2), False, id="another file"),
        pytest.param("darknet", None, False, id="no file"),
    ],
)
def test_which_remote_holds_a_file(
    tmp_path: Path,
    remote: str,
    here: LocalFile | None,
    held: bool,  # noqa: FBT001
) -> None:
    with Index(tmp_path) as index:
        index.record(A)
        assert index.holds(remote, here) is held


@pytest.mark.parametrize(
    ("listed", "gone"),
    [
        pytest.param(RemoteFile("a", "1", 1, "md5 of a", 0.0), [], id="it is there"),
        pytest.param(RemoteFile("a", "1", 1, "", 0.0), [], id="as far as its size tells"),
        pytest.param(RemoteFile("a", "1", 1, "another", 0.0), ["a"], id="another content"),
        pytest.param(RemoteFile("a", "1", 2, "", 0.0), ["a"], id="another size"),
        pytest.param(RemoteFile("b", "1", 1, "md5 of a", 0.0), ["a"], id="another name"),
        pytest.param(Skipped("a", "a folder is beside it"), ["a"], id="not to be had"),
        pytest.param(None, ["a"], id="nothing is there"),
    ],
)
def test_what_a_listing_does_not_tell_is_forgotten(
    tmp_path: Path, listed: RemoteFile | Skipped | None, gone: list[str]
) -> None:
    elsewhere = LocalFile("elsewhere", 1, 2, "x", remote="other")
    with Index(tmp_path) as index:
        index.record(A, elsewhere)
        listings = Listings(index.database)
        listing = listings.begin("darknet", "")
        listings.add(listing, [listed] if listed else [])
        listings.complete(listing)
        assert index.forget_gone("darknet") == gone
        assert index.holds("darknet", A) is (gone == [])
        assert index.holds("other", elsewhere)
        assert index.forget_gone("darknet") == []
        assert [file.md5 for file in index.read().values()] == ["md5 of a", "x"], "no need to hash them again"


def test_of_a_remote_that_is_gone_nothing_is_held(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        index.record(A)
        assert index.forget_gone("darknet", all_of_it=True) == ["a"]
        assert not index.holds("darknet", A)
