"""What a tree knows is written whole or not at all, heals when it is torn, and is shared between processes."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from drivesync.database import Database
from drivesync.errors import LocalWriteError
from drivesync.files import LocalFile
from drivesync.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANY = [LocalFile(f"data/obj/{number:05}.png", number, number, f"{number:032x}") for number in range(2000)]


def database_of(tree: Path) -> Path:
    return tree / ".drivesync" / "index.sqlite"


def fill(tree: Path) -> Path:
    with Index(tree) as index:
        index.record(*MANY)
    return database_of(tree)


def count(tree: Path) -> int:
    with Index(tree) as index:
        return len(index.read())


def insert(connection: sqlite3.Connection, after: Callable[[], object] = bool) -> None:
    connection.execute("INSERT INTO synced VALUES ('a', 1, 1, 'x', '', '')")
    after()


def tear_header(path: Path) -> None:
    path.write_bytes(b"This is no database" * 1000)


def tear_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xa5" * (len(content) - len(content) // 2)
    path.write_bytes(content)


def tear_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def tear_off_half_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize("tear", [tear_header, tear_middle, tear_end, tear_off_half_a_page])
def test_a_torn_file_is_made_anew(tmp_path: Path, tear: Callable[[Path], None]) -> None:
    tear(fill(tmp_path))
    with Index(tmp_path) as index:
        assert index.read() == {}
        index.record(MANY[0])
    assert count(tmp_path) == 1


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    fill(tmp_path).write_bytes(b"")
    assert count(tmp_path) == 0


def test_the_log_of_a_torn_file_goes_with_it(tmp_path: Path) -> None:
    path = fill(tmp_path)
    with closing(sqlite3.connect(path)) as killed:
        killed.execute("INSERT INTO synced VALUES ('ghost', 1, 1, 'x', '', '')")
        killed.commit()
        log = path.with_name("index.sqlite-wal").read_bytes()
    assert log, "the log is what a killed process leaves"
    path.with_name("index.sqlite-wal").write_bytes(log)
    tear_header(path)
    assert count(tmp_path) == 0


@pytest.mark.parametrize("version", [0, 1, 99])
def test_tables_of_another_version_are_thrown_away(tmp_path: Path, version: int) -> None:
    with closing(sqlite3.connect(fill(tmp_path))) as connection:
        connection.execute("DROP TABLE synced")
        connection.execute("CREATE TABLE synced (path TEXT PRIMARY KEY, of_old)")
        connection.execute(f"PRAGMA user_version = {version}")
    with Index(tmp_path) as index:
        assert index.read() == {}
        index.record(*MANY)
        assert len(index.read()) == len(MANY)


def test_tables_of_the_version_before_are_kept_and_prove_nothing_of_a_remote(tmp_path: Path) -> None:
    with closing(sqlite3.connect(fill(tmp_path))) as connection:
        connection.execute("UPDATE synced SET remote = 'darknet'")
        connection.execute("ALTER TABLE synced DROP COLUMN remote")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with Index(tmp_path) as index:
        assert index.read() == {file.path: file for file in MANY}


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    index = Index(tmp_path).__enter__()
    index.record(MANY[0])
    copy = tmp_path / "copy"
    (copy / ".drivesync").mkdir(parents=True)
    for file in (tmp_path / ".drivesync").iterdir():
        (copy / ".drivesync" / file.name).write_bytes(file.read_bytes())
    index.__exit__(None, None, None)
    assert count(copy) == 1


def test_what_failed_half_way_is_not_there(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        with pytest.raises(ZeroDivisionError), database.use() as connection:
            insert(connection, after=lambda: 1 // 0)
        with database.use() as connection:
            assert connection.execute("SELECT * FROM synced").fetchall() == []


WRITER = """
import sys
from pathlib import Path
from drivesync.files import LocalFile
from drivesync.index import Index

for number in range(int(sys.argv[2]), 200, 2):
    # Opened each time: that, too, happens while the other one writes.
    with Index(Path(sys.argv[1])) as index:
        index.record(LocalFile(str(number), number, number, "md5"))
"""


def test_two_processes_write_from_the_first_moment_on(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(first)]) for first in (0, 1)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert count(tmp_path) == 200


def test_many_threads_use_one(tmp_path: Path) -> None:
    with Index(tmp_path) as index:

        def write(first: int) -> None:
            for file in MANY[first:200:8]:
                index.record(file)

        threads = [threading.Thread(target=write, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(index.read()) == 200


class TestWithoutTraces:
    def test_where_there_is_nothing_nothing_is_made(self, tmp_path: Path) -> None:
        with Index(tmp_path, leaves_traces=False) as index:
            index.record(*MANY)
            assert len(index.read()) == len(MANY)
        assert list(tmp_path.iterdir()) == []

    def test_what_is_there_is_seen_and_stays_as_it_is(self, tmp_path: Path) -> None:
        path = fill(tmp_path)
        before = path.read_bytes()
        with Index(tmp_path, leaves_traces=False) as index:
            index.record(LocalFile("more", 1, 1, "md5"))
            assert len(index.read()) == len(MANY) + 1
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_beside_one_who_writes(self, tmp_path: Path) -> None:
        with Index(tmp_path) as writing:
            writing.record(*MANY)
            with writing.database.use() as connection:
                insert(connection)
                with Index(tmp_path, leaves_traces=False) as index:
                    index.record(LocalFile("more", 1, 1, "md5"))
                    assert len(index.read()) == len(MANY) + 1, "all that was written whole, and its own"
            assert len(writing.read()) == len(MANY) + 1

    @pytest.mark.parametrize("tear", [tear_header, tear_middle, tear_end, tear_off_half_a_page])
    def test_of_a_torn_file_it_sees_nothing(self, tmp_path: Path, tear: Callable[[Path], None]) -> None:
        path = fill(tmp_path)
        tear(path)
        before = path.read_bytes()
        with Index(tmp_path, leaves_traces=False) as index:
            assert index.read() == {}
        assert path.read_bytes() == before


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    database_of(tmp_path).mkdir(parents=True)
    with pytest.raises(LocalWriteError, match=re.escape(f"cannot use the index {database_of(tmp_path)}: ")):
        Database(tmp_path).__enter__()


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        with database.use() as connection:
            connection.execute("PRAGMA query_only = 1")
        with pytest.raises(LocalWriteError, match="readonly") as caught, database.use() as connection:
            insert(connection)
    assert caught.value.hint == "Is the disk full or read-only?"


def test_it_is_of_no_use_outside_its_context(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="outside its context"), Database(tmp_path).use():
        pass
