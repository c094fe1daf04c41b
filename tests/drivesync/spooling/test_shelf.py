"""A snapshot is on the disk whole, or it is swept away."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from drivesync.files import Role
from drivesync.spooling.entries import Entry
from drivesync.spooling.shelf import Mark, Shelf, name_of, read_pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAST = "backup/run_last.weights"
CONTENT = b"weights"


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """Of a file that is in the tree as it was taken."""
    place = tmp_path / LAST
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    return Entry(1, LAST, len(CONTENT), place.stat().st_mtime_ns, 100, "run", Role.LAST, 0.5)


@pytest.fixture
def shelf(tmp_path: Path, entry: Entry) -> Shelf:
    """With that entry in it."""
    made = Shelf(tmp_path)
    with made.make(entry.sequence) as making:
        (making / name_of(entry.path)).write_bytes(CONTENT)
        made.put(making, entry)
    return made


def folder_of(tree: Path) -> Path:
    return tree / ".drivesync" / "spool" / "00000001"


def test_it_is_found_as_it_was_put(shelf: Shelf, entry: Entry, tmp_path: Path) -> None:
    assert shelf.open() == read_pending(tmp_path) == (entry,)
    assert shelf.snapshot_of(entry).read_bytes() == CONTENT
    assert shelf.free_bytes() > 0


@pytest.mark.parametrize("mark", Mark)
def test_marks(shelf: Shelf, entry: Entry, tmp_path: Path, mark: Mark) -> None:
    shelf.mark(entry, mark)
    (found,) = shelf.open()
    assert (found.pushed, found.dropped) == (mark is Mark.PUSHED, mark is Mark.DROPPED)
    assert read_pending(tmp_path) == ()
    shelf.unmark(entry)
    assert shelf.open() == read_pending(tmp_path) == (entry,)


def test_what_was_not_put_is_gone(shelf: Shelf, entry: Entry, tmp_path: Path) -> None:
    with shelf.make(2) as making:
        (making / "half").write_bytes(CONTENT)
    shelf.remove(entry)
    shelf.remove(entry)
    assert list((tmp_path / ".drivesync" / "spool").iterdir()) == []


def tear_json(place: Path) -> None:
    path = place / "entry.json"
    path.write_bytes(path.read_bytes()[:-20])


def empty_json(place: Path) -> None:
    (place / "entry.json").write_bytes(b"")


def no_json(place: Path) -> None:
    (place / "entry.json").unlink()


def other_json(place: Path) -> None:
    (place / "entry.json").write_text('[{"sequence": 1}]')


def other_role(place: Path) -> None:
    record = json.loads((place / "entry.json").read_bytes())
    (place / "entry.json").write_text(json.dumps(record | {"role": "understudy"}))


def wrong_number(place: Path) -> None:
    record = json.loads((place / "entry.json").read_bytes())
    (place / "entry.json").write_text(json.dumps(record | {"sequence": 99}))


def tear_snapshot(place: Path) -> None:
    os.truncate(place / "run_last.weights", 3)


def no_snapshot(place: Path) -> None:
    (place / "run_last.weights").unlink()


def nothing_there(place: Path) -> None:
    for left in place.iterdir():
        left.unlink()


def unfinished(place: Path) -> None:
    place.rename(place.with_name("00000001.tmp"))


@pytest.mark.parametrize(
    "tear",
    [
        tear_json,
        empty_json,
        no_json,
        other_json,
        other_role,
        wrong_number,
        tear_snapshot,
        no_snapshot,
        unfinished,
        nothing_there,
    ],
)
def test_a_torn_one_is_swept_away(shelf: Shelf, tmp_path: Path, tear: Callable[[Path], None]) -> None:
    tear(folder_of(tmp_path))
    assert read_pending(tmp_path) == ()
    assert shelf.open() == ()
    assert list((tmp_path / ".drivesync" / "spool").iterdir()) == []


@pytest.mark.parametrize("name", [".DS_Store", "rejected", "notes"])
def test_what_is_not_ours_is_left_alone(shelf: Shelf, entry: Entry, tmp_path: Path, name: str) -> None:
    stray = tmp_path / ".drivesync" / "spool" / name
    stray.mkdir()
    assert shelf.open() == read_pending(tmp_path) == (entry,)
    assert stray.is_dir()


class TestFormerFormat:
    """Nobody had asked for roles and runs then."""

    @pytest.fixture(autouse=True)
    def _former(self, shelf: Shelf, entry: Entry, tmp_path: Path) -> None:
        record = {"sequence": 1, "path": entry.path, "size": entry.size, "md5": "m", "sha256": "s"}
        record |= {"mtime_ns": entry.mtime_ns, "iteration": 100}
        assert shelf.snapshot_of(entry).parent == folder_of(tmp_path)
        (folder_of(tmp_path) / "entry.json").write_text(json.dumps(record))

    def test_what_is_still_in_the_tree_is_taken_again(self, shelf: Shelf) -> None:
        assert shelf.open() == ()

    @pytest.mark.parametrize("change", ["removed", "saved anew"])
    def test_what_is_nowhere_else_is_kept(
        self, shelf: Shelf, entry: Entry, tmp_path: Path, change: str
    ) -> None:
        if change == "removed":
            (tmp_path / LAST).unlink()
        else:
            (tmp_path / LAST).write_bytes(b"torn")
        expected = Entry(1, LAST, entry.size, entry.mtime_ns, 100)
        assert read_pending(tmp_path) == shelf.open() == (expected,)

    def test_what_is_on_the_remote_needs_no_more(self, shelf: Shelf, tmp_path: Path) -> None:
        (tmp_path / LAST).unlink()
        (folder_of(tmp_path) / "pushed").touch()
        assert shelf.open() == ()


def test_no_tree_no_snapshots(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert read_pending(tmp_path / "absent") == read_pending(tmp_path / "file") == ()
