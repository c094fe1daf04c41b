"""What was unpacked is remembered, and what was only begun counts as ours and for nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.database import Database
from drivesync.files import LocalFile, RemoteFile
from drivesync.unarchive.record import Records, open_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = LocalFile("1.jpg", 1, 10, "md5 of one")
TWO = LocalFile("2.jpg", 2, 20, "md5 of two")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path) as opened:
        yield opened


def test_begun_and_completed(database: Database) -> None:
    record = open_record(database, "a.zip", "v1")
    record.begin()
    record.add([ONE])
    assert (record.is_complete(), record.find(ONE), record.find(TWO)) == (
        False,
        (True, False),
        (False, False),
    )
    record.complete()
    assert (record.is_complete(), record.find(ONE)) == (True, (True, True))
    assert not open_record(database, "b.zip", "v1").is_complete()
    assert open_record(database, "b.zip", "v1").find(ONE) == (False, False)


def test_another_content(database: Database) -> None:
    before = open_record(database, "a.zip", "v1")
    before.add([ONE, TWO])
    before.complete()
    record = open_record(database, "a.zip", "v2")
    assert (record.is_complete(), record.find(ONE)) == (False, (True, False))
    record.begin()
    changed = LocalFile("1.jpg", 5, 50, "md5 of another")
    record.add([changed])
    # A kill may have come before it got its place, or after.
    assert (record.find(ONE), record.find(changed)) == ((True, False), (True, False))
    record.complete()
    assert list(record.members()) == [changed]


def test_what_an_attempt_that_ended_left_is_no_proof(database: Database) -> None:
    record = open_record(database, "a.zip", "v1")
    record.begin()
    record.add([ONE])
    record.begin()
    record.add([TWO])
    record.complete()
    assert list(record.members()) == [TWO]


def test_of_several_of_one_path_the_last_counts(database: Database) -> None:
    record = open_record(database, "a.tar", "v1")
    record.add([ONE])
    record.add([later := LocalFile("1.jpg", 3, 30, "md5 of a later one")])
    record.complete()
    assert list(record.members()) == [later]


def test_a_member_that_is_written_again_has_one_row(database: Database) -> None:
    record = open_record(database, "a.tar", "v1")
    record.add([ONE, TWO])
    record.complete()
    record.begin()
    record.add([again := LocalFile("1.jpg", 1, 11, "md5 of one")])
    record.complete()
    assert list(record.members()) == [again, TWO]
    record.touch(again, LocalFile("1.jpg", 1, 12))
    assert list(record.members()) == [LocalFile("1.jpg", 1, 12, "md5 of one"), TWO]


def test_many_may_be_changed_while_they_are_read(database: Database) -> None:
    record = open_record(database, "a.tar", "v1")
    many = [LocalFile(f"{number:04}.jpg", 1, 10, "md5") for number in range(2500)]
    record.add(many)
    record.complete()
    told = []
    for member in record.members():
        told.append(member)
        record.touch(member, LocalFile(member.path, 1, 9))
    assert told == many


def test_of_all_archives(database: Database) -> None:
    records = Records(database)
    assert records.archives() == []
    whole = RemoteFile("b.zip", "id", 3, "v1", 0.0)
    open_record(database, "b.zip", "v1").complete()
    open_record(database, "a.zip", "v1").add([ONE])
    assert records.archives() == ["a.zip", "b.zip"]
    assert records.open("b.zip", whole).is_complete()
    assert not records.open("b.zip", None).is_complete()
    assert not records.open("a.zip", RemoteFile("a.zip", "id", 3, "v1", 0.0)).is_complete()


def test_what_names_no_checksum_is_told_by_its_revision(database: Database) -> None:
    first, second = (RemoteFile("a.zip", "id", 3, "", 0.0, revision_id=revision) for revision in "12")
    records = Records(database)
    records.open("a.zip", first).complete()
    assert [records.open("a.zip", file).is_complete() for file in (first, second)] == [True, False]


def test_all_states_of_those_that_are_asked_for(database: Database) -> None:
    record = open_record(database, "a.zip", "v1")
    record.add([ONE, TWO])
    record.begin()
    record.add([later := LocalFile("1.jpg", 3, 30, "md5 of a later one")])
    others = [f"{number}.txt" for number in range(1200)]
    assert record.among([*others, "1.jpg"]) == {"1.jpg": (ONE, later)}
    assert open_record(database, "b.zip", "v1").among(["1.jpg"]) == {}
