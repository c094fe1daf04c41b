"""A pull's pages come from what was listed last and has changed since, or from a new listing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.database import Database
from drivesync.errors import NotFoundError, StaleMarkError, TransientError
from drivesync.files import Changes, Entry, Page, RemoteFile, RemoteFolder
from drivesync.listings import Listings
from drivesync.pulling.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.drivesync.conftest import Scripted

TOP = RemoteFolder("", "root")


def there(path: str, size: int = 10) -> RemoteFile:
    return RemoteFile(path, f"id of {path}", size, "md5", 1.0)


@pytest.fixture
def listings(tmp_path: Path) -> Iterator[Listings]:
    with Database(tmp_path) as database:
        yield Listings(database)


@pytest.fixture
def source(scripted: Scripted) -> Iterator[Callable[[], Source]]:
    """Makes the source of one more pull."""
    with ExitStack() as stack:
        yield lambda: Source(scripted, stack)


@pytest.fixture
def asked(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the remote was asked for; it lists two files and gives marks, and nothing changes in it."""
    scripted.pages = [Page((TOP, there("a")), ends=False), Page((there("b"),), ends=True)]
    said: list[str] = []

    def mark() -> str:
        said.append("mark")
        return "m1"

    def list_() -> Iterator[Page]:
        said.append("list")
        yield from scripted.pages

    def changes(mark: str, _folders: Mapping[str, str]) -> Changes:
        said.append(f"changes since {mark}")
        return Changes(frozenset(), (), "m2")

    monkeypatch.setattr(scripted, "mark", mark)
    monkeypatch.setattr(scripted, "list", list_)
    monkeypatch.setattr(scripted, "changes", changes)
    return said


def entries(pages: Iterator[Page]) -> list[Entry]:
    return [entry for page in pages for entry in page.entries]


def test_the_first_time_everything_is_listed_and_kept(
    source: Callable[[], Source], listings: Listings, asked: list[str]
) -> None:
    first = source()
    pages = first.open(listings)
    told = next(pages)
    assert told.entries == (TOP, there("a"))
    assert listings.find("scripted") is None, "it is not whole yet"
    assert entries(pages) == [there("b")]
    assert asked == ["mark", "list"], "what changes meanwhile is told by the next changes"
    kept = listings.find("scripted")
    assert kept is not None
    assert kept.mark == "m1"
    assert set(entries(first.reopen())) == {TOP, there("a"), there("b")}
    assert first.most_bytes() == 20


def test_the_second_time_only_changes_are_asked_for(
    source: Callable[[], Source], listings: Listings, asked: list[str]
) -> None:
    entries(source().open(listings))
    asked.clear()
    for mark in ("m1", "m2"):
        again = source()
        assert set(entries(again.open(listings))) == {TOP, there("a"), there("b")}
        assert again.most_bytes() == 20
        assert asked == [f"changes since {mark}"]
        asked.clear()


def test_what_has_changed_is_told(
    source: Callable[[], Source],
    listings: Listings,
    scripted: Scripted,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries(source().open(listings))
    folders_told: list[Mapping[str, str]] = []

    def changes(_mark: str, folders: Mapping[str, str]) -> Changes:
        folders_told.append(folders)
        return Changes(frozenset({"id of a"}), (there("c", 5),), "m2")

    monkeypatch.setattr(scripted, "changes", changes)
    again = source()
    assert set(entries(again.open(listings))) == {TOP, there("b"), there("c", 5)}
    assert again.most_bytes() == 15
    assert folders_told == [{"root": ""}]
    assert asked == ["mark", "list"]


def test_a_stale_mark_lists_again(
    source: Callable[[], Source],
    listings: Listings,
    scripted: Scripted,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_mark: str, _folders: Mapping[str, str]) -> Changes:
        raise StaleMarkError("too long ago")

    entries(source().open(listings))
    scripted.pages = [Page((TOP, there("new")), ends=True)]
    monkeypatch.setattr(scripted, "changes", refuse)
    assert entries(source().open(listings)) == [TOP, there("new")]
    assert asked == ["mark", "list", "mark", "list"]


def test_without_a_mark_it_is_listed_again(
    source: Callable[[], Source], listings: Listings, scripted: Scripted
) -> None:
    for name in ("a", "b"):
        scripted.pages = [Page((TOP, there(name)), ends=True)]
        assert entries(source().open(listings)) == [TOP, there(name)]


def test_a_listing_that_breaks_leaves_the_one_before(
    source: Callable[[], Source],
    listings: Listings,
    scripted: Scripted,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries(source().open(listings))

    def break_off() -> Iterator[Page]:
        yield Page((TOP,), ends=False)
        raise TransientError("the line is dead")

    monkeypatch.setattr(scripted, "mark", lambda: "")
    monkeypatch.setattr(scripted, "list", break_off)
    broken = source()
    broken.list_anew()
    pages = broken.open(listings)
    assert next(pages).entries == (TOP,)
    with pytest.raises(TransientError, match="the line is dead"):
        next(pages)
    with pytest.raises(RuntimeError, match="nothing is kept"):
        broken.reopen()
    asked.clear()
    assert set(entries(source().open(listings))) == {TOP, there("a"), there("b")}
    assert asked == ["changes since m1"]


def test_a_folder_that_is_not_there(
    source: Callable[[], Source], scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise NotFoundError("no such folder")

    monkeypatch.setattr(scripted, "mark", refuse)
    with pytest.raises(NotFoundError):
        source().list_anew()


def test_nothing_is_kept_where_nothing_is_to_be(
    source: Callable[[], Source], asked: list[str], scripted: Scripted
) -> None:
    assert entries(source().open(None)) == [TOP, there("a"), there("b")]
    scripted.pages = []
    assert entries(source().open(None)) == []
    assert asked == ["mark", "list"] * 2


@pytest.mark.parametrize(
    ("told", "bound"),
    [
        pytest.param(123, 123, id="as the remote says"),
        pytest.param(None, None, id="the remote cannot say"),
        pytest.param(TransientError("dead"), None, id="asking failed: the listing will tell"),
    ],
)
def test_most_bytes_of_a_new_listing(
    source: Callable[[], Source],
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    told: int | TransientError | None,
    bound: int | None,
) -> None:
    def ask() -> int | None:
        if isinstance(told, TransientError):
            raise told
        return told

    monkeypatch.setattr(scripted, "most_bytes", ask)
    new = source()
    new.list_anew()
    assert new.most_bytes() == bound
