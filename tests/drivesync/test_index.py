"""The index remembers, and heals when it is torn."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from drivesync.files import LocalFile
from drivesync.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANY = [
    LocalFile(f"data/obj/{number:05}.png", number, number * 10**9, f"{number:032x}") for number in range(2000)
]


def database_of(tree: Path) -> Path:
    return tree / ".drivesync" / "index.sqlite"


def fill(tree: Path) -> Path:
    with Index(tree) as index:
        index.record(*MANY)
    return database_of(tree)


def test_what_is_recorded_is_found(tmp_path: Path) -> None:
    first, second = LocalFile("it's 日本", 1, 2, "a"), LocalFile("b", 2**40, 2**62, "b")
    with Index(tmp_path) as index:
        index.record()
        index.record(first, second)
        assert index.find("it's 日本") == first
        assert index.find("absent") is None
        changed = LocalFile("b", 3, 4, "c")
        index.record(changed)
    with Index(tmp_path) as index:
        assert index.read() == {first.path: first, "b": changed}


def test_two_processes_and_many_threads(tmp_path: Path) -> None:
    with Index(tmp_path) as one, Index(tmp_path) as other, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: (one, other)[file.size % 2].record(file), MANY[:400]))
        assert one.read() == other.read() == {file.path: file for file in MANY[:400]}


def tear_header(path: Path) -> None:
    path.write_bytes(b"This is no database" * 1000)


def tear_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xa5" * (len(content) - len(content) // 2)
    path.write_bytes(content)


def tear_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("tear", [tear_header, tear_middle, tear_end])
def test_a_torn_index_is_made_anew(tmp_path: Path, tear: Callable[[Path], None]) -> None:
    tear(fill(tmp_path))
    with Index(tmp_path) as index:
        assert index.read() == {}
        index.record(MANY[0])
    with Index(tmp_path) as index:
        assert index.read() == {MANY[0].path: MANY[0]}


def test_an_empty_file_is_an_empty_index(tmp_path: Path) -> None:
    fill(tmp_path).write_bytes(b"")
    with Index(tmp_path) as index:
        assert index.read() == {}


def test_the_log_of_a_torn_index_goes_with_it(tmp_path: Path) -> None:
    path = fill(tmp_path)
    with closing(sqlite3.connect(path)) as killed:
        killed.execute("INSERT INTO synced VALUES ('ghost', 1, 1, 'x')")
        killed.commit()
        log = path.with_name("index.sqlite-wal").read_bytes()
    assert log, "the log is what a killed process leaves"
    path.with_name("index.sqlite-wal").write_bytes(log)
    tear_header(path)
    with Index(tmp_path) as index:
        assert index.read() == {}


def test_what_was_recorded_survives_a_kill(tmp_path: Path) -> None:
    index = Index(tmp_path).__enter__()
    index.record(MANY[0])
    copy = tmp_path / "copy"
    (copy / ".drivesync").mkdir(parents=True)
    for file in (tmp_path / ".drivesync").iterdir():
        (copy / ".drivesync" / file.name).write_bytes(file.read_bytes())
    index.__exit__(None, None, None)
    with Index(copy) as found:
        assert found.read() == {MANY[0].path: MANY[0]}


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    database_of(tmp_path).mkdir(parents=True)
    with pytest.raises(LocalWriteError, match="index"):
        Index(tmp_path).__enter__()


def test_it_is_of_no_use_outside_its_context(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="outside its context"):
        Index(tmp_path).read()
