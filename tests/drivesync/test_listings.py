"""What a remote was seen to hold is kept whole, told again as it was, and brought up to date in one step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from drivesync.database import Database
from drivesync.errors import LocalWriteError
from drivesync.files import Changes, Entry, LocalFile, Page, RemoteFile, RemoteFolder, Skipped
from drivesync.index import Index
from drivesync.listings import Listing, Listings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTRIES: list[Entry] = [
    RemoteFolder("", "root"),
    RemoteFolder("data", "1"),
    RemoteFile("a", "2", 7, "md5", 1700000000.123, "sha256", "revision", executable=True, resource_key="key"),
    RemoteFile("data/it's 日本", "3", 2**40, "", 0.0, executable=False),
    RemoteFile("data/b", "4", 0, "md5", 5.5),
    Skipped("data/doc", "it is a Google document", "5"),
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path) as opened:
        yield opened


@pytest.fixture
def listings(database: Database) -> Listings:
    return Listings(database)


def keep(listings: Listings, *entries: Entry, remote: str = "darknet", mark: str = "m1") -> Listing:
    listing = listings.begin(remote, mark)
    listings.add(listing, entries)
    listings.complete(listing)
    return listing


def told(listings: Listings, listing: Listing) -> list[Entry]:
    return [entry for page in listings.pages(listing) for entry in page.entries]


def there(path: str, name: str = "id", modified_s: float = 0.0) -> RemoteFile:
    return RemoteFile(path, name, 1, "md5", modified_s)


def test_what_was_listed_is_told_again(listings: Listings) -> None:
    listing = keep(listings, *ENTRIES)
    assert listings.find("darknet") == listing
    assert sorted(told(listings, listing), key=repr) == sorted(ENTRIES, key=repr)
    assert listings.folders(listing) == {"root": "", "1": "data"}
    assert listings.total_bytes(listing) == 2**40 + 7


def test_nothing_is_known_of_a_remote_that_was_never_listed(listings: Listings) -> None:
    assert listings.find("darknet") is None
    keep(listings, *ENTRIES, remote="other")
    assert listings.find("darknet") is None


def test_an_empty_listing(listings: Listings) -> None:
    listing = keep(listings)
    assert listings.find("darknet") == listing
    assert list(listings.pages(listing)) == []
    assert (listings.total_bytes(listing), listings.folders(listing)) == (0, {})


class TestAKilledListing:
    def test_leaves_the_old_one_valid(self, listings: Listings) -> None:
        old = keep(listings, *ENTRIES)
        listings.add(listings.begin("darknet", "m2"), [there("new")])
        assert listings.find("darknet") == old
        assert len(told(listings, old)) == len(ENTRIES)

    def test_is_cleared_by_the_next(self, listings: Listings, database: Database) -> None:
        listings.add(listings.begin("darknet", "m1"), ENTRIES)
        keep(listings, there("new"), mark="m2")
        with database.use() as connection:
            assert connection.execute("SELECT path FROM listed").fetchall() == [("new",)]
            assert connection.execute("SELECT mark FROM listings").fetchall() == [("m2",)]


def test_the_next_takes_its_place_and_leaves_other_remotes_alone(
    listings: Listings, database: Database
) -> None:
    other = keep(listings, there("other"), remote="other")
    keep(listings, *ENTRIES)
    new = keep(listings, there("new"), mark="m2")
    assert listings.find("darknet") == new == Listing(new.number, "m2")
    assert told(listings, new) == [there("new")]
    assert told(listings, other) == [there("other")]
    with database.use() as connection:
        assert connection.execute("SELECT COUNT(*) FROM listed").fetchone() == (2,)


def test_another_process_finds_it(tmp_path: Path, listings: Listings) -> None:
    listing = keep(listings, *ENTRIES)
    with Database(tmp_path) as other:
        assert Listings(other).find("darknet") == listing


class TestPages:
    def test_folder_by_folder_and_in_each_the_newest_first(self, listings: Listings) -> None:
        listing = keep(
            listings,
            there("b/x", "1", 1),
            there("a/x", "2", 1),
            there("x", "3", 1),
            there("a/x", "4", 3),
            there("b/x", "5", 2),
            there("a/x", "6", 2),
            there("a/y", "7", 2),
        )
        assert [entry.id for entry in told(listings, listing)] == ["3", "4", "7", "6", "2", "5", "1"]

    @pytest.mark.parametrize("sizes", [{"a": 2300}, {"a": 500, "b": 500, "c": 500}, {"a": 1, "b": 2999}])
    def test_they_are_short_and_say_where_folders_end(
        self, listings: Listings, sizes: dict[str, int]
    ) -> None:
        listed = [
            there(f"{folder}/{number:04}", str(number)) for folder in sizes for number in range(sizes[folder])
        ]
        listing = keep(listings, *listed)
        pages = list(listings.pages(listing))
        assert sorted((entry for page in pages for entry in page.entries), key=repr) == sorted(
            listed, key=repr
        )
        assert all(len(page.entries) <= 1000 for page in pages)
        assert pages[-1].ends
        for page, following in pairwise(pages):
            assert page.ends == (folder_of(page, -1) != folder_of(following, 0))

    def test_what_is_written_meanwhile_here_and_by_another_process(
        self, tmp_path: Path, listings: Listings, database: Database
    ) -> None:
        listing = keep(listings, *(there(f"a/{number}", str(number)) for number in range(3000)))
        seen = 0
        with Index(tmp_path) as other, Index(tmp_path) as mine:
            mine.database = database
            for page in listings.pages(listing):
                seen += len(page.entries)
                other.record(LocalFile("watched", seen, seen))
                mine.record(LocalFile("pulled", seen, seen))
        assert seen == 3000


def folder_of(page: Page, at: int) -> str:
    return page.entries[at].path.rpartition("/")[0]


class TestApply:
    def test_changes(self, listings: Listings) -> None:
        listing = keep(listings, *ENTRIES)
        new = there("data/new", "9", 9.0)
        changed = RemoteFile("a", "2", 8, "md5 of 2", 8.0)
        document = Skipped("data/b", "it is a Google document now", "4")
        listings.apply(listing, Changes(frozenset({"2", "3", "4", "9"}), (new, changed, document), "m2"))
        assert listings.find("darknet") == Listing(listing.number, "m2")
        assert sorted(told(listings, listing), key=repr) == sorted(
            [ENTRIES[0], ENTRIES[1], ENTRIES[5], new, changed, document], key=repr
        )

    def test_twice_is_as_once(self, listings: Listings) -> None:
        listing = keep(listings, *ENTRIES)
        changes = Changes(frozenset({"2", "9"}), (there("data/new", "9", 9.0),), "m2")
        listings.apply(listing, changes)
        once = told(listings, listing)
        listings.apply(listing, changes)
        assert told(listings, listing) == once

    def test_one_file_on_two_paths(self, listings: Listings) -> None:
        listing = keep(listings, there("a", "1"), there("by/shortcut", "1"), there("b", "2"))
        listings.apply(listing, Changes(frozenset({"1"}), (), "m2"))
        assert told(listings, listing) == [there("b", "2")]

    def test_it_is_done_whole_or_not_at_all(self, tmp_path: Path, listings: Listings) -> None:
        listing = keep(listings, *ENTRIES)
        before = told(listings, listing)
        bad = replace(there("new", "9"), size=2**64)
        with pytest.raises(OverflowError):
            listings.apply(listing, Changes(frozenset({"2"}), (there("x"), bad), "m2"))
        assert told(listings, listing) == before
        with Database(tmp_path) as other:
            with other.use() as connection:
                connection.execute(
                    "CREATE TRIGGER full BEFORE UPDATE ON listings BEGIN SELECT RAISE(ABORT, 'full'); END"
                )
            with pytest.raises(LocalWriteError, match="full"):
                Listings(other).apply(listing, Changes(frozenset({"2"}), (there("x"),), "m2"))
        assert listings.find("darknet") == listing
        assert told(listings, listing) == before
